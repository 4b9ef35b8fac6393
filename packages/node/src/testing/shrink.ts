import type { Dispensable, PlanOverrides, SizeName } from "./plan-overrides.ts";
import { dispensablesOf, SIZE_MINIMA, sizesOf } from "./plan-overrides.ts";
import type { SimulationFailure } from "./simulation.ts";
import { planOf } from "./simulation.ts";

/** More rounds than this make little of a failure smaller. */
const ROUNDS_MAX = 4;
/** Durations are bisected down to so many milliseconds. */
const SAFETY_GRAIN_MS = 10;

/** A run that fails: what it leaves out, and how long it was. */
export interface FailingRun {
  readonly overrides: PlanOverrides;
  readonly failure: SimulationFailure;
  readonly eventCount: number;
  readonly simulatedMs: number;
}

export interface ShrinkOptions {
  readonly seed: number;
  readonly failing: FailingRun;
  /** Runs the seed again. */
  readonly rerun: (
    overrides: PlanOverrides,
  ) => Promise<Omit<FailingRun, "overrides" | "failure"> & { failure: SimulationFailure | null }>;
  /** Told every smaller run that still fails. */
  readonly onSmaller?: (smaller: FailingRun, runs: number) => void;
}

/** The smallest run found, and how many runs that took. */
export interface Shrunk extends FailingRun {
  readonly runs: number;
}

/**
 * Makes a failure smaller: leaves out one thing after another, takes fewer nodes, clients and keys,
 * and halves the time, for as long as the same invariant breaks. Nobody says that the result is the
 * smallest there is.
 */
export async function shrinkFailure(options: ShrinkOptions): Promise<Shrunk> {
  const shrinker = new Shrinker(options);
  await shrinker.shrink();
  return shrinker.smallest();
}

class Shrinker {
  readonly #options: ShrinkOptions;
  readonly #kind: string;
  #best: FailingRun;
  #runs = 0;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    this.#best = options.failing;
    this.#kind = kindOf(options.failing.failure);
  }

  smallest(): Shrunk {
    return { ...this.#best, runs: this.#runs };
  }

  async shrink(): Promise<void> {
    await this.#endAtFailure();
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const before = this.#best;
      await this.#leaveOut();
      for (const name of ["nodes", "clients", "sessions", "keys", "value-bytes"] as const) {
        await this.#lower(name, 1);
      }
      await this.#lower("safety-ms", SAFETY_GRAIN_MS);
      if (this.#best === before) return;
    }
  }

  /** What comes after the failure is of no use. */
  async #endAtFailure(): Promise<void> {
    const endMs = Math.ceil(this.#best.simulatedMs) + SAFETY_GRAIN_MS;
    if (endMs < this.#sizes()["safety-ms"]) await this.#trySize("safety-ms", endMs);
  }

  /** Everything at once, or half of it, or one thing after another. */
  async #leaveOut(): Promise<void> {
    const plan = planOf(this.#options.seed, this.#best.overrides);
    // Whole messages are easier to follow than streams of bytes.
    if (plan.streams !== null) await this.#try({ ...this.#best.overrides, fabric: "messages" });
    // And a model of a database sooner than a real one.
    if (plan.usesSqlite) await this.#try({ ...this.#best.overrides, storage: "model" });
    const parts = dispensablesOf(planOf(this.#options.seed, this.#best.overrides));
    const half = Math.floor(parts.length / 2);
    for (const some of [parts, parts.slice(0, half), parts.slice(half)]) {
      if (some.length > 1) await this.#tryWithout(some);
    }
    for (const part of parts) {
      if (this.#best.overrides.without?.includes(part) !== true) await this.#tryWithout([part]);
    }
  }

  #tryWithout(parts: readonly Dispensable[]): Promise<boolean> {
    const { without = [], ...others } = this.#best.overrides;
    const missing = parts.filter((part) => !without.includes(part));
    return this.#try({ ...others, without: [...without, ...missing] });
  }

  /** The least first: it often does. Else the middle, again and again. */
  async #lower(name: SizeName, grain: number): Promise<void> {
    let passes: number = SIZE_MINIMA[name];
    if (this.#sizes()[name] <= passes || (await this.#trySize(name, passes))) return;
    while (this.#sizes()[name] - passes > grain) {
      const middle = Math.floor((passes + this.#sizes()[name]) / 2);
      if (!(await this.#trySize(name, middle))) passes = middle;
    }
  }

  #sizes(): Record<SizeName, number> {
    return sizesOf(planOf(this.#options.seed, this.#best.overrides));
  }

  #trySize(name: SizeName, size: number): Promise<boolean> {
    const { sizes = {}, ...others } = this.#best.overrides;
    return this.#try({ ...others, sizes: { ...sizes, [name]: size } });
  }

  /** Whether it still fails in the same way; then it is the best so far. */
  async #try(overrides: PlanOverrides): Promise<boolean> {
    this.#runs++;
    const { failure, eventCount, simulatedMs } = await this.#options.rerun(overrides);
    if (failure === null || kindOf(failure) !== this.#kind) return false;
    this.#best = { overrides, failure, eventCount, simulatedMs };
    this.#options.onSmaller?.(this.#best, this.#runs);
    return true;
  }
}

/** Exceptions are alike if they say the same but for their numbers. */
function kindOf({ invariant, message }: SimulationFailure): string {
  return invariant === "No Exception" ? message.replaceAll(/\d+/gu, "#") : invariant;
}
