import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppendEntries, NodeId } from "@quorate/wire";
import type { Output } from "../../src/raft/index.ts";
import { Cluster } from "./cluster.ts";
import {
  appendEntries,
  appendReply,
  command,
  outputOf,
  ServerUnderTest,
  TICKS,
} from "./server-under-test.ts";

function sentTo(id: NodeId, output: Output): AppendEntries[] {
  return output.messages.flatMap(({ to, message }) =>
    to === id && message.type === "AppendEntries" ? [message] : [],
  );
}

/** Proposes `count` entries one by one, each its own group of inputs. */
function proposeApart(server: ServerUnderTest, count: number): AppendEntries[] {
  return Array.from({ length: count }, (_, at) =>
    server.step((core) => core.propose(command(String(at)))),
  ).flatMap((output) => sentTo("n2", output));
}

function peer(server: ServerUnderTest, id: NodeId): unknown {
  const found = server.core.view().peers.find((one) => one.id === id);
  assert.ok(found !== undefined);
  const { matchIndex, nextIndex, state, inFlightMessages } = found;
  return { matchIndex, nextIndex, state, inFlightMessages };
}

test("Pipelining: the next entries leave before the last are acknowledged (Diss. §10.2.2)", () => {
  const server = new ServerUnderTest().lead();
  const requests = proposeApart(server, 3);
  assert.deepEqual(
    requests.map(({ prevLogIndex, entries }) => [prevLogIndex, entries.length]),
    [
      [1, 1],
      [2, 1],
      [3, 1],
    ],
  );
});

test("Batching: what is proposed in one group leaves in one message (Diss. §10.2.2)", () => {
  const server = new ServerUnderTest().lead();
  const output = server.step((core) => {
    for (const text of ["a", "b", "c"]) core.propose(command(text));
  });
  assert.deepEqual(
    sentTo("n2", output).map(({ entries }) => entries.length),
    [3],
  );
});

test("Batching: one message holds a bounded number of bytes, and always one entry", () => {
  const server = new ServerUnderTest({ config: { appendEntriesMaxBytes: 100 } }).lead();
  const output = server.step((core) => {
    for (const size of [4096, 1, 1, 1, 1]) core.propose(new Uint8Array(size));
  });
  const batches = sentTo("n2", output).map(({ entries }) => entries.map(({ index }) => index));
  assert.deepEqual(batches, [[2], [3, 4, 5], [6]]);
});

test("Window: bounded by messages, then by bytes; one message always fits (Diss. §10.2.2)", () => {
  const byMessages = new ServerUnderTest({ config: { inFlightMaxMessages: 3 } }).lead();
  assert.equal(proposeApart(byMessages, 10).length, 3);

  const byBytes = new ServerUnderTest({ config: { inFlightMaxBytes: 70 } }).lead();
  assert.equal(proposeApart(byBytes, 10).length, 3);

  const oversize = new ServerUnderTest({ config: { inFlightMaxBytes: 70 } }).lead();
  assert.equal(
    sentTo(
      "n2",
      oversize.step((core) => core.propose(new Uint8Array(999))),
    ).length,
    1,
  );
});

test("Window: an acknowledgement makes room, a cumulative one for several (Diss. §10.2.2)", () => {
  const server = new ServerUnderTest({ config: { inFlightMaxMessages: 3 } }).lead();
  proposeApart(server, 10);
  const output = server.receive("n2", appendReply({ term: 1, prevLogIndex: 2, matchIndex: 3 }));
  const sent = sentTo("n2", output).map(({ prevLogIndex, entries }) => [
    prevLogIndex,
    entries.length,
  ]);
  // Two of three messages are answered; the first new one takes all that waits.
  assert.deepEqual(sent, [[4, 7]]);
});

test("Full window: the heartbeat still shows that its messages were lost (Diss. §10.2.2)", () => {
  const server = new ServerUnderTest({ config: { inFlightMaxMessages: 2 } }).lead();
  proposeApart(server, 5);
  const [heartbeat] = sentTo("n2", server.tick(TICKS.heartbeatTicks));
  assert.ok(heartbeat !== undefined);
  assert.deepEqual([heartbeat.prevLogIndex, heartbeat.entries.length], [3, 0]);
  // The follower has only entry 1: both messages before the heartbeat were lost.
  const rejection = { term: 1, success: false, prevLogIndex: 3, conflictIndex: 2 };
  const [again] = sentTo("n2", server.receive("n2", appendReply(rejection)));
  assert.deepEqual([again?.prevLogIndex, again?.entries.length], [1, 5]);
});

test("Full window: a follower whose messages were all lost catches up by heartbeats alone", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.settle();
  for (let at = 0; at < 30; at += 1) {
    cluster.propose("n1", `lost ${at}`);
    cluster.network = cluster.network.filter(({ to }) => to !== "n3");
  }
  cluster.settle();
  assert.equal(cluster.view("n3").lastLogIndex, 1);
  cluster.tick(3 * TICKS.heartbeatTicks, ["n1"]);
  assert.deepEqual(cluster.applied("n3"), cluster.applied("n1"));
  assert.equal(cluster.applied("n3").length, 31);
});

