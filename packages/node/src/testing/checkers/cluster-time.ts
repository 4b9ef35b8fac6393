import type { NodeId } from "@quorate/wire";
import { requireInvariant } from "../invariant-violation.ts";

/**
 * Time in the log goes on from where it was (Diss. §6.3): a leader stamps no command with an earlier
 * time than that of a command which it has applied, or sessions would begin in the past.
 */
export function checkStamp(node: NodeId, timeMs: number, appliedMs: number): void {
  requireInvariant(
    timeMs >= appliedMs,
    "Monotone Progress",
    () => `${node} stamps a command with ${timeMs} ms, and has applied one of ${appliedMs} ms`,
  );
}
