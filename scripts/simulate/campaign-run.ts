import type { FailedSeed, PlanOverrides, SeedOutcome } from "@quorate/node/testing";
import { Campaign } from "@quorate/node/testing";
import type { SeedPool } from "./seed-pool.ts";

/** Of so many seeds one is run twice, and the first two of every campaign. */
const TWICE_EVERY = 100;
const TWICE_AT_FIRST = 2;
/** A second run comes so many seeds after the first: what a thread remembers must not matter. */
const APART_SEEDS = 8;
/** A campaign that fails this often has told enough. */
const FAILURES_MAX = 10;

export interface CampaignOptions {
  readonly from: number;
  readonly seeds: number;
  /** Instead of {@link CampaignOptions.seeds}, or null. */
  readonly minutes: number | null;
  readonly overrides: PlanOverrides;
  readonly canary: boolean;
  /** What the checks did not see that was put before them: see `blindSpots`. */
  readonly blind: readonly string[];
  readonly onFailure: (failed: FailedSeed) => void;
}

interface Repeat {
  readonly offset: number;
  readonly first: SeedOutcome;
}

/** Many seeds, some of them twice, and what they have shown so far. */
export class CampaignRun {
  readonly campaign: Campaign = new Campaign();
  /** Seeds that gave two different histories. */
  readonly unequalSeeds: number[] = [];
  readonly #options: CampaignOptions;
  readonly #pool: SeedPool;
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  readonly #repeats: Repeat[] = [];
  #started = 0;
  #pairs = 0;
  #end: { readonly elapsedMs: number; readonly cpuMs: number } | null = null;

  constructor(options: CampaignOptions, pool: SeedPool) {
    this.#options = options;
    this.#pool = pool;
  }

  /** Resolves when all has run, or enough has failed. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#pool.size }, () => this.#runLane()));
    this.stop();
  }

  /** The figures do not change any more. */
  stop(): void {
    this.#end ??= this.#times();
  }

  /** Seeds that were run twice. */
  get pairs(): number {
    return this.#pairs;
  }

  get elapsedMs(): number {
    return (this.#end ?? this.#times()).elapsedMs;
  }

  /** The time of all cores together. */
  get cpuMs(): number {
    return (this.#end ?? this.#times()).cpuMs;
  }

  /** Simulated hours for one hour of one core. */
  get speed(): number {
    return this.campaign.simulatedMs / this.cpuMs;
  }

  /** Until all has run, if it goes on like this; null: nobody knows yet. */
  get remainingMs(): number | null {
    const { minutes, seeds } = this.#options;
    if (minutes !== null) return Math.max(0, minutes * 60_000 - this.elapsedMs);
    const { seedCount } = this.campaign;
    return seedCount === 0 ? null : (this.elapsedMs / seedCount) * (seeds - seedCount);
  }

  /** Whether nothing at all speaks against the sources. */
  get holds(): boolean {
    const { failures } = this.campaign;
    const { blind } = this.#options;
    const faults = [failures, this.unequalSeeds, this.vacuous(), blind];
    return faults.every(({ length }) => length === 0);
  }

  /** What never happened; what was left out on purpose makes nothing vacuous. */
  vacuous(): readonly string[] {
    const isWhole = Object.keys(this.#options.overrides).length === 0;
    return isWhole ? this.campaign.vacuousMarks() : [];
  }

  async #runLane(): Promise<void> {
    while (this.#end === null && this.campaign.failures.length < FAILURES_MAX) {
      const repeat = this.#takeRepeat();
      if (repeat !== null) await this.#runAgain(repeat.first);
      else if (this.#goesOn()) await this.#runNext();
      else return;
    }
  }

  #goesOn(): boolean {
    const { minutes, seeds } = this.#options;
    return minutes === null ? this.#started < seeds : this.elapsedMs < minutes * 60_000;
  }

  #takeRepeat(): Repeat | null {
    const [oldest] = this.#repeats;
    const isDue = oldest !== undefined && this.#started - oldest.offset >= APART_SEEDS;
    return isDue || !this.#goesOn() ? (this.#repeats.shift() ?? null) : null;
  }

  async #runNext(): Promise<void> {
    const { from, onFailure } = this.#options;
    const offset = this.#started++;
    const first = await this.#runSeed(from + offset);
    if (this.#end !== null) return;
    this.campaign.add(first);
    if (first.failure !== null) onFailure({ seed: first.seed, ...first.failure });
    const isTwice = offset < TWICE_AT_FIRST || offset % TWICE_EVERY === 0;
    if (isTwice) this.#repeats.push({ offset, first });
  }

  async #runAgain(first: SeedOutcome): Promise<void> {
    const { traceHash } = await this.#runSeed(first.seed);
    if (this.#end !== null) return;
    this.#pairs++;
    if (traceHash !== first.traceHash) this.unequalSeeds.push(first.seed);
  }

  #runSeed(seed: number): Promise<SeedOutcome> {
    const { overrides, canary } = this.#options;
    return this.#pool.run({ seed, overrides, canary });
  }

  #times(): { elapsedMs: number; cpuMs: number } {
    const { user, system } = process.cpuUsage(this.#startCpu);
    return { elapsedMs: performance.now() - this.#startMs, cpuMs: (user + system) / 1000 };
  }
}
