import { SeededRandom } from "@quorate/node/testing";
import type { Mutant } from "./mutant.ts";

/** Whether it is for every run of the tests: system tests want the machine, and minutes. */
export function isQuick({ tier, budgetSeconds = 0 }: Mutant): boolean {
  return tier !== "system" && budgetSeconds === 0;
}

/** So many of `mutants`, by the dice of `seed`. */
export function drawMutants(
  mutants: readonly Mutant[],
  count: number,
  seed: number,
): readonly Mutant[] {
  return new SeededRandom(`mutants ${seed}`).shuffle(mutants).slice(0, count);
}
