import type { LogEntry, LogIndex } from "@quorate/wire";
import type { HashAt } from "../chain-hash.ts";
import { chainHash, EMPTY_CHAIN, UNKNOWN_CHAIN } from "../chain-hash.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** What became of a log since it was looked at last. */
export interface LogChange {
  /** First index of an entry that is gone or was replaced by one of another term, or null. */
  readonly truncatedFrom: LogIndex | null;
  /** Entries from here on are new to the mirror. */
  readonly newFrom: LogIndex;
}

/**
 * Follows one process's log in memory and hashes each entry once. Entries never change once they
 * are made, so a log is equal to what was seen up to the last entry that is the same object.
 */
export class LogMirror {
  readonly #committedHashAt: HashAt;
  #beforeFirst: LogIndex = 0;
  readonly #entries: LogEntry[] = [];
  /** Hash of the log up to `#beforeFirst`, then up to each entry. */
  readonly #chain: number[] = [EMPTY_CHAIN];

  /** `committedHashAt` knows the log that snapshots stand for. */
  constructor(committedHashAt: HashAt = () => null) {
    this.#committedHashAt = committedHashAt;
  }

  get lastIndex(): LogIndex {
    return this.#beforeFirst + this.#entries.length;
  }

  /** Hash of the log up to `index`, or null: it does not reach so far. */
  chainHashAt(index: LogIndex): number | null {
    const offset = index - this.#beforeFirst;
    return offset < 0 ? this.#committedHashAt(index) : (this.#chain[offset] ?? null);
  }

  entryAt(index: LogIndex): LogEntry | null {
    return this.#entries[index - 1 - this.#beforeFirst] ?? null;
  }

  /** Takes over what the log holds now: `entryAt` for indexes `firstIndex` to `lastIndex`. */
  follow(
    lastIndex: LogIndex,
    entryAt: (index: LogIndex) => LogEntry | null,
    firstIndex: LogIndex = 1,
  ): LogChange {
    this.#startAfter(firstIndex - 1);
    const lastBefore = this.lastIndex;
    let kept = Math.min(lastBefore, lastIndex);
    while (kept >= firstIndex && entryAt(kept) !== this.entryAt(kept)) kept--;
    const dropped = this.#entries.splice(kept - this.#beforeFirst);
    this.#chain.length = kept - this.#beforeFirst + 1;
    let truncatedFrom = lastIndex < lastBefore ? lastIndex + 1 : null;
    for (let index = kept + 1; index <= lastIndex; index++) {
      const entry = entryAt(index);
      requireInvariant(
        entry !== null && entry.index === index,
        "Log Matching",
        () => `entry ${index} of a log of ${lastIndex} is missing or misplaced`,
      );
      const replaced = dropped[index - 1 - kept];
      if (replaced !== undefined && replaced.term !== entry.term) {
        truncatedFrom = Math.min(truncatedFrom ?? index, index);
      }
      this.#chain.push(chainHash(this.#chain.at(-1) ?? UNKNOWN_CHAIN, entry));
      this.#entries.push(entry);
    }
    return { truncatedFrom, newFrom: kept + 1 };
  }

  /** A snapshot stands for the log up to `index` now. */
  #startAfter(index: LogIndex): void {
    if (index === this.#beforeFirst) return;
    const hash = this.#committedHashAt(index) ?? this.chainHashAt(index) ?? UNKNOWN_CHAIN;
    const count = index - this.#beforeFirst;
    this.#entries.splice(0, count);
    this.#chain.splice(0, count + 1, hash);
    this.#chain.length = this.#entries.length + 1;
    this.#beforeFirst = index;
  }
}
