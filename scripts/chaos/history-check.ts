import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { Verdict } from "@quorate/wire/history";
import { checkHistory, parseHistory } from "@quorate/wire/history";

const CHECK_BUDGET_MS = 120_000;

/** Checks a history as it stands in a file, in a thread of its own: clients go on meanwhile. */
export function checkFile(path: string): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: path });
    thread.once("message", (verdict: Verdict) => {
      resolve(verdict);
    });
    thread.once("error", reject);
    thread.once("exit", () => {
      reject(new Error(`the check of ${path} ended without a verdict`));
    });
  });
}

if (!isMainThread && typeof workerData === "string") {
  const lines = createInterface({ input: createReadStream(workerData), crlfDelay: Infinity });
  const verdict = checkHistory(await parseHistory(lines), { budgetMs: CHECK_BUDGET_MS });
  parentPort?.postMessage(verdict);
}
