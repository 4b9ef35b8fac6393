import type { NodeId } from "@quorate/wire";
import type { HardState } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** What of a disk is compared. */
export interface DurableState {
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

/**
 * What a disk may become, across crashes: terms only rise, the vote of a term stays, no entry is
 * of a later term than the one stored with it, no commit point is ahead of its entries.
 */
export function checkDurableProgress(node: NodeId, before: HardState, after: DurableState): void {
  const { currentTerm, votedFor, commitIndex } = after.hardState;
  requireInvariant(
    currentTerm >= before.currentTerm,
    "Term Monotone",
    () => `the stored term of ${node} fell from ${before.currentTerm} to ${currentTerm}`,
  );
  requireInvariant(
    currentTerm > before.currentTerm || before.votedFor === null || votedFor === before.votedFor,
    "One Vote Per Term",
    () =>
      `the stored vote of ${node} in term ${currentTerm} changed from ` +
      `${before.votedFor ?? "nobody"} to ${votedFor ?? "nobody"}`,
  );
  requireInvariant(
    after.lastTerm <= currentTerm,
    "Term Monotone",
    () => `${node} stored an entry of term ${after.lastTerm} in term ${currentTerm}`,
  );
  requireInvariant(
    commitIndex <= after.lastIndex,
    "Monotone Progress",
    () => `${node} stored a commit point ${commitIndex} beyond its entries (${after.lastIndex})`,
  );
}
