import type { LogEntry, LogIndex } from "@quorate/wire";
import { chainHash, EMPTY_CHAIN } from "../chain-hash.ts";
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
  readonly #entries: LogEntry[] = [];
  readonly #chain: number[] = [];

  get lastIndex(): LogIndex {
    return this.#entries.length;
  }

  /** Hash of the log up to `index`, or null: it does not reach so far. */
  chainHashAt(index: LogIndex): number | null {
    return index === 0 ? EMPTY_CHAIN : (this.#chain[index - 1] ?? null);
  }

  entryAt(index: LogIndex): LogEntry | null {
    return this.#entries[index - 1] ?? null;
  }

  /** Takes over what the log holds now: `entryAt` for indexes 1 to `lastIndex`. */
  follow(lastIndex: LogIndex, entryAt: (index: LogIndex) => LogEntry | null): LogChange {
    const lastBefore = this.#entries.length;
    let kept = Math.min(lastBefore, lastIndex);
    while (kept > 0 && entryAt(kept) !== this.#entries[kept - 1]) kept--;
    const dropped = this.#entries.splice(kept);
    this.#chain.length = kept;
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
      this.#chain.push(chainHash(this.#chain.at(-1) ?? EMPTY_CHAIN, entry));
      this.#entries.push(entry);
    }
    return { truncatedFrom, newFrom: kept + 1 };
  }
}
