import type { CoverageCounts, CoverageMark } from "./coverage.ts";
import { Coverage, RARE_MARKS } from "./coverage.ts";
import type { PlanOverrides } from "./plan-overrides.ts";
import { overrideArguments } from "./plan-overrides.ts";
import type { SimulationFailure, SimulationResult } from "./simulation.ts";
import { simulate } from "./simulation.ts";

/** Fewer seeds than this may miss a rare event by bad luck: no campaign is called vacuous then. */
export const EFFECTIVE_SEEDS_MIN = 250;

/** What a run tells, in plain data. */
export type SeedOutcome = Omit<SimulationResult, "coverage"> & {
  readonly coverage: CoverageCounts;
};

/** A seed that failed, and how. */
export type FailedSeed = SimulationFailure & { readonly seed: number };

/** What many seeds have shown together. */
export class Campaign {
  readonly coverage: Coverage = new Coverage();
  readonly #failures: FailedSeed[] = [];
  #seeds = 0;
  #events = 0;
  #simulatedMs = 0;

  /** Runs one seed and counts it in. */
  async run(seed: number, overrides: PlanOverrides = {}): Promise<SimulationResult> {
    const result = await simulate(seed, { overrides });
    this.add({ ...result, coverage: result.coverage.toJSON() });
    return result;
  }

  /** Counts in what a seed has shown elsewhere. */
  add({ seed, eventCount, simulatedMs, coverage, failure }: SeedOutcome): void {
    this.#seeds++;
    this.#events += eventCount;
    this.#simulatedMs += simulatedMs;
    this.coverage.addCounts(coverage);
    if (failure !== null) this.#failures.push({ seed, ...failure });
  }

  get seedCount(): number {
    return this.#seeds;
  }

  get eventCount(): number {
    return this.#events;
  }

  get simulatedMs(): number {
    return this.#simulatedMs;
  }

  /** In the order of their seeds. */
  get failures(): readonly FailedSeed[] {
    return this.#failures.toSorted((one, other) => one.seed - other.seed);
  }

  /** What never happened, although enough seeds ran: such a campaign proves little. */
  vacuousMarks(): CoverageMark[] {
    if (this.#seeds < EFFECTIVE_SEEDS_MIN) return [];
    return this.coverage.missing().filter((mark) => this.#isDue(mark));
  }

  /** Whether it had chances enough to happen. */
  #isDue(mark: CoverageMark): boolean {
    const chances = RARE_MARKS[mark];
    if (chances === undefined) return true;
    const { of, atLeast } = chances;
    return (of === "seeds" ? this.#seeds : this.coverage.count(of)) >= atLeast;
  }
}

/** How a failure came to be, beside its seed. */
export interface FailureOrigin {
  /** The commit of the sources, if it is known. */
  readonly commit?: string;
  readonly overrides?: PlanOverrides;
  /** Further arguments of the command. */
  readonly more?: readonly string[];
}

/** The one command that shows a seed again. */
export function replayCommand(seed: number, origin: FailureOrigin = {}): string {
  const { overrides = {}, more = [] } = origin;
  const given = ["--seed", String(seed), ...overrideArguments(overrides), ...more];
  return `npm run simulate -- ${given.join(" ")}`;
}

/** A failure for people: what broke, the last events, and the one command that shows it again. */
export function describeFailure(
  seed: number,
  failure: SimulationFailure,
  origin: FailureOrigin = {},
): string {
  const { invariant, message, lastEvents, stack } = failure;
  const { commit } = origin;
  return [
    `seed ${seed} broke "${invariant}": ${message}`,
    ...(commit === undefined ? [] : [`commit ${commit}`]),
    ...(stack === null ? [] : [stack]),
    `the last ${lastEvents.length} events:`,
    ...lastEvents.map((line) => `  ${line}`),
    `replay it: ${replayCommand(seed, origin)}`,
  ].join("\n");
}
