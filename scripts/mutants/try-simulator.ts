import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CampaignVerdict } from "./campaign-run.ts";
import { ROOT, TryEnvironment } from "./environment.ts";
import type { Mutant } from "./mutant.ts";
import { BUDGET_SECONDS, SEEDS_MAX } from "./mutant.ts";
import type { Attempt } from "./outcome.ts";
import { attemptFrom } from "./outcome.ts";

/** A seed that takes longer than this does not end: simulated time stands still. */
const SEED_MAX_MS = 90_000;

type Line = { readonly seed: number } | CampaignVerdict;

/** Runs the simulator with `mutant` in it. */
export async function trySimulator(mutant: Mutant): Promise<Attempt> {
  const environment = await TryEnvironment.open(mutant);
  const startedMs = performance.now();
  try {
    const { verdict, seed, errors } = await runCampaign(mutant, environment);
    const proof = await environment.proof();
    const wallMs = performance.now() - startedMs;
    const said = { tier: "simulator" as const, wallMs };
    if (verdict === null) {
      const isHung = errors === null;
      const by = isHung ? `Liveness (a seed that took ${SEED_MAX_MS / 1000} s)` : null;
      return attemptFrom(proof, { ...said, by, seed, message: errors ?? "" });
    }
    return attemptFrom(proof, { ...said, ...verdict });
  } finally {
    await environment.close();
  }
}

interface CampaignEnd {
  readonly verdict: CampaignVerdict | null;
  readonly seed: number;
  /** Null: it was ended because a seed did not end. */
  readonly errors: string | null;
}

async function runCampaign(mutant: Mutant, environment: TryEnvironment): Promise<CampaignEnd> {
  const script = join(import.meta.dirname, "campaign-run.ts");
  const { seeds = SEEDS_MAX, budgetSeconds = BUDGET_SECONDS, fabric, storage } = mutant;
  const aim = JSON.stringify({ fabric, storage });
  const child = spawn(process.execPath, [script, String(seeds), String(budgetSeconds), aim], {
    cwd: ROOT,
    env: environment.variables,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const end = (): void => {
    child.kill("SIGKILL");
  };
  process.on("exit", end);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  let verdict: CampaignVerdict | null = null;
  let seed = 0;
  let isHung = false;
  const giveUp = (): void => {
    isHung = true;
    end();
  };
  let timer = setTimeout(giveUp, SEED_MAX_MS);
  for await (const text of createInterface(child.stdout)) {
    clearTimeout(timer);
    timer = setTimeout(giveUp, SEED_MAX_MS);
    const line = JSON.parse(text) as Line;
    if ("by" in line) verdict = line;
    else ({ seed } = line);
  }
  await closed;
  process.off("exit", end);
  clearTimeout(timer);
  return { verdict, seed, errors: isHung ? null : errors };
}
