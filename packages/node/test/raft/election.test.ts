import assert from "node:assert/strict";
import { test } from "node:test";
import type { RaftMessage } from "@quorate/wire";
import { Cluster } from "./cluster.ts";
import {
  appendEntries,
  appendReply,
  outputOf,
  preVote,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "./server-under-test.ts";

const FIVE = ["n1", "n2", "n3", "n4", "n5"];

function preVoteReply(voteGranted: boolean, preVoteTerm: number, term: number): RaftMessage {
  return { type: "PreVoteReply", term, preVoteTerm, voteGranted };
}

test("Own vote: does not win before it is durable (Raft §5.2, Diss. §3.8)", () => {
  const server = new ServerUnderTest();
  server.startElection();
  assert.equal(server.core.view().votesGranted, 0);
  server.receive("n2", { type: "RequestVoteReply", term: 1, voteGranted: true });
  assert.equal(server.core.view().role, "candidate");
  server.persist();
  assert.equal(server.core.view().role, "leader");
});

test("Own vote: does not count when the batch that became durable is older (Raft §5.2)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  // A batch of term 2 is in flight when the election starts: its end says nothing of the vote.
  server.tick(TICKS.electionTicks - 1);
  server.receive("n2", { type: "RequestVoteReply", term: 2, voteGranted: false });
  server.tick();
  server.receive("n3", preVoteReply(true, 3, 2));
  assert.equal(server.core.view().role, "candidate");
  server.receive("n3", { type: "RequestVoteReply", term: 3, voteGranted: true });
  const { output } = server.persist();
  assert.equal(server.core.view().role, "candidate");
  assert.deepEqual(output.persist?.hardState, { currentTerm: 3, votedFor: "n1", commitIndex: 0 });
  server.persist();
  assert.equal(server.core.view().role, "leader");
});

test("Votes: an answer that comes again is the same vote (Raft §5.2)", () => {
  const server = new ServerUnderTest({ voters: ["n1", "n2", "n3", "n4", "n5"] });
  server.startElection();
  server.persist();
  for (let times = 0; times < 3; times += 1) {
    server.receive("n2", { type: "RequestVoteReply", term: 1, voteGranted: true });
  }
  assert.equal(server.core.view().votesGranted, 2);
  server.receive("n3", { type: "RequestVoteReply", term: 1, voteGranted: true });
  assert.equal(server.core.view().role, "leader");
});

test("Single voter: leads only after its vote is durable, without any message (Raft §5.2)", () => {
  const server = new ServerUnderTest({ voters: ["n1"] });
  const output = server.tick(TICKS.electionTicks);
  assert.deepEqual(
    output,
    outputOf({
      persist: {
        sequence: 1,
        hardState: { currentTerm: 1, votedFor: "n1", commitIndex: 0 },
        entries: [],
      },
    }),
  );
  assert.equal(server.core.view().role, "candidate");
  server.persist();
  assert.equal(server.core.view().role, "leader");
});

test("PreVote: changes nothing at the voter that is asked (Diss. §9.6)", () => {
  for (const [from, term] of [
    ["n2", 6],
    ["n2", 99],
    ["n2", 2],
    ["stranger", 6],
  ] as const) {
    const server = new ServerUnderTest({ log: [1, 5], votedFor: "n3" });
    server.tick(3);
    const before = server.core.view();
    const output = server.receive(from, preVote(from, term, [2, 5]));
    assert.deepEqual(server.core.view(), before);
    const reply = preVoteReply(term > 5, term, 5);
    assert.deepEqual(output, outputOf({ messages: [{ to: from, message: reply }] }));
  }
});

test("PreVote: asking moves neither term nor vote, whatever the answers (Diss. §9.6)", () => {
  const server = new ServerUnderTest({ currentTerm: 5, votedFor: "n3", voters: FIVE });
  for (let tries = 0; tries < 4; tries += 1) {
    server.startPreVote();
    server.receive("n2", preVoteReply(true, 6, 5));
    for (const from of ["n3", "n4", "n5"]) server.receive(from, preVoteReply(false, 6, 5));
    const { role, currentTerm, votedFor } = server.core.view();
    assert.deepEqual(
      { role, currentTerm, votedFor },
      { role: "follower", currentTerm: 5, votedFor: "n3" },
    );
  }
});

test("PreVote: whoever asks around follows nobody any more (Diss. §9.6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1 }));
  assert.equal(server.core.view().leaderId, "n2");
  server.startPreVote();
  assert.equal(server.core.view().leaderId, null);
});

