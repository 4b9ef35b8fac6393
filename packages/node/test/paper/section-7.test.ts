import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogIndex, RaftMessage } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { Cluster } from "../raft/cluster.ts";
import {
  appendEntries,
  appendReply,
  command,
  entry,
  installReply,
  installSnapshot,
  ServerUnderTest,
  TICKS,
} from "../raft/server-under-test.ts";

const TEN = Array.from({ length: 10 }, () => 1);

function compacted(index: LogIndex): ServerUnderTest {
  const server = new ServerUnderTest({ log: TEN, commitIndex: 10, config: { trailingEntries: 1 } });
  server.step(() => undefined);
  server.step((core) => core.snapshotTaken(index));
  server.persistAll();
  return server;
}

function installed(server: ServerUnderTest, message: ReturnType<typeof installSnapshot>): boolean {
  const results: boolean[] = [];
  server.step((core) => {
    core.receive(message.leaderId, message);
    results.push(core.snapshotReceived({ from: message.leaderId, message }));
  });
  return results[0] === true;
}

test("Snapshot: each server takes its own, of just the committed entries in its log (§7)", () => {
  const server = new ServerUnderTest({ log: TEN, commitIndex: 6 });
  server.step(() => undefined);
  assert.throws(() => server.core.snapshotTaken(7));
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  for (let count = 0; count < 10; count += 1) cluster.propose("n1", `${count}`);
  cluster.tick(TICKS.heartbeatTicks);
  assert.ok(cluster.compact("n2"));
  assert.deepEqual(
    ["n1", "n2", "n3"].map((id) => cluster.view(id).snapshotIndex),
    [0, 11, 0],
  );
});

test("Snapshot: has the last included index and term, for the consistency check of the first entry behind (§7)", () => {
  const server = new ServerUnderTest({ snapshot: { index: 10, term: 3 } });
  const behind = (prevLogTerm: number, term: number): RaftMessage | undefined => {
    server.receive(
      "n2",
      appendEntries({ term, prevLogIndex: 10, prevLogTerm, entries: [entry(11, 4)] }),
    );
    return server.persist().freed.at(-1)?.message;
  };
  const refused = behind(4, 4);
  assert.equal(refused?.type === "AppendEntriesReply" && refused.success, false);
  const taken = behind(3, 5);
  assert.equal(taken?.type === "AppendEntriesReply" && taken.success, true);
});

test("Snapshot: has the latest configuration as of its last included index (§7)", () => {
  const server = new ServerUnderTest({ config: { trailingEntries: 1 } }).lead();
  server.change({ voters: ["n1", "n2", "n3"], learners: ["n4"] });
  server.persistAll();
  server.stored("n2");
  const output = server.step((core) => core.snapshotTaken(2));
  const { point } = output.persist?.snapshot ?? {};
  assert.deepEqual(point?.configuration.learners, ["n4"]);
  assert.equal(point?.configurationIndex, 2);
});

test("Snapshot: all entries through the last included one may go, and the snapshot of before (§7)", () => {
  const server = compacted(9);
  assert.equal(server.core.entryAt(8), null);
  assert.equal(server.core.view().firstLogIndex, 9);
  const { persist } = server.step((core) => core.snapshotTaken(10));
  assert.equal(persist?.snapshot?.point.lastIncludedIndex, 10);
  assert.deepEqual(persist?.snapshot?.beforeFirst, { index: 9, term: 1 });
});

test("Leader: sends a snapshot only when it has discarded the next entry that a follower needs (§7)", () => {
  const server = new ServerUnderTest({ log: TEN, config: { trailingEntries: 4 } });
  server.win();
  server.persistAll();
  server.stored("n2");
  server.step((core) => core.snapshotTaken(11));
  const rejection = { term: 2, success: false, prevLogIndex: 10 } as const;
  const near = server.receive("n3", appendReply({ ...rejection, conflictIndex: 8 }));
  assert.deepEqual(near.snapshotsToSend, []);
  const far = server.receive(
    "n3",
    appendReply({ ...rejection, prevLogIndex: 7, conflictIndex: 7 }),
  );
  assert.deepEqual(far.snapshotsToSend, ["n3"]);
});

test("Follower: the snapshot has information that it lacks: it discards its entire log (§7)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1], currentTerm: 2 });
  assert.equal(installed(server, installSnapshot({ term: 2, lastIncludedIndex: 9 })), true);
  assert.deepEqual(server.logTerms(), []);
  assert.equal(server.core.view().lastLogIndex, 9);
});

test("Follower: uncommitted entries that conflict with the snapshot go (§7)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1, 1], currentTerm: 2 });
  assert.equal(installed(server, installSnapshot({ term: 2, lastIncludedIndex: 3 })), true);
  assert.deepEqual(server.logTerms(), []);
  assert.equal(server.core.view().lastLogIndex, 3);
});

