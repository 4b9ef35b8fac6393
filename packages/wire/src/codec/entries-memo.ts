import type { LogEntry } from "../log-entry.ts";
import { encodeEntries } from "./entries.ts";

/*
 * A leader sends the same run of entries to each follower, one message after the other. The last
 * run that was encoded is kept, so that the followers after the first cost a comparison of
 * references instead of an encoding and a checksum. Entries are immutable, so nobody can tell
 * the difference, whoever else encodes in this process. Bounded: one AppendEntries.
 */
const NO_RECORDS = new Uint8Array(0);
let lastEntries: readonly LogEntry[] = [];
let lastRecords: Uint8Array = NO_RECORDS;

/** The records of `entries`. Shared with later callers: read it, never change or keep it. */
export function recordsOf(entries: readonly LogEntry[]): Uint8Array {
  if (entries.length === 0) return NO_RECORDS; // a heartbeat between two sends of one run
  if (!isSameRun(entries, lastEntries)) {
    lastRecords = encodeEntries(entries);
    lastEntries = entries.slice();
  }
  return lastRecords;
}

function isSameRun(a: readonly LogEntry[], b: readonly LogEntry[]): boolean {
  if (a.length !== b.length) return false;
  for (let offset = 0; offset < a.length; offset += 1) {
    if (a[offset] !== b[offset]) return false;
  }
  return true;
}
