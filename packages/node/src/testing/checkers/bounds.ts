import type { LogEntry, LogIndex, NodeId, RaftMessage } from "@quorate/wire";
import type { RaftConfig, RaftView } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** The limits that are set for a cluster. */
export type Bounds = Pick<
  RaftConfig,
  "appendEntriesMaxBytes" | "inFlightMaxMessages" | "inFlightMaxBytes" | "uncommittedMaxBytes"
>;

/** Of an entry, beside its data. */
const OVERHEAD_BYTES = 32;
/** No entry of a simulation is larger: one more than a limit allows always fits. */
const ENTRY_MAX_BYTES = 4096;

/** One message holds as many entries as its limit allows, or a single one (Diss. §10.2.2). */
export function checkMessage(node: NodeId, message: RaftMessage, bounds: Bounds): void {
  if (message.type !== "AppendEntries" || message.entries.length < 2) return;
  const bytes = bytesOf(message.entries);
  requireInvariant(
    bytes <= bounds.appendEntriesMaxBytes,
    "Bounded Windows",
    () => `${node} sends ${bytes} bytes at once; ${bounds.appendEntriesMaxBytes} are the limit`,
  );
}

/** What is on its way to a follower is bounded in messages and in bytes (Diss. §10.2.2). */
export function checkWindows(node: NodeId, { peers }: RaftView, bounds: Bounds): void {
  const { inFlightMaxMessages, inFlightMaxBytes, appendEntriesMaxBytes } = bounds;
  const bytesMax = inFlightMaxBytes + Math.max(appendEntriesMaxBytes, ENTRY_MAX_BYTES);
  for (const { id, inFlightMessages, inFlightBytes } of peers) {
    requireInvariant(
      inFlightMessages <= inFlightMaxMessages && inFlightBytes <= bytesMax,
      "Bounded Windows",
      () =>
        `${inFlightMessages} messages of ${inFlightBytes} bytes are on their way from ${node} to ` +
        `${id}; ${inFlightMaxMessages} and ${bytesMax} are the limits`,
    );
  }
}

/** A leader takes no more commands than it may lose: `entryAt` tells what is not committed. */
export function checkUncommitted(
  node: NodeId,
  view: RaftView,
  bounds: Bounds,
  entryAt: (index: LogIndex) => LogEntry | null,
): void {
  const limit = bounds.uncommittedMaxBytes + ENTRY_MAX_BYTES;
  let bytes = 0;
  for (let index = view.lastLogIndex; index > view.commitIndex; index--) {
    const entry = entryAt(index);
    // What it found in its log, it did not take.
    if (entry?.term !== view.currentTerm || entry.kind === "noop") break;
    if (entry.kind === "command") bytes += bytesOf([entry]);
  }
  requireInvariant(
    bytes <= limit,
    "Bounded Windows",
    () => `${node} has taken ${bytes} bytes that are not committed; ${limit} are the limit`,
  );
}

function bytesOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { data }) => sum + data.length + OVERHEAD_BYTES, 0);
}
