import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CampaignVerdict } from "./campaign-verdict.ts";
import { controlSeeds } from "./campaign-verdict.ts";
import { ROOT, TryEnvironment } from "./environment.ts";
import type { Mutant } from "./mutant.ts";
import { BUDGET_SECONDS, SEEDS_MAX } from "./mutant.ts";
import type { Attempt } from "./outcome.ts";
import { attemptFrom } from "./outcome.ts";

/** A seed that takes longer than this does not end: simulated time stands still. */
const SEED_MAX_MS = 90_000;

const CAMPAIGN = join(import.meta.dirname, "campaign-run.ts");

type Line = { readonly seed: number } | CampaignVerdict;

/**
 * Runs the simulator with `mutant` in it, as `script` does. What it finds proves nothing if the same
 * seed fails without the mutant as well.
 */
export async function trySimulator(mutant: Mutant, script: string = CAMPAIGN): Promise<Attempt> {
  const { seeds = SEEDS_MAX, budgetSeconds = BUDGET_SECONDS } = mutant;
  const environment = await TryEnvironment.open(mutant);
  const startedMs = performance.now();
  try {
    const range = [1, seeds] as const;
    const end = await runCampaign(mutant, { script, range, budgetSeconds, environment });
    const proof = await environment.proof();
    const wallMs = performance.now() - startedMs;
    const { by, seed, message } = faultOf(end);
    if (by !== null && proof.isApplied && proof.unfit === null) {
      const control = await failsWithout(mutant, script, controlSeeds(by, seed));
      if (control !== null) {
        return { kind: "unfit", why: `${by}: seed ${seed} fails anyway: ${control}` };
      }
    }
    return attemptFrom(proof, { tier: "simulator", by, seed, message, wallMs });
  } finally {
    await environment.close();
  }
}

/** What breaks without the mutant, or null. However long it takes: as many seeds have to run. */
async function failsWithout(
  mutant: Mutant,
  script: string,
  range: readonly [number, number],
): Promise<string | null> {
  const environment = await TryEnvironment.open(null);
  try {
    const budgetSeconds = Infinity;
    const end = await runCampaign(mutant, { script, range, budgetSeconds, environment });
    const { by, message } = faultOf(end);
    if (by !== null) return `${by} ${message}`.trim();
    // Who did not come to its end shows nothing.
    return end.verdict === null ? `the run without the break ends: ${message}` : null;
  } finally {
    await environment.close();
  }
}

/** What broke; `by` is null if nothing did, and the message says why it ended early. */
function faultOf({ verdict, seed, errors }: CampaignEnd): Omit<CampaignVerdict, "seeds"> {
  if (verdict !== null) return verdict;
  const by = errors === null ? `Liveness (a seed that took ${SEED_MAX_MS / 1000} s)` : null;
  return { by, seed, message: errors ?? "" };
}

interface CampaignEnd {
  readonly verdict: CampaignVerdict | null;
  readonly seed: number;
  /** Null: it was ended because a seed did not end. */
  readonly errors: string | null;
}

interface CampaignOrder {
  readonly script: string;
  readonly range: readonly [number, number];
  readonly budgetSeconds: number;
  readonly environment: TryEnvironment;
}

async function runCampaign(
  { fabric, storage }: Mutant,
  { script, range, budgetSeconds, environment }: CampaignOrder,
): Promise<CampaignEnd> {
  const aim = JSON.stringify({ fabric, storage });
  const args = [...range, budgetSeconds].map(String);
  const child = spawn(process.execPath, [script, ...args, aim], {
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
