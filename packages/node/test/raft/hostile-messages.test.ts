import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry, RaftMessage } from "@quorate/wire";
import fc from "fast-check";
import { checkState, InvariantError } from "../../src/raft/index.ts";
import { Cluster } from "./cluster.ts";
import { entry, ServerUnderTest, TICKS } from "./server-under-test.ts";

const nodeId = fc.constantFrom("n1", "n2", "n3", "stranger");
/** Terms around the current one, and far away. */
const term = fc.oneof(fc.nat({ max: 9 }), fc.constantFrom(2 ** 32, 2 ** 52));
const index = fc.oneof(fc.nat({ max: 9 }), fc.constantFrom(2 ** 32, Number.MAX_SAFE_INTEGER));
const last = { lastLogIndex: index, lastLogTerm: term };

const entries: fc.Arbitrary<LogEntry[]> = fc.oneof(
  fc.array(
    fc.tuple(index, term).map(([at, of]) => entry(at, of)),
    { maxLength: 4 },
  ),
  // Well-formed ones too, or nothing would be stored.
  fc
    .tuple(fc.nat({ max: 6 }), fc.array(fc.nat({ max: 9 }), { maxLength: 5 }))
    .map(([from, terms]) =>
      terms.sort((a, b) => a - b).map((of, offset) => entry(from + 1 + offset, of)),
    ),
);

/** Everything that decodes: each field within its type, nothing else promised. */
const message: fc.Arbitrary<RaftMessage> = fc.oneof(
  fc.record({
    type: fc.constant("RequestVote" as const),
    term,
    candidateId: nodeId,
    ...last,
    leadershipTransfer: fc.boolean(),
  }),
  fc.record({ type: fc.constant("RequestVoteReply" as const), term, voteGranted: fc.boolean() }),
  fc.record({ type: fc.constant("PreVote" as const), term, candidateId: nodeId, ...last }),
  fc.record({
    type: fc.constant("PreVoteReply" as const),
    term,
    preVoteTerm: term,
    voteGranted: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("AppendEntries" as const),
    term,
    leaderId: nodeId,
    prevLogIndex: index,
    prevLogTerm: term,
    entries,
    // No commit: a leader that contradicts what is committed must stop the server, see below.
    leaderCommit: fc.constant(0),
    round: index,
  }),
  fc.record({
    type: fc.constant("AppendEntriesReply" as const),
    term,
    success: fc.boolean(),
    prevLogIndex: index,
    matchIndex: index,
    conflictTerm: fc.option(term, { nil: null }),
    conflictIndex: index,
    round: index,
  }),
  fc.record({ type: fc.constant("TimeoutNow" as const), term, leaderId: nodeId }),
  fc.record({ type: fc.constant("ReadIndex" as const), term, requestId: index }),
  fc.record({
    type: fc.constant("ReadIndexReply" as const),
    term,
    requestId: index,
    readIndex: fc.option(index, { nil: null }),
  }),
);

const input = fc.oneof(
  { weight: 6, arbitrary: fc.record({ from: nodeId, message }) },
  { weight: 1, arbitrary: fc.constantFrom("tick", "election", "persist", "propose") },
);

function feed(server: ServerUnderTest, one: string | { from: string; message: RaftMessage }): void {
  const { core } = server;
  if (typeof one !== "string") core.receive(one.from, one.message);
  else if (one === "tick") core.tick();
  else if (one === "election") for (let n = 0; n < TICKS.electionTicks; n += 1) core.tick();
  else if (one === "propose") core.propose(new Uint8Array(1));
}

test("Hostile: whatever decodes is borne, in any role: no exception, no broken state", () => {
  const roles = new Set<string>();
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(input, { maxLength: 60, size: "max" }), fc.boolean(), (inputs, leads) => {
      const server = new ServerUnderTest({ log: [1, 1, 3] });
      // Leads without a commit: a forged majority could otherwise contradict a true one.
      if (leads) server.win();
      const writing = { sequence: leads ? 2 : 0 };
      for (const one of inputs) {
        roles.add(server.core.view().role);
        if (typeof one !== "string") seen.add(one.message.type);
        if (one === "persist") {
          if (writing.sequence !== 0) server.core.persisted(writing.sequence);
          writing.sequence = 0;
        }
        feedUnlessCommitted(server, one);
        writing.sequence ||= server.core.takeOutput().persist?.sequence ?? 0;
        checkState(server.core);
      }
    }),
    { numRuns: 1500 },
  );
  assert.deepEqual([...roles].sort(), ["candidate", "follower", "leader", "preCandidate"]);
  assert.equal(seen.size, 9);
});

/** Forged acknowledgements commit; from there on a contradiction is meant to stop the server. */
function feedUnlessCommitted(
  server: ServerUnderTest,
  one: string | { from: string; message: RaftMessage },
): void {
  try {
    feed(server, one);
  } catch (error) {
    assert.ok(error instanceof InvariantError);
    assert.match(error.message, /contradicts the committed log/u);
    assert.ok(server.core.view().commitIndex > 0);
  }
}

test("Hostile: messages of a stranger neither elect nor commit (Raft §5.2)", () => {
  const server = new ServerUnderTest();
  server.startElection();
  server.persist();
  server.receive("stranger", { type: "RequestVoteReply", term: 1, voteGranted: true });
  assert.equal(server.core.view().role, "candidate");
});

test("Determinism: equal inputs and equal dice give equal outputs", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ from: nodeId, message }), { maxLength: 40 }), (inputs) => {
      const [one, other] = [
        new ServerUnderTest({ log: [1, 1, 3] }),
        new ServerUnderTest({ log: [1, 1, 3] }),
      ];
      for (const { from, message: said } of inputs) {
        one.core.receive(from, said);
        other.core.receive(from, said);
        assert.deepEqual(one.core.takeOutput(), other.core.takeOutput());
        assert.deepEqual(one.core.view(), other.core.view());
      }
    }),
  );
});

test("Same seed, same cluster: two runs of one schedule end in the same state", () => {
  const states = [0, 1].map(() => {
    const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
    cluster.elect("n2");
    for (const text of ["a", "b"]) cluster.propose("n2", text);
    cluster.settle();
    cluster.tick(4);
    return cluster.ids.map((id) => cluster.view(id));
  });
  assert.deepEqual(states[0], states[1]);
});
