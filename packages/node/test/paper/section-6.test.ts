import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@quorate/wire";
import type { ChangeResult } from "../../src/raft/index.ts";
import { Cluster } from "../raft/cluster.ts";
import {
  appendEntries,
  command,
  configurationEntry,
  entry,
  leadJoint,
  preVote,
  requestVote,
  ServerUnderTest,
  targetOf,
  TICKS,
} from "../raft/server-under-test.ts";

const OLD = ["n1", "n4", "n5"];
const JOINT = { voters: ["n1", "n2", "n3"], votersOutgoing: OLD };

function change(cluster: Cluster, id: NodeId, voters: readonly NodeId[]): ChangeResult {
  return cluster.step(id, (core) =>
    core.changeMembers(targetOf({ voters }), { expectedIndex: null, force: true }),
  );
}

test("Two phases: first the transitional configuration, then, once it is committed, the new one (§6)", () => {
  const server = leadJoint();
  assert.deepEqual(server.core.view().configuration.votersOutgoing, OLD);
  server.persistAll();
  server.stored("n2");
  assert.deepEqual(server.core.view().configuration.votersOutgoing, OLD);
  server.stored("n5");
  assert.equal(server.core.view().commitIndex, 2);
  assert.deepEqual(server.core.view().configuration.votersOutgoing, []);
  assert.deepEqual(server.core.view().configuration.voters, JOINT.voters);
});

test("Joint: log entries are replicated to all servers in both configurations (§6)", () => {
  const server = leadJoint();
  const { messages } = server.step((core) => core.propose(command("x")));
  server.persistAll();
  const { peers } = server.core.view();
  assert.deepEqual(
    peers.map(({ id }) => id),
    ["n2", "n3", "n4", "n5"],
  );
  for (const id of ["n4", "n5"]) {
    assert.ok(messages.some(({ to, message }) => to === id && message.type === "AppendEntries"));
  }
});

test("Joint: any server from either configuration may serve as leader (§6)", () => {
  for (const id of ["n2", "n4"]) {
    const server = new ServerUnderTest({ id, ...JOINT });
    server.win();
    assert.equal(server.core.view().role, "leader");
  }
});

test("Joint: elections need separate majorities from the old and the new configuration (§6)", () => {
  for (const [granting, isElected] of [
    [["n2", "n3"], false],
    [["n4", "n5"], false],
    [["n2"], false],
    [["n2", "n4"], true],
    [["n3", "n5"], true],
  ] as const) {
    const server = new ServerUnderTest(JOINT);
    server.startElection();
    server.persist();
    for (const from of granting) {
      server.receive(from, { type: "RequestVoteReply", term: 1, voteGranted: true });
    }
    assert.equal(server.core.view().role === "leader", isElected, granting.join());
  }
});

test("Joint: entry commitment needs separate majorities from the old and the new configuration (§6)", () => {
  for (const [storing, isCommitted] of [
    [["n2", "n3"], false],
    [["n4", "n5"], false],
    [["n3", "n4"], true],
  ] as const) {
    const server = leadJoint();
    server.persistAll();
    for (const id of storing) server.stored(id);
    assert.equal(server.core.view().commitIndex === 2, isCommitted, storing.join());
  }
});

test("Joint: the cluster serves client requests throughout the change (§6)", () => {
  const cluster = new Cluster({
    logs: Object.fromEntries(["n1", "n2", "n3", "n4", "n5"].map((id) => [id, []])),
    voters: ["n1", "n2", "n3"],
  });
  cluster.elect("n1");
  cluster.tick(TICKS.heartbeatTicks);
  assert.equal(change(cluster, "n1", ["n1", "n4", "n5"]).kind, "accepted");
  const indexes: number[] = [];
  for (let steps = 0; steps < 200; steps += 1) {
    if (steps % 20 === 0) indexes.push(cluster.propose("n1", `${steps}`));
    const posted = cluster.network[0];
    const writer = cluster.ids.find((id) => cluster.hasWrite(id));
    if (writer !== undefined) cluster.finishWrite(writer);
    else if (posted !== undefined) cluster.deliver(posted);
  }
  cluster.tick(2 * TICKS.heartbeatTicks);
  assert.ok(cluster.applied("n4").length >= (indexes.at(-1) ?? 0));
});

