import assert from "node:assert/strict";
import { test } from "node:test";
import {
  appendEntries,
  entry,
  installSnapshot,
  noop,
  preVote,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "./server-under-test.ts";

/** Two entries are left of a log that ended at 5@3; its commit point was 4. */
function damaged(): ServerUnderTest {
  return new ServerUnderTest({
    log: [1, 1],
    currentTerm: 3,
    commitIndex: 4,
    voteFloor: { index: 5, term: 3 },
  });
}

test("Vote floor: a damaged log starts, what is left of it counts as committed at most (Raft §5.4.1)", () => {
  const { commitIndex, voteFloor, lastLogIndex } = damaged().core.view();
  assert.deepEqual([commitIndex, lastLogIndex], [2, 2]);
  assert.deepEqual(voteFloor, { index: 5, term: 3 });
});

test("Vote floor: votes only for logs as up to date as the one that was damaged (Raft §5.4.1)", () => {
  const server = damaged();
  for (const last of [
    [2, 1],
    [9, 2],
    [4, 3],
  ] as const) {
    server.receive("n2", requestVote("n2", 4, last));
    assert.equal(server.core.view().votedFor, null, last.join("@"));
    const [reply] = server.receive("n2", preVote("n2", 5, last)).messages;
    assert.equal(reply?.message.type === "PreVoteReply" && reply.message.voteGranted, false);
  }
  server.receive("n2", requestVote("n2", 4, [5, 3]));
  assert.equal(server.core.view().votedFor, "n2");
});

test("Vote floor: no campaign, whoever asks for it", () => {
  const server = damaged();
  server.tick(5 * TICKS.electionTicks);
  assert.equal(server.core.view().role, "follower");
  server.receive("n2", appendEntries({ term: 3 }));
  server.step((core) => core.peerDown("n2"));
  server.tick(5 * TICKS.electionTicks);
  server.receive("n2", { type: "TimeoutNow", term: 3, leaderId: "n2" });
  assert.equal(server.core.view().role, "follower");
  assert.equal(server.core.view().currentTerm, 3);
});

test("Vote floor: lifted when the log is as up to date again, in the batch of the entries that make it so", () => {
  const server = damaged();
  const first = server.receive(
    "n2",
    appendEntries({
      term: 3,
      prevLogIndex: 2,
      prevLogTerm: 1,
      entries: [entry(3, 3), entry(4, 3)],
    }),
  );
  assert.equal(first.persist?.clearsVoteFloor, undefined);
  assert.notEqual(server.core.view().voteFloor, null);
  server.persistAll();
  const second = server.receive(
    "n2",
    appendEntries({ term: 3, prevLogIndex: 4, prevLogTerm: 3, entries: [entry(5, 3)] }),
  );
  assert.deepEqual(second.persist?.entries, [entry(5, 3)]);
  assert.equal(second.persist?.clearsVoteFloor, true);
  assert.equal(server.core.view().voteFloor, null);
  server.persistAll();
  const third = server.receive(
    "n2",
    appendEntries({ term: 3, prevLogIndex: 5, prevLogTerm: 3, entries: [entry(6, 3)] }),
  );
  assert.equal(third.persist?.clearsVoteFloor, undefined, "it is forgotten once");
});

test("Vote floor: an entry of a later term lifts it: its leader has all that was committed", () => {
  const server = damaged();
  server.receive(
    "n2",
    appendEntries({ term: 4, prevLogIndex: 2, prevLogTerm: 1, entries: [noop(3, 4)] }),
  );
  assert.equal(server.core.view().voteFloor, null);
});

test("Vote floor: a vote after it was lifted waits for the batch that holds the entries", () => {
  const server = damaged();
  server.receive("n2", requestVote("n2", 4, [5, 3]));
  // That vote is being written.
  server.receive(
    "n2",
    appendEntries({ term: 4, prevLogIndex: 2, prevLogTerm: 1, entries: [noop(3, 4)] }),
  );
  server.tick(2 * TICKS.electionTicks);
  server.receive("n3", requestVote("n3", 5, [3, 4]));
  assert.equal(server.core.view().votedFor, "n3");
  const { freed, output } = server.persist();
  assert.deepEqual(
    freed.map(({ to }) => to),
    ["n2"],
  );
  assert.deepEqual(output.persist?.entries, [noop(3, 4)]);
  assert.equal(output.persist?.clearsVoteFloor, true);
  assert.equal(output.persist?.hardState?.votedFor, "n3");
});

test("Vote floor: a snapshot lifts it if it reaches that far", () => {
  for (const [lastIncludedIndex, isLifted] of [
    [4, false],
    [5, true],
  ] as const) {
    const server = damaged();
    const message = installSnapshot({ term: 3, lastIncludedIndex });
    server.receive("n2", message);
    const output = server.step((core) => {
      core.snapshotReceived({ from: "n2", message });
    });
    assert.equal(server.core.view().voteFloor === null, isLifted);
    assert.equal(output.persist?.clearsVoteFloor === true, isLifted);
    assert.equal(output.persist?.snapshot?.point.lastIncludedIndex, lastIncludedIndex);
  }
});

test("Vote floor: once lifted the server campaigns like any other", () => {
  const server = damaged();
  server.receive(
    "n2",
    appendEntries({ term: 4, prevLogIndex: 2, prevLogTerm: 1, entries: [noop(3, 4)] }),
  );
  server.persistAll();
  server.win();
});
