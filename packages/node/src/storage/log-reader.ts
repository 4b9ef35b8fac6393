import { encodeEntries, ENTRY_DATA_MAX_BYTES } from "@quorate/wire";
import type { EntryId, EntryKind, LogEntry, LogIndex } from "@quorate/wire";
import type { Database } from "better-sqlite3";

import type { HardState, SnapshotPoint } from "../raft/index.ts";
import { entryChecksum } from "./checksum.ts";
import { errorCode } from "./storage-error.ts";

/** Entries travel to the main thread in pieces of about this many bytes. */
const PIECE_BYTES = 1024 * 1024;

const ENTRY_KINDS: readonly string[] = ["noop", "command", "configuration"] satisfies EntryKind[];

/** Where the end of the log is not known any more, only logs of a later term are beyond it. */
const UNKNOWN_INDEX: LogIndex = Number.MAX_SAFE_INTEGER;

interface LogRow {
  readonly idx: number;
  readonly term: number;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
  readonly checksum: number;
}

/** What the rest of the database says about the log. */
export interface LogSurroundings {
  readonly hardState: HardState;
  readonly snapshot: SnapshotPoint;
  readonly beforeFirst: EntryId;
  /** Nothing after this entry is read. */
  readonly through: LogIndex;
}

/** The part of the log that can be trusted. */
export interface LogReading {
  /** As it was told, or the snapshot's point where entries before it are damaged. */
  readonly beforeFirst: EntryId;
  readonly last: EntryId;
  /** What is wrong, for people; null: the log is whole. */
  readonly damage: string | null;
  /**
   * Not before the end that the log had, in the order of Raft §5.4.1; null: entries that the
   * snapshot replaces were damaged, and nothing else is missing.
   */
  readonly lostEnd: EntryId | null;
}

/**
 * Reads the log and stops before the first entry that is not what was written. Entries go to
 * `onEntries` in order, in pieces as `encodeEntries` makes them; those up to the result's
 * `beforeFirst` are to be dropped.
 */
export class LogReader {
  readonly #database: Database;
  readonly #around: LogSurroundings;
  readonly #onEntries: (records: Uint8Array) => void;
  #beforeFirst: EntryId;
  #last: EntryId;
  #piece: LogEntry[] = [];
  #pieceBytes = 0;

  constructor(
    database: Database,
    around: LogSurroundings,
    onEntries: (records: Uint8Array) => void,
  ) {
    this.#database = database;
    this.#around = around;
    this.#onEntries = onEntries;
    this.#beforeFirst = around.beforeFirst;
    this.#last = around.beforeFirst;
  }

  read(): LogReading {
    const { lastIncludedIndex: index, lastIncludedTerm: term } = this.#around.snapshot;
    let damage = this.#scan();
    let lostEnd: EntryId | null = null;
    if (damage !== null && this.#last.index < index) {
      // The snapshot has what is damaged: the log begins after it.
      const before = damage;
      this.#last = this.#beforeFirst = { index, term };
      damage = this.#reaches(index) ? this.#scan() : before;
      if (damage !== null) lostEnd = this.#lostEnd();
      damage ??= before;
    } else if (damage !== null) {
      lostEnd = this.#lostEnd();
    }
    this.#flush();
    return { beforeFirst: this.#beforeFirst, last: this.#last, damage, lostEnd };
  }

  /** Reads on after the last entry that was read. Returns what stopped it before the log's end. */
  #scan(): string | null {
    const rows = this.#database.prepare<[LogIndex], LogRow>(
      "SELECT idx, term, kind, data, checksum FROM log WHERE idx > ? ORDER BY idx",
    );
    try {
      for (const row of rows.iterate(this.#last.index)) {
        if (this.#last.index >= this.#around.through) return null;
        const damage = damageOf(row, this.#last);
        if (damage !== null) return damage;
        this.#last = { index: row.idx, term: row.term };
        this.#hand({ index: row.idx, term: row.term, kind: row.kind, data: row.data });
      }
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      return `SQLite cannot read entry ${this.#last.index + 1}`;
    }
    const { hardState, snapshot } = this.#around;
    const needed = Math.max(hardState.commitIndex, snapshot.lastIncludedIndex);
    if (this.#last.index >= needed) return null;
    return `entries up to ${needed} were committed, the log ends at ${this.#last.index}`;
  }

  /** The last row says where the log ended, if it can be trusted; its place does even if not. */
  #lostEnd(): EntryId {
    const { currentTerm, commitIndex } = this.#around.hardState;
    const row = this.#lastRow();
    const known = Math.max(commitIndex, this.#last.index);
    // Rows are missing at the end, nobody knows how many: only a later term is surely beyond.
    if (row === null || row.idx <= known) return { index: UNKNOWN_INDEX, term: currentTerm };
    const isTrusted = isSound(row) && row.term >= this.#last.term && row.term <= currentTerm;
    const index = Math.min(row.idx, UNKNOWN_INDEX);
    return { index, term: isTrusted ? row.term : currentTerm };
  }

  #reaches(index: LogIndex): boolean {
    return (this.#lastRow()?.idx ?? 0) >= index;
  }

  #lastRow(): LogRow | null {
    try {
      const last = this.#database.prepare<[], LogRow>(
        "SELECT idx, term, kind, data, checksum FROM log ORDER BY idx DESC LIMIT 1",
      );
      return last.get() ?? null;
    } catch (error) {
      if (isCorrupt(error)) return null;
      throw error;
    }
  }

  #hand(entry: LogEntry): void {
    this.#piece.push(entry);
    this.#pieceBytes += entry.data.byteLength;
    if (this.#pieceBytes >= PIECE_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#piece.length > 0) this.#onEntries(encodeEntries(this.#piece));
    this.#piece = [];
    this.#pieceBytes = 0;
  }
}

/** Why `row` cannot be the entry that follows `previous`; null: it is. */
function damageOf(row: LogRow, previous: EntryId): string | null {
  const index = previous.index + 1;
  if (row.idx !== index) return `entry ${index} is missing before entry ${row.idx}`;
  if (!isSound(row)) return `entry ${index} does not match its checksum`;
  if (row.term >= previous.term) return null;
  return `entry ${index} has term ${row.term}, the one before it ${previous.term}`;
}

function isSound(row: LogRow): boolean {
  const { idx: index, term, kind, data } = row;
  return (
    Number.isSafeInteger(index) &&
    Number.isSafeInteger(term) &&
    ENTRY_KINDS.includes(kind) &&
    data instanceof Uint8Array &&
    data.byteLength <= ENTRY_DATA_MAX_BYTES &&
    row.checksum === entryChecksum({ index, term, kind, data })
  );
}

/** A page of the log, or one that SQLite reached from it, is not what SQLite wrote. */
function isCorrupt(error: unknown): boolean {
  return errorCode(error)?.startsWith("SQLITE_CORRUPT") === true;
}
