import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, RaftMessage, Term } from "@quorate/wire";
import {
  appendEntries,
  appendReply,
  noop,
  outputOf,
  preVote,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "../raft/server-under-test.ts";

const granted = (term: Term): RaftMessage => ({
  type: "RequestVoteReply",
  term,
  voteGranted: true,
});
const refused = (term: Term): RaftMessage => ({
  type: "RequestVoteReply",
  term,
  voteGranted: false,
});

test("Start: a server begins as a follower of nobody, whatever it was before (§5.2)", () => {
  const server = new ServerUnderTest({ currentTerm: 4, votedFor: "n1", log: [1, 4] });
  const { role, leaderId, currentTerm, votedFor } = server.core.view();
  assert.deepEqual(
    { role, leaderId, currentTerm, votedFor },
    { role: "follower", leaderId: null, currentTerm: 4, votedFor: "n1" },
  );
});

test("Follower: stays one as long as it hears its leader (§5.2)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  for (let heartbeat = 0; heartbeat < 5; heartbeat += 1) {
    assert.deepEqual(server.tick(TICKS.electionTicks - 1), outputOf({}));
    server.receive("n2", appendEntries({ term: 1, round: heartbeat }));
    server.persistAll();
  }
  assert.equal(server.core.view().role, "follower");
});

test("Follower: granting a vote restarts its wait, refusing one does not (§5.2)", () => {
  const grants = new ServerUnderTest();
  grants.tick(TICKS.electionTicks - 1);
  grants.receive("n2", requestVote("n2", 1));
  assert.deepEqual(grants.tick(TICKS.electionTicks - 1).messages, []);

  const refuses = new ServerUnderTest({ log: [1] });
  refuses.tick(TICKS.electionTicks - 1);
  refuses.receive("n2", requestVote("n2", 2));
  refuses.tick();
  assert.equal(refuses.core.view().role, "preCandidate");
});

test("Leader: sends heartbeats without entries to all, periodically (§5.2)", () => {
  const server = new ServerUnderTest().lead();
  const message = appendEntries({
    term: 1,
    leaderId: "n1",
    prevLogIndex: 1,
    prevLogTerm: 1,
    leaderCommit: 1,
  });
  const heartbeats = [
    { to: "n2", message },
    { to: "n3", message },
  ];
  // lead() ended on an odd tick.
  assert.deepEqual(server.tick(), outputOf({ messages: heartbeats }));
  for (let period = 0; period < 3; period += 1) {
    assert.deepEqual(server.tick(TICKS.heartbeatTicks - 1), outputOf({}));
    assert.deepEqual(server.tick(), outputOf({ messages: heartbeats }));
  }
});

test("Election: begins when no leader is heard for the election timeout (§5.2)", () => {
  const server = new ServerUnderTest();
  assert.deepEqual(server.tick(TICKS.electionTicks - 1), outputOf({}));
  const message = preVote("n1", 1);
  assert.deepEqual(
    server.tick(),
    outputOf({
      messages: [
        { to: "n2", message },
        { to: "n3", message },
      ],
    }),
  );
  assert.equal(server.core.view().role, "preCandidate");
});

test("Election: a new term, the own vote made durable, then requests to all at once (§5.2)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2], voters: ["n1", "n2", "n3", "n4", "n5"] });
  const output = server.startElection();
  const message = requestVote("n1", 3, [3, 2]);
  const requests = ["n2", "n3", "n4", "n5"].map((to) => ({ to, message, afterSequence: 1 }));
  assert.deepEqual(
    output,
    outputOf({
      messagesAfterPersist: requests,
      persist: {
        sequence: 1,
        hardState: { currentTerm: 3, votedFor: "n1", commitIndex: 0 },
        entries: [],
      },
    }),
  );
  assert.equal(server.core.view().role, "candidate");
  assert.deepEqual(server.persist(), { freed: requests, output: outputOf({}) });
});

const ELECTIONS: readonly { size: number; grants: number; refusals: number; role: string }[] = [
  { size: 1, grants: 0, refusals: 0, role: "leader" },
  { size: 2, grants: 0, refusals: 0, role: "candidate" },
  { size: 2, grants: 1, refusals: 0, role: "leader" },
  { size: 3, grants: 0, refusals: 1, role: "candidate" },
  { size: 3, grants: 1, refusals: 0, role: "leader" },
  { size: 3, grants: 0, refusals: 2, role: "follower" },
  { size: 4, grants: 1, refusals: 0, role: "candidate" },
  { size: 4, grants: 2, refusals: 0, role: "leader" },
  { size: 5, grants: 1, refusals: 2, role: "candidate" },
  { size: 5, grants: 1, refusals: 3, role: "follower" },
  { size: 5, grants: 2, refusals: 2, role: "leader" },
];

for (const { size, grants, refusals, role } of ELECTIONS) {
  test(`Election: ${grants} votes beside its own and ${refusals} refusals of ${size} make it a ${role}: a majority of the full cluster decides (§5.2)`, () => {
    const voters = Array.from({ length: size }, (_, offset) => `n${offset + 1}`);
    const server = new ServerUnderTest({ voters });
    server.startElection();
    server.persist();
    const answers = [
      ...Array.from({ length: refusals }, () => refused(1)),
      ...Array.from({ length: grants }, () => granted(1)),
    ];
    for (const [offset, answer] of answers.entries()) server.receive(`n${offset + 2}`, answer);
    assert.equal(server.core.view().role, role);
  });
}

