/** Runs seeds for the command, one at a time, beside it: a terminal stays alive meanwhile. */
import { parentPort } from "node:worker_threads";
import { CANARY, simulate } from "@quorate/node/testing";
import type { SeedJob } from "./seed-pool.ts";

parentPort?.on("message", ({ seed, overrides, canary }: SeedJob) => {
  void run(seed, { overrides, ...(canary ? { parts: CANARY } : {}) });
});

async function run(...given: Parameters<typeof simulate>): Promise<void> {
  const result = await simulate(...given);
  parentPort?.postMessage({ ...result, coverage: result.coverage.toJSON() });
}
