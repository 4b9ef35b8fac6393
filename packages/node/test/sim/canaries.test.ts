import assert from "node:assert/strict";
import { test } from "node:test";
import { blindSpots, CANARIES } from "@quorate/node/testing";
import { ElectionLedger } from "../../src/testing/checkers/election-ledger.ts";
import { Coverage } from "../../src/testing/coverage.ts";

/** The last two: in them a contradiction once met who could not know, and a leader of its term. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 2160, 11556];

test("canaries: each broken part is seen, and for what it is, whatever the seed", async () => {
  assert.ok(CANARIES.length >= 7);
  for (const seed of SEEDS) assert.deepEqual(await blindSpots(seed), []);
});

test("canaries: a check that has gone blind is noticed (§5.2)", async (t) => {
  t.mock.method(ElectionLedger.prototype, "leaderSeen", () => undefined);
  const [blind, ...others] = await blindSpots();
  assert.match(blind ?? "", /^a follower says that it leads: /u);
  assert.deepEqual(others, []);
});

test("canaries: a coverage that misses nothing is noticed", async (t) => {
  t.mock.method(Coverage.prototype, "missing", () => []);
  const [blind, ...others] = await blindSpots();
  assert.match(blind ?? "", /^nothing happens: nobody misses elections, /u);
  assert.deepEqual(others, []);
});
