import type { LogIndex } from "@quorate/wire";
import type { Database, Statement } from "better-sqlite3";

/** A step removes at most this many rows, and stops after this many bytes of them. */
const STEP_ROWS = 500;
const STEP_BYTES = 2 * 1024 * 1024;

/** A step gives at most this many pages back to the file system. */
const STEP_PAGES = 256;
/** As many free pages are kept: the log grows again. */
const SPARE_PAGES = 1024;

/**
 * Removes the rows that a snapshot replaced, and gives their pages back, in steps of a few
 * milliseconds: nobody waits for it, and a crash in the middle leaves rows that the next start
 * ignores and removes.
 */
export class Compaction {
  readonly #database: Database;
  readonly #oldest: Statement<[LogIndex], { idx: LogIndex; bytes: number }>;
  readonly #remove: Statement<[LogIndex]>;
  readonly #freePages: Statement<[], number>;
  #beforeFirstIndex: LogIndex;
  #hasRows = true;

  constructor(database: Database, beforeFirstIndex: LogIndex) {
    this.#database = database;
    this.#beforeFirstIndex = beforeFirstIndex;
    this.#oldest = database.prepare(
      `SELECT idx, length(data) bytes FROM log WHERE idx <= ? ORDER BY idx LIMIT ${STEP_ROWS}`,
    );
    this.#remove = database.prepare("DELETE FROM log WHERE idx <= ?");
    this.#freePages = database.prepare<[], number>("PRAGMA freelist_count").pluck();
  }

  /** The log begins after `index`; what is before it may go. */
  logStartsAfter(index: LogIndex): void {
    if (index === this.#beforeFirstIndex) return;
    this.#beforeFirstIndex = index;
    this.#hasRows = true;
  }

  /** Removes some of the oldest rows, in one transaction; false: there are none to remove. */
  removeRows(): boolean {
    if (!this.#hasRows) return false;
    let last: LogIndex | null = null;
    let bytes = 0;
    for (const row of this.#oldest.all(this.#beforeFirstIndex)) {
      last = row.idx;
      bytes += row.bytes;
      if (bytes >= STEP_BYTES) break;
    }
    this.#hasRows = last !== null;
    if (last !== null) this.#remove.run(last);
    return this.#hasRows;
  }

  /** Gives some free pages back, in one transaction; false: none is worth it. */
  shrink(): boolean {
    const spare = (this.#freePages.get() ?? 0) - SPARE_PAGES;
    if (spare < STEP_PAGES) return false;
    this.#database.pragma(`incremental_vacuum(${STEP_PAGES})`);
    return true;
  }
}