test("In force: a server uses the latest configuration in its log, committed or not (§6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1, entries: [configurationEntry(1, 1, JOINT)] }));
  assert.equal(server.core.view().commitIndex, 0);
  assert.deepEqual(server.core.view().configuration.votersOutgoing, OLD);
  server.persistAll();
  const { messages } = server.startPreVote();
  assert.deepEqual(
    messages.map(({ to }) => to),
    ["n2", "n3", "n4", "n5"],
  );
});

test("Leader crash: a new one is chosen under C_old or C_old,new, as its log has it; never C_new alone (§6)", () => {
  for (const [entries, others] of [
    [[entry(1, 1)], ["n2", "n3"]],
    [
      [
        entry(1, 1),
        configurationEntry(2, 1, { voters: ["n1", "n4"], votersOutgoing: ["n1", "n2", "n3"] }),
      ],
      ["n2", "n3", "n4"],
    ],
  ] as const) {
    const server = new ServerUnderTest({ currentTerm: 1 });
    server.receive("n2", appendEntries({ term: 1, entries }));
    server.persistAll();
    const { messages } = server.startPreVote();
    assert.deepEqual(
      messages.map(({ to }) => to),
      others,
    );
  }
});

test("Committed C_old,new: only servers that have it can be elected (§6)", () => {
  // C_old,new is committed: n2 has it. n4, of C_old, lacks it, and asks with its shorter log.
  const server = new ServerUnderTest({ id: "n5", voters: OLD, currentTerm: 1 });
  server.receive(
    "n1",
    appendEntries({ term: 1, leaderId: "n1", entries: [configurationEntry(1, 1, JOINT)] }),
  );
  server.persistAll();
  server.tick(2 * TICKS.electionTicks);
  server.receive("n4", requestVote("n4", 2, [0, 0]));
  assert.equal(server.core.view().votedFor, null);
  server.receive("n2", requestVote("n2", 2, [1, 1]));
  assert.equal(server.core.view().votedFor, "n2");
});

test("Crash at each point of a change: it is finished or undone as a whole (§6)", () => {
  const ids = ["n1", "n2", "n3", "n4", "n5"];
  for (let crashAfter = 0; crashAfter < 40; crashAfter += 1) {
    let dice = crashAfter;
    const cluster = new Cluster({
      logs: Object.fromEntries(ids.map((id) => [id, []])),
      voters: ["n1", "n2", "n3"],
      // Timeouts differ, or the vote is split for ever.
      below: (exclusiveMax) => (dice += 7) % exclusiveMax,
    });
    cluster.elect("n1");
    cluster.tick(TICKS.heartbeatTicks);
    change(cluster, "n1", ["n1", "n4", "n5"]);
    for (let steps = 0; steps < crashAfter; steps += 1) {
      const writer = ids.find((id) => cluster.hasWrite(id));
      const posted = cluster.network[0];
      if (writer !== undefined) cluster.finishWrite(writer);
      else if (posted !== undefined) cluster.deliver(posted);
    }
    cluster.crash("n1");
    cluster.tick(6 * TICKS.electionTicks);
    const leader = ids.find((id) => cluster.isUp(id) && cluster.view(id).role === "leader");
    assert(leader !== undefined, `nobody leads after ${crashAfter} steps`);
    cluster.propose(leader, "after");
    cluster.restart("n1");
    cluster.tick(2 * TICKS.electionTicks);
    const { voters, votersOutgoing } = cluster.view(leader).configuration;
    assert.deepEqual(votersOutgoing, []);
    assert.ok(["n1,n2,n3", "n1,n4,n5"].includes(voters.join()), voters.join());
    for (const id of voters) assert.deepEqual(cluster.view(id).configuration.voters, voters);
    cluster.checkLogMatching();
  }
});

