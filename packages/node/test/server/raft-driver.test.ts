import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppendEntries } from "@quorate/wire";
import { RAFT_DEFAULTS } from "../../src/raft/index.ts";
import type { ReadOutcome } from "../../src/server/driver-outcomes.ts";
import { Bench, TICK_MS } from "./driver-bench.ts";

const heartbeat: AppendEntries = {
  type: "AppendEntries",
  term: 1,
  leaderId: "n2",
  prevLogIndex: 0,
  prevLogTerm: 0,
  entries: [],
  leaderCommit: 0,
  round: 1,
};

function withEntries(count: number, leaderCommit: number): AppendEntries {
  const entries = Array.from({ length: count }, (_, offset) => ({
    index: offset + 1,
    term: 1,
    kind: "command" as const,
    data: Buffer.from(`rubbish ${offset}`),
  }));
  return { ...heartbeat, entries, leaderCommit };
}

test("RaftDriver: sends and flushes before it persists (Diss. §10.2.1)", () => {
  const bench = new Bench(["n1", "n2"]);
  bench.runFor(2 * RAFT_DEFAULTS.electionTicks * TICK_MS);
  bench.receive("n2", { type: "PreVoteReply", term: 0, preVoteTerm: 1, voteGranted: true });
  bench.runToPersist();
  bench.receive("n2", { type: "RequestVoteReply", term: 1, voteGranted: true });
  bench.storage.finish();
  bench.runFor(1);
  const sentAt = bench.log.indexOf("send AppendEntries");
  assert.ok(sentAt >= 0, bench.log.join(", "));
  assert.deepEqual(bench.log.slice(sentAt), ["send AppendEntries", "flush", "persist 1"]);
});

test("RaftDriver: inputs of one turn share one batch, and one batch is in flight", () => {
  const bench = new Bench(["n1"]);
  bench.leadAlone();
  for (const value of ["a", "b", "c"]) bench.put(value);
  bench.runFor(1);
  bench.put("d");
  bench.put("e");
  bench.runFor(1);
  const sizes = (): number[] => bench.storage.batches.slice(2).map(({ entries }) => entries.length);
  assert.deepEqual(sizes(), [3]);
  bench.storage.finish();
  bench.runFor(1);
  assert.deepEqual(sizes(), [3, 2]);
});

test("RaftDriver: an acknowledgement waits for its own batch, a heartbeat's answer for none", () => {
  const bench = new Bench(["n1", "n2", "n3"]);
  const answers = (): number[] =>
    bench.transport.sent.flatMap(({ message }) =>
      message.type === "AppendEntriesReply" ? [message.matchIndex] : [],
    );
  bench.receive("n2", heartbeat);
  bench.runToPersist();
  bench.storage.finish();
  bench.runFor(1);
  assert.deepEqual(answers(), [0], "the term is durable now");
  bench.receive("n2", withEntries(3, 0));
  bench.runFor(1);
  assert.deepEqual(answers(), [0]);
  bench.receive("n2", heartbeat);
  bench.runFor(1);
  assert.deepEqual(answers(), [0, 0], "the loop goes on while the disk works");
  bench.storage.finish();
  bench.runFor(1);
  assert.equal(answers().at(-1), 3);
});

test("RaftDriver: a proposal is answered once it is durable, committed and applied", () => {
  const bench = new Bench(["n1"]);
  bench.leadAlone();
  const outcomes = bench.put("a");
  bench.runFor(1);
  assert.deepEqual(outcomes, []);
  bench.storage.finish();
  bench.runFor(1);
  const result = { kind: "put", revision: 1, created: true, at: { index: 2, term: 1 } };
  assert.deepEqual(outcomes, [{ kind: "applied", index: 2, term: 1, result }]);
  assert.equal(bench.driver.lastApplied, 2);
});

test("RaftDriver: applies in bounded batches, with a turn of the loop between them", () => {
  const bench = new Bench(["n1", "n2", "n3"], 1);
  bench.receive("n2", withEntries(3, 3));
  bench.runToPersist();
  bench.storage.finish();
  for (let expected = 0; bench.driver.lastApplied < 3; expected++) {
    assert.ok(expected < 20, "not everything is applied");
    const before = bench.driver.lastApplied;
    bench.scheduler.runNext();
    assert.ok(bench.driver.lastApplied <= before + 1, "one entry of a byte limit of 1 at a time");
  }
});

