import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantError } from "../../src/raft/index.ts";
import { Cluster } from "../raft/cluster.ts";
import {
  appendEntries,
  appendReply,
  entry,
  outputOf,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "../raft/server-under-test.ts";

test("Crash: a follower that comes back completes the RPCs that failed meanwhile (§5.5)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.crash("n2");
  for (const text of ["a", "b", "c"]) cluster.propose("n1", text);
  cluster.settle();
  cluster.tick(5 * TICKS.electionTicks, ["n1", "n3"]);
  assert.equal(cluster.view("n1").role, "leader");
  cluster.restart("n2");
  cluster.tick(2 * TICKS.heartbeatTicks, ["n1", "n3"]);
  assert.deepEqual(cluster.applied("n2"), cluster.applied("n1"));
});

test("Crash: a candidate asks again, in a new election, those that did not answer (§5.5)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.crash("n2");
  cluster.crash("n3");
  cluster.tick(4 * TICKS.electionTicks);
  assert.equal(cluster.view("n1").role, "preCandidate");
  cluster.restart("n2");
  cluster.tick(2 * TICKS.electionTicks, ["n1"]);
  assert.equal(cluster.view("n1").role, "leader");
});

test("Idempotence: a vote asked for again after a crash gets the same answer (§5.5)", () => {
  const before = new ServerUnderTest();
  before.receive("n2", requestVote("n2", 1));
  const { freed } = before.persist();
  const after = new ServerUnderTest({ currentTerm: 1, votedFor: "n2" });
  const { messages } = after.receive("n2", requestVote("n2", 1));
  assert.deepEqual(
    messages.map(({ message }) => message),
    freed.map(({ message }) => message),
  );
});

test("Idempotence: entries that are in the log already are ignored, and acknowledged (§5.5)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 1] });
  const entries = [entry(2, 1), entry(3, 1)];
  const request = appendEntries({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries });
  const message = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 3 });
  for (let times = 0; times < 3; times += 1) {
    const output = server.receive("n2", request);
    assert.deepEqual(output, outputOf({ messages: [{ to: "n2", message }] }));
  }
});

test("Timing: an election timeout of less than three heartbeats is refused (§5.6)", () => {
  const config = { heartbeatTicks: 4, electionTicks: 11 };
  assert.throws(() => new ServerUnderTest({ config }), InvariantError);
  assert.doesNotThrow(() => new ServerUnderTest({ config: { ...config, electionTicks: 12 } }));
});

test("Timing: safety does not lean on it: a late message of an old leader changes nothing (§5.6)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.settle();
  cluster.propose("n1", "late");
  const late = cluster.network;
  cluster.network = [];
  cluster.isolate("n1");
  cluster.elect("n2");
  cluster.settle();
  cluster.isolate();
  const before = cluster.logTerms("n3");
  for (const posted of late) {
    cluster.network.push(posted);
    cluster.deliver(posted);
  }
  assert.deepEqual(cluster.logTerms("n3"), before);
  cluster.tick(4, ["n2"]);
  cluster.checkLogMatching();
  assert.deepEqual(cluster.logTerms("n1"), cluster.logTerms("n2"));
});
