import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantError } from "../../src/raft/index.ts";
import {
  appendEntries,
  appendReply,
  entry,
  installSnapshot,
  outputOf,
  ServerUnderTest,
} from "./server-under-test.ts";

test("Reordering: a shorter request after a longer one cuts nothing (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const [second, third, fourth] = [entry(2, 1), entry(3, 1), entry(4, 1)];
  const at = { term: 1, prevLogIndex: 1, prevLogTerm: 1 };
  server.receive("n2", appendEntries({ ...at, entries: [second, third, fourth] }));
  server.persistAll();
  server.receive("n2", appendEntries({ ...at, entries: [second] }));
  server.receive("n2", appendEntries({ ...at, entries: [] }));
  server.receive("n2", appendEntries({ term: 1, entries: [entry(1, 1), second] }));
  assert.deepEqual(server.logTerms(), [1, 1, 1, 1]);
});

test("Reordering: of two pipelined requests the later one alone is refused, then fits (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const first = { term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)] };
  const later = { term: 1, prevLogIndex: 2, prevLogTerm: 1, entries: [entry(3, 1)] };
  const rejection = appendReply({ term: 1, success: false, prevLogIndex: 2, conflictIndex: 2 });
  assert.deepEqual(server.receive("n2", appendEntries(later)).messages, [
    { to: "n2", message: rejection },
  ]);
  server.receive("n2", appendEntries(first));
  server.receive("n2", appendEntries(later));
  assert.deepEqual(server.logTerms(), [1, 1, 1]);
});

test("Truncation: at or below commitIndex it is a bug, and stops the server (§5.4)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1], commitIndex: 2, currentTerm: 2 });
  const overwrite = { term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 2)] };
  assert.throws(() => server.core.receive("n2", appendEntries(overwrite)), InvariantError);
});

test("Truncation: what is cut and what replaces it are one write (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 2, 2, 2], currentTerm: 3 });
  const entries = [entry(3, 3), entry(4, 3)];
  const { persist } = server.receive(
    "n2",
    appendEntries({ term: 3, prevLogIndex: 2, prevLogTerm: 2, entries }),
  );
  assert.deepEqual(persist, { sequence: 1, hardState: null, entries });
});

test("A new term and its first entries are one write (Figure 2)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const entries = [entry(2, 4)];
  const { persist, messages } = server.receive(
    "n2",
    appendEntries({ term: 4, prevLogIndex: 1, prevLogTerm: 1, entries }),
  );
  assert.deepEqual(messages, []);
  assert.deepEqual(persist, {
    sequence: 1,
    hardState: { currentTerm: 4, votedFor: null, commitIndex: 0 },
    entries,
  });
});

test("Acknowledgement: of entries leaves when they are durable (§5.3, Figure 2)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const request = { term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)], round: 3 };
  const output = server.receive("n2", appendEntries(request));
  const message = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2, round: 3 });
  const held = { to: "n2", message, afterSequence: 1 };
  assert.deepEqual(output.messages, []);
  assert.deepEqual(output.messagesAfterPersist, [held]);
  assert.deepEqual(server.persist(), { freed: [held], output: outputOf({}) });
});

test("Acknowledgement: a duplicate of entries in flight waits for the same write (§5.3)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const request = { term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)] };
  server.receive("n2", appendEntries(request));
  const again = server.receive("n2", appendEntries({ ...request, round: 1 }));
  assert.deepEqual(
    again.messagesAfterPersist.map(({ afterSequence }) => afterSequence),
    [1],
  );
  assert.deepEqual(again.persist, null);
});

test("Acknowledgement: of a heartbeat leaves at once, for what is durable (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const request = { term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)] };
  server.receive("n2", appendEntries(request));
  const heartbeat = { term: 1, prevLogIndex: 2, prevLogTerm: 1, round: 5 };
  const message = appendReply({ term: 1, prevLogIndex: 2, matchIndex: 1, round: 5 });
  assert.deepEqual(
    server.receive("n2", appendEntries(heartbeat)),
    outputOf({ messages: [{ to: "n2", message }] }),
  );
});

test("Acknowledgement: of a new leader's heartbeat waits for the new term's write (§5.1)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const output = server.receive(
    "n2",
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, round: 1 }),
  );
  assert.deepEqual(output.messages, []);
  assert.equal(output.messagesAfterPersist.length, 1);
});

test("Rejection: in a new term it waits for the term's write, as every promise does (§5.1)", () => {
  const server = new ServerUnderTest({ log: [1] });
  const output = server.receive(
    "n2",
    appendEntries({ term: 2, prevLogIndex: 3, prevLogTerm: 2, round: 1 }),
  );
  assert.deepEqual(output.messages, []);
  assert.deepEqual(
    server.persist().freed.map(({ message }) => message),
    [appendReply({ term: 2, success: false, prevLogIndex: 3, conflictIndex: 2, round: 1 })],
  );
});

test("Malformed: gaps, falling terms, terms to come and a wrong leader change nothing (§5.3)", () => {
  const requests = [
    { prevLogIndex: 1, prevLogTerm: 1, entries: [entry(3, 2)] },
    { prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 2), entry(4, 2)] },
    { prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 2), entry(3, 1)] },
    { prevLogIndex: 1, prevLogTerm: 2, entries: [entry(2, 1)] },
    { prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 9)] },
    { prevLogIndex: 1, prevLogTerm: 9, entries: [] },
    { prevLogIndex: 0, prevLogTerm: 1, entries: [] },
    { prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 2)], leaderId: "n3" },
  ];
  for (const request of requests) {
    const server = new ServerUnderTest({ log: [1], currentTerm: 2 });
    server.tick(3);
    const before = server.core.view();
    assert.deepEqual(server.receive("n2", appendEntries({ term: 2, ...request })), outputOf({}));
    assert.deepEqual(server.core.view(), before);
  }
});

test("AppendEntries and InstallSnapshot: of a second leader of the term are forgeries (§5.2)", () => {
  const server = new ServerUnderTest({ log: [1], currentTerm: 2 });
  server.receive("n2", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1 }));
  assert.equal(server.core.view().leaderId, "n2");
  const entries = [entry(2, 2)];
  const forged = appendEntries({
    term: 2,
    leaderId: "n3",
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries,
    leaderCommit: 2,
  });
  const outputs = [
    server.receive("n3", forged),
    server.receive("n3", installSnapshot({ term: 2, leaderId: "n3", lastIncludedIndex: 9 })),
  ];
  for (const output of outputs) assert.deepEqual(output, outputOf({}));
  const { leaderId, lastLogIndex, commitIndex } = server.core.view();
  assert.deepEqual([leaderId, lastLogIndex, commitIndex], ["n2", 1, 0]);
});