test("Election: one voter's vote counts once, and only in its own term (§5.2)", () => {
  const server = new ServerUnderTest({ voters: ["n1", "n2", "n3", "n4", "n5"], currentTerm: 3 });
  server.startElection();
  server.persist();
  for (let times = 0; times < 3; times += 1) server.receive("n2", granted(4));
  server.receive("n3", granted(3));
  server.receive("stranger", granted(4));
  assert.equal(server.core.view().role, "candidate");
  assert.equal(server.core.view().votesGranted, 2);
  server.receive("n3", granted(4));
  assert.equal(server.core.view().role, "leader");
});

test("Vote: one a term, first come first served, repeated to the same candidate (§5.2)", () => {
  const server = new ServerUnderTest();
  const ask = (from: NodeId): RaftMessage => requestVote(from, 1);
  assert.deepEqual(
    server.receive("n2", ask("n2")),
    outputOf({
      messagesAfterPersist: [{ to: "n2", message: granted(1), afterSequence: 1 }],
      persist: {
        sequence: 1,
        hardState: { currentTerm: 1, votedFor: "n2", commitIndex: 0 },
        entries: [],
      },
    }),
  );
  server.persistAll();
  assert.deepEqual(
    server.receive("n3", ask("n3")),
    outputOf({ messages: [{ to: "n3", message: refused(1) }] }),
  );
  assert.deepEqual(
    server.receive("n2", ask("n2")),
    outputOf({ messages: [{ to: "n2", message: granted(1) }] }),
  );
});

test("Vote: is kept across a restart (§5.2, Figure 2)", () => {
  const restarted = new ServerUnderTest({ currentTerm: 1, votedFor: "n2" });
  const other = restarted.receive("n3", requestVote("n3", 1));
  assert.deepEqual(other, outputOf({ messages: [{ to: "n3", message: refused(1) }] }));
  const same = restarted.receive("n2", requestVote("n2", 1));
  assert.deepEqual(same, outputOf({ messages: [{ to: "n2", message: granted(1) }] }));
});

test("Vote: is kept when a candidate steps down in its term (§5.2)", () => {
  const server = new ServerUnderTest();
  server.startElection();
  server.persist();
  server.receive("n2", appendEntries({ term: 1 }));
  const late = server.receive("n3", requestVote("n3", 1));
  assert.deepEqual(late.messages, [{ to: "n3", message: refused(1) }]);
  assert.equal(server.core.view().votedFor, "n1");
});

test("Election won: it sends AppendEntries to all at once, its no-op in them (§5.2, Diss. §6.4)", () => {
  const server = new ServerUnderTest({ log: [1, 2] });
  const output = server.win();
  const message = appendEntries({
    term: 3,
    leaderId: "n1",
    prevLogIndex: 2,
    prevLogTerm: 2,
    entries: [noop(3, 3)],
  });
  assert.deepEqual(
    output,
    outputOf({
      messages: [
        { to: "n2", message },
        { to: "n3", message },
      ],
      persist: { sequence: 2, hardState: null, entries: [noop(3, 3)] },
    }),
  );
});

for (const term of [1, 2]) {
  test(`Candidate of term 1: follows a leader of term ${term} that it hears (§5.2)`, () => {
    const server = new ServerUnderTest();
    server.startElection();
    server.persist();
    server.receive("n2", appendEntries({ term }));
    const { role, leaderId, currentTerm } = server.core.view();
    assert.deepEqual(
      { role, leaderId, currentTerm },
      { role: "follower", leaderId: "n2", currentTerm: term },
    );
  });
}

test("Candidate: rejects a leader of an earlier term and stays candidate (§5.2)", () => {
  const server = new ServerUnderTest({ currentTerm: 3 });
  server.startElection();
  server.persist();
  const output = server.receive("n2", appendEntries({ term: 3, round: 2 }));
  const message = appendReply({ term: 4, success: false, round: 2 });
  assert.deepEqual(output, outputOf({ messages: [{ to: "n2", message }] }));
  assert.equal(server.core.view().role, "candidate");
});

test("Split vote: the candidate times out and tries again with the next term (§5.2)", () => {
  const server = new ServerUnderTest({ voters: ["n1", "n2", "n3", "n4"] });
  server.startElection();
  server.persist();
  server.receive("n2", granted(1));
  server.receive("n3", refused(1));
  assert.equal(server.core.view().role, "candidate");
  server.tick(TICKS.electionTicks);
  assert.equal(server.core.view().role, "preCandidate");
  for (const from of ["n2", "n3"]) {
    server.receive(from, { type: "PreVoteReply", term: 1, preVoteTerm: 2, voteGranted: true });
  }
  const { role, currentTerm, votesGranted } = server.core.view();
  assert.deepEqual(
    { role, currentTerm, votesGranted },
    { role: "candidate", currentTerm: 2, votesGranted: 0 },
  );
});

test("Election timeout: drawn from [electionTicks, 2 x electionTicks), anew each time (§5.2)", () => {
  // The second roll names the first read.
  const dice = [9, 0, 3, 7, 0];
  const server = new ServerUnderTest({ dice });
  const timeouts = [server.core.view().electionTimeoutTicks];
  for (let campaign = 0; campaign < 3; campaign += 1) {
    server.tick(server.core.view().electionTicksLeft);
    timeouts.push(server.core.view().electionTimeoutTicks);
  }
  assert.deepEqual(timeouts, [19, 13, 17, 10]);
});

test("Election timeout: starts over with the election, and the next waits for its end (§5.2)", () => {
  const server = new ServerUnderTest({ dice: [0, 0, 0, 5] });
  server.startElection();
  server.persist();
  assert.equal(server.core.view().electionTicksLeft, TICKS.electionTicks + 5);
  server.tick(TICKS.electionTicks + 4);
  assert.equal(server.core.view().role, "candidate");
  server.tick();
  assert.equal(server.core.view().role, "preCandidate");
});
