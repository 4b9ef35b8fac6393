import type { LogEntry, LogIndex } from "@quorate/wire";
import { RunningHash } from "./running-hash.ts";

/** The chain hash before the first entry. */
export const EMPTY_CHAIN = 0;

/**
 * Hash of an entry and, through `previous`, of everything before it in its log: equal hashes at an
 * index mean equal logs up to there.
 */
export function chainHash(previous: number, entry: LogEntry): number {
  const hash = new RunningHash();
  hash.number(previous);
  hash.number(entry.index);
  hash.number(entry.term);
  hash.text(entry.kind);
  hash.bytes(entry.data);
  return hash.value();
}

/** Stands for a log that nobody has seen: it is equal to none. */
export const UNKNOWN_CHAIN = -1;

/** Hash of a log up to an index; null where it is not known. */
export type HashAt = (index: LogIndex) => number | null;
