import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppendEntries } from "@quorate/wire";
import type { Output } from "../../src/raft/index.ts";
import { Cluster } from "./cluster.ts";
import {
  appendEntries,
  appendReply,
  command,
  outputOf,
  ServerUnderTest,
  TICKS,
  leadJoint,
} from "./server-under-test.ts";

const FIVE = ["n1", "n2", "n3", "n4", "n5"];

function roundsOf(output: Output): (readonly [string, number])[] {
  return output.messages.flatMap(({ to, message }) =>
    message.type === "AppendEntries" ? [[to, message.round] as const] : [],
  );
}

/** The answer of a follower that has all of `server`'s log, to a message of this round. */
function echo(server: ServerUnderTest, round: number) {
  const { currentTerm: term, lastLogIndex } = server.core.view();
  return appendReply({ term, prevLogIndex: lastLogIndex, matchIndex: lastLogIndex, round });
}

test("ReadIndex: answered by a round of a majority that began after the read (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ voters: FIVE }).lead();
  // This answer is of a heartbeat that was sent before: it confirms nothing.
  let requestId = 0;
  const output = server.step((core) => {
    requestId = core.readIndex();
  });
  assert.deepEqual(roundsOf(output), [
    ["n2", 1],
    ["n3", 1],
    ["n4", 1],
    ["n5", 1],
  ]);
  assert.deepEqual(output.readStates, []);
  for (const from of ["n2", "n3", "n4", "n5"]) {
    assert.deepEqual(server.receive(from, echo(server, 0)).readStates, []);
  }
  assert.deepEqual(server.receive("n2", echo(server, 1)), outputOf({}));
  assert.deepEqual(server.receive("n2", echo(server, 1)), outputOf({}));
  assert.deepEqual(
    server.receive("n4", echo(server, 1)),
    outputOf({ readStates: [{ requestId, readIndex: 1 }] }),
  );
});

test("ReadIndex: a refusal of a request of an earlier reign confirms nothing (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ currentTerm: 4 }).lead();
  const requestId = server.core.readIndex();
  assert.deepEqual(roundsOf(server.step(() => {})), [
    ["n2", 1],
    ["n3", 1],
  ]);
  // Sent when n1 led term 4, in a round of the same number, and long on its way.
  const late = appendEntries({ term: 4, leaderId: "n1", round: 1 });
  const [refusal] = new ServerUnderTest({ id: "n2", currentTerm: 5 }).receive("n1", late).messages;
  assert.ok(refusal !== undefined);
  assert.equal(refusal.message.term, server.core.view().currentTerm);
  assert.deepEqual(server.receive("n2", refusal.message), outputOf({}));
  const readStates = [{ requestId, readIndex: 1 }];
  assert.deepEqual(server.receive("n2", echo(server, 1)), outputOf({ readStates }));
});

test("ReadIndex: takes commitIndex before its round, not after (Diss. §6.4)", () => {
  const server = new ServerUnderTest().lead();
  const requestId = server.core.readIndex();
  server.step((core) => core.propose(command("x")));
  server.persist();
  const stored = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2, round: 1 });
  const { readStates, committedEntries } = server.receive("n2", stored);
  assert.equal(committedEntries.length, 1);
  assert.deepEqual(readStates, [{ requestId, readIndex: 1 }]);
});

test("ReadIndex: waits until an entry of the leader's own term is committed (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ log: [1, 1] });
  server.win();
  let requestId = 0;
  const early = server.step((core) => {
    requestId = core.readIndex();
  });
  assert.deepEqual(roundsOf(early), []);
  server.persist();
  const committed = server.receive("n2", appendReply({ term: 2, prevLogIndex: 2, matchIndex: 3 }));
  assert.deepEqual(committed.readStates, []);
  assert.deepEqual(roundsOf(committed), [
    ["n2", 1],
    ["n3", 1],
  ]);
  assert.deepEqual(server.receive("n3", echo(server, 1)).readStates, [{ requestId, readIndex: 3 }]);
});