test("RaftDriver: a read waits until its read index is applied (Diss. §6.4)", () => {
  const bench = new Bench(["n1"]);
  bench.leadAlone();
  const outcomes: ReadOutcome[] = [];
  bench.put("a");
  bench.driver.readIndex((outcome) => outcomes.push(outcome));
  bench.runFor(1);
  assert.deepEqual(outcomes, [{ kind: "ready", readIndex: 1, appliedIndex: 1 }]);
  bench.storage.finish();
  bench.runFor(1);
  bench.driver.readIndex((outcome) => outcomes.push(outcome));
  bench.runFor(1);
  assert.deepEqual(outcomes[1], { kind: "ready", readIndex: 2, appliedIndex: 2 });
});

test("RaftDriver: without a leader, writes are not applied and reads fail", () => {
  const bench = new Bench(["n1", "n2", "n3"]);
  assert.deepEqual(bench.put("a"), [{ kind: "notApplied", code: "noLeader", leaderId: null }]);
  const outcomes: ReadOutcome[] = [];
  bench.driver.readIndex((outcome) => outcomes.push(outcome));
  bench.runFor(1);
  assert.deepEqual(outcomes, [{ kind: "failed", code: "noLeader", leaderId: null }]);
  bench.receive("n2", heartbeat);
  assert.deepEqual(bench.put("b"), [{ kind: "notApplied", code: "notLeader", leaderId: "n2" }]);
});

test("RaftDriver: after a long pause, heartbeats that wait are read before it campaigns", () => {
  const bench = new Bench(["n1", "n2", "n3"]);
  bench.receive("n2", heartbeat);
  bench.runToPersist();
  bench.storage.finish();
  for (let beat = 0; beat < 20; beat++) {
    bench.runFor(50);
    bench.receive("n2", heartbeat);
  }
  bench.process.pause();
  for (let beat = 1; beat <= 100; beat++) {
    bench.scheduler.schedule(beat * 50_000, () => {
      bench.process.deliver(() => {
        bench.receive("n2", heartbeat);
      });
    });
  }
  bench.runFor(5_001);
  bench.process.resume();
  bench.runFor(50);
  assert.equal(bench.driver.view().role, "follower");
  const campaigns = bench.transport.sent.filter(({ message }) => message.type === "PreVote");
  assert.deepEqual(campaigns, []);
});

test("RaftDriver: without heartbeats it does campaign", () => {
  const bench = new Bench(["n1", "n2", "n3"]);
  bench.runFor(2 * RAFT_DEFAULTS.electionTicks * TICK_MS + TICK_MS);
  assert.ok(bench.transport.sent.some(({ message }) => message.type === "PreVote"));
});

test("RaftDriver: the loss of the leader's process hurries the election", () => {
  const bench = new Bench(["n1", "n2", "n3"]);
  bench.receive("n2", heartbeat);
  bench.runToPersist();
  bench.storage.finish();
  bench.runFor(1);
  bench.transport.handlers?.onPeerDown("n2", false);
  bench.runFor(5 * TICK_MS);
  const campaigns = (): boolean =>
    bench.transport.sent.some(({ message }) => message.type === "PreVote");
  assert.equal(campaigns(), false, "a lost connection alone proves nothing");
  bench.transport.handlers?.onPeerDown("n2", true);
  bench.runFor(5 * TICK_MS);
  assert.equal(campaigns(), true);
});

test("RaftDriver: stop answers all that waits, ignores messages, and waits for the disk", async () => {
  const bench = new Bench(["n1"]);
  bench.leadAlone();
  const written = bench.put("a");
  bench.runFor(1);
  const stopped = { is: false };
  const stopping = bench.driver.stop().then(() => {
    stopped.is = true;
  });
  assert.deepEqual(written, [{ kind: "unknown", code: "stopping", leaderId: "n1" }]);
  assert.deepEqual(bench.put("b"), [{ kind: "notApplied", code: "stopping", leaderId: null }]);
  await Promise.resolve();
  assert.equal(stopped.is, false);
  bench.storage.finish();
  await stopping;
  const before = bench.log.length;
  bench.receive("n2", { ...heartbeat, term: 9 });
  bench.runFor(1_000);
  assert.equal(bench.log.length, before);
});