test("PreVote: only answers to this one count (Diss. §9.6)", () => {
  const server = new ServerUnderTest({ currentTerm: 5 });
  server.startPreVote();
  server.receive("n2", preVoteReply(true, 5, 4));
  server.receive("n2", preVoteReply(true, 7, 5));
  server.receive("n2", { type: "RequestVoteReply", term: 5, voteGranted: true });
  assert.equal(server.core.view().role, "preCandidate");
  server.receive("n2", preVoteReply(true, 6, 5));
  assert.equal(server.core.view().role, "candidate");
});

test("PreVote: a grant of a voter in an earlier term counts (Diss. §9.6)", () => {
  const server = new ServerUnderTest({ currentTerm: 5 });
  server.startPreVote();
  server.receive("n2", preVoteReply(true, 6, 2));
  assert.equal(server.core.view().role, "candidate");
});

test("PreVote: is granted by a server that itself asks around (Diss. §9.6)", () => {
  const server = new ServerUnderTest();
  server.startPreVote();
  const { messages } = server.receive("n2", preVote("n2", 1));
  assert.deepEqual(messages, [{ to: "n2", message: preVoteReply(true, 1, 0) }]);
});

test("PreVote: a late refusal of an earlier round does not hide a grant (Diss. §9.6)", () => {
  const server = new ServerUnderTest({ voters: FIVE, currentTerm: 5 });
  server.startPreVote();
  server.tick(TICKS.electionTicks);
  server.receive("n2", preVoteReply(false, 6, 5));
  server.receive("n2", preVoteReply(true, 6, 5));
  server.receive("n2", preVoteReply(false, 6, 5));
  assert.equal(server.core.view().votesGranted, 2);
  server.receive("n3", preVoteReply(true, 6, 5));
  assert.equal(server.core.view().role, "candidate");
});

test("PreVote: a server that gives its vote away while it asks around asks no further (Diss. §9.6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.startPreVote();
  // The other already campaigns in this term: its log is as good, and the vote is still free.
  server.receive("n2", requestVote("n2", 1));
  assert.equal(server.core.view().role, "follower");
  assert.equal(server.core.view().votedFor, "n2");
  server.receive("n3", preVoteReply(true, 2, 1));
  assert.equal(server.core.view().role, "follower");
});

test("PreVote: a pre-candidate behind in term learns it from the refusal (Diss. §9.6)", () => {
  const server = new ServerUnderTest({ currentTerm: 3 });
  server.startPreVote();
  server.receive("n2", preVoteReply(false, 4, 8));
  const { role, currentTerm } = server.core.view();
  assert.deepEqual({ role, currentTerm }, { role: "follower", currentTerm: 8 });
});

test("PreVote: a server that was cut off does not disturb the leader when it is back (Diss. §9.6)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.settle();
  cluster.isolate("n3");
  cluster.tick(20 * TICKS.electionTicks);
  assert.equal(cluster.view("n3").currentTerm, 1);
  cluster.isolate();
  cluster.tick(3 * TICKS.electionTicks);
  const { role, currentTerm } = cluster.view("n1");
  assert.deepEqual({ role, currentTerm }, { role: "leader", currentTerm: 1 });
  assert.equal(cluster.view("n3").leaderId, "n1");
});

test("Elections end although one voter is terms behind the other (Raft §5.2)", () => {
  for (const id of ["n1", "n2"]) {
    const cluster = new Cluster({
      logs: { n1: [1], n2: [1], n3: [1] },
      currentTerms: { n1: 7, n2: 2, n3: 7 },
    });
    cluster.crash("n3");
    cluster.elect(id);
    assert.equal(cluster.view(id).role, "leader");
  }
});

test("Loyalty: while a leader is heard, a later term is neither voted for nor taken over (Diss. §4.2.3)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1 }));
  server.tick(TICKS.electionTicks - 1);
  assert.deepEqual(server.receive("n3", requestVote("n3", 9, [5, 1])), outputOf({}));
  const refusal = preVoteReply(false, 9, 1);
  assert.deepEqual(
    server.receive("n3", preVote("n3", 9, [5, 1])),
    outputOf({ messages: [{ to: "n3", message: refusal }] }),
  );
  assert.equal(server.core.view().currentTerm, 1);
});

test("Loyalty: ends with the shortest election timeout (Diss. §4.2.3)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, dice: [0, 0, 9] });
  server.receive("n2", appendEntries({ term: 1 }));
  server.tick(TICKS.electionTicks);
  assert.equal(server.core.view().role, "follower");
  const { messages } = server.receive("n3", preVote("n3", 2, [0, 0]));
  assert.deepEqual(messages, [{ to: "n3", message: preVoteReply(true, 2, 1) }]);
  server.receive("n3", requestVote("n3", 2, [0, 0]));
  assert.equal(server.core.view().votedFor, "n3");
});

test("Loyalty: does not bind a server that knows no leader (Diss. §4.2.3)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n3", requestVote("n3", 2));
  assert.equal(server.core.view().votedFor, "n3");
});

