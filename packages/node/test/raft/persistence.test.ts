import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantError } from "../../src/raft/index.ts";
import {
  appendEntries,
  command,
  entry,
  outputOf,
  requestVote,
  ServerUnderTest,
} from "./server-under-test.ts";

/** n2's entry at `index`, after the entry of `prevLogTerm`. */
function append(index: number, term: number, prevLogTerm: number) {
  const at = { prevLogIndex: index - 1, prevLogTerm };
  return appendEntries({ term, ...at, entries: [entry(index, term)] });
}

test("Vote: the answer waits for the write of this vote, not for an earlier one (Diss. §3.8)", () => {
  const server = new ServerUnderTest({ log: [1] });
  server.receive("n2", append(2, 1, 1));
  // The write of entry 2 is in flight; the vote is in the next.
  const vote = server.receive("n3", requestVote("n3", 2, [2, 1], true));
  assert.deepEqual(vote, outputOf({}));
  const first = server.persist();
  assert.deepEqual(
    first.output.messagesAfterPersist.map(({ afterSequence }) => afterSequence),
    [2],
  );
  assert.deepEqual(
    first.freed.map(({ message }) => message.type),
    ["AppendEntriesReply"],
  );
  assert.deepEqual(first.output.persist?.hardState, {
    currentTerm: 2,
    votedFor: "n3",
    commitIndex: 0,
  });
  const second = server.persist();
  assert.deepEqual(
    second.freed.map(({ message }) => message.type),
    ["RequestVoteReply"],
  );
});

test("Vote: one in a term that is durable already is a write of its own (Raft §5.2, Figure 2)", () => {
  const server = new ServerUnderTest({ currentTerm: 3 });
  const output = server.receive("n2", requestVote("n2", 3));
  const message = { type: "RequestVoteReply", term: 3, voteGranted: true } as const;
  assert.deepEqual(
    output,
    outputOf({
      messagesAfterPersist: [{ to: "n2", message, afterSequence: 1 }],
      persist: {
        sequence: 1,
        hardState: { currentTerm: 3, votedFor: "n2", commitIndex: 0 },
        entries: [],
      },
    }),
  );
});

test("Vote: while a write of entries is in flight, a vote that is durable is told again at once", () => {
  const server = new ServerUnderTest({ log: [1], currentTerm: 2, votedFor: "n3" });
  server.receive("n3", {
    ...append(2, 2, 1),
    leaderId: "n3",
  });
  const { messages } = server.receive("n3", requestVote("n3", 2, [2, 2]));
  assert.deepEqual(
    messages.map(({ message }) => message.type),
    ["RequestVoteReply"],
  );
});

test("Group commit: what arrives while a write is in flight is one next write", () => {
  const server = new ServerUnderTest({ log: [1] });
  server.receive("n2", append(2, 1, 1));
  for (const index of [3, 4, 5]) {
    assert.equal(server.receive("n2", append(index, 1, 1)).persist, null);
  }
  const { output } = server.persist();
  assert.deepEqual(output.persist, {
    sequence: 2,
    hardState: null,
    entries: [entry(3, 1), entry(4, 1), entry(5, 1)],
  });
});

test("ABA: the end of a write does not vouch for entries that replaced its own (Raft §5.3)", () => {
  const server = new ServerUnderTest({ log: [1] });
  // Entry 2 of term 1 is being written when the leader of term 2 replaces it …
  server.receive("n2", append(2, 1, 1));
  server.receive("n3", { ...append(2, 2, 1), leaderId: "n3" });
  // … and the one of term 3 brings back an entry of term 1 at the same place.
  const third = { term: 3, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)] };
  assert.deepEqual(server.receive("n2", appendEntries(third)), outputOf({}));
  const first = server.persist();
  assert.deepEqual(
    first.output.messagesAfterPersist.map(({ afterSequence }) => afterSequence),
    [2],
  );
  assert.equal(server.core.view().durableIndex, 1);
  assert.deepEqual(first.output.persist, {
    sequence: 2,
    hardState: { currentTerm: 3, votedFor: null, commitIndex: 0 },
    entries: [entry(2, 1)],
  });
  server.persist();
  assert.equal(server.core.view().durableIndex, 2);
});

test("Acknowledgement: of entries that are cut before any write held them never leaves (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1] });
  server.receive("n2", append(2, 1, 1));
  // Entry 3 arrives while entry 2 is being written, and is replaced before it is written itself.
  server.receive("n2", append(3, 1, 1));
  server.receive("n3", { ...append(3, 2, 1), leaderId: "n3" });
  const acknowledged = () =>
    server.persist().freed.map(({ to, message }) => {
      assert.equal(message.type, "AppendEntriesReply");
      return [to, message.term, message.matchIndex];
    });
  assert.deepEqual(acknowledged(), [["n2", 1, 2]]);
  assert.deepEqual(acknowledged(), [["n3", 2, 3]]);
});

test("Truncation: what was durable above it counts no more (Raft §5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1], currentTerm: 2 });
  assert.equal(server.core.view().durableIndex, 4);
  server.receive("n2", append(3, 2, 1));
  assert.equal(server.core.view().durableIndex, 2);
  server.persist();
  assert.equal(server.core.view().durableIndex, 3);
});

test("Leader: an own entry that is cut while it is written counts for nobody (Raft §5.3)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("x")));
  server.receive("n2", append(2, 2, 1));
  const { output } = server.persist();
  assert.equal(server.core.view().durableIndex, 1);
  assert.deepEqual(output.persist?.entries, [entry(2, 2)]);
  assert.equal(server.core.view().role, "follower");
});

test("Writes: an end that was not asked for, or twice, is a bug and stops the server", () => {
  const idle = new ServerUnderTest();
  assert.throws(() => idle.core.persisted(1), InvariantError);
  const twice = new ServerUnderTest({ log: [1] });
  twice.receive("n2", append(2, 1, 1));
  assert.throws(() => twice.core.persisted(2), InvariantError);
});

test("Commit hint: never written ahead of its entries, and not for its own sake (Raft §5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1] });
  const committed = { term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 };
  assert.equal(server.receive("n2", appendEntries(committed)).persist, null);
  const next = { ...committed, entries: [entry(3, 1)], leaderCommit: 3, term: 2 };
  const { persist } = server.receive("n2", appendEntries(next));
  assert.deepEqual(persist, {
    sequence: 1,
    hardState: { currentTerm: 2, votedFor: null, commitIndex: 3 },
    entries: [entry(3, 1)],
  });
});

test("Restart: commits from the hint on are handed out again, in order (Raft §5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2], commitIndex: 2 });
  assert.deepEqual(
    server.step(() => undefined),
    outputOf({ committedEntries: [entry(1, 1), entry(2, 1)] }),
  );
});
