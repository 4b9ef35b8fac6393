import type { EntryId, LogEntry, LogIndex, Term, TermRun } from "@quorate/wire";
import { assert } from "./assert.ts";

/** What an entry is taken to weigh beside its data, when bytes are counted. */
const ENTRY_OVERHEAD_BYTES = 32;

/** Bytes that an entry counts for in windows and batches. */
export function entrySizeBytes(entry: LogEntry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
}

/** Whether a log that ends at `end` is at least as up to date as one that ends at `other` (§5.4.1). */
export function isAsUpToDate(end: EntryId, other: EntryId): boolean {
  return end.term === other.term ? end.index >= other.index : end.term > other.term;
}

/**
 * The log above the last snapshot, in memory (Raft §5.3). Indexes are contiguous and terms never
 * fall along it.
 */
export class RaftLog {
  #entries: LogEntry[] = [];
  #beforeFirst: EntryId;

  /** `entries` follow `beforeFirst`, the last entry that is in the log no more (0@0: none was). */
  constructor(beforeFirst: EntryId, entries: readonly LogEntry[]) {
    this.#beforeFirst = beforeFirst;
    this.replaceFrom(entries);
  }

  /** The last entry that was compacted: index and term 0 in a log that has all its entries. */
  get beforeFirst(): EntryId {
    return this.#beforeFirst;
  }

  get firstIndex(): LogIndex {
    return this.#beforeFirst.index + 1;
  }

  get lastIndex(): LogIndex {
    return this.#beforeFirst.index + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#beforeFirst.term;
  }

  entryAt(index: LogIndex): LogEntry | null {
    return this.#entries[index - this.firstIndex] ?? null;
  }

  /** Term of the entry at `index`, the one before the first included; null where there is none. */
  termAt(index: LogIndex): Term | null {
    if (index === this.#beforeFirst.index) return this.#beforeFirst.term;
    return this.entryAt(index)?.term ?? null;
  }

  /** Adds one entry at the end. */
  append(entry: LogEntry): void {
    assert(entry.index === this.lastIndex + 1, `entry ${entry.index} after ${this.lastIndex}`);
    assert(entry.term >= this.lastTerm, `term ${entry.term} after term ${this.lastTerm}`);
    this.#entries.push(entry);
  }

  /** Drops what the log holds from `entries[0].index` on and adds `entries`. */
  replaceFrom(entries: readonly LogEntry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(
      first.index >= this.firstIndex && first.index <= this.lastIndex + 1,
      `entry ${first.index} outside ${this.firstIndex}..${this.lastIndex + 1}`,
    );
    this.#entries.length = first.index - this.firstIndex;
    for (const entry of entries) this.append(entry);
  }

  /** Forgets the entries up to `index`: a snapshot has them (Raft §7). */
  compactTo(index: LogIndex): void {
    const term = this.termAt(index);
    assert(term !== null, `compacting to ${index}, which is not in the log`);
    this.#entries = this.#entries.slice(index - this.#beforeFirst.index);
    this.#beforeFirst = { index, term };
  }

  /** Forgets everything: the log starts after `beforeFirst`, which a snapshot holds (Raft §7). */
  startAfter(beforeFirst: EntryId): void {
    this.#entries = [];
    this.#beforeFirst = beforeFirst;
  }

  /** Entries from `fromIndex` to `toIndex`, both included. */
  range(fromIndex: LogIndex, toIndex: LogIndex): LogEntry[] {
    return this.#entries.slice(fromIndex - this.firstIndex, toIndex + 1 - this.firstIndex);
  }

  /** Entries from `fromIndex` up to `toIndex` and `maxBytes`; at least one where there is one. */
  rangeWithin(fromIndex: LogIndex, toIndex: LogIndex, maxBytes: number): LogEntry[] {
    let bytes = 0;
    let endIndex = fromIndex;
    for (; endIndex <= toIndex; endIndex += 1) {
      const entry = this.entryAt(endIndex);
      assert(entry !== null, `entry ${endIndex} is missing`);
      bytes += entrySizeBytes(entry);
      if (bytes > maxBytes && endIndex > fromIndex) break;
    }
    return this.range(fromIndex, endIndex - 1);
  }

  /** Whether a log that ends at `last` is at least as complete as this one (Raft §5.4.1). */
  isUpToDate(last: EntryId): boolean {
    return isAsUpToDate(last, { index: this.lastIndex, term: this.lastTerm });
  }

  /** First index of the run of entries of one term that `index` belongs to. */
  firstIndexOfTermAt(index: LogIndex): LogIndex {
    const term = this.termAt(index);
    assert(term !== null, `no entry at ${index}`);
    return this.#firstIndexAbove(term - 1);
  }

  /** Last index whose entry is of `term`, or null: the log has none. */
  lastIndexOfTerm(term: Term): LogIndex | null {
    const index = this.#firstIndexAbove(term) - 1;
    return this.termAt(index) === term ? index : null;
  }

  /** The newest `maxEntries` entries as runs of equal terms, oldest first. */
  termRuns(maxEntries: number): TermRun[] {
    const runs: { term: Term; count: number }[] = [];
    const fromIndex = Math.max(this.firstIndex, this.lastIndex - maxEntries + 1);
    for (let index = this.lastIndex; index >= fromIndex;) {
      const start = Math.max(fromIndex, this.firstIndexOfTermAt(index));
      runs.push({ term: this.entryAt(index)?.term ?? 0, count: index - start + 1 });
      index = start - 1;
    }
    return runs.reverse();
  }

  /** First index whose term is above `term`, or lastIndex + 1: binary search, terms never fall. */
  #firstIndexAbove(term: Term): LogIndex {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.term ?? 0) > term) high = middle;
      else low = middle + 1;
    }
    return this.firstIndex + low;
  }
}
