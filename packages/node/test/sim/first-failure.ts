import assert from "node:assert/strict";
import type { Invariant, NodeParts, SimulationFailure } from "@quorate/node/testing";
import { SeededRandom, simulate } from "@quorate/node/testing";
import type { Fabric, SimulationPlan } from "../../src/testing/simulation-plan.ts";
import { drawPlan } from "../../src/testing/simulation-plan.ts";

/** A bug must show itself within so many seeds. */
const SEEDS = 100;

/** Seeds whose plan lets a bug show itself are tried, until one `says` what is looked for. */
export async function firstFailure(
  parts: NodeParts,
  isOfUse: (plan: SimulationPlan) => boolean = () => true,
  fabric?: Fabric,
  says: RegExp = /^/u,
): Promise<SimulationFailure> {
  const overrides = fabric === undefined ? {} : { fabric };
  let tried = 0;
  for (let seed = 1; tried < SEEDS; seed++) {
    const plan = drawPlan(new SeededRandom(`seed ${seed}`).fork("plan"), [], fabric);
    if (!isOfUse(plan)) continue;
    tried++;
    const { failure } = await simulate(seed, { parts, overrides });
    if (failure !== null && says.test(failure.message)) return failure;
  }
  return assert.fail(`the bug went unnoticed through ${SEEDS} seeds`);
}

export async function assertCaughtAs(
  parts: NodeParts,
  ...invariants: readonly Invariant[]
): Promise<void> {
  assertIs(await firstFailure(parts), invariants);
}

export function assertIs(failure: SimulationFailure, invariants: readonly Invariant[]): void {
  assert.ok(
    invariants.includes(failure.invariant),
    `caught as "${failure.invariant}" (${failure.message}), not as ${invariants.join(" or ")}`,
  );
  assert.ok(failure.lastEvents.length > 0);
}
