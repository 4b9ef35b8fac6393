import assert from "node:assert/strict";
import { test } from "node:test";

import type { MemberRole, NodeStatus } from "@quorate/wire";

import type { NodeObservation } from "../src/node-health.ts";
import { isSettled, reportCluster } from "../src/cluster-report.ts";
import { describeHealth, describeMissing, repairCommands } from "../src/cluster-wording.ts";
import { admissionOf, isOut } from "../src/member-progress.ts";

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
    stateHash: "",
    faultsAllowed: false,
    faults: [],
    ...facts,
  };
}

function answered(id: string, facts: Partial<NodeStatus> = {}): NodeObservation {
  const answer = { kind: "answered", status: status(id, facts) } as const;
  return { id, address: `${id}:1`, answer, localState: "running", dataLost: false };
}

function mute(id: string, localState: "down" | "paused" | null): NodeObservation {
  const kind = localState === "paused" ? "silent" : "refused";
  return { id, address: `${id}:1`, answer: { kind }, localState, dataLost: false };
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

const FOURTH = { id: "n4", address: "n4:1" };

function withFourth(role: MemberRole, leader: Partial<NodeStatus> = {}): NodeObservation {
  const members = [...MEMBERS, { ...FOURTH, voter: role === "voter", role }];
  return answered("n1", { role: "leader", members, ...leader });
}

test("report: a staging member has no vote yet, tells how far it is, and nothing has settled", () => {
  const peer = {
    id: "n4",
    connected: true,
    matchIndex: 2,
    nextIndex: 3,
    replication: "replicate",
    inFlightEntries: 1,
    lastContactMs: 1,
    roundTripMs: 1,
    snapshotOffset: null,
    snapshotBytes: null,
    catchUpRounds: 1,
    refusal: null,
  } as const;
  const leader = withFourth("staging", { peers: [peer] });
  const others = ["n2", "n3", "n4"].map((id) => answered(id));
  const report = reportCluster([leader, ...others]);
  assert.deepEqual([report.size, report.up, report.quorum], [3, 3, 2]);
  assert.equal(report.nodes[3]?.memberRole, "staging");
  assert.equal(report.nodes[3]?.note, "round 2: 2 of 4 entries");
  assert.equal(isSettled(report), false);
  assert.deepEqual(admissionOf(report, "n4"), {
    kind: "staging",
    progress: "round 2: 2 of 4 entries",
  });
  const sent = { ...peer, snapshotOffset: 1_500_000, snapshotBytes: 12_000_000 };
  const installing = reportCluster([withFourth("staging", { peers: [sent] }), ...others]);
  assert.equal(installing.nodes[3]?.note, "is sent a snapshot: 1.5 MB of 12.0 MB");
});

test("report: a learner and a retired node are told with the command that goes on from there", () => {
  const others = ["n2", "n3"].map((id) => answered(id));
  const learner = reportCluster([withFourth("learner"), ...others, answered("n4")]);
  assert.equal(learner.nodes[3]?.note, "no vote: quorate member promote n4");
  assert.equal(learner.health, "healthy");
  assert.deepEqual(admissionOf(learner, "n4"), { kind: "learner" });
  const retired = reportCluster([LEADER, ...others, answered("n4", { retired: true })]);
  assert.equal(retired.nodes[3]?.health, "retired");
  assert.equal(retired.nodes[3]?.note, "removed: quorate remove-node n4");
  assert.equal(isSettled(retired), true);
  assert.equal(isOut(retired, "n4"), true);
  assert.equal(isOut(learner, "n4"), false);
});

test("report: a leader that is to go is not out before another one leads", () => {
  const members = MEMBERS.filter(({ id }) => id !== "n1");
  const led = answered("n1", { role: "leader", members, configurationIndex: 4 });
  assert.equal(isOut(reportCluster([led, answered("n2"), answered("n3")]), "n1"), false);
  const next = answered("n2", {
    role: "leader",
    leaderId: "n2",
    currentTerm: 3,
    members,
    configurationIndex: 4,
  });
  const follower = answered("n3", { leaderId: "n2", currentTerm: 3 });
  assert.equal(isOut(reportCluster([next, follower]), "n1"), true);
  const uncommitted = {
    ...next,
    answer: {
      kind: "answered" as const,
      status: status("n2", {
        role: "leader",
        leaderId: "n2",
        currentTerm: 3,
        members,
        configurationIndex: 5,
      }),
    },
  };
  assert.equal(isOut(reportCluster([uncommitted, follower]), "n1"), false);
});

test("report: a node that others refuse is told with what they say, remedy included", () => {
  const refusal = "n3 has lost its data: replace it: quorate member replace n3";
  const peer = {
    id: "n1",
    connected: false,
    matchIndex: null,
    nextIndex: null,
    replication: null,
    inFlightEntries: null,
    lastContactMs: null,
    roundTripMs: null,
    snapshotOffset: null,
    snapshotBytes: null,
    catchUpRounds: null,
    refusal,
  } as const;
  const refused = answered("n3", { leaderId: null, peers: [peer] });
  const report = reportCluster([LEADER, answered("n2"), refused]);
  assert.equal(report.nodes[2]?.health, "refused");
  assert.equal(report.nodes[2]?.note, refusal);
  assert.equal(report.health, "degraded");
});

test("report: a node without its data, and a full disk, are told with what repairs them", () => {
  const lost = { ...mute("n3", "down"), dataLost: true };
  const report = reportCluster([LEADER, answered("n2", { storageState: "full" }), lost]);
  assert.equal(report.nodes[2]?.health, "lost data");
  assert.deepEqual(repairCommands(report.nodes), ["quorate member replace n3"]);
  assert.match(describeMissing(report.nodes) ?? "", /n3 is down, with all data deleted/u);
  assert.equal(report.nodes[1]?.health, "disk full");
  assert.equal(report.health, "degraded");
});

/** A node that reports its ends of the lines to `others` as cut. */
function cutOff(id: string, others: readonly string[], facts: Partial<NodeStatus> = {}) {
  const faults = others.flatMap((peer) =>
    (["to", "from"] as const).map((direction) => ({ peer, direction, dropRate: 1, delayMs: 0 })),
  );
  return answered(id, { faults, ...facts });
}

test("report: a partition is told with its sides; the side with a majority goes on", () => {
  const report = reportCluster([
    cutOff("n1", ["n2", "n3"], { role: "leader" }),
    cutOff("n2", ["n1"], { role: "leader", leaderId: "n2", currentTerm: 3 }),
    cutOff("n3", ["n1"], { leaderId: "n2", currentTerm: 3 }),
  ]);
  assert.deepEqual(
    report.nodes.map(({ health }) => health),
    ["minority", "ok", "ok"],
  );
  assert.equal(report.nodes[0]?.note, "cannot commit; cut off from n2 n3");
  assert.equal(
    describeHealth(report).text,
    "degraded: leader n2, term 3. 3/3 up, 2 on one side; no more loss is safe. " +
      "Partitioned: {n1} | {n2 n3}.",
  );
  assert.deepEqual(repairCommands(report.nodes), ["quorate heal"]);
  assert.equal(isSettled(report), false);
});

test("report: where a dead node leaves neither side a majority, nothing can be committed", () => {
  const report = reportCluster([
    cutOff("n1", ["n3"], { leaderId: null }),
    mute("n2", "down"),
    cutOff("n3", ["n1"], { leaderId: null }),
  ]);
  assert.equal(report.health, "noQuorum");
  assert.match(describeHealth(report).text, /2\/3 up, 1 on one side, 2 are needed: no quorum/u);
  assert.deepEqual(repairCommands(report.nodes), ["quorate start n2", "quorate heal"]);
});

test("report: one end of a line is enough to know that it is cut", () => {
  const report = reportCluster([
    answered("n1", { role: "leader" }),
    cutOff("n2", ["n1"]),
    answered("n3"),
  ]);
  assert.deepEqual(report.cuts.length, 2);
  assert.match(describeHealth(report).text, /Partitioned: n1-n2\./u);
  assert.equal(report.health, "degraded");
});
