import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../raft/cluster.ts";
import {
  appendEntries,
  appendReply,
  command,
  entry,
  logOf,
  noop,
  outputOf,
  ServerUnderTest,
  TICKS,
} from "../raft/server-under-test.ts";

const THREE = { n1: [], n2: [], n3: [] };

test("Leader: appends a command as a new entry, and sends it to all at once (§5.3)", () => {
  const server = new ServerUnderTest().lead();
  const data = command("x");
  const output = server.step((core) => {
    assert.deepEqual(core.propose(data), { kind: "accepted", index: 2, term: 1 });
  });
  const added = { index: 2, term: 1, kind: "command", data } as const;
  const message = appendEntries({
    term: 1,
    leaderId: "n1",
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries: [added],
    leaderCommit: 1,
  });
  assert.deepEqual(
    output,
    outputOf({
      messages: [
        { to: "n2", message },
        { to: "n3", message },
      ],
      persist: { sequence: 3, hardState: null, entries: [added] },
    }),
  );
});

test("Leader: applies an entry once a majority stores it, and not before (§5.3)", () => {
  const server = new ServerUnderTest({ voters: ["n1", "n2", "n3", "n4", "n5"] }).lead();
  server.step((core) => core.propose(command("x")));
  server.persist();
  const stored = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 });
  assert.deepEqual(server.receive("n4", stored), outputOf({}));
  const output = server.receive("n2", stored);
  const applied = { index: 2, term: 1, kind: "command", data: command("x") } as const;
  assert.deepEqual(output, outputOf({ committedEntries: [applied] }));
});

test("Leader: one round of messages to a majority replicates and commits an entry (§5.3)", () => {
  const cluster = new Cluster({ logs: THREE });
  cluster.elect("n1");
  cluster.settle();
  cluster.network = [];
  const index = cluster.propose("n1", "x");
  const rounds = cluster.network.map(({ to }) => to);
  cluster.settle();
  assert.deepEqual(rounds, ["n2", "n3"]);
  assert.equal(cluster.view("n1").commitIndex, index);
});

test("Leader: sends entries again until all followers store them, long after it answered (§5.3)", () => {
  const cluster = new Cluster({ logs: THREE });
  cluster.elect("n1");
  cluster.crash("n3");
  const index = cluster.propose("n1", "x");
  cluster.settle();
  assert.equal(cluster.applied("n1").length, index);
  cluster.tick(20 * TICKS.electionTicks, ["n1", "n2"]);
  cluster.restart("n3");
  cluster.tick(2 * TICKS.heartbeatTicks, ["n1", "n2"]);
  assert.deepEqual(cluster.applied("n3"), cluster.applied("n1"));
});

test("Entries: each carries the term in which its leader got it, and its index (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 4] }).lead();
  server.step((core) => core.propose(command("x")));
  assert.deepEqual(server.logTerms(), [1, 1, 4, 5, 5]);
  assert.deepEqual(server.core.entryAt(5)?.index, 5);
});

test("Commitment: an entry of this term commits all before it, those of other leaders too (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2] });
  server.win();
  server.persist();
  assert.equal(server.core.view().commitIndex, 0);
  const stored = appendReply({ term: 3, prevLogIndex: 3, matchIndex: 4 });
  const { committedEntries } = server.receive("n3", stored);
  assert.deepEqual(committedEntries, [...logOf([1, 1, 2]), noop(4, 3)]);
});

test("Commitment: the leader tells it in later AppendEntries, heartbeats included (§5.3)", () => {
  const server = new ServerUnderTest().lead();
  // A heartbeat has just left: what tells the commit is not the next one.
  assert.equal(server.tick().messages.length, 2);
  server.step((core) => core.propose(command("x")));
  server.persist();
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }));
  const commits = server
    .tick()
    .messages.map(({ to, message }) => [
      to,
      message.type === "AppendEntries" ? message.leaderCommit : null,
    ]);
  assert.deepEqual(commits, [
    ["n2", 2],
    ["n3", 2],
  ]);
  assert.equal(server.tick().messages.length, 2, "the heartbeat");
  assert.deepEqual(server.tick(), outputOf({}), "told once");
});

