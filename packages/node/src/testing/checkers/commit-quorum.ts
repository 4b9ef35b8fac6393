import type { Configuration, LogIndex, NodeId, Term } from "@quorate/wire";
import { hasQuorum } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/**
 * An entry may be called committed only while a quorum of the configuration in force (of each of
 * its halves while joint) holds it, and all before it, on its disks: those of crashed nodes count
 * (Raft §5.4.2, §6, Diss. §10.2.1). `inForce`: before and after the turn in which it was.
 */
export function checkCommitQuorum(
  index: LogIndex,
  chainHash: number,
  inForce: readonly Configuration[],
  durableHashOf: (node: NodeId) => number | null,
): void {
  requireInvariant(
    inForce.some((members) => hasQuorum(members, (node) => durableHashOf(node) === chainHash)),
    "Committed On Quorum",
    () => `entry ${index} was called committed, but no quorum holds it on its disks`,
  );
}

/** A leader counts only entries of its own term; earlier ones are committed with them (§5.4.2). */
export function checkCommitTerm(index: LogIndex, entryTerm: Term, leaderTerm: Term): void {
  requireInvariant(
    entryTerm === leaderTerm,
    "Committed On Quorum",
    () =>
      `a leader of term ${leaderTerm} committed up to entry ${index}, which is of term ` +
      `${entryTerm}`,
  );
}
