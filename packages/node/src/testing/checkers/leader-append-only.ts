import type { LogIndex, NodeId } from "@quorate/wire";
import type { RaftView } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** Leader Append-Only (Raft §5.3): a leader never cuts or replaces entries of its own log. */
export function checkLeaderAppendOnly(
  node: NodeId,
  before: RaftView,
  after: RaftView,
  truncatedFrom: LogIndex,
): void {
  const ledThroughout =
    before.role === "leader" && after.role === "leader" && before.currentTerm === after.currentTerm;
  requireInvariant(
    !ledThroughout,
    "Leader Append-Only",
    () => `the leader ${node} cut or replaced its own log from ${truncatedFrom} on`,
  );
}
