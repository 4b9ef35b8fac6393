import type { LogEntry, LogIndex, NodeId } from "@quorate/wire";
import type { RaftView } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/**
 * Who is asked to take over has the whole log of its leader on its disk (Diss. §3.10), or the
 * cluster would lose a leader for one that cannot be elected. `lastIndex`: of the target's disk.
 */
export function checkTarget(
  leader: NodeId,
  view: RaftView,
  { to, lastIndex }: { readonly to: NodeId; readonly lastIndex: LogIndex },
  entryAt: (index: LogIndex) => LogEntry | null,
): void {
  // A leader that was removed asks the best that there is.
  if (view.transferTarget !== to) return;
  // The end of a joint change may have been added since the target was asked, in the same step.
  const isSettled = entryAt(view.lastLogIndex)?.kind === "configuration";
  requireInvariant(
    lastIndex >= view.lastLogIndex - (isSettled ? 1 : 0),
    "Leadership Transfer",
    () =>
      `${leader} asks ${to} to take over, which has ${lastIndex} of ${view.lastLogIndex} entries`,
  );
}

/**
 * Whoever was asked to take over may do so at any later moment of the term, and the voters will not
 * wait for the end of anybody's lease (Diss. §6.4.1): no reads by lease any more.
 */
export function checkNoLease(leader: NodeId, leaseReadIndex: LogIndex | null): void {
  requireInvariant(
    leaseReadIndex === null,
    "Leadership Transfer",
    () => `${leader} asked another to take over, and would read by its lease all the same`,
  );
}

/** While it hands over, a leader takes no commands: the target would never catch up (Diss. §3.10). */
export function checkNoProposals(
  leader: NodeId,
  before: RaftView,
  after: RaftView,
  entryAt: (index: LogIndex) => LogEntry | null,
): void {
  if (before.transferTarget === null || after.transferTarget !== before.transferTarget) return;
  if (after.currentTerm !== before.currentTerm) return;
  for (let index = before.lastLogIndex + 1; index <= after.lastLogIndex; index++) {
    requireInvariant(
      entryAt(index)?.kind !== "command",
      "Leadership Transfer",
      () => `${leader} took command ${index} while it hands over to ${before.transferTarget ?? ""}`,
    );
  }
}
