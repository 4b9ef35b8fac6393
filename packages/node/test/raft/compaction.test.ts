import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantError } from "../../src/raft/index.ts";
import type { SnapshotPoint } from "../../src/raft/index.ts";
import {
  appendEntries,
  appendReply,
  configurationEntry,
  entry,
  outputOf,
  requestVote,
  ServerUnderTest,
} from "./server-under-test.ts";

const TEN = Array.from({ length: 10 }, () => 1);

/** A follower whose log of ten entries is durable, committed and applied. */
function applied(trailingEntries = 4): ServerUnderTest {
  const server = new ServerUnderTest({
    log: TEN,
    commitIndex: 10,
    config: { trailingEntries },
  });
  server.step(() => undefined);
  return server;
}

function take(server: ServerUnderTest, index: number): SnapshotPoint | null {
  const points: (SnapshotPoint | null)[] = [];
  server.step((core) => points.push(core.snapshotTaken(index)));
  return points[0] ?? null;
}

test("Compaction: the log starts a window before the snapshot, in the batch that names it (§7)", () => {
  const server = applied();
  const output = server.step((core) => core.snapshotTaken(9));
  const { snapshot } = output.persist ?? {};
  assert.equal(snapshot?.point.lastIncludedIndex, 9);
  assert.equal(snapshot?.point.lastIncludedTerm, 1);
  assert.deepEqual(snapshot?.beforeFirst, { index: 5, term: 1 });
  assert.equal(snapshot?.keepsLog, true);
  const { firstLogIndex, lastLogIndex, snapshotIndex } = server.core.view();
  assert.deepEqual([firstLogIndex, lastLogIndex, snapshotIndex], [6, 10, 9]);
});

test("Compaction: a window longer than the log keeps all of it", () => {
  const server = applied(100);
  assert.equal(take(server, 9)?.lastIncludedIndex, 9);
  assert.equal(server.core.view().firstLogIndex, 1);
});

test("Compaction: an older snapshot than the newest, or the same, is of no use", () => {
  const server = applied();
  assert.notEqual(take(server, 8), null);
  server.persistAll();
  assert.equal(take(server, 8), null);
  assert.equal(take(server, 7), null);
  assert.notEqual(take(server, 10), null);
});

test("Compaction: a snapshot of what was not applied is a bug", () => {
  const server = new ServerUnderTest({ log: TEN, commitIndex: 3 });
  server.step(() => undefined);
  assert.throws(() => server.core.snapshotTaken(4), InvariantError);
});

test("Compaction: what the own disk does not hold yet stays in the log", () => {
  const server = new ServerUnderTest({ log: [1, 1], config: { trailingEntries: 1 } });
  const entries = [3, 4, 5, 6].map((index) => entry(index, 1));
  server.receive(
    "n2",
    appendEntries({ term: 1, prevLogIndex: 2, prevLogTerm: 1, entries, leaderCommit: 6 }),
  );
  assert.equal(server.core.view().durableIndex, 2);
  assert.equal(take(server, 6)?.lastIncludedIndex, 6);
  assert.equal(server.core.view().firstLogIndex, 3);
  const { output } = server.persist();
  assert.deepEqual(output.persist?.snapshot?.beforeFirst, { index: 2, term: 1 });
});

test("Compaction: two before one is written make one switch, to the newer", () => {
  const server = applied(1);
  server.receive("n2", appendEntries({ term: 2 }));
  take(server, 5);
  take(server, 8);
  const { output } = server.persist();
  assert.equal(output.persist?.snapshot?.point.lastIncludedIndex, 8);
  assert.deepEqual(output.persist?.snapshot?.beforeFirst, { index: 7, term: 1 });
});

test("Compaction: the members go with it, those at its last entry (§7)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, config: { trailingEntries: 1 } });
  const entries = [
    configurationEntry(1, 1, { voters: ["n1", "n2"], votersOutgoing: ["n1", "n2", "n3"] }),
    configurationEntry(2, 1, { voters: ["n1", "n2"], retired: ["n3"] }),
    entry(3, 1),
    configurationEntry(4, 1, { voters: ["n1", "n2"], learners: ["n4"], retired: ["n3"] }),
  ];
  server.receive("n2", appendEntries({ term: 1, entries, leaderCommit: 4 }));
  server.persistAll();
  const point = take(server, 3);
  assert.equal(point?.configurationIndex, 2);
  assert.deepEqual(point?.configuration.retired, ["n3"]);
  assert.deepEqual(server.core.view().configuration.learners, ["n4"]);
  assert.equal(server.core.view().configurationIndex, 4);
});

