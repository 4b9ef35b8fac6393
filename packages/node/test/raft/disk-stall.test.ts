import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./cluster.ts";
import { appendEntries, command, entry, ServerUnderTest, TICKS } from "./server-under-test.ts";

/** Time passes, and n2 and n3 are heard, having stored all. */
function tickHeard(server: ServerUnderTest, count: number): void {
  for (let ticks = 0; ticks < count; ticks += 1) {
    for (const id of ["n2", "n3"]) {
      if (server.core.view().role === "leader") server.stored(id);
    }
    server.tick();
  }
}

test("Stall: a batch that takes longer than an election timeout, counted from its start (Diss. §10.2.1)", () => {
  const server = new ServerUnderTest();
  server.tick(3);
  server.receive("n2", appendEntries({ term: 1, entries: [entry(1, 1)] }));
  server.tick(TICKS.electionTicks - 1);
  assert.equal(server.core.view().isStalled, false);
  server.tick();
  assert.equal(server.core.view().isStalled, true);
  server.persist();
  assert.equal(server.core.view().isStalled, false);
});

test("Stall: one batch after the other is none, however long they take together", () => {
  const server = new ServerUnderTest();
  for (let index = 1; index < 6; index += 1) {
    const entries = [entry(index, 1)];
    const prev = { prevLogIndex: index - 1, prevLogTerm: index === 1 ? 0 : 1 };
    server.receive("n2", appendEntries({ term: 1, ...prev, entries }));
    server.tick(TICKS.electionTicks - 1);
    assert.equal(server.core.view().isStalled, false);
    server.persist();
  }
});

test("Stall: a leader hands over to a voter that has the log, and takes no more proposals (Diss. §10.2.1)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("x")));
  tickHeard(server, TICKS.electionTicks - 1);
  assert.equal(server.core.view().transferTarget, null);
  const sent: string[] = [];
  server.stored("n2");
  for (const { to, message } of server.tick().messages) {
    if (message.type === "TimeoutNow") sent.push(to);
  }
  assert.deepEqual(sent, ["n2"]);
  assert.equal(server.core.propose(command("y")).kind, "transferring");
});

test("Stall: a leader that nobody relieved steps down, and does not try again (Diss. §10.2.1)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("x")));
  tickHeard(server, 2 * TICKS.electionTicks + 1);
  assert.equal(server.core.view().role, "follower");
  server.tick(5 * TICKS.electionTicks);
  assert.equal(server.core.view().role, "follower");
});

test("Stall: one that ends while it hands over lets the leader go on", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("x")));
  tickHeard(server, TICKS.electionTicks);
  assert.notEqual(server.core.view().transferTarget, null);
  server.persistAll();
  tickHeard(server, 2 * TICKS.electionTicks);
  assert.equal(server.core.view().role, "leader");
  assert.equal(server.core.propose(command("y")).kind, "accepted");
});

test("Stall: nobody campaigns on a stalled disk, not even when it is asked to (Diss. §10.2.1)", () => {
  const server = new ServerUnderTest();
  server.receive("n2", appendEntries({ term: 1, entries: [entry(1, 1)] }));
  server.tick(5 * TICKS.electionTicks);
  assert.equal(server.core.view().role, "follower");
  server.receive("n2", appendEntries({ term: 1 }));
  server.receive("n2", { type: "TimeoutNow", term: 1, leaderId: "n2" });
  assert.equal(server.core.view().role, "follower");
  server.step((core) => core.peerDown("n2"));
  server.tick(5 * TICKS.electionTicks);
  assert.equal(server.core.view().role, "follower");
  server.persist();
  server.startElection();
});

test("Stall: one that begins during a PreVote ends it (Diss. §10.2.1)", () => {
  const server = new ServerUnderTest();
  server.tick();
  // A batch that is one tick younger than the wait for the leader.
  server.receive("n2", { type: "RequestVoteReply", term: 1, voteGranted: false });
  server.tick(TICKS.electionTicks - 1);
  assert.equal(server.core.view().role, "preCandidate");
  server.tick();
  assert.equal(server.core.view().isStalled, true);
  for (const from of ["n2", "n3"]) {
    server.receive(from, { type: "PreVoteReply", term: 1, preVoteTerm: 2, voteGranted: true });
  }
  assert.equal(server.core.view().role, "follower");
  assert.equal(server.core.view().currentTerm, 1);
});

test("Stall: the others go on without the stalled leader, and lose nothing", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.tick(TICKS.heartbeatTicks);
  const index = cluster.propose("n1", "while the disk hangs");
  for (let ticks = 0; ticks < 2 * TICKS.electionTicks; ticks += 1) {
    for (const id of cluster.ids) cluster.step(id, (core) => core.tick());
    for (let posted = cluster.network[0]; posted !== undefined; posted = cluster.network[0]) {
      cluster.deliver(posted);
      for (const id of ["n2", "n3"]) if (cluster.hasWrite(id)) cluster.finishWrite(id);
    }
  }
  const leader = ["n2", "n3"].find((id) => cluster.view(id).role === "leader");
  assert(leader !== undefined);
  assert.equal(cluster.view("n1").leaderId, leader);
  assert.equal(cluster.view("n1").isStalled, true);
  assert.ok(cluster.applied(leader).length > index);
  cluster.settle();
  cluster.tick(TICKS.heartbeatTicks);
  assert.equal(cluster.applied("n1").length, cluster.applied(leader).length);
});
