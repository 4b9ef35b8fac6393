import type { ClusterId, LogIndex, NodeId, NodeStatus, Role, Term } from "@quorate/wire";

import type { LocalNodeState } from "./local-cluster/local-cluster.ts";

/** How a node answered when it was asked for its status. */
export type NodeAnswer =
  | { readonly kind: "answered"; readonly status: NodeStatus }
  /** Nobody listens there. */
  | { readonly kind: "refused" }
  /** A connection may be open, but nothing comes over it. */
  | { readonly kind: "silent" }
  /** Somebody else listens there, or the network is in the way; `detail` says which. */
  | { readonly kind: "unreachable"; readonly detail: string };

/** A node with its answer, and with what the operating system says where it runs here. */
export interface NodeObservation {
  readonly id: NodeId;
  readonly address: string;
  readonly answer: NodeAnswer;
  /** Null: not a process of a local cluster. */
  readonly localState: LocalNodeState | null;
}

/** `stale leader`: calls itself leader in an older term than another node's. */
export type NodeHealth =
  | "ok"
  | "no leader"
  | "stale leader"
  | "down"
  | "paused"
  | "silent"
  | "unreachable";

/** One row of the status table. What an unreachable node would say is null. */
export interface NodeReport extends NodeObservation {
  readonly health: NodeHealth;
  readonly role: Role | null;
  readonly term: Term | null;
  readonly commitIndex: LogIndex | null;
  readonly lastLogIndex: LogIndex | null;
  /** Committed entries, as far as any node knows of them, that this one does not know of yet. */
  readonly behind: number | null;
  readonly leaderId: NodeId | null;
  readonly note: string;
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
  /** How many more nodes may fail with the cluster going on: negative without a quorum. */
  readonly lossesSafe: number;
}

function statusOf(node: NodeObservation): NodeStatus | null {
  return node.answer.kind === "answered" ? node.answer.status : null;
}

function healthOf(node: NodeObservation, leader: NodeStatus | null): NodeHealth {
  const status = statusOf(node);
  if (status !== null) {
    if (status.role === "leader") {
      return leader?.nodeId === status.nodeId ? "ok" : "stale leader";
    }
    return status.leaderId === null ? "no leader" : "ok";
  }
  if (node.localState === "paused") return "paused";
  if (node.localState === "down" || node.answer.kind === "refused") return "down";
  return node.answer.kind === "silent" ? "silent" : "unreachable";
}

function noteOf(node: NodeObservation, health: NodeHealth): string {
  switch (health) {
    case "down":
      return node.localState === null ? "connection refused" : `start it: quorate start ${node.id}`;
    case "paused":
      return `resume it: quorate resume ${node.id}`;
    case "silent":
      return "connected, no answer: paused or stuck";
    case "unreachable":
      return node.answer.kind === "unreachable" ? node.answer.detail : "";
    case "stale leader":
      return "old term: cannot commit";
    case "no leader":
      return statusOf(node)?.role === "follower" ? "hears no leader" : "asks for votes";
    case "ok":
      return "";
  }
}

function reportNode(
  node: NodeObservation,
  leader: NodeStatus | null,
  highestCommit: LogIndex,
): NodeReport {
  const status = statusOf(node);
  const health = healthOf(node, leader);
  return {
    ...node,
    health,
    role: status?.role ?? null,
    term: status?.currentTerm ?? null,
    commitIndex: status?.commitIndex ?? null,
    lastLogIndex: status?.lastLogIndex ?? null,
    behind: status === null ? null : highestCommit - status.commitIndex,
    leaderId: status?.leaderId ?? null,
    note: noteOf(node, health),
  };
}

function newestLeader(statuses: readonly NodeStatus[]): NodeStatus | null {
  const leaders = statuses.filter((status) => status.role === "leader");
  return leaders.toSorted((left, right) => right.currentTerm - left.currentTerm)[0] ?? null;
}

function clusterHealth(
  statuses: readonly NodeStatus[],
  leader: NodeStatus | null,
  counts: { readonly size: number; readonly up: number; readonly quorum: number },
): ClusterHealth {
  if (statuses.length === 0) return "unreachable";
  if (counts.up < counts.quorum) return "noQuorum";
  if (leader === null) return "noLeader";
  const agreed = statuses.every(
    (status) => status.leaderId === leader.nodeId && status.currentTerm === leader.currentTerm,
  );
  return counts.up === counts.size && agreed ? "healthy" : "degraded";
}

