import type { CoverageMark } from "./coverage.ts";
import { Coverage } from "./coverage.ts";
import type { SimulationFailure, SimulationResult } from "./simulation.ts";
import { simulate } from "./simulation.ts";

/** Fewer seeds than this may miss a rare event by bad luck: no campaign is called vacuous then. */
export const EFFECTIVE_SEEDS_MIN = 100;

/** What many seeds have shown together. */
export class Campaign {
  readonly coverage: Coverage = new Coverage();
  #seeds = 0;
  #events = 0;
  #simulatedMs = 0;
  #firstFailure: (SimulationFailure & { readonly seed: number }) | null = null;

  /** Runs one seed and counts it in. */
  async run(seed: number): Promise<SimulationResult> {
    const result = await simulate(seed);
    this.#seeds++;
    this.#events += result.eventCount;
    this.#simulatedMs += result.simulatedMs;
    this.coverage.merge(result.coverage);
    if (result.failure !== null) this.#firstFailure ??= { seed, ...result.failure };
    return result;
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

  get firstFailure(): (SimulationFailure & { readonly seed: number }) | null {
    return this.#firstFailure;
  }

  /** What never happened, although enough seeds ran: such a campaign proves little. */
  vacuousMarks(): CoverageMark[] {
    return this.#seeds < EFFECTIVE_SEEDS_MIN ? [] : this.coverage.missing();
  }
}

/** A failure for people: what broke, the last events, and the one command that shows it again. */
export function describeFailure(seed: number, failure: SimulationFailure): string {
  const { invariant, message, lastEvents, cause } = failure;
  const origin = invariant === "No Exception" && cause instanceof Error ? cause.stack : undefined;
  return [
    `seed ${seed} broke "${invariant}": ${message}`,
    ...(origin === undefined ? [] : [origin]),
    `the last ${lastEvents.length} events:`,
    ...lastEvents.map((line) => `  ${line}`),
    `replay it: npm run simulate -- --seed ${seed}`,
  ].join("\n");
}
