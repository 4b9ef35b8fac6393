import assert from "node:assert/strict";
import { test } from "node:test";

import { RequestError } from "@quorate/wire/client";

import { failureOf } from "../src/commands/line-request.ts";
import type { CutOutcome } from "../src/line-cuts.ts";
import {
  uncutLines,
  cutsBetween,
  cutsOneWay,
  describeCuts,
  rulesAt,
  sidesOf,
} from "../src/line-cuts.ts";

const FIVE = ["n1", "n2", "n3", "n4", "n5"];

test("cuts: both ends of a line are told, each its own direction", () => {
  const cuts = cutsBetween([["n1"], ["n2", "n3"]]);
  assert.equal(cuts.length, 4);
  const at = (id: string): string[] =>
    rulesAt(id, cuts).map(({ peer, direction }) => `${direction} ${peer}`);
  assert.deepEqual(at("n1").toSorted(), ["from n2", "from n3", "to n2", "to n3"]);
  assert.deepEqual(at("n2").toSorted(), ["from n1", "to n1"]);
  assert.deepEqual(at("n4"), []);
  assert.deepEqual(rulesAt("n3", cutsOneWay(["n1"], ["n3"])), [
    { peer: "n1", direction: "from", dropRate: 1, delayMs: 0 },
  ]);
});

test("cuts: sides are told where all lines between them are cut, and lines otherwise", () => {
  const halves = cutsBetween([
    ["n4", "n1"],
    ["n2", "n3", "n5"],
  ]);
  assert.deepEqual(sidesOf(FIVE, halves), [
    ["n2", "n3", "n5"],
    ["n1", "n4"],
  ]);
  assert.equal(describeCuts(FIVE, halves), "{n1 n4} | {n2 n3 n5}");
  assert.equal(describeCuts(FIVE, cutsOneWay(["n10"], ["n2"])), "n10→n2");
  const bridge = cutsBetween([["n1"], ["n2"]]);
  assert.deepEqual(sidesOf(["n1", "n2", "n3"], bridge), [["n1", "n3", "n2"].toSorted()]);
  assert.equal(describeCuts(["n1", "n2", "n3"], bridge), "n1-n2");
});

test("cuts: a line that is cut one way makes no side: the other way it still carries", () => {
  const cuts = cutsOneWay(["n1"], ["n2", "n3"]);
  assert.equal(describeCuts(["n1", "n2", "n3"], cuts), "n1→n2, n1→n3");
});

test("cuts: a line is cut where one of its ends has obeyed; the failure tells what is known", () => {
  const outcome = (id: string, error: RequestError | null): CutOutcome => {
    return { id, address: `${id}:1`, error };
  };
  const silent = new RequestError("unreachable", "notApplied", { message: "no answer" });
  const slow = new RequestError("timeout", "unknown", { message: "no answer in time" });
  const cuts = cutsBetween([["n1"], ["n2"], ["n3"]]);
  assert.deepEqual(uncutLines(cuts, [outcome("n1", null), outcome("n2", null)]), []);
  const one = [outcome("n1", null), outcome("n2", silent), outcome("n3", silent)];
  assert.equal(describeCuts([], uncutLines(cuts, one)), "n2-n3");
  assert.equal(failureOf(one), "failed");
  assert.equal(failureOf([outcome("n2", silent)]), "notApplied");
  assert.equal(failureOf([outcome("n1", null), outcome("n2", slow)]), "outcomeUnknown");
});