test("Compaction: the members of before are still known after a later entry is cut (§6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, config: { trailingEntries: 1 } });
  const settled = configurationEntry(1, 1, { voters: ["n1", "n2"], retired: ["n3"] });
  const later = configurationEntry(3, 1, { voters: ["n1", "n2"], learners: ["n4"] });
  const entries = [settled, entry(2, 1), later];
  server.receive("n2", appendEntries({ term: 1, entries, leaderCommit: 2 }));
  server.persistAll();
  take(server, 2);
  server.receive(
    "n2",
    appendEntries({ term: 2, prevLogIndex: 2, prevLogTerm: 1, entries: [entry(3, 2)] }),
  );
  assert.equal(server.core.view().configurationIndex, 1);
  assert.deepEqual(server.core.view().configuration.retired, ["n3"]);
});

test("Compaction: a server that was added later takes none of before it knew the members", () => {
  const server = new ServerUnderTest({ voters: [], currentTerm: 1 });
  const adds = configurationEntry(3, 1, { voters: ["n2"], learners: ["n1"] });
  const entries = [entry(1, 1), entry(2, 1), adds];
  server.receive("n2", appendEntries({ term: 1, entries, leaderCommit: 3 }));
  server.persistAll();
  assert.equal(take(server, 2), null);
  assert.deepEqual(take(server, 3)?.configuration.learners, ["n1"]);
});

test("Compacted log: agrees with what it has no more, which is committed (§5.3, §7)", () => {
  const server = applied(1);
  take(server, 9);
  server.persistAll();
  const old = appendEntries({
    term: 1,
    prevLogIndex: 3,
    prevLogTerm: 1,
    entries: [4, 5, 6, 7, 8, 9, 10, 11].map((index) => entry(index, 1)),
  });
  const output = server.receive("n2", old);
  assert.deepEqual(output.persist?.entries, [entry(11, 1)]);
  const { freed } = server.persist();
  assert.equal(
    freed[0]?.message.type === "AppendEntriesReply" ? freed[0].message.matchIndex : null,
    11,
  );
});

test("Compacted log: its last term and index stand in elections, also when it is empty (§5.4.1, §7)", () => {
  const server = new ServerUnderTest({ snapshot: { index: 10, term: 3 } });
  assert.deepEqual([server.core.view().lastLogIndex, server.core.view().lastLogTerm], [10, 3]);
  server.receive("n2", requestVote("n2", 4, [9, 3]));
  assert.equal(server.core.view().votedFor, null);
  server.receive("n3", requestVote("n3", 4, [10, 3]));
  assert.equal(server.core.view().votedFor, "n3");
});

test("Restart: with a snapshot and a window what the snapshot holds is applied already (§7)", () => {
  const server = new ServerUnderTest({
    snapshot: { index: 10, term: 1 },
    beforeFirst: { index: 7, term: 1 },
    log: [1, 1, 1, 1],
    commitIndex: 11,
  });
  const { commitIndex, firstLogIndex, lastLogIndex, snapshotIndex } = server.core.view();
  assert.deepEqual([commitIndex, firstLogIndex, lastLogIndex, snapshotIndex], [11, 8, 11, 10]);
  assert.deepEqual(
    server.step(() => undefined),
    outputOf({ committedEntries: [entry(11, 1)] }),
  );
});

test("Restart: a hint of the commit point that is older than the snapshot yields to it", () => {
  const server = new ServerUnderTest({ snapshot: { index: 10, term: 1 }, commitIndex: 4 });
  assert.equal(server.core.view().commitIndex, 10);
  assert.equal(server.core.view().lastApplied, 10);
});

test("Restart: a log that does not meet its snapshot is refused", () => {
  const start = { snapshot: { index: 10, term: 1 }, beforeFirst: { index: 3, term: 1 }, log: [1] };
  assert.throws(() => new ServerUnderTest(start), InvariantError);
});

test("Leader: conflicts below its first entry lead to the snapshot, within the window to appends (§7)", () => {
  const make = (): ServerUnderTest => {
    const server = new ServerUnderTest({ log: TEN, config: { trailingEntries: 4 } });
    server.win();
    server.persistAll();
    server.stored("n2");
    server.step((core) => core.snapshotTaken(11));
    server.persistAll();
    return server;
  };
  const rejection = { success: false, prevLogIndex: 10 } as const;
  const near = make();
  assert.equal(near.core.view().firstLogIndex, 8);
  const output = near.receive("n3", appendReply({ term: 2, ...rejection, conflictIndex: 8 }));
  const sent = output.messages.flatMap(({ message }) =>
    message.type === "AppendEntries" ? message.entries.map(({ index }) => index) : [],
  );
  assert.deepEqual(sent, [8, 9, 10, 11]);
  const far = make().receive("n3", appendReply({ term: 2, ...rejection, conflictIndex: 7 }));
  assert.deepEqual(far.snapshotsToSend, ["n3"]);
});
