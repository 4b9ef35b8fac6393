import assert from "node:assert/strict";
import { test } from "node:test";

import type { NodeStatus } from "@quorate/wire";

import type { NodeObservation } from "../src/cluster-report.ts";
import { isSettled, reportCluster } from "../src/cluster-report.ts";
import { describeHealth, describeMissing, repairCommands } from "../src/cluster-wording.ts";

const MEMBERS = ["n1", "n2", "n3"].map((id) => ({
  id,
  address: `${id}:1`,
  voter: true,
  role: "voter" as const,
}));

function status(nodeId: string, facts: Partial<NodeStatus>): NodeStatus {
  const lastLogIndex = facts.lastLogIndex ?? 4;
  const currentTerm = facts.currentTerm ?? 2;
  return {
    clusterId: "c",
    nodeId,
    incarnation: "i",
    bootId: "b",
    softwareVersion: "0.1.0",
    pid: 1,
    uptimeMs: 1,
    address: `${nodeId}:1`,
    dataDirectory: "/d",
    role: "follower",
    currentTerm,
    votedFor: "n1",
    leaderId: "n1",
    votesGranted: null,
    commitIndex: 4,
    lastApplied: 4,
    firstLogIndex: 1,
    lastLogIndex,
    lastLogTerm: currentTerm,
    durableIndex: lastLogIndex,
    logTail: [{ term: currentTerm, count: 1 }],
    revision: 1,
    keyCount: 1,
    members: MEMBERS,
    peers: [],
    electionTimerLeft: 1,
    electionTimeoutMs: 300,
    heartbeatIntervalMs: 50,
    clientConnections: 0,
    subscribers: 0,
    writesApplied: 0,
    readsServed: 0,
    requestsFailed: 0,
    residentBytes: 0,
    storageBytes: 0,
    persistP50Ms: null,
    persistP99Ms: null,
    commitP50Ms: null,
    commitP99Ms: null,
    configurationIndex: 0,
    snapshotIndex: 0,
    snapshotBytes: 0,
    storageState: "ok",
    retired: false,
    sessions: 0,
    ...facts,
  };
}

function answered(id: string, facts: Partial<NodeStatus> = {}): NodeObservation {
  const answer = { kind: "answered", status: status(id, facts) } as const;
  return { id, address: `${id}:1`, answer, localState: "running" };
}

function mute(id: string, localState: "down" | "paused" | null): NodeObservation {
  const kind = localState === "paused" ? "silent" : "refused";
  return { id, address: `${id}:1`, answer: { kind }, localState };
}

const LEADER = answered("n1", { role: "leader" });

test("report: three level nodes under one leader are healthy, and one loss is safe", () => {
  const report = reportCluster([LEADER, answered("n2"), answered("n3")]);
  assert.equal(report.health, "healthy");
  assert.equal(report.leader?.id, "n1");
  assert.deepEqual([report.up, report.size, report.quorum, report.lossesSafe], [3, 3, 2, 1]);
  assert.equal(isSettled(report), true);
  assert.deepEqual(describeHealth(report), {
    sign: "✓",
    text: "healthy: leader n1, term 2. 3/3 up; one more loss is safe.",
  });
});

test("report: a member that is behind is healthy, but not settled", () => {
  const report = reportCluster([LEADER, answered("n2", { commitIndex: 3 }), answered("n3")]);
  assert.equal(report.nodes[1]?.behind, 1);
  assert.equal(report.health, "healthy");
  assert.equal(isSettled(report), false);
});

test("report: a leader that has committed nothing in its term is not settled (Raft §5.4.2)", () => {
  const early = { commitIndex: 3, lastLogIndex: 4 };
  const report = reportCluster([
    answered("n1", { role: "leader", ...early }),
    answered("n2", early),
    answered("n3", early),
  ]);
  assert.equal(report.health, "healthy");
  assert.equal(isSettled(report), false);
});

test("report: of two that call themselves leader the newer term leads, the other cannot commit", () => {
  const stale = answered("n1", { role: "leader", currentTerm: 2 });
  const leading = answered("n2", { role: "leader", currentTerm: 3, leaderId: "n2" });
  const report = reportCluster([
    stale,
    leading,
    answered("n3", { currentTerm: 3, leaderId: "n2" }),
  ]);
  assert.equal(report.leader?.id, "n2");
  assert.equal(report.nodes[0]?.health, "stale leader");
  assert.equal(report.health, "degraded");
  assert.equal(report.term, 3);
});

test("report: without a majority nothing can be committed, whatever a leader says", () => {
  const report = reportCluster([LEADER, mute("n2", "down"), mute("n3", "paused")]);
  assert.equal(report.health, "noQuorum");
  assert.equal(report.lossesSafe, -1);
  assert.equal(describeMissing(report.nodes), "n2 is down (connection refused), n3 is paused");
  assert.deepEqual(repairCommands(report.nodes), ["quorate start n2", "quorate resume n3"]);
  assert.match(describeHealth(report).text, /1\/3 up, 2 are needed/u);
});

test("report: a quorum without a leader is an election", () => {
  const lost = { leaderId: null, role: "preCandidate" } as const;
  const report = reportCluster([mute("n1", "down"), answered("n2", lost), answered("n3", lost)]);
  assert.equal(report.health, "noLeader");
  assert.equal(report.leader, null);
  assert.equal(report.nodes[1]?.health, "no leader");
});

test("report: nodes of another machine are down when refused, without a command that starts them", () => {
  const report = reportCluster([LEADER, answered("n2"), mute("n3", null)]);
  assert.equal(report.nodes[2]?.health, "down");
  assert.deepEqual(repairCommands(report.nodes), []);
});

test("report: when nobody answers, nothing is known", () => {
  const report = reportCluster([mute("n1", "down"), mute("n2", "down")]);
  assert.equal(report.health, "unreachable");
  assert.deepEqual([report.leader, report.term, report.clusterId], [null, null, null]);
});
