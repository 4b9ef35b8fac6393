import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Campaign,
  Coverage,
  COVERAGE_MARKS,
  DISPENSABLE,
  EFFECTIVE_SEEDS_MIN,
  simulate,
} from "@quorate/node/testing";
import type { CoverageCounts } from "@quorate/node/testing";
import { RARE_MARKS } from "../../src/testing/coverage.ts";

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

/** As many seeds, in which all of this happened so often. */
function campaignOf(seeds: number, happened: CoverageCounts): Campaign {
  const campaign = new Campaign();
  campaign.coverage.addCounts(happened);
  const idle = { traceHash: "", eventCount: 0, simulatedMs: 0, coverage: {}, failure: null };
  for (let seed = 1; seed <= seeds; seed++) campaign.add({ seed, ...idle });
  return campaign;
}

const EVERYTHING: CoverageCounts = Object.fromEntries(COVERAGE_MARKS.map((mark) => [mark, 1]));

for (const mark of [
  "elections",
  "truncations",
  "snapshotsInstalled",
  "configurationsEntered",
  "crashes",
  "crashesThatLostWrites",
  "duplicatesAnswered",
] as const) {
  test(`Coverage: a campaign without ${mark} is vacuous`, () => {
    const happened = { ...EVERYTHING, [mark]: 0 };
    assert.deepEqual(campaignOf(EFFECTIVE_SEEDS_MIN, happened).vacuousMarks(), [mark]);
    assert.deepEqual(campaignOf(EFFECTIVE_SEEDS_MIN, EVERYTHING).vacuousMarks(), []);
  });
}

test("Coverage: what is rare is missed from so many chances on, and not before", () => {
  for (const [mark, { of, atLeast }] of Object.entries(RARE_MARKS)) {
    const vacuous = (chances: number): readonly string[] => {
      const happened = of === "seeds" ? EVERYTHING : { ...EVERYTHING, [of]: chances };
      const seeds = of === "seeds" ? chances : EFFECTIVE_SEEDS_MIN;
      return campaignOf(seeds, { ...happened, [mark]: 0 }).vacuousMarks();
    };
    assert.deepEqual(vacuous(atLeast - 1), [], mark);
    assert.deepEqual(vacuous(atLeast), [mark]);
  }
});

test("Coverage: what cleaning up does to the nodes is no fault that happened", async () => {
  const overrides = { storage: "sqlite", without: DISPENSABLE } as const;
  const { coverage, failure } = await simulate(3, { overrides });
  assert.equal(failure, null);
  assert.equal(coverage.count("crashes"), 0);
  assert.equal(coverage.count("crashesThatLostWrites"), 0);
});

test("Coverage: a campaign of few seeds may miss something, one of many is vacuous", async () => {
  const campaign = new Campaign();
  await campaign.run(1);
  assert.ok(campaign.seedCount < EFFECTIVE_SEEDS_MIN);
  assert.notDeepEqual(campaign.coverage.missing(), [], "one seed does not show everything");
  assert.deepEqual(campaign.vacuousMarks(), []);
});
