import type { NodeId, NodeStatus } from "@quorate/wire";

import { describeCatchUp } from "./catch-up.ts";
import type { ClusterReport } from "./cluster-report.ts";

/** How far a new member is on its way to voting, as the leader tells of it. */
export type Admission =
  | { readonly kind: "voter" }
  /** It catches up; `progress` in words: `round 2: 1200 of 3400 entries`. */
  | { readonly kind: "staging"; readonly progress: string }
  /** The leader gave it up as too slow or silent: it follows without a vote. */
  | { readonly kind: "learner" }
  | { readonly kind: "notMember" };

/** What the leader of the newest term says; null where nobody leads. */
export function leaderStatus(report: ClusterReport): NodeStatus | null {
  const answer = report.leader?.answer;
  return answer?.kind === "answered" ? answer.status : null;
}

/** Where a member that was added stands; null while nobody leads. */
export function admissionOf(report: ClusterReport, id: NodeId): Admission | null {
  const leader = leaderStatus(report);
  if (leader === null) return null;
  switch (leader.members.find((member) => member.id === id)?.role) {
    case "voter":
      return { kind: "voter" };
    case "staging":
      return { kind: "staging", progress: describeCatchUp(leader, id) };
    case "learner":
      return { kind: "learner" };
    case "leaving":
    case undefined:
      return { kind: "notMember" };
  }
}

/** Whether a leader that stays has committed a configuration without this node. */
export function isOut(report: ClusterReport, id: NodeId): boolean {
  const leader = leaderStatus(report);
  if (leader === null || leader.nodeId === id) return false;
  const isNamed = leader.members.some((member) => member.id === id);
  return !isNamed && leader.commitIndex >= leader.configurationIndex;
}