test("Follower: a snapshot of a prefix of its log: entries behind it are still valid and stay (§7)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2, 2], currentTerm: 2 });
  const prefix = installSnapshot({ term: 2, lastIncludedIndex: 3, lastIncludedTerm: 2 });
  assert.equal(installed(server, prefix), false);
  assert.deepEqual(server.logTerms(), [1, 1, 2, 2]);
  assert.equal(server.core.view().commitIndex, 3);
});

test("InstallSnapshot 1: replies at once if term < currentTerm (Figure 13)", () => {
  const server = new ServerUnderTest({ currentTerm: 5 });
  const { messages, snapshotChunks } = server.receive(
    "n2",
    installSnapshot({ term: 4, lastIncludedIndex: 9 }),
  );
  const message = installReply({ term: 5, lastIncludedIndex: 0, nextOffset: 0, installed: false });
  assert.deepEqual(messages, [{ to: "n2", message }]);
  assert.deepEqual(snapshotChunks, []);
});

test("InstallSnapshot 2-4: each piece is stored at its offset, and replied to; the state waits for done (Figure 13)", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  for (const offset of [0, 8, 16]) {
    const message = installSnapshot({
      term: 2,
      lastIncludedIndex: 9,
      totalBytes: 24,
      offset,
      done: offset === 16,
    });
    const { snapshotChunks, installed: point } = server.receive("n2", message);
    assert.deepEqual(snapshotChunks, [{ from: "n2", message }]);
    assert.equal(point, null);
    if (message.done) continue;
    const { messages } = server.step((core) =>
      core.snapshotChunkStored({ from: "n2", message }, offset + 8),
    );
    const reply = { term: 2, lastIncludedIndex: 9, nextOffset: offset + 8, installed: false };
    assert.deepEqual(messages, [{ to: "n2", message: installReply(reply) }]);
  }
});

test("InstallSnapshot 5: a newer one takes the place of one with a smaller index (Figure 13)", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  assert.equal(installed(server, installSnapshot({ term: 2, lastIncludedIndex: 5 })), true);
  assert.equal(installed(server, installSnapshot({ term: 2, lastIncludedIndex: 9 })), true);
  assert.equal(installed(server, installSnapshot({ term: 2, lastIncludedIndex: 7 })), false);
  assert.equal(server.core.view().snapshotIndex, 9);
  const { output } = server.persist();
  assert.equal(output.persist?.snapshot?.point.lastIncludedIndex, 9);
});

test("InstallSnapshot 6: retains what follows an entry of the last included index and term, and replies (Figure 13)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 2, 2], currentTerm: 2 });
  const message = installSnapshot({ term: 2, lastIncludedIndex: 3, lastIncludedTerm: 2 });
  const output = server.receive("n2", message);
  const reply = installReply({ term: 2, lastIncludedIndex: 3 });
  assert.deepEqual(output.messages, [{ to: "n2", message: reply }]);
  assert.deepEqual(server.logTerms(), [1, 1, 2, 2]);
});

test("InstallSnapshot 7: an entry of the index, but of another term, goes with the whole log (Figure 13)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1], currentTerm: 2 });
  assert.equal(installed(server, installSnapshot({ term: 2, lastIncludedIndex: 3 })), true);
  assert.deepEqual(server.logTerms(), []);
});

test("InstallSnapshot 8: the state machine is reset by it, and its configuration is loaded (Figure 13)", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  const configuration = configurationOf({ voters: ["n2", "n5"], retired: ["n1"] });
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5, configuration });
  server.receive("n2", message);
  const output = server.step((core) => {
    core.snapshotReceived({ from: "n2", message });
  });
  assert.deepEqual(output.installed?.configuration, configuration);
  assert.deepEqual(output.committedEntries, []);
  assert.deepEqual(server.core.view().configuration, configuration);
  assert.equal(server.core.view().lastApplied, 5);
});

test("InstallSnapshot: a piece resets the election timer, as a heartbeat does (Figure 13, §5.2)", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  for (let pieces = 0; pieces < 5; pieces += 1) {
    const message = installSnapshot({ term: 2, lastIncludedIndex: 9, offset: pieces, done: false });
    server.receive("n2", message);
    server.tick(TICKS.electionTicks - 1);
    assert.equal(server.core.view().role, "follower");
  }
});

test("Taking a snapshot stops nothing: commands are taken and committed meanwhile (§7)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("before")));
  server.persistAll();
  server.stored("n2");
  // The snapshot of entry 2 is being written; the log goes on.
  server.step((core) => core.propose(command("meanwhile")));
  server.persistAll();
  server.stored("n2");
  server.step((core) => core.snapshotTaken(2));
  server.persistAll();
  const { commitIndex, snapshotIndex, lastLogIndex } = server.core.view();
  assert.deepEqual([snapshotIndex, commitIndex, lastLogIndex], [2, 3, 3]);
});
