/** Runs the deterministic simulator: many seeds, or one again; makes a failure small. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type {
  FailedSeed,
  FailureOrigin,
  PlanOverrides,
  SeedOutcome,
  Shrunk,
} from "@quorate/node/testing";
import {
  blindSpots,
  CANARY,
  removeOwnSimulationFolders,
  shrinkFailure,
  simulate,
} from "@quorate/node/testing";
import type { Arguments } from "./simulate/arguments.ts";
import { HELP, parseArguments, UsageError } from "./simulate/arguments.ts";
import { CampaignRun } from "./simulate/campaign-run.ts";
import type { ReportContext } from "./simulate/report.ts";
import { campaignJson, campaignText, progressLine, seedJson, seedText } from "./simulate/report.ts";
import { SeedPool } from "./simulate/seed-pool.ts";
import { ProgressLine } from "./terminal/progress-line.ts";

const INTERRUPTED = 130;

/** The commit of the sources, with a plus if they are not quite that. */
async function commitOf(): Promise<string> {
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)("git", args, { cwd: import.meta.dirname })).stdout.trim();
  try {
    const changes = await git("status", "--porcelain", "--untracked-files=no");
    return (await git("rev-parse", "--short=12", "HEAD")) + (changes === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}

/** Everything that one call of the command has at hand. */
class Command {
  readonly #given: Arguments;
  readonly #origin: FailureOrigin;
  readonly #pool: SeedPool;
  readonly #progress = new ProgressLine();
  readonly #interruption = Promise.withResolvers<void>();
  #isInterrupted = false;
  #blind: readonly string[] = [];
  #shrunk: Shrunk | null = null;

  constructor(given: Arguments, commit: string) {
    this.#given = given;
    const { overrides, canary } = given;
    this.#origin = { commit, overrides, more: canary ? ["--canary"] : [] };
    this.#pool = new SeedPool(given.workers);
  }

  /** Resolves to the exit code. */
  async run(): Promise<number> {
    process.once("SIGINT", () => {
      this.#isInterrupted = true;
      this.#interruption.resolve();
    });
    try {
      const { seed } = this.#given;
      const holds = await (seed === null ? this.#runCampaign() : this.#replay(seed));
      if (this.#isInterrupted) return INTERRUPTED;
      return holds ? 0 : 1;
    } finally {
      this.#progress.clear();
      await this.#pool.close();
      removeOwnSimulationFolders();
    }
  }

  async #runCampaign(): Promise<boolean> {
    const { seeds, minutes, json, canary } = this.#given;
    const onFailure = ({ seed, invariant, message }: FailedSeed): void => {
      this.#progress.print(`seed ${seed} broke "${invariant}": ${message}`);
    };
    this.#blind = canary ? [] : await blindSpots();
    for (const blind of this.#blind) this.#progress.print(`blind: ${blind}`);
    const run = new CampaignRun({ ...this.#given, blind: this.#blind, onFailure }, this.#pool);
    this.#progress.show(() => progressLine(run, minutes === null ? seeds : null));
    await this.#unlessInterrupted(run.run());
    run.stop();
    const [first] = run.campaign.failures;
    if (first !== undefined) await this.#shrink(first.seed);
    this.#progress.clear();
    const print = json ? campaignJson : campaignText;
    process.stdout.write(`${print(run, this.#context())}\n`);
    return run.holds;
  }

  async #replay(seed: number): Promise<boolean> {
    const { verbose, json, overrides, canary } = this.#given;
    const job = { seed, overrides, canary };
    const outcome = await (verbose
      ? runVerbosely(seed, overrides, canary)
      : this.#unlessInterrupted(this.#pool.run(job)));
    if (outcome === null) return false;
    if (outcome.failure !== null) await this.#shrink(seed);
    this.#progress.clear();
    const print = json ? seedJson : seedText;
    process.stdout.write(`${print(outcome, this.#context())}\n`);
    return outcome.failure === null;
  }

  /** Looks for a smaller run, if that was asked for. */
  async #shrink(seed: number): Promise<void> {
    const { shrink, canary, overrides } = this.#given;
    if (!shrink || this.#isInterrupted) return;
    const rerun = (smaller: PlanOverrides): Promise<SeedOutcome> =>
      this.#pool.run({ seed, overrides: smaller, canary });
    const { failure, eventCount, simulatedMs } = await rerun(overrides);
    if (failure === null) return;
    this.#shrunk = { overrides, failure, eventCount, simulatedMs, runs: 0 };
    this.#progress.show(() => {
      const { eventCount: events = 0, runs = 0 } = this.#shrunk ?? {};
      return `shrinking seed ${seed} · ${runs} runs · ${events} events of ${eventCount}`;
    });
    const onSmaller: NonNullable<Parameters<typeof shrinkFailure>[0]["onSmaller"]> = (
      failing,
      runs,
    ) => {
      this.#shrunk = { ...failing, runs };
    };
    const failing = { overrides, failure, eventCount, simulatedMs };
    const shrunk = await this.#unlessInterrupted(
      shrinkFailure({ seed, failing, rerun, onSmaller }),
    );
    this.#shrunk = shrunk ?? this.#shrunk;
  }

  /** Resolves to null if Ctrl-C comes first. */
  async #unlessInterrupted<Value>(work: Promise<Value>): Promise<Value | null> {
    return Promise.race([work, this.#interruption.promise.then(() => null)]);
  }

  #context(): ReportContext {
    const { from, workers, canary } = this.#given;
    const [isInterrupted, origin, shrunk] = [this.#isInterrupted, this.#origin, this.#shrunk];
    const blind = canary ? null : this.#blind;
    return { from, workers, isInterrupted, origin, shrunk, blind };
  }
}

async function runVerbosely(
  seed: number,
  overrides: PlanOverrides,
  canary: boolean,
): Promise<SeedOutcome> {
  const onEvent = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const parts = canary ? { parts: CANARY } : {};
  const result = await simulate(seed, { overrides, onEvent, ...parts });
  return { ...result, coverage: result.coverage.toJSON() };
}

try {
  const given = parseArguments(process.argv.slice(2));
  if (given.help) process.stdout.write(HELP);
  else process.exitCode = await new Command(given, await commitOf()).run();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`error: ${error.message}\n  try:  npm run simulate -- --help\n`);
  process.exitCode = 2;
}