test("New servers: join as non-voting members, which get the log and are no majority (§6)", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n1", "n2", "n3"], learners: ["n4", "n5"] });
  server.persistAll();
  assert.ok(server.core.view().peers.some(({ id }) => id === "n4"));
  for (const id of ["n4", "n5"]) server.stored(id);
  assert.equal(server.core.view().commitIndex, 1);
  server.stored("n3");
  assert.equal(server.core.view().commitIndex, 2);
});

test("New servers: the change proceeds once they have caught up with the rest (§6)", () => {
  const cluster = new Cluster({
    logs: { n1: [], n2: [], n3: [], n4: [] },
    voters: ["n1", "n2", "n3"],
  });
  cluster.elect("n1");
  for (let count = 0; count < 30; count += 1) cluster.propose("n1", `${count}`);
  cluster.tick(TICKS.heartbeatTicks);
  cluster.crash("n4");
  const target = targetOf({ voters: ["n1", "n2", "n3"], learners: ["n4"], staging: ["n4"] });
  cluster.step("n1", (core) => core.changeMembers(target, { expectedIndex: null, force: false }));
  cluster.tick(TICKS.electionTicks);
  assert.deepEqual(cluster.view("n1").configuration.voters, ["n1", "n2", "n3"]);
  cluster.restart("n4");
  cluster.tick(2 * TICKS.electionTicks);
  assert.deepEqual(cluster.view("n1").configuration.voters, ["n1", "n2", "n3", "n4"]);
  assert.equal(cluster.applied("n4").length, cluster.view("n1").lastLogIndex);
});

test("Leader outside C_new: manages the cluster without counting itself in majorities (§6)", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n2", "n3"] });
  server.persistAll();
  for (const id of ["n2", "n3"]) server.stored(id);
  server.persistAll();
  assert.equal(server.core.view().configurationIndex, 3);
  server.stored("n2");
  assert.equal(server.core.view().commitIndex, 2);
  assert.equal(server.core.view().role, "leader");
  assert.equal(server.core.propose(command("still served")).kind, "accepted");
});

test("Leader outside C_new: steps down once C_new is committed, not before (§6)", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n2", "n3"] });
  server.persistAll();
  for (const id of ["n2", "n3"]) server.stored(id);
  assert.equal(server.core.view().role, "leader", "C_old,new is committed");
  server.persistAll();
  for (const id of ["n2", "n3"]) server.stored(id);
  assert.equal(server.core.view().commitIndex, 3);
  assert.equal(server.core.view().role, "follower");
});

test("Removed servers: a RequestVote within the minimum election timeout of a leader moves no term (§6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, dice: [0, 9] });
  server.receive("n2", appendEntries({ term: 1 }));
  server.tick(TICKS.electionTicks - 1);
  const refused = server.receive("n9", requestVote("n9", 7, [99, 1]));
  assert.deepEqual([...refused.messages, ...refused.messagesAfterPersist], []);
  assert.equal(server.core.view().currentTerm, 1);
  const [reply] = server.receive("n9", preVote("n9", 7, [99, 1])).messages;
  assert.equal(reply?.message.type === "PreVoteReply" && reply.message.voteGranted, false);
  assert.equal(server.core.view().leaderId, "n2");
});

test("Removed servers: normal elections wait at least that long, and are not affected (§6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, dice: [0, 9] });
  server.receive("n2", appendEntries({ term: 1 }));
  server.tick(TICKS.electionTicks);
  server.receive("n3", requestVote("n3", 2, [0, 0]));
  assert.equal(server.core.view().votedFor, "n3");
});

test("Removed servers: a leader that gets heartbeats through is not deposed by larger terms (§6)", () => {
  const server = new ServerUnderTest().lead();
  server.receive("n9", requestVote("n9", 42, [99, 9]));
  assert.equal(server.core.view().role, "leader");
  assert.equal(server.core.view().currentTerm, 1);
});