test("ReadIndex: the wait for the no-op ends after an election timeout, though the quorum is heard", () => {
  const server = new ServerUnderTest();
  server.win();
  server.persist();
  const aborted: number[] = [];
  const requestIds: number[] = [];
  // The followers answer heartbeats, but their disks store nothing.
  const answer = appendReply({ term: 1, prevLogIndex: 0, matchIndex: 0 });
  for (let ticks = 0; ticks < 2 * TICKS.electionTicks; ticks += 1) {
    server.receive("n2", answer);
    const output = server.step((core) => {
      requestIds.push(core.readIndex());
      core.receive("n3", { type: "ReadIndex", term: 1, requestId: ticks });
      core.tick();
    });
    aborted.push(...output.abortedReads);
  }
  assert.equal(server.core.view().role, "leader");
  assert.deepEqual(aborted, requestIds);
  // What n3 asked has gone as well: no round is begun for it.
  const output = server.receive("n2", appendReply({ term: 1, prevLogIndex: 0, matchIndex: 1 }));
  assert.equal(server.core.view().commitIndex, 1);
  assert.deepEqual(
    roundsOf(output).filter(([, round]) => round > 0),
    [],
  );
});

test("ReadIndex: reads that wait together share one round, later ones the next (Diss. §6.4)", () => {
  const server = new ServerUnderTest().lead();
  const ids: number[] = [];
  const first = server.step((core) => {
    ids.push(core.readIndex(), core.readIndex());
  });
  assert.deepEqual(roundsOf(first), [
    ["n2", 1],
    ["n3", 1],
  ]);
  const meanwhile = server.step((core) => {
    ids.push(core.readIndex());
  });
  assert.deepEqual(meanwhile, outputOf({}));
  const answered = server.receive("n2", echo(server, 1));
  assert.deepEqual(
    answered.readStates.map(({ requestId }) => requestId),
    ids.slice(0, 2),
  );
  assert.deepEqual(roundsOf(answered), [
    ["n2", 2],
    ["n3", 2],
  ]);
  const { readStates } = server.receive("n3", echo(server, 2));
  assert.deepEqual(
    readStates.map(({ requestId }) => requestId),
    ids.slice(2),
  );
  assert.equal(new Set(ids).size, 3);
});

test("ReadIndex: a lost round is repeated by the heartbeat (Diss. §6.4)", () => {
  const server = new ServerUnderTest().lead();
  const requestId = server.core.readIndex();
  server.step(() => undefined);
  assert.deepEqual(roundsOf(server.tick(TICKS.heartbeatTicks)), [
    ["n2", 1],
    ["n3", 1],
  ]);
  assert.deepEqual(server.receive("n3", echo(server, 1)).readStates, [{ requestId, readIndex: 1 }]);
});

test("ReadIndex: a round needs a majority of each half while joint (Raft §6)", () => {
  const server = leadJoint();
  const requestId = server.core.readIndex();
  server.step(() => undefined);
  server.receive("n2", echo(server, 1));
  assert.deepEqual(server.receive("n3", echo(server, 1)).readStates, []);
  assert.deepEqual(server.receive("n5", echo(server, 1)).readStates, [{ requestId, readIndex: 1 }]);
});

test("ReadIndex: a learner's echo confirms nothing (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ learners: ["n4"] }).lead();
  server.step((core) => core.readIndex());
  assert.deepEqual(server.receive("n4", echo(server, 1)).readStates, []);
});

test("ReadIndex: a single voter answers at once, after its own no-op (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ voters: ["n1"] });
  server.win();
  const requestId = server.core.readIndex();
  assert.deepEqual(server.step(() => undefined).readStates, []);
  const { output } = server.persist();
  assert.deepEqual(output.readStates, [{ requestId, readIndex: 1 }]);
});

test("ReadIndex: a leader that is replaced aborts its reads, in flight and waiting (Diss. §6.4)", () => {
  const server = new ServerUnderTest().lead();
  const first = server.core.readIndex();
  server.step(() => undefined);
  const second = server.core.readIndex();
  const { abortedReads } = server.receive("n2", appendEntries({ term: 2 }));
  assert.deepEqual(abortedReads, [first, second]);
  const stale = server.receive(
    "n3",
    appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1, round: 1 }),
  );
  assert.deepEqual(stale.readStates, []);
});

