import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./cluster.ts";
import {
  appendReply,
  command,
  noop,
  outputOf,
  preVote,
  ServerUnderTest,
  TICKS,
  leadJoint,
} from "./server-under-test.ts";

const FIVE = ["n1", "n2", "n3", "n4", "n5"];

test("No-op: a new leader appends one, and commits what it inherited with it (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ log: [1, 1] });
  const { persist } = server.win();
  assert.deepEqual(persist?.entries, [noop(3, 2)]);
});

test("Commit: the leader counts itself only once its own disk has the entry (Diss. §10.2.1)", () => {
  const server = new ServerUnderTest().lead();
  const sent = server.step((core) => core.propose(command("x")));
  assert.equal(sent.messages.length, 2, "the followers get it before the own disk has it");
  const stored = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 });
  assert.deepEqual(server.receive("n2", stored), outputOf({}));
  assert.equal(server.persist().output.committedEntries.length, 1);
});

test("Commit: a majority without the leader commits although its own disk is slow (Diss. §10.2.1)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("x")));
  const stored = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 });
  server.receive("n2", stored);
  assert.equal(server.receive("n3", stored).committedEntries.length, 1);
  assert.equal(server.core.view().durableIndex, 1);
});

test("Commit: a single voter commits only after its own sync (Raft §5.3)", () => {
  const server = new ServerUnderTest({ voters: ["n1"] });
  server.win();
  server.persistAll();
  const output = server.step((core) => core.propose(command("x")));
  assert.deepEqual(output.committedEntries, []);
  // One that comes while the disk is at the first waits for a sync of its own.
  server.step((core) => core.propose(command("y")));
  assert.equal(server.persist().output.committedEntries.length, 1);
  assert.equal(server.persist().output.committedEntries.length, 1);
});

test("Limits: an entry that is larger than a message, or than a part, goes alone", () => {
  const config = { appendEntriesMaxBytes: 100, applyMaxBytes: 100 };
  const server = new ServerUnderTest({ config }).lead();
  const output = server.step((core) => core.propose(new Uint8Array(500)));
  const sizes = output.messages.flatMap(({ message }) =>
    message.type === "AppendEntries" ? [message.entries.length] : [],
  );
  assert.deepEqual(sizes, [1, 1]);
  server.persistAll();
  assert.equal(server.stored("n2").committedEntries.length, 1);
});

test("Commit: a learner's copy does not count (Raft §6)", () => {
  const server = new ServerUnderTest({ learners: ["n4"] }).lead();
  server.step((core) => core.propose(command("x")));
  server.persist();
  server.receive("n4", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }));
  assert.equal(server.core.view().commitIndex, 1);
});

test("Commit: while joint, a majority of each half must store the entry (Raft §6)", () => {
  const server = leadJoint();
  server.step((core) => core.propose(command("x")));
  server.persistAll();
  const stored = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 3 });
  server.receive("n2", stored);
  server.receive("n3", stored);
  assert.equal(server.core.view().commitIndex, 1);
  server.receive("n5", stored);
  assert.equal(server.core.view().commitIndex, 3);
});

test("CheckQuorum: a leader that no majority answers steps down after an election timeout (Diss. §6.2)", () => {
  const server = new ServerUnderTest({ voters: FIVE }).lead();
  for (let ticks = 0; ticks < 3 * TICKS.electionTicks; ticks += 1) {
    const { lastLogIndex } = server.core.view();
    for (const from of ["n2", "n3"]) {
      server.receive(from, appendReply({ term: 1, prevLogIndex: lastLogIndex, matchIndex: 1 }));
    }
    server.tick();
  }
  assert.equal(server.core.view().role, "leader");
  // One tick has passed since the last answer of n3.
  for (let ticks = 1; ticks < TICKS.electionTicks; ticks += 1) {
    assert.equal(server.core.view().role, "leader", `after ${ticks} ticks`);
    server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1 }));
    server.tick();
  }
  const { role, leaderId, currentTerm } = server.core.view();
  assert.deepEqual(
    { role, leaderId, currentTerm },
    { role: "follower", leaderId: null, currentTerm: 1 },
  );
});

