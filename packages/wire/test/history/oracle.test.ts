import assert from "node:assert/strict";
import { test } from "node:test";

import { checkHistory } from "@quorate/wire/history";
import type { Operation, Verdict } from "@quorate/wire/history";

import { MadeStore, randomOf, spoil } from "./made-histories.ts";
import type { MadeOptions } from "./made-histories.ts";
import { hasOrder } from "./oracle.ts";

const KINDS = [
  ["get", "put"],
  ["get", "put", "delete"],
  ["get", "put", "cas"],
  ["get", "put", "delete", "cas"],
  ["get", "put", "txn"],
  ["get", "put", "delete", "txn", "range", "cas"],
  ["put", "range"],
] as const;

function draw(random: () => number): MadeOptions {
  return {
    operations: 2 + Math.floor(random() * 7),
    clients: 1 + Math.floor(random() * 4),
    keys: 1 + Math.floor(random() * 2.5),
    values: random() < 0.5 ? 0 : 1 + Math.floor(random() * 3),
    kinds: KINDS[Math.floor(random() * KINDS.length)] ?? KINDS[0],
    info: random() < 0.5 ? 0 : 0.3,
    revisions: random() < 0.4,
    positions: random() < 0.2,
    conditions: random() < 0.4,
  };
}

function check(operations: readonly Operation[], usePositions = false): Verdict {
  return checkHistory({ header: { history: 1 }, operations }, { usePositions });
}

/** Whether any of the rest, together with all of the window, has an order. */
function hasOrderWithSome(window: readonly Operation[], rest: readonly Operation[]): boolean {
  for (let mask = 0; mask < 1 << rest.length; mask++) {
    if (hasOrder([...window, ...rest.filter((_, at) => ((mask >> at) & 1) === 1)])) return true;
  }
  return false;
}

function isWrite({ op, outcome }: Operation): boolean {
  return outcome !== "fail" && op.kind !== "get" && op.kind !== "range";
}

interface Tally {
  readonly verdicts: Record<string, number>;
  readonly windows: number[];
}

/** One history, made and perhaps spoilt, judged by the checker and by trying every order. */
function judgeOne(seed: number, tally: Tally): void {
  const random = randomOf(seed);
  const options = draw(random);
  let operations = new MadeStore(options, random).run();
  const isGood = random() < 0.3;
  if (!isGood) operations = spoil(operations, random);
  if (!isGood && random() < 0.5) operations = spoil(operations, random);
  const truth = hasOrder(operations);
  const show = `seed ${seed}\n${operations.map((one) => JSON.stringify(one)).join("\n")}`;
  assert.ok(truth || !isGood, `the oracle refuses what a store did: ${show}`);
  const verdict = check(operations);
  const name = `${verdict.kind} ${"tier" in verdict ? verdict.tier : ""}`;
  tally.verdicts[name] = (tally.verdicts[name] ?? 0) + 1;
  switch (verdict.kind) {
    case "linearizable":
      assert.ok(truth, `said yes to what has no order: ${show}`);
      break;
    case "violation": {
      // Revisions number the changes of all keys; the oracle looks at each key alone.
      if (verdict.problem === "revisionAgainstTime") break;
      assert.ok(!truth, `said no to what has an order: ${show}`);
      const rest = operations.filter((one) => isWrite(one) && !verdict.window.includes(one));
      assert.ok(!hasOrderWithSome(verdict.window, rest), `the window has an order: ${show}`);
      tally.windows.push(verdict.window.length);
      break;
    }
    case "void":
      assert.ok(verdict.reason !== "dirtyStart" || !truth, show);
      break;
    case "unknown":
      assert.fail(`unknown: ${show}`);
  }
  if (!options.positions || !isGood) return;
  const { kind } = check(operations, true);
  assert.ok(kind === "linearizable" || kind === "void", `with positions: ${show}`);
}

test("checker: agrees with trying every order on 20,000 short histories, good and spoilt", () => {
  const tally: Tally = { verdicts: {}, windows: [] };
  for (let seed = 0; seed < 20_000; seed++) judgeOne(seed, tally);
  const { verdicts } = tally;
  // A checker that always says yes, or always no, does not come here; nor do made histories that
  // never leave a tier anything to do.
  for (const name of ["witness", "zones", "search"]) {
    assert.ok((verdicts[`linearizable ${name}`] ?? 0) > 1000, JSON.stringify(verdicts));
  }
  assert.ok((verdicts["violation search"] ?? 0) > 500, JSON.stringify(verdicts));
  assert.ok((verdicts["violation zones"] ?? 0) > 200, JSON.stringify(verdicts));
  assert.ok(tally.windows.some((length) => length >= 3));
});