test("ReadIndex: an old leader on the wrong side of a partition answers none (Diss. §6.4)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.settle();
  cluster.isolate("n1");
  cluster.elect("n2");
  cluster.propose("n2", "newer");
  cluster.settle();
  // n1 was stepped down by its own check meanwhile; either way it must not answer.
  const requestId = cluster.step("n1", (core) => core.readIndex());
  cluster.tick(3 * TICKS.electionTicks, ["n1"]);
  assert.equal(cluster.answeredReads("n1").has(requestId), false);
  assert.deepEqual(cluster.abortedReads("n1"), [requestId]);
});

test("Forwarded read: a follower asks its leader, and passes the index on (Diss. §6.4)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1 }));
  const requestId = server.core.readIndex();
  const message = { type: "ReadIndex", term: 1, requestId } as const;
  assert.deepEqual(
    server.step(() => undefined),
    outputOf({ messages: [{ to: "n2", message }] }),
  );
  const reply = { type: "ReadIndexReply", term: 1, requestId, readIndex: 7 } as const;
  assert.deepEqual(server.receive("n3", reply), outputOf({}), "not of the leader");
  assert.deepEqual(
    server.receive("n2", reply),
    outputOf({ readStates: [{ requestId, readIndex: 7 }] }),
  );
  assert.deepEqual(server.receive("n2", reply), outputOf({}), "a duplicate");
});

test("Forwarded read: the leader confirms it by a round and tells only the asker (Diss. §6.4)", () => {
  const server = new ServerUnderTest().lead();
  server.receive("n3", { type: "ReadIndex", term: 1, requestId: 42 });
  const message = { type: "ReadIndexReply", term: 1, requestId: 42, readIndex: 1 } as const;
  assert.deepEqual(
    server.receive("n2", echo(server, 1)),
    outputOf({ messages: [{ to: "n3", message }] }),
  );
});

test("Forwarded read: refused by who does not lead, and then aborted (Diss. §6.4)", () => {
  const asked = new ServerUnderTest({ id: "n2", currentTerm: 1 });
  const refusal = asked.receive("n1", { type: "ReadIndex", term: 1, requestId: 5 });
  const message = { type: "ReadIndexReply", term: 1, requestId: 5, readIndex: null } as const;
  assert.deepEqual(refusal, outputOf({ messages: [{ to: "n1", message }] }));

  const asker = new ServerUnderTest({ currentTerm: 1 });
  asker.receive("n2", appendEntries({ term: 1 }));
  const requestId = asker.core.readIndex();
  const { abortedReads } = asker.receive("n2", { ...message, requestId });
  assert.deepEqual(abortedReads, [requestId]);
});

test("Forwarded read: aborted on a new term, on a campaign, and after an election timeout", () => {
  const pending = (): { server: ServerUnderTest; requestId: number } => {
    const server = new ServerUnderTest({ currentTerm: 1 });
    server.receive("n2", appendEntries({ term: 1 }));
    server.tick();
    const requestId = server.core.readIndex();
    server.step(() => undefined);
    return { server, requestId };
  };
  const newTerm = pending();
  const { abortedReads } = newTerm.server.receive("n3", appendEntries({ term: 2, leaderId: "n3" }));
  assert.deepEqual(abortedReads, [newTerm.requestId]);

  const campaign = pending();
  assert.deepEqual(campaign.server.startPreVote().abortedReads, [campaign.requestId]);

  const lost = pending();
  const aborted = [];
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
    lost.server.receive("n2", appendEntries({ term: 1, round: ticks }));
    aborted.push(...lost.server.tick().abortedReads);
  }
  assert.deepEqual(aborted, [lost.requestId]);
  assert.equal(lost.server.core.view().leaderId, "n2");
});

test("ReadIndex: aborted at once where no leader is known (Diss. §6.4)", () => {
  const server = new ServerUnderTest();
  const requestId = server.core.readIndex();
  assert.deepEqual(
    server.step(() => undefined),
    outputOf({ abortedReads: [requestId] }),
  );
});

test("ReadIndex: an append carries the round too: reads need no message of their own", () => {
  const server = new ServerUnderTest().lead();
  const output = server.step((core) => {
    core.readIndex();
    core.propose(command("x"));
  });
  const requests = output.messages
    .map(({ message }) => message)
    .filter((message): message is AppendEntries => message.type === "AppendEntries");
  assert.ok(requests.every(({ round }) => round === 1));
});
