import type { NodeId, NodeStatus } from "@quorate/wire";

import { describeCatchUp } from "./catch-up.ts";
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
  /** Whether its data on this machine was deleted after it had run. */
  readonly dataLost: boolean;
}

/**
 * `minority`: its lines are cut, and too few nodes are on its side for a majority.
 * `stale leader`: calls itself leader in an older term than another node's. `retired`: a member no
 * more, and it knows. `refused`: others do not talk to it, because its data is not what it was.
 * `lost data`: it ran, and its data is gone: it cannot come back by its name.
 */
export type NodeHealth =
  | "ok"
  | "no leader"
  | "stale leader"
  | "minority"
  | "down"
  | "paused"
  | "silent"
  | "unreachable"
  | "retired"
  | "lost data"
  | "refused"
  | "disk stalled"
  | "disk full";

/** What the node said; null: it did not answer. */
export function statusOf(node: NodeObservation): NodeStatus | null {
  return node.answer.kind === "answered" ? node.answer.status : null;
}

/** Why others do not talk to it, and what helps, as they have told it; null: they do. */
function refusalOf(node: NodeObservation): string | null {
  return statusOf(node)?.peers.find(({ refusal }) => refusal !== null)?.refusal ?? null;
}

/** How the node is, next to the leader of the newest term. */
export function healthOf(node: NodeObservation, leader: NodeStatus | null): NodeHealth {
  const status = statusOf(node);
  if (status !== null) {
    if (status.retired) return "retired";
    if (refusalOf(node) !== null) return "refused";
    if (status.storageState !== "ok") return `disk ${status.storageState}`;
    if (status.role === "leader") {
      return leader?.nodeId === status.nodeId ? "ok" : "stale leader";
    }
    return status.leaderId === null ? "no leader" : "ok";
  }
  if (node.dataLost && node.localState === "down") return "lost data";
  if (node.localState === "paused") return "paused";
  if (node.localState === "down" || node.answer.kind === "refused") return "down";
  return node.answer.kind === "silent" ? "silent" : "unreachable";
}

/** What to know of the node, and the command that goes on from there. */
export function noteOf(
  node: NodeObservation,
  health: NodeHealth,
  leader: NodeStatus | null,
): string {
  switch (health) {
    case "refused":
      return refusalOf(node) ?? "";
    case "lost data":
      return `its data is gone: quorate member replace ${node.id}`;
    case "retired":
      return node.localState === null
        ? "removed: it may be stopped"
        : `removed: quorate remove-node ${node.id}`;
    case "disk stalled":
      return "a write takes longer than an election may";
    case "disk full":
      return "waits for space on its disk; reads go on";
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
    case "minority":
      return statusOf(node)?.role === "leader" ? "cannot commit" : "";
    case "no leader":
      return statusOf(node)?.role === "follower" ? "hears no leader" : "asks for votes";
    case "ok":
      return noteOfMember(node.id, leader);
  }
}

function noteOfMember(id: NodeId, leader: NodeStatus | null): string {
  if (leader === null) return "";
  const member = leader.members.find((candidate) => candidate.id === id);
  switch (member?.role) {
    case "staging":
      return describeCatchUp(leader, id);
    case "learner":
      return `no vote: quorate member promote ${id}`;
    case "leaving":
      return "goes when the change is committed";
    case "voter":
      return "";
    case undefined:
      return `no member: quorate remove-node ${id}`;
  }
}
