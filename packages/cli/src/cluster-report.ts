import type {
  ClusterId,
  LogIndex,
  MemberRole,
  NodeId,
  NodeStatus,
  Role,
  Term,
} from "@quorate/wire";

import type { NodeHealth, NodeObservation } from "./node-health.ts";
import { healthOf, noteOf, statusOf } from "./node-health.ts";
import type { LineCut } from "./line-cuts.ts";
import { cutsIn, sidesOf } from "./line-cuts.ts";

/** One row of the status table. What an unreachable node would say is null. */
export interface NodeReport extends NodeObservation {
  readonly health: NodeHealth;
  readonly role: Role | null;
  readonly term: Term | null;
  readonly commitIndex: LogIndex | null;
  readonly lastLogIndex: LogIndex | null;
  /** Committed entries, as far as any node knows of them, that this one does not know of yet. */
  readonly behind: number | null;
  /** Last index of its newest snapshot; 0: it has none. */
  readonly snapshotIndex: LogIndex | null;
  readonly leaderId: NodeId | null;
  /** What it is to the cluster as the leader says; null: no member, or nobody says. */
  readonly memberRole: MemberRole | null;
  readonly note: string;
  /** Nodes that it was cut off from, in either direction or both. */
  readonly cutFrom: readonly NodeId[];
}

export type ClusterHealth = "healthy" | "degraded" | "noLeader" | "noQuorum" | "unreachable";

/** The cluster as its nodes report it at one moment. */
export interface ClusterReport {
  readonly clusterId: ClusterId | null;
  readonly health: ClusterHealth;
  readonly nodes: readonly NodeReport[];
  /** The node that leads the newest term that anybody leads; null where nobody does. */
  readonly leader: NodeReport | null;
  /** The newest term that any node reports. */
  readonly term: Term | null;
  /** Voters, those that answer, and how many a majority needs (Raft §5.1). */
  readonly size: number;
  readonly up: number;
  readonly quorum: number;
  /** Of the voters that answer, those on the side with most of them: all where no line is cut. */
  readonly together: number;
  /** Lines that were cut on purpose. */
  readonly cuts: readonly LineCut[];
  /** How many more nodes may fail with the cluster going on: negative without a quorum. */
  readonly lossesSafe: number;
}

const NO_FIGURES = {
  role: null,
  term: null,
  commitIndex: null,
  lastLogIndex: null,
  behind: null,
  snapshotIndex: null,
  leaderId: null,
} as const;

/** What all nodes together tell of each. */
interface Whole {
  readonly leader: NodeStatus | null;
  readonly highestCommit: LogIndex;
  readonly cuts: readonly LineCut[];
  /** Nodes on a side that is too small to commit. */
  readonly minority: ReadonlySet<NodeId>;
}

function reportNode(node: NodeObservation, whole: Whole): NodeReport {
  const { leader, highestCommit } = whole;
  const status = statusOf(node);
  const health = healthAmong(node, whole);
  const member = leader?.members.find(({ id }) => id === node.id);
  const cutFrom = cutFromOf(node.id, whole.cuts);
  const words = [
    noteOf(node, health, leader),
    cutFrom.length > 0 ? `cut off from ${cutFrom.join(" ")}` : "",
  ];
  const note = words.filter((text) => text !== "").join("; ");
  const known = { health, memberRole: member?.role ?? null, note, cutFrom };
  if (status === null) return { ...node, ...NO_FIGURES, ...known };
  return {
    ...node,
    ...known,
    role: status.role,
    term: status.currentTerm,
    commitIndex: status.commitIndex,
    lastLogIndex: status.lastLogIndex,
    behind: highestCommit - status.commitIndex,
    snapshotIndex: status.snapshotIndex,
    leaderId: status.leaderId,
  };
}

const CUT_TELLS_MORE: ReadonlySet<NodeHealth> = new Set(["ok", "no leader", "stale leader"]);

function healthAmong(node: NodeObservation, { leader, minority }: Whole): NodeHealth {
  const health = healthOf(node, leader);
  return minority.has(node.id) && CUT_TELLS_MORE.has(health) ? "minority" : health;
}

