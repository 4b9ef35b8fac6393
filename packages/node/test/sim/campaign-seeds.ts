import assert from "node:assert/strict";
import { test } from "node:test";
import { Campaign, describeFailure, simulate } from "@quorate/node/testing";

/** Seeds in each of the two files: they run side by side. */
const SEEDS = 500;
/** Every this many seeds, one is run twice. */
const TWICE_EVERY = 50;

/** Defines the tests of every second seed from `first` on. */
export function runSeeds(name: string, first: number): void {
  const campaign = new Campaign();

  test(`${SEEDS} ${name} seeds: every invariant holds after every event (§5, Figure 3)`, async (t) => {
    for (let offset = 0; offset < SEEDS; offset++) {
      const { seed, failure } = await campaign.run(first + 2 * offset);
      if (failure !== null) assert.fail(describeFailure(seed, failure));
    }
    t.diagnostic(
      `${campaign.eventCount} events in ${(campaign.simulatedMs / 60_000).toFixed(1)} simulated ` +
        `minutes: ${JSON.stringify(campaign.coverage)}`,
    );
  });

  test(`${SEEDS} ${name} seeds: every kind of fault happened`, () => {
    assert.equal(campaign.seedCount, SEEDS);
    assert.deepEqual(campaign.vacuousMarks(), []);
  });

  test(`${name} seeds: equal seeds give equal histories`, async () => {
    const hashes = new Set<string>();
    for (let offset = 0; offset < SEEDS; offset += TWICE_EVERY) {
      const seed = first + 2 * offset;
      const { traceHash } = await simulate(seed);
      assert.equal((await simulate(seed)).traceHash, traceHash, `seed ${seed}`);
      hashes.add(traceHash);
    }
    assert.equal(hashes.size, SEEDS / TWICE_EVERY, "different seeds give different histories");
  });
}