test("CheckQuorum: only answers to its AppendEntries count: who asks for votes hears no leader (Diss. §6.2)", () => {
  const server = new ServerUnderTest().lead();
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
    server.receive("n2", preVote("n2", 2, [1, 1]));
    server.receive("n3", { type: "ReadIndex", term: 1, requestId: ticks });
    server.tick();
  }
  assert.equal(server.core.view().role, "follower");
});

test("CheckQuorum: while joint, contact with one half does not do (Diss. §6.2, Raft §6)", () => {
  const server = leadJoint();
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
    for (const from of ["n2", "n3"]) {
      server.receive(from, appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1 }));
    }
    server.tick();
  }
  assert.equal(server.core.view().role, "follower");
});

test("CheckQuorum: a leader whose followers' processes are gone does not wait for their silence (Diss. §6.2)", () => {
  const server = new ServerUnderTest({ voters: FIVE }).lead();
  for (const gone of ["n2", "n3"]) server.step((core) => core.peerDown(gone));
  assert.equal(server.core.view().role, "leader", "two of five may go");
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1 }));
  server.step((core) => core.peerDown("n4"));
  assert.equal(server.core.view().role, "leader", "n2 is back");
  server.step((core) => core.peerDown("n5"));
  assert.equal(server.core.propose(command("x")).kind, "notLeader");
});

test("CheckQuorum: a follower whose disk stalls is heard, also while it is probed (Diss. §10.2.1)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.propose("n1", "lost on its way");
  cluster.network = [];
  cluster.finishWrite("n1");
  // No follower's disk finishes: the heartbeat's rejection makes the leader probe with entries.
  const requestId = cluster.step("n1", (core) => core.readIndex());
  for (let ticks = 0; ticks < 3 * TICKS.electionTicks; ticks += 1) {
    cluster.step("n1", (core) => core.tick());
    for (let posted = cluster.network[0]; posted !== undefined; posted = cluster.network[0]) {
      cluster.deliver(posted);
    }
  }
  assert.equal(cluster.view("n2").lastLogIndex, 2, "the entries are there");
  assert.equal(cluster.view("n1").role, "leader");
  assert.equal(cluster.answeredReads("n1").get(requestId), 1);
});

test("CheckQuorum: a leader that is cut off stops leading, and takes no more proposals", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.settle();
  cluster.isolate("n1");
  cluster.tick(TICKS.electionTicks, ["n1"]);
  assert.deepEqual(
    cluster.step("n1", (core) => core.propose(command("x"))),
    { kind: "notLeader", leaderId: null },
  );
});

test("Overload: proposals are refused while too many bytes are uncommitted; one always fits", () => {
  const server = new ServerUnderTest({ config: { uncommittedMaxBytes: 100 } }).lead();
  assert.equal(server.core.propose(new Uint8Array(4096)).kind, "accepted");
  assert.deepEqual(server.core.propose(command("x")), { kind: "overloaded" });
  server.step(() => undefined);
  server.persist();
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }));
  assert.equal(server.core.propose(command("x")).kind, "accepted");
});

test("Apply: committed entries come in bounded parts, in order, each once", () => {
  const server = new ServerUnderTest({ config: { applyMaxBytes: 100 } }).lead();
  const texts = ["a", "b", "c", "d", "e"];
  server.step((core) => {
    for (const text of texts) core.propose(command(text));
  });
  server.persist();
  const first = server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 6 }));
  const parts = [first.committedEntries.map(({ index }) => index)];
  while (server.core.hasOutput()) {
    parts.push(server.step(() => undefined).committedEntries.map(({ index }) => index));
  }
  assert.deepEqual(parts, [
    [2, 3, 4],
    [5, 6],
  ]);
});