test("Loyalty: ends with the term of the leader that it was for (Diss. §4.2.3)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1 }));
  // A later term has begun somewhere: the leader that was heard a moment ago is none any more.
  server.receive("n3", appendReply({ term: 2 }));
  server.receive("n3", requestVote("n3", 3));
  assert.equal(server.core.view().votedFor, "n3");
});

test("Loyalty: does not bind when the leader asked for the election itself (Diss. §3.10)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1 }));
  server.receive("n3", requestVote("n3", 2, [0, 0], true));
  assert.equal(server.core.view().votedFor, "n3");
});

test("Loyalty: a leader that hears its quorum is not replaced by a later term's candidate (Diss. §4.2.3)", () => {
  const server = new ServerUnderTest().lead();
  assert.deepEqual(server.receive("n3", requestVote("n3", 2, [9, 1])), outputOf({}));
  assert.equal(server.core.view().role, "leader");
});

test("Vote: a message whose candidate is not its sender gets no vote (Raft §5.2)", () => {
  const server = new ServerUnderTest();
  const { persist } = server.receive("n3", requestVote("n2", 1));
  assert.deepEqual(persist?.hardState, { currentTerm: 1, votedFor: null, commitIndex: 0 });
});

test("Vote: a learner answers, for it may have been made a voter without knowing (Raft §6)", () => {
  const server = new ServerUnderTest({ id: "n4", learners: ["n4"] });
  server.receive("n2", requestVote("n2", 1));
  assert.equal(server.core.view().votedFor, "n2");
  assert.equal(server.persist().freed.length, 1);
});

test("Learner: never campaigns, also when it is told to (Raft §6)", () => {
  const server = new ServerUnderTest({ id: "n4", learners: ["n4"], currentTerm: 1 });
  assert.deepEqual(server.tick(10 * TICKS.electionTicks), outputOf({}));
  server.receive("n2", { type: "TimeoutNow", term: 1, leaderId: "n2" });
  assert.equal(server.core.view().role, "follower");
});

test("Joint consensus: an election needs a majority of each half (Raft §6)", () => {
  const start = { voters: ["n1", "n2", "n3"], votersOutgoing: ["n1", "n4", "n5"] };
  const server = new ServerUnderTest(start);
  server.startPreVote();
  for (const from of ["n2", "n3"]) server.receive(from, preVoteReply(true, 1, 0));
  assert.equal(server.core.view().role, "preCandidate");
  server.receive("n5", preVoteReply(true, 1, 0));
  assert.equal(server.core.view().role, "candidate");
  server.persist();
  for (const from of ["n4", "n5"]) {
    server.receive(from, { type: "RequestVoteReply", term: 1, voteGranted: true });
  }
  assert.equal(server.core.view().role, "candidate");
  server.receive("n3", { type: "RequestVoteReply", term: 1, voteGranted: true });
  assert.equal(server.core.view().role, "leader");
});

test("Lost leader: PreVote starts within a few ticks, and at the others a little later", () => {
  const waits = FIVE.slice(1).map((id) => {
    const server = new ServerUnderTest({ id, voters: FIVE, currentTerm: 1 });
    server.receive("n1", appendEntries({ term: 1, leaderId: "n1" }));
    server.step((core) => core.peerDown("n1"));
    return server.core.view().electionTicksLeft;
  });
  assert.deepEqual(waits, [1, 3, 5, 7]);
});

test("Lost leader: who saw it go grants at once, who still hears it does not (Diss. §4.2.3)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1 }));
  const ask = preVote("n3", 2, [0, 0]);
  assert.deepEqual(server.receive("n3", ask).messages, [
    { to: "n3", message: preVoteReply(false, 2, 1) },
  ]);
  server.step((core) => core.peerDown("n2"));
  assert.deepEqual(server.receive("n3", ask).messages, [
    { to: "n3", message: preVoteReply(true, 2, 1) },
  ]);
});

test("Lost peer: the loss of one that does not lead starts no election", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1 }));
  const { electionTicksLeft } = server.core.view();
  server.step((core) => core.peerDown("n3"));
  assert.equal(server.core.view().leaderId, "n2");
  assert.equal(server.core.view().electionTicksLeft, electionTicksLeft);
});

test("Forged term: in the last term that can be encoded nobody campaigns (Raft §5.1)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", requestVote("n2", Number.MAX_SAFE_INTEGER));
  server.persistAll();
  for (let ticks = 0; ticks < 4 * TICKS.electionTicks; ticks += 1) {
    assert.deepEqual(server.tick(), outputOf({}));
  }
  const { role, currentTerm } = server.core.view();
  assert.deepEqual([role, currentTerm], ["follower", Number.MAX_SAFE_INTEGER]);
});