/** Puts the answers of the nodes together: every word comes from them, none from a plan. */
export function reportCluster(observations: readonly NodeObservation[]): ClusterReport {
  const statuses = observations.map(statusOf).filter((status) => status !== null);
  const leader = newestLeader(statuses);
  const newest = statuses.toSorted((left, right) => right.currentTerm - left.currentTerm)[0];
  const members = leader?.members ?? newest?.members ?? null;
  const voters = members?.filter((member) => member.voter).map((member) => member.id);
  const voterIds = new Set(voters ?? observations.map((node) => node.id));
  const size = voterIds.size;
  const up = statuses.filter((status) => voterIds.has(status.nodeId)).length;
  const quorum = Math.floor(size / 2) + 1;
  const highestCommit = Math.max(0, ...statuses.map((status) => status.commitIndex));
  const nodes = observations.map((node) => reportNode(node, leader, highestCommit));
  return {
    clusterId: newest?.clusterId ?? null,
    health: clusterHealth(statuses, leader, { size, up, quorum }),
    nodes,
    leader: nodes.find((node) => node.id === leader?.nodeId) ?? null,
    term: newest?.currentTerm ?? null,
    size,
    up,
    quorum,
    lossesSafe: up - quorum,
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

/** Whether all members are up, follow one leader and know the same commit index. */
export function isSettled(report: ClusterReport): boolean {
  const ids = report.nodes.map((node) => node.id);
  return report.health === "healthy" && haveCaughtUp(report, ids);
}

/** `2/3 up; no more loss is safe`. */
export function describeMargin(report: ClusterReport): string {
  const { up, size, quorum, lossesSafe } = report;
  if (lossesSafe < 0) return `${up}/${size} up, ${quorum} are needed: no quorum`;
  if (lossesSafe === 0) return `${up}/${size} up; no more loss is safe`;
  if (lossesSafe === 1) return `${up}/${size} up; one more loss is safe`;
  return `${up}/${size} up; ${lossesSafe} more losses are safe`;
}

/** One sentence on the cluster's health, with the sign that also says it without colour. */
export function describeHealth(report: ClusterReport): { sign: "✓" | "!" | "✗"; text: string } {
  const margin = describeMargin(report);
  const led = `leader ${report.leader?.id ?? "-"}, term ${report.term ?? "-"}`;
  switch (report.health) {
    case "healthy":
      return { sign: "✓", text: `healthy: ${led}. ${margin}.` };
    case "degraded":
      return { sign: "!", text: `degraded: ${led}. ${margin}.` };
    case "noLeader":
      return { sign: "!", text: `no leader: an election is under way. ${margin}.` };
    case "noQuorum":
      return { sign: "✗", text: `nothing can be committed: ${margin}.` };
    case "unreachable":
      return { sign: "✗", text: "no node answers." };
  }
}

/** Commands that bring back what is down or paused. */
export function repairCommands(nodes: readonly NodeReport[]): string[] {
  const local = nodes.filter((node) => node.localState !== null);
  const down = local.filter((node) => node.health === "down").map((node) => node.id);
  const paused = local.filter((node) => node.health === "paused").map((node) => node.id);
  return [
    ...(down.length > 0 ? [`quorate start ${down.join(" ")}`] : []),
    ...(paused.length > 0 ? [`quorate resume ${paused.join(" ")}`] : []),
  ];
}

/** Facts on the nodes that do not help: `n2 and n3 are down (connection refused)`. */
export function describeMissing(nodes: readonly NodeReport[]): string | null {
  const parts: string[] = [];
  for (const [health, words] of MISSING_WORDS) {
    const ids = nodes.filter((node) => node.health === health).map((node) => node.id);
    if (ids.length > 0) parts.push(`${joinNames(ids)} ${ids.length === 1 ? "is" : "are"} ${words}`);
  }
  return parts.length === 0 ? null : parts.join(", ");
}

const MISSING_WORDS = [
  ["down", "down (connection refused)"],
  ["paused", "paused"],
  ["silent", "silent (connected, no answer)"],
  ["unreachable", "unreachable"],
] as const satisfies readonly (readonly [NodeHealth, string])[];

/** `n1`, `n1 and n2`, `n1, n2 and n3`. */
function joinNames(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length <= 1 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
