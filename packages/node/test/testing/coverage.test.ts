import assert from "node:assert/strict";
import { test } from "node:test";
import { Campaign, Coverage, COVERAGE_MARKS, EFFECTIVE_SEEDS_MIN } from "@quorate/node/testing";

test("Coverage: what never happened is missing, and nothing else", () => {
  const coverage = new Coverage();
  assert.deepEqual(coverage.missing(), COVERAGE_MARKS);
  const other = new Coverage();
  for (const mark of COVERAGE_MARKS) if (mark !== "truncations") other.add(mark);
  coverage.merge(other);
  assert.deepEqual(coverage.missing(), ["truncations"]);
  coverage.add("truncations");
  assert.deepEqual(coverage.missing(), []);
});

test("Coverage: a campaign of few seeds may miss something, one of many is vacuous", async () => {
  const campaign = new Campaign();
  await campaign.run(1);
  assert.ok(campaign.seedCount < EFFECTIVE_SEEDS_MIN);
  assert.notDeepEqual(campaign.coverage.missing(), [], "one seed does not show everything");
  assert.deepEqual(campaign.vacuousMarks(), []);
});
