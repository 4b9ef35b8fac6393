import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration, NodeId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import fc from "fast-check";
import {
  allMembers,
  allVoters,
  hasQuorum,
  majorityOf,
  quorumReached,
} from "../../src/raft/quorum.ts";

const IDS = ["a", "b", "c", "d", "e", "f", "g", "h"];
const voters = fc.subarray(IDS, { minLength: 1 });

/** Joint configurations and plain ones; learners are those that vote in neither half. */
const configurations: fc.Arbitrary<Configuration> = fc.record({
  voters,
  votersOutgoing: fc.oneof(fc.constant<NodeId[]>([]), voters),
  learners: fc.constant([]),
  staging: fc.constant([]),
  addresses: fc.constant([]),
  retired: fc.constant([]),
});

/** All ways to choose more than half of a list, one by one. */
function majorities(list: readonly NodeId[]): Set<NodeId>[] {
  const subsets = Array.from({ length: 2 ** list.length }, (_, bits) =>
    list.filter((_id, at) => (bits & (1 << at)) !== 0),
  );
  return subsets.filter((subset) => 2 * subset.length > list.length).map((one) => new Set(one));
}

function halves({ voters: current, votersOutgoing }: Configuration): (readonly NodeId[])[] {
  return votersOutgoing.length === 0 ? [current] : [current, votersOutgoing];
}

/** The definition, spelt out: in each half there is a majority all of whose members hold. */
function naiveHasQuorum(configuration: Configuration, holders: ReadonlySet<NodeId>): boolean {
  return halves(configuration).every((half) =>
    majorities(half).some((majority) => [...majority].every((id) => holders.has(id))),
  );
}

test("Majority: the smallest number of which two always overlap (Raft §5.2)", () => {
  for (let size = 1; size <= 9; size += 1) {
    assert.ok(2 * majorityOf(size) > size);
    assert.ok(2 * (majorityOf(size) - 1) <= size);
  }
});

test("Quorum: agrees with its definition, joint or not (Raft §5.2, §6)", () => {
  fc.assert(
    fc.property(configurations, fc.subarray(IDS), (configuration, holding) => {
      const holders = new Set(holding);
      const expected = naiveHasQuorum(configuration, holders);
      assert.equal(
        hasQuorum(configuration, (id) => holders.has(id)),
        expected,
      );
    }),
    { numRuns: 300 },
  );
});

test("Quorum reached: the highest number that a quorum has, found by trying all (Raft §5.3, §6)", () => {
  const reached = fc.array(fc.nat({ max: 12 }), { minLength: IDS.length, maxLength: IDS.length });
  fc.assert(
    fc.property(configurations, reached, (configuration, numbers) => {
      const numberOf = (id: NodeId): number => numbers[IDS.indexOf(id)] ?? 0;
      let expected = 0;
      for (let candidate = 1; candidate <= 12; candidate += 1) {
        const holders = new Set(IDS.filter((id) => numberOf(id) >= candidate));
        if (naiveHasQuorum(configuration, holders)) expected = candidate;
      }
      assert.equal(quorumReached(configuration, numberOf), expected);
    }),
    { numRuns: 300 },
  );
});

test("Quorums of neighbouring joint configurations overlap (Raft §6)", () => {
  fc.assert(
    fc.property(voters, voters, fc.subarray(IDS), (older, newer, holding) => {
      const joint = configurationOf({ voters: newer, votersOutgoing: older, learners: [] });
      const holders = new Set(holding);
      const rest = new Set(IDS.filter((id) => !holders.has(id)));
      const inJoint = hasQuorum(joint, (id) => holders.has(id));
      for (const one of [older, newer]) {
        const alone = configurationOf({ voters: one });
        const elsewhere = hasQuorum(alone, (id) => rest.has(id));
        assert.ok(!(inJoint && elsewhere), "two leaders could be elected apart");
      }
    }),
  );
});

test("Members: every voter and learner once, sorted", () => {
  const joint = configurationOf({
    voters: ["b", "c"],
    votersOutgoing: ["a", "b"],
    learners: ["d"],
  });
  assert.deepEqual(allVoters(joint), ["a", "b", "c"]);
  assert.deepEqual(allMembers(joint), ["a", "b", "c", "d"]);
});
