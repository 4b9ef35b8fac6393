import type { LogIndex, MemberRole, NodeId, NodeStatus, PeerStatus } from "@quorate/wire";

import { describeCatchUp } from "./catch-up.ts";
import type { ClusterReport } from "./cluster-report.ts";
import type { NodeHealth } from "./node-health.ts";
import { leaderStatus } from "./member-progress.ts";

/** One member, as the leader tells of it, or the node with the newest configuration. */
export interface ReportedMember {
  readonly id: NodeId;
  readonly address: string;
  readonly role: MemberRole;
  readonly isLeader: boolean;
  /** Null: it was not asked, or is not known by that name. */
  readonly health: NodeHealth | null;
  /** What the teller knows of it; null of itself, and where the teller does not lead. */
  readonly peer: PeerStatus | null;
  readonly note: string;
}

/** Who belongs to the cluster, and who says so. */
export interface ReportedMembers {
  readonly configurationIndex: LogIndex;
  readonly toldBy: NodeId;
  readonly members: readonly ReportedMember[];
}

function newestStatus(report: ClusterReport): NodeStatus | null {
  const statuses = report.nodes.flatMap(({ answer }) =>
    answer.kind === "answered" ? [answer.status] : [],
  );
  const newest = statuses.toSorted(
    (left, right) => right.configurationIndex - left.configurationIndex,
  );
  return newest[0] ?? null;
}

function noteOf(teller: NodeStatus, id: NodeId, role: MemberRole): string {
  if (role === "staging") return describeCatchUp(teller, id);
  return role === "leaving" ? "goes when the change is committed" : "";
}

/** The members as the leader knows them; without one, as the best informed node does. */
export function findMembers(report: ClusterReport): ReportedMembers | null {
  const teller = leaderStatus(report) ?? newestStatus(report);
  if (teller === null) return null;
  const members = teller.members.map(({ id, address, role }) => ({
    id,
    address,
    role,
    isLeader: report.leader?.id === id,
    health: report.nodes.find((node) => node.id === id)?.health ?? null,
    peer: teller.peers.find((peer) => peer.id === id) ?? null,
    note: noteOf(teller, id, role),
  }));
  return {
    configurationIndex: teller.configurationIndex,
    toldBy: teller.nodeId,
    members: members.toSorted((left, right) =>
      left.id.localeCompare(right.id, "en", { numeric: true }),
    ),
  };
}