test("Follower: applies what it learns to be committed, in log order (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2] });
  const heartbeat = { term: 2, prevLogIndex: 3, prevLogTerm: 2 };
  assert.deepEqual(server.receive("n2", appendEntries(heartbeat)).committedEntries, []);
  const first = server.receive("n2", appendEntries({ ...heartbeat, leaderCommit: 2 }));
  assert.deepEqual(first.committedEntries, logOf([1, 1]));
  const second = server.receive("n2", appendEntries({ ...heartbeat, leaderCommit: 3 }));
  assert.deepEqual(second.committedEntries, [entry(3, 2)]);
  const again = server.receive("n2", appendEntries({ ...heartbeat, leaderCommit: 3 }));
  assert.deepEqual(again.committedEntries, []);
});

test("Log Matching: a leader makes one entry an index, and never moves one (§5.3)", () => {
  const server = new ServerUnderTest().lead();
  const indexes = ["a", "b", "c"].map((text) => {
    const result = server.core.propose(command(text));
    return result.kind === "accepted" ? result.index : null;
  });
  assert.deepEqual(indexes, [2, 3, 4]);
  const before = [2, 3, 4].map((index) => server.core.entryAt(index));
  server.step((core) => core.propose(command("d")));
  assert.deepEqual(
    [2, 3, 4].map((index) => server.core.entryAt(index)),
    before,
  );
});

test("AppendEntries: names the index and term just before the new entries (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 3] });
  const { messages } = server.win();
  const [first] = messages;
  assert.ok(first?.message.type === "AppendEntries");
  const { prevLogIndex, prevLogTerm, entries } = first.message;
  assert.deepEqual([prevLogIndex, prevLogTerm, entries], [3, 3, [noop(4, 4)]]);
});

test("AppendEntries: refuses entries where the log has none before them (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1], currentTerm: 2 });
  const request = { term: 2, prevLogIndex: 3, prevLogTerm: 2, entries: [entry(4, 2)], round: 6 };
  const message = appendReply({
    term: 2,
    success: false,
    prevLogIndex: 3,
    conflictIndex: 3,
    round: 6,
  });
  const output = server.receive("n2", appendEntries(request));
  assert.deepEqual(output, outputOf({ messages: [{ to: "n2", message }] }));
  assert.deepEqual(server.logTerms(), [1, 1]);
});

test("AppendEntries: refuses entries after one of another term, and cuts nothing yet (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 2, 2, 2], currentTerm: 3 });
  const request = { term: 3, prevLogIndex: 3, prevLogTerm: 3, entries: [entry(4, 3)] };
  const message = appendReply({
    term: 3,
    success: false,
    prevLogIndex: 3,
    conflictTerm: 2,
    conflictIndex: 2,
  });
  const output = server.receive("n2", appendEntries(request));
  assert.deepEqual(output, outputOf({ messages: [{ to: "n2", message }] }));
  assert.deepEqual(server.logTerms(), [1, 2, 2, 2]);
});

test("AppendEntries: deletes a conflicting entry and all that follow it (§5.3, Figure 2)", () => {
  const server = new ServerUnderTest({ log: [1, 2, 2, 2], currentTerm: 3 });
  const request = { term: 3, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 3)] };
  const message = appendReply({ term: 3, prevLogIndex: 1, matchIndex: 2 });
  assert.deepEqual(
    server.receive("n2", appendEntries(request)),
    outputOf({
      messagesAfterPersist: [{ to: "n2", message, afterSequence: 1 }],
      persist: { sequence: 1, hardState: null, entries: [entry(2, 3)] },
    }),
  );
  assert.deepEqual(server.logTerms(), [1, 3]);
});

test("AppendEntries: appends only what the log lacks (§5.3, Figure 2)", () => {
  const server = new ServerUnderTest({ log: [1, 2], currentTerm: 2 });
  const entries = [entry(1, 1), entry(2, 2), entry(3, 2)];
  const output = server.receive("n2", appendEntries({ term: 2, entries }));
  assert.deepEqual(output.persist?.entries, [entry(3, 2)]);
  assert.deepEqual(server.logTerms(), [1, 2, 2]);
});

test("AppendEntries: keeps entries after a duplicate, shorter request (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1] });
  const message = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 });
  const request = { term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)] };
  assert.deepEqual(
    server.receive("n2", appendEntries(request)),
    outputOf({ messages: [{ to: "n2", message }] }),
  );
  assert.deepEqual(server.logTerms(), [1, 1, 1, 1]);
});

