import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigurationTarget } from "../../src/raft/index.ts";
import type { ChangeOutcome } from "../../src/server/driver-outcomes.ts";
import { SnapshotCluster } from "./snapshot-cluster.ts";

function target(voters: readonly string[]): ConfigurationTarget {
  return { voters, learners: [], staging: [], addresses: [] };
}

test("RaftDriver: a change of members is answered when its entry is committed (§6)", () => {
  const cluster = new SnapshotCluster(["n1", "n2", "n3"]);
  for (const id of cluster.ids) cluster.start(id);
  const leader = cluster.leader();
  cluster.write(1, 10);
  const others = cluster.ids.filter((id) => id !== leader);
  const staying = [leader, others[0] ?? ""];
  const { driver } = cluster.life(leader);
  const outcomes: ChangeOutcome[] = [];
  driver.changeMembers(target(staying), { expectedIndex: null, force: false }, (outcome) => {
    outcomes.push(outcome);
  });
  assert.equal(outcomes.length, 0);
  cluster.runUntil("it is answered", () => outcomes.length > 0);
  const [outcome] = outcomes;
  assert.ok(outcome?.kind === "applied");
  assert.ok(driver.lastApplied >= outcome.index);
  cluster.runUntil("the joint configuration is left", () => {
    const { voters, votersOutgoing } = driver.view().configuration;
    return voters.length === 2 && votersOutgoing.length === 0;
  });
  cluster.write(1, 10);
});

test("RaftDriver: a change is refused with its reason, or by who does not lead", () => {
  const cluster = new SnapshotCluster(["n1", "n2", "n3"]);
  for (const id of cluster.ids) cluster.start(id);
  const leader = cluster.leader();
  cluster.write(1, 10);
  const outcomes: ChangeOutcome[] = [];
  const options = { expectedIndex: null, force: false };
  const done = (outcome: ChangeOutcome): void => {
    outcomes.push(outcome);
  };
  cluster.life(leader).driver.changeMembers(target([]), options, done);
  const other = cluster.ids.find((id) => id !== leader) ?? "";
  cluster.life(other).driver.changeMembers(target([leader]), options, done);
  assert.deepEqual(outcomes, [
    { kind: "refused", code: "invalid", reason: "a cluster needs a voter" },
    { kind: "notApplied", code: "notLeader", leaderId: leader },
  ]);
});

test("RaftDriver: a change that another leader's entry displaces is not applied (§5.4.3)", () => {
  const cluster = new SnapshotCluster(["n1", "n2", "n3"]);
  for (const id of cluster.ids) cluster.start(id);
  const leader = cluster.leader();
  cluster.write(1, 10);
  cluster.isolated.add(leader);
  const outcomes: ChangeOutcome[] = [];
  const { driver } = cluster.life(leader);
  driver.changeMembers(target(cluster.ids), { expectedIndex: null, force: true }, (outcome) => {
    outcomes.push(outcome);
  });
  const others = cluster.ids.filter((id) => id !== leader);
  cluster.runUntil("another leads", () =>
    others.some((id) => cluster.life(id).driver.view().role === "leader"),
  );
  cluster.isolated.clear();
  cluster.runUntil("it is decided", () => outcomes.length > 0);
  assert.equal(outcomes[0]?.kind === "applied", false);
});

test("RaftDriver: lease reads need no message while the leader is heard (Diss. §6.4.1)", () => {
  const cluster = new SnapshotCluster(["n1", "n2", "n3"], { raft: { leaseReads: true } });
  for (const id of cluster.ids) cluster.start(id);
  const leader = cluster.leader();
  cluster.write(3, 10);
  cluster.runFor(100);
  const { driver } = cluster.life(leader);
  assert.equal(driver.leaseRead(), driver.lastApplied);
  for (const id of cluster.ids) {
    if (id !== leader) assert.equal(cluster.life(id).driver.leaseRead(), null);
  }
  cluster.isolated.add(leader);
  cluster.runFor(230);
  assert.equal(driver.leaseRead(), null, "it ends before anybody else can be elected");
  const others = cluster.ids.filter((id) => id !== leader);
  assert.ok(others.every((id) => cluster.life(id).driver.view().role !== "leader"));
});

test("RaftDriver: without the setting there is no lease", () => {
  const cluster = new SnapshotCluster(["n1", "n2", "n3"]);
  for (const id of cluster.ids) cluster.start(id);
  const leader = cluster.leader();
  cluster.write(3, 10);
  cluster.runFor(100);
  assert.equal(cluster.life(leader).driver.leaseRead(), null);
});
