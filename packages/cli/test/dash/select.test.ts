import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NodeStatus } from "@quorate/wire";
import { selectView } from "../../src/dash/select.ts";
import { addressOf, statusOf, SyntheticCluster } from "./synthetic.ts";

const THREE = ["n1", "n2", "n3"];

function healthyCluster(): SyntheticCluster {
  const cluster = new SyntheticCluster(THREE);
  cluster.report();
  return cluster;
}

function change(cluster: SyntheticCluster, id: string, changed: Partial<NodeStatus>): void {
  const report = { kind: "delta", changed } as const;
  cluster.input({ kind: "link", address: addressOf(id), report });
}

describe("select: health", () => {
  const healthOf = (cluster: SyntheticCluster) => selectView(cluster.state, cluster.atMs).health;

  it("goes from connecting over degraded to no quorum to unreachable as nodes are lost", () => {
    const cluster = new SyntheticCluster(THREE);
    const seen = [healthOf(cluster)];
    cluster.report();
    seen.push(healthOf(cluster));
    for (const id of ["n3", "n1", "n2"]) {
      cluster.refuse(id);
      seen.push(healthOf(cluster));
    }
    assert.deepEqual(seen, ["connecting", "healthy", "degraded", "noQuorum", "unreachable"]);
  });

  it("is not called no quorum before every node had time to answer", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report(["n1"]);
    assert.equal(healthOf(cluster), "connecting");
  });

  it("with a quorum and nobody leading it is noLeader, and counts since when", () => {
    const cluster = healthyCluster();
    cluster.report(["n2"], { role: "follower", leaderId: null, electionTimerLeft: 0.5 });
    cluster.pass(1_200);
    const view = selectView(cluster.state, cluster.atMs);
    assert.equal(view.health, "noLeader");
    assert.equal(view.noLeaderForMs, 1_200);
  });

  it("losses that are safe are those above the quorum (Raft §5.3)", () => {
    const cluster = new SyntheticCluster(["n1", "n2", "n3", "n4", "n5"]);
    cluster.report();
    const safe = () => selectView(cluster.state, cluster.atMs).safeLosses;
    const seen = [safe()];
    for (const id of ["n5", "n4", "n3"]) {
      cluster.refuse(id);
      seen.push(safe());
    }
    assert.deepEqual(seen, [2, 1, 0, 0]);
  });
});

describe("select: rows", () => {
  const rowOf = (cluster: SyntheticCluster, id: string) => {
    const row = selectView(cluster.state, cluster.atMs).rows.find((known) => known.id === id);
    assert.ok(row !== undefined);
    return row;
  };

  it("a node appears once, under the address that answers", () => {
    const cluster = healthyCluster();
    cluster.input({ kind: "watch", address: "localhost:7001", nodeId: null });
    const status = statusOf("n1", THREE);
    const report = { kind: "state", status } as const;
    cluster.input({ kind: "link", address: "localhost:7001", report });
    const ids = selectView(cluster.state, cluster.atMs).rows.map((row) => row.id);
    assert.deepEqual(ids, THREE);
  });

  it("names sort by their numbers", () => {
    const cluster = new SyntheticCluster(["n10", "n9", "n1"]);
    cluster.report();
    const ids = selectView(cluster.state, cluster.atMs).rows.map((row) => row.id);
    assert.deepEqual(ids, ["n1", "n9", "n10"]);
  });

  it("lag takes the newest that is known of a log: its owner's word or the leader's", () => {
    const cluster = healthyCluster();
    change(cluster, "n2", { lastLogIndex: 1100 });
    assert.equal(rowOf(cluster, "n1").lag, 53);
    const peers = statusOf("n2", THREE).peers.map((peer) => ({ ...peer, matchIndex: 1098 }));
    change(cluster, "n2", { peers });
    assert.equal(rowOf(cluster, "n1").lag, 2);
    assert.equal(rowOf(cluster, "n2").lag, 0);
  });

  it("a process that this machine sees paused or stopped is called so at once", () => {
    const cluster = healthyCluster();
    const local = (state: "paused" | "stopped") =>
      cluster.input({
        kind: "local",
        nodes: [{ id: "n3", address: addressOf("n3"), state, pid: null }],
      });
    cluster.pass(1_500, ["n3"]);
    assert.equal(rowOf(cluster, "n3").condition, "silent");
    local("paused");
    assert.equal(rowOf(cluster, "n3").condition, "paused");
    local("stopped");
    assert.equal(rowOf(cluster, "n3").condition, "down");
  });

  it("figures of a node that was lost are kept and marked stale", () => {
    const cluster = healthyCluster();
    cluster.refuse("n3");
    const row = rowOf(cluster, "n3");
    assert.equal(row.isStale, true);
    assert.equal(row.status?.commitIndex, 1045);
    assert.equal(row.roundTripMs, null);
    assert.equal(rowOf(cluster, "n1").isStale, false);
  });

  it("a member that does not vote is a learner", () => {
    const cluster = new SyntheticCluster(THREE);
    for (const role of ["learner", "staging"] as const) {
      const members = THREE.map((id) => ({
        id,
        address: addressOf(id),
        voter: id !== "n3",
        role: id === "n3" ? role : ("voter" as const),
      }));
      cluster.report(THREE, { members });
      assert.equal(rowOf(cluster, "n3").condition, role);
      assert.equal(selectView(cluster.state, cluster.atMs).voters, 2);
    }
  });

  it("a node that was removed is retired, whatever its last role", () => {
    const cluster = new SyntheticCluster(THREE);
    const members = ["n1", "n2"].map((id) => ({
      id,
      address: addressOf(id),
      voter: true,
      role: "voter" as const,
    }));
    cluster.report(THREE, { members });
    cluster.report(["n3"], { retired: true, members });
    assert.equal(rowOf(cluster, "n3").condition, "retired");
    assert.equal(selectView(cluster.state, cluster.atMs).voters, 2);
  });
});
