import assert from "node:assert/strict";
import { test } from "node:test";

import type { Operation } from "@quorate/wire/history";

import type { CompiledHistory, Partition } from "../../src/history/compile-history.ts";
import { compileHistory } from "../../src/history/compile-history.ts";
import { JustInTimeSearch } from "../../src/history/just-in-time.ts";
import { OrderSearch } from "../../src/history/order-search.ts";
import { partitionProblem } from "../../src/history/placement-problem.ts";
import { checkWitness, logPosition, revisionPosition } from "../../src/history/witness.ts";
import { checkZones } from "../../src/history/zones.ts";
import { MadeStore, randomOf, spoil } from "./made-histories.ts";
import type { MadeOptions } from "./made-histories.ts";

const STEPS_MAX = 300_000;

const KINDS = [
  ["get", "put"],
  ["get", "put", "delete", "cas"],
  ["get", "put", "delete", "txn", "range", "cas"],
] as const;

function draw(random: () => number): MadeOptions {
  return {
    operations: 20 + Math.floor(random() * 80),
    clients: 2 + Math.floor(random() * 5),
    keys: 1 + Math.floor(random() * 4),
    values: random() < 0.6 ? 0 : 2 + Math.floor(random() * 5),
    kinds: KINDS[Math.floor(random() * KINDS.length)] ?? KINDS[0],
    info: random() < 0.5 ? 0 : 0.05,
    revisions: random() < 0.4,
    positions: random() < 0.5,
    conditions: random() < 0.4,
  };
}

/** What every tier says of one group of keys: `order`, `none`, or nothing. */
function judge(compiled: CompiledHistory, partition: Partition): Map<string, string> {
  const { table } = compiled;
  const problem = partitionProblem(compiled, partition);
  const said = new Map([
    ["search", new OrderSearch(problem).run(STEPS_MAX)],
    ["exact search", new OrderSearch(problem, { memo: "exact" }).run(STEPS_MAX)],
    ["plain search", new OrderSearch(problem, { looksAhead: false }).run(STEPS_MAX)],
    ["just in time", new JustInTimeSearch(problem).run(STEPS_MAX)],
    ["zones", checkZones(compiled, partition).kind],
  ]);
  // A witness proves that there is an order, and never that there is none.
  for (const positionOf of [logPosition(table), revisionPosition(table)]) {
    const { kind } = checkWitness(compiled, partition, positionOf);
    if (kind === "order") said.set("witness", "order");
  }
  return said;
}

test("tiers: whatever decides a group of keys decides it as the others do", () => {
  const tally: Record<string, number> = {};
  for (let seed = 0; seed < 1_500; seed++) {
    const random = randomOf(seed);
    let operations: Operation[] = new MadeStore(draw(random), random).run();
    if (random() < 0.7) operations = spoil(operations, random);
    const compiled = compileHistory({ header: { history: 1 }, operations });
    for (const partition of compiled.partitions) {
      const said = judge(compiled, partition);
      const definite = [...said].filter(([, one]) => one === "order" || one === "none");
      const verdicts = new Set(definite.map(([, one]) => one));
      assert.ok(verdicts.size <= 1, `seed ${seed}: ${JSON.stringify([...said])}`);
      for (const [tier, one] of definite) {
        tally[`${tier} ${one}`] = (tally[`${tier} ${one}`] ?? 0) + 1;
      }
    }
  }
  for (const tier of ["search", "exact search", "plain search", "just in time", "zones"]) {
    assert.ok((tally[`${tier} order`] ?? 0) > 100, JSON.stringify(tally));
    assert.ok((tally[`${tier} none`] ?? 0) > 20, JSON.stringify(tally));
  }
  assert.ok((tally["witness order"] ?? 0) > 500, JSON.stringify(tally));
});

test("tiers: a search that is continued in small steps ends as one that is not interrupted", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = randomOf(seed);
    let operations: Operation[] = new MadeStore(draw(random), random).run();
    if (random() < 0.7) operations = spoil(operations, random);
    const compiled = compileHistory({ header: { history: 1 }, operations });
    for (const partition of compiled.partitions) {
      const problem = partitionProblem(compiled, partition);
      for (const make of [() => new OrderSearch(problem), () => new JustInTimeSearch(problem)]) {
        const whole = make();
        const outcome = whole.run(STEPS_MAX);
        const stepwise = make();
        let last = stepwise.run(7);
        while (last === "more" && stepwise.steps < STEPS_MAX) last = stepwise.run(7);
        if (outcome !== "more" && last !== "more") assert.equal(last, outcome, `seed ${seed}`);
      }
    }
  }
});
