import type { MemberStatus, NodeId, NodeStatus, Term } from "@quorate/wire";
import type { NodeLink } from "./node-link.ts";

/** Who can be counted on, from what nodes report of themselves and their members. */
export interface Vitals {
  /** Whether any node has ever reported: without that there is no member list. */
  readonly known: boolean;
  readonly voters: number;
  readonly votersUp: number;
  /** Voters of which it is not known yet whether they answer. */
  readonly undecided: number;
  /** Voters that a commit needs (Raft §5.3). */
  readonly quorum: number;
  readonly hasQuorum: boolean;
  /** The leader of the highest term among the nodes that answer. */
  readonly leaderId: NodeId | null;
  /** The highest term that any node that answers is in; of any status while none answers. */
  readonly term: Term;
  readonly members: readonly MemberStatus[];
}

/** What the links together say of the cluster. */
export function vitalsOf(links: ReadonlyMap<string, NodeLink>): Vitals {
  const all = [...links.values()];
  const live = all.filter((link) => link.verdict === "live").flatMap(statusOf);
  const informed = live.length > 0 ? live : all.flatMap(statusOf);
  const members = membersOf(informed);
  const voters = members.filter((member) => member.voter);
  const answering = new Set(live.map((status) => status.nodeId));
  const votersUp = voters.filter((member) => answering.has(member.id)).length;
  const pending = new Set(
    all.filter((link) => link.verdict === "connecting").map((link) => link.nodeId),
  );
  const watched = new Set(all.map((link) => link.nodeId));
  const undecided = voters.filter(
    ({ id }) => !answering.has(id) && (pending.has(id) || !watched.has(id)),
  ).length;
  const quorum = Math.floor(voters.length / 2) + 1;
  return {
    known: informed.length > 0,
    voters: voters.length,
    votersUp,
    undecided,
    quorum,
    hasQuorum: votersUp >= quorum,
    leaderId: leaderOf(live)?.nodeId ?? null,
    term: Math.max(0, ...informed.map((status) => status.currentTerm)),
    members,
  };
}

/** Of several that call themselves leader, the one of the highest term leads (Raft §5.1). */
function leaderOf(statuses: readonly NodeStatus[]): NodeStatus | null {
  let leader: NodeStatus | null = null;
  for (const status of statuses) {
    if (status.role === "leader" && status.currentTerm > (leader?.currentTerm ?? 0)) {
      leader = status;
    }
  }
  return leader;
}

/** The member list of the node that has committed most. */
function membersOf(statuses: readonly NodeStatus[]): readonly MemberStatus[] {
  let best: NodeStatus | null = null;
  for (const status of statuses) {
    if (best === null || status.commitIndex > best.commitIndex) {
      best = status;
    }
  }
  return best?.members ?? [];
}

function statusOf(link: NodeLink): readonly NodeStatus[] {
  return link.status === null ? [] : [link.status];
}