test("AppendEntries: commits no further than the last entry of the message (Figure 2)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2, 2], currentTerm: 3 });
  const shorter = { term: 3, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)] };
  const output = server.receive("n2", appendEntries({ ...shorter, leaderCommit: 9 }));
  assert.deepEqual(output.committedEntries, logOf([1, 1]));
  const heartbeat = { term: 3, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 9 };
  server.receive("n2", appendEntries(heartbeat));
  assert.equal(server.core.view().commitIndex, 2);
});

test("Leader: starts with nextIndex just after its own last entry, for all (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2] });
  server.win();
  const known = server.core.view().peers.map(({ id, nextIndex, matchIndex }) => ({
    id,
    nextIndex,
    matchIndex,
  }));
  assert.deepEqual(known, [
    { id: "n2", nextIndex: 4, matchIndex: 0 },
    { id: "n3", nextIndex: 4, matchIndex: 0 },
  ]);
});

test("Leader: lowers nextIndex on a rejection and tries again at once (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2] });
  server.win();
  const rejection = appendReply({ term: 3, success: false, prevLogIndex: 3, conflictIndex: 2 });
  const { messages } = server.receive("n2", rejection);
  const message = appendEntries({
    term: 3,
    leaderId: "n1",
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries: [entry(2, 1), entry(3, 2), noop(4, 3)],
  });
  assert.deepEqual(messages, [{ to: "n2", message }]);
});

test("Leader: a rejection with the term of the conflict skips that term's entries (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 2, 2, 4, 4, 4] });
  server.win();
  // The follower has 3 3 3 where the leader has 2 4 4: none of term 3 can match.
  const other = { term: 5, success: false, prevLogIndex: 6, conflictTerm: 3, conflictIndex: 3 };
  server.receive("n2", appendReply(other));
  assert.equal(server.core.view().peers[0]?.nextIndex, 3);
  // The follower has term 2 up to where it was asked: behind the leader's last of it they may meet.
  const shared = { term: 5, success: false, prevLogIndex: 6, conflictTerm: 2, conflictIndex: 2 };
  server.receive("n3", appendReply(shared));
  assert.equal(server.core.view().peers[1]?.nextIndex, 4);
});

test("Leader: one AppendEntries a conflicting term finds where the logs meet (§5.3)", () => {
  const terms = Array.from({ length: 10 }, (_, offset) => offset + 2);
  const cluster = new Cluster({
    logs: {
      n1: [1, ...Array.from({ length: 200 }, () => 50)],
      n2: [1, ...terms.flatMap((term) => Array.from({ length: 20 }, () => term))],
      n3: [1],
    },
  });
  cluster.elect("n1");
  cluster.settle();
  assert.deepEqual(cluster.logTerms("n2"), cluster.logTerms("n1"));

  const solo = new ServerUnderTest({ log: [1, ...Array.from({ length: 200 }, () => 50)] });
  const follower = new ServerUnderTest({
    id: "n2",
    log: [1, ...terms.flatMap((term) => Array.from({ length: 20 }, () => term))],
    currentTerm: 50,
  });
  let { messages } = solo.win();
  let rejections = 0;
  for (let sent = 0; sent < 100; sent += 1) {
    const request = messages.find(({ to }) => to === "n2")?.message;
    assert.ok(request?.type === "AppendEntries");
    const first = follower.receive("n1", request);
    const { freed } = first.persist === null ? { freed: [] } : follower.persist();
    const reply = [...first.messages, ...freed][0]?.message;
    assert.ok(reply?.type === "AppendEntriesReply");
    if (reply.success) break;
    rejections += 1;
    ({ messages } = solo.receive("n2", reply));
  }
  assert.equal(follower.core.view().lastLogIndex, 202);
  assert.ok(rejections <= terms.length, `${rejections} rejections for ${terms.length} terms`);
});

test("Leader: never overwrites or deletes entries of its own log (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2] }).lead();
  const before = server.logTerms();
  const intruder = { term: 3, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 3)] };
  assert.deepEqual(server.receive("n2", appendEntries(intruder)), outputOf({}));
  assert.deepEqual(server.logTerms(), before);
});
