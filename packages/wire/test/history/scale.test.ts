import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { checkHistory, formatVerdict } from "@quorate/wire/history";
import type { Operation, Verdict } from "@quorate/wire/history";

import { MadeStore, randomOf } from "./made-histories.ts";
import type { MadeOptions } from "./made-histories.ts";

/** What the process computed, in ms: other programs on the machine do not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function timed(
  context: TestContext,
  name: string,
  operations: readonly Operation[],
): { readonly verdict: Verdict; readonly tookMs: number } {
  const began = cpuMs();
  const verdict = checkHistory({ header: { history: 1 }, operations }, { stepsMax: 50_000_000 });
  const tookMs = cpuMs() - began;
  const tier = "tier" in verdict ? verdict.tier : verdict.kind;
  context.diagnostic(
    `${name}: ${operations.length} operations, ${tier}, ${tookMs.toFixed(0)} ms CPU`,
  );
  return { verdict, tookMs };
}

const HUNDRED_KEYS: MadeOptions = {
  operations: 100_000,
  clients: 16,
  keys: 100,
  values: 0,
  kinds: ["get", "put", "delete", "cas"],
  info: 0.01,
  revisions: false,
  positions: false,
  conditions: false,
};

const WORKLOADS: readonly (readonly [name: string, options: MadeOptions, tier: string])[] = [
  ["answers alone", HUNDRED_KEYS, "search"],
  ["reads and puts", { ...HUNDRED_KEYS, kinds: ["get", "put"] }, "zones"],
  ["with revisions", { ...HUNDRED_KEYS, revisions: true, conditions: true }, "search"],
  [
    "with log positions",
    { ...HUNDRED_KEYS, positions: true, revisions: true, conditions: true },
    "witness",
  ],
];

for (const [name, options, tier] of WORKLOADS) {
  test(`scale: 100,000 operations over 100 keys in under 2 s of CPU: ${name}`, (context) => {
    const operations = new MadeStore(options, randomOf(7)).run();
    const good = timed(context, name, operations);
    assert.ok(good.verdict.kind === "linearizable", formatVerdict(good.verdict));
    assert.equal(good.verdict.tier, tier);
    assert.ok(good.tookMs < 2_000, `${good.tookMs} ms`);

    const stale = makeStale(operations);
    const { verdict, tookMs } = timed(context, `${name}, one stale read`, operations);
    assert.ok(verdict.kind === "violation", formatVerdict(verdict));
    assert.ok(verdict.window.length <= 4, formatVerdict(verdict));
    assert.equal(verdict.culprit, stale);
    assert.ok(tookMs < 2_000, `${tookMs} ms`);
  });
}

test("scale: one hot key, 100,000 reads and puts without positions", (context) => {
  const options: MadeOptions = { ...HUNDRED_KEYS, keys: 1, kinds: ["get", "put"] };
  const operations = new MadeStore(options, randomOf(7)).run();
  const { verdict } = timed(context, "one key", operations);
  assert.ok(verdict.kind === "linearizable" && verdict.tier === "zones");
});

const LONG = process.env["QUORATE_LONG_TESTS"] === "1";

test("scale: a million operations with log positions", { skip: !LONG }, (context) => {
  const options = { ...HUNDRED_KEYS, operations: 1_000_000, positions: true };
  const operations = new MadeStore(options, randomOf(7)).run();
  const { verdict, tookMs } = timed(context, "a million", operations);
  assert.ok(verdict.kind === "linearizable", formatVerdict(verdict));
  assert.ok(tookMs < 15_000, `${tookMs} ms`);
});

/** Gives a read in the middle the answer of a much earlier one of the same key. */
function makeStale(operations: Operation[]): Operation {
  const isRead = (one: Operation): boolean =>
    one.op.kind === "get" &&
    one.outcome === "ok" &&
    "value" in one.result &&
    one.result.value !== null;
  const keyOf = ({ op }: Operation): unknown => (op.kind === "get" ? op.key : null);
  const at = operations.findIndex((one, index) => index > 60_000 && isRead(one));
  const read = operations[at];
  const old = operations.find(
    (one, index) =>
      index > 40_000 && isRead(one) && read !== undefined && keyOf(one) === keyOf(read),
  );
  assert.ok(read?.outcome === "ok" && old?.outcome === "ok");
  const stale = { ...read, result: old.result } as Operation;
  operations[at] = stale;
  return stale;
}