function cutFromOf(id: NodeId, cuts: readonly LineCut[]): NodeId[] {
  const others = cuts.flatMap(({ from, to }) => (from === id ? [to] : to === id ? [from] : []));
  return [...new Set(others)].toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function newestLeader(statuses: readonly NodeStatus[]): NodeStatus | null {
  const leaders = statuses.filter((status) => status.role === "leader");
  return leaders.toSorted((left, right) => right.currentTerm - left.currentTerm)[0] ?? null;
}

function clusterHealth(
  statuses: readonly NodeStatus[],
  leader: NodeStatus | null,
  counts: {
    readonly size: number;
    readonly up: number;
    readonly quorum: number;
    readonly together: number;
  },
): ClusterHealth {
  if (statuses.length === 0) return "unreachable";
  if (counts.together < counts.quorum) return "noQuorum";
  if (leader === null) return "noLeader";
  const byId = new Map(statuses.map((status) => [status.nodeId, status]));
  // Learners count too: whoever is a member is missed when it does not answer.
  const agreed = leader.members.every(({ id }) => {
    const status = byId.get(id);
    return status?.leaderId === leader.nodeId && status.currentTerm === leader.currentTerm;
  });
  const isSound = statuses.every((status) => status.storageState === "ok");
  const isWhole = statuses.every((status) => status.faults.length === 0);
  return counts.up === counts.size && agreed && isSound && isWhole ? "healthy" : "degraded";
}

/** Puts the answers of the nodes together: every word comes from them, none from a plan. */
export function reportCluster(observations: readonly NodeObservation[]): ClusterReport {
  const statuses = observations.map(statusOf).filter((status) => status !== null);
  const leader = newestLeader(statuses);
  const newest = statuses.toSorted((left, right) => right.currentTerm - left.currentTerm)[0];
  const members = leader?.members ?? newest?.members ?? null;
  const voters = members?.filter(({ role }) => role === "voter").map((member) => member.id);
  const voterIds = new Set(voters ?? observations.map((node) => node.id));
  const size = voterIds.size;
  const upIds = statuses.map(({ nodeId }) => nodeId).filter((id) => voterIds.has(id));
  const up = upIds.length;
  const quorum = Math.floor(size / 2) + 1;
  const cuts = cutsIn(statuses);
  const sides = sidesOf(upIds, cuts);
  const together = sides[0]?.length ?? 0;
  const small = cuts.length === 0 ? [] : sides.filter((side) => side.length < quorum);
  const highestCommit = Math.max(0, ...statuses.map((status) => status.commitIndex));
  const whole = { leader, highestCommit, cuts, minority: new Set(small.flat()) };
  const nodes = observations.map((node) => reportNode(node, whole));
  return {
    clusterId: newest?.clusterId ?? null,
    health: clusterHealth(statuses, leader, { size, up, quorum, together }),
    nodes,
    leader: nodes.find((node) => node.id === leader?.nodeId) ?? null,
    term: newest?.currentTerm ?? null,
    size,
    up,
    quorum,
    together,
    cuts,
    lossesSafe: together - quorum,
  };
}

/**
 * Whether the leader has committed an entry of its own term: only from then on is its commit
 * index that of the cluster (Raft §5.4.2).
 */
function hasCommittedInItsTerm({
  currentTerm,
  commitIndex,
  lastLogIndex,
  logTail,
}: NodeStatus): boolean {
  const newestRun = logTail.at(-1);
  if (newestRun?.term !== currentTerm) return false;
  return commitIndex > lastLogIndex - newestRun.count;
}

/** Whether each of these nodes follows the one leader and knows all that it has committed. */
export function haveCaughtUp(report: ClusterReport, ids: readonly NodeId[]): boolean {
  const { leader } = report;
  const status = leader === null ? null : statusOf(leader);
  if (leader === null || status === null || !hasCommittedInItsTerm(status)) return false;
  return report.nodes
    .filter((node) => ids.includes(node.id))
    .every((node) => node.leaderId === leader.id && node.behind === 0);
}

/** Whether all members are up, follow one leader, know the same commit index, and nobody moves. */
export function isSettled(report: ClusterReport): boolean {
  const members = report.nodes.filter((node) => node.memberRole !== null);
  const isMoving = members.some(
    ({ memberRole }) => memberRole === "staging" || memberRole === "leaving",
  );
  const ids = members.map((node) => node.id);
  return report.health === "healthy" && !isMoving && haveCaughtUp(report, ids);
}