test("Probe: after a rejection one message at a time, until it is answered (Raft §5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1], config: { appendEntriesMaxBytes: 40 } });
  server.win();
  const rejection = { term: 2, success: false, prevLogIndex: 4, conflictIndex: 2 };
  const probe = sentTo("n2", server.receive("n2", appendReply(rejection)));
  assert.deepEqual(
    probe.map(({ prevLogIndex, entries }) => [prevLogIndex, entries.length]),
    [[1, 1]],
  );
  assert.deepEqual(proposeApart(server, 3), [], "nothing more while the probe is out");
  const found = server.receive("n2", appendReply({ term: 2, prevLogIndex: 1, matchIndex: 2 }));
  assert.deepEqual(
    sentTo("n2", found).map(({ prevLogIndex }) => prevLogIndex),
    [2, 3, 4, 5, 6, 7],
  );
});

test("Probe: a lost one is sent again after the answer to a heartbeat, which has none (Raft §5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1] });
  const first = sentTo("n2", server.win());
  assert.deepEqual(
    first.map(({ prevLogIndex, entries }) => [prevLogIndex, entries.length]),
    [[2, 1]],
  );
  const heartbeat = sentTo("n2", server.tick(TICKS.heartbeatTicks));
  assert.deepEqual(
    heartbeat.map(({ prevLogIndex, entries }) => [prevLogIndex, entries.length]),
    [[2, 0]],
  );
  const answer = appendReply({ term: 2, prevLogIndex: 2, matchIndex: 2 });
  assert.deepEqual(sentTo("n2", server.receive("n2", answer)), first);
});

test("Lost connection: the leader probes from behind what is known to match", () => {
  const server = new ServerUnderTest().lead();
  proposeApart(server, 4);
  assert.deepEqual(peer(server, "n2"), {
    matchIndex: 1,
    nextIndex: 6,
    state: "replicate",
    inFlightMessages: 4,
  });
  const output = server.step((core) => core.peerDown("n2"));
  assert.deepEqual(
    sentTo("n2", output).map(({ prevLogIndex, entries }) => [prevLogIndex, entries.length]),
    [[1, 4]],
  );
});

test("Stale answers: one of an earlier term changes nothing (Raft §5.1)", () => {
  const server = new ServerUnderTest({ currentTerm: 4 }).lead();
  proposeApart(server, 2);
  const before = server.core.view();
  server.receive("n2", appendReply({ term: 4, prevLogIndex: 1, matchIndex: 3 }));
  const rejection = { term: 4, success: false, prevLogIndex: 1, conflictIndex: 1 };
  server.receive("n2", appendReply(rejection));
  assert.deepEqual(server.core.view(), before);
});

test("Stale answers: an older success lowers neither matchIndex nor nextIndex (Raft §5.3)", () => {
  const server = new ServerUnderTest().lead();
  proposeApart(server, 3);
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 3, matchIndex: 4 }));
  const before = peer(server, "n2");
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }));
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1 }));
  assert.deepEqual(peer(server, "n2"), before);
});

test("Stale answers: a rejection of what has matched since is ignored (Raft §5.3)", () => {
  const server = new ServerUnderTest().lead();
  proposeApart(server, 3);
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 3, matchIndex: 4 }));
  const before = peer(server, "n2");
  const rejection = { term: 1, success: false, prevLogIndex: 2, conflictIndex: 1 };
  assert.deepEqual(server.receive("n2", appendReply(rejection)), outputOf({}));
  assert.deepEqual(peer(server, "n2"), before);
});

test("Stale answers: a repeated rejection does not move the probe again (Raft §5.3)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1] });
  server.win();
  const rejection = appendReply({ term: 2, success: false, prevLogIndex: 4, conflictIndex: 3 });
  assert.equal(sentTo("n2", server.receive("n2", rejection)).length, 1);
  const before = peer(server, "n2");
  assert.deepEqual(server.receive("n2", rejection), outputOf({}));
  assert.deepEqual(peer(server, "n2"), before);
});

test("Rejection: its hint never leads below what is known to match (Raft §5.3)", () => {
  const server = new ServerUnderTest().lead();
  proposeApart(server, 4);
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 2, matchIndex: 3 }));
  const rejection = { term: 1, success: false, prevLogIndex: 4, conflictIndex: 1 };
  const [probe] = sentTo("n2", server.receive("n2", appendReply(rejection)));
  assert.deepEqual([probe?.prevLogIndex, probe?.entries.length], [3, 2]);
});

test("Impossible answers: beyond the log or the round, or of a stranger, they are ignored", () => {
  const server = new ServerUnderTest().lead();
  const before = server.core.view();
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 99 }));
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 99, matchIndex: 0 }));
  server.receive("n2", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1, round: 99 }));
  server.receive("n9", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1 }));
  assert.deepEqual(server.core.view(), before);
});

test("Heartbeat: its high leaderCommit does not commit a divergent follower's entries (Raft §5.3)", () => {
  // The follower's entries 2 and 3 are of a leader that lost; the new one probes at index 1.
  const follower = new ServerUnderTest({ log: [1, 2, 2], currentTerm: 3 });
  const heartbeat = { term: 3, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 9 };
  const output = follower.receive("n2", appendEntries(heartbeat));
  assert.deepEqual(
    output.committedEntries.map(({ index }) => index),
    [1],
  );
  assert.equal(follower.core.view().commitIndex, 1);
  const beyond = { term: 3, prevLogIndex: 3, prevLogTerm: 3, leaderCommit: 9 };
  follower.receive("n2", appendEntries(beyond));
  assert.equal(follower.core.view().commitIndex, 1);
});
