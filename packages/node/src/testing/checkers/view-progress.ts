import type { NodeId } from "@quorate/wire";
import type { RaftView } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** What may change between two looks at one process (Raft Figure 2). */
export function checkViewProgress(node: NodeId, before: RaftView, after: RaftView): void {
  requireInvariant(
    after.currentTerm >= before.currentTerm,
    "Term Monotone",
    () => `currentTerm of ${node} fell from ${before.currentTerm} to ${after.currentTerm}`,
  );
  requireInvariant(
    after.currentTerm > before.currentTerm ||
      before.votedFor === null ||
      after.votedFor === before.votedFor,
    "One Vote Per Term",
    () => `votedFor of ${node} changed within term ${after.currentTerm}`,
  );
  requireInvariant(
    after.commitIndex >= before.commitIndex && after.lastApplied >= before.lastApplied,
    "Monotone Progress",
    () => `commitIndex or lastApplied of ${node} fell`,
  );
  requireInvariant(
    after.lastApplied <= after.commitIndex && after.commitIndex <= after.lastLogIndex,
    "Monotone Progress",
    () =>
      `${node} has applied ${after.lastApplied}, committed ${after.commitIndex} and holds ` +
      `${after.lastLogIndex}: not in this order`,
  );
}
