import * as fs from "node:fs";

import { decodeEntries } from "@quorate/wire";
import type { LogEntry, LogIndex } from "@quorate/wire";
import SqliteDatabase from "better-sqlite3";
import type { Database, Statement } from "better-sqlite3";

import { assert } from "../raft/index.ts";
import { entryChecksum, rowChecksum } from "./checksum.ts";
import { hardStateChecksum, Recovery } from "./recovery.ts";
import { damaged, fromSystemError } from "./storage-error.ts";
import type { DirectoryContents, StorageThreadOptions, StorageWrite } from "./thread-messages.ts";
import { WalFile } from "./wal-file.ts";

const SYNCHRONOUS_NORMAL = 1;

/** Read-ahead and spill buffer of SQLite: the log is written at its end and read once. */
const CACHE_KIBIBYTES = 4096;

type Values = (string | number | Uint8Array | null)[];

/**
 * The database of a data directory, in the storage thread: it blocks for each disk write.
 *
 * SQLite runs with `synchronous = NORMAL`, so a commit only writes to the write-ahead log, and
 * the sync that makes it durable is our own: docs/decisions/0002-storage-thread-and-sync.md.
 */
export class LogDatabase {
  readonly #path: string;
  readonly #database: Database;
  readonly #wal: WalFile;
  readonly #statements: Readonly<Record<StatementName, Statement<Values>>>;
  readonly #walFrames: Statement<[], [busy: number, frames: number, checkpointed: number]>;
  readonly #pageCount: Statement<[], number>;
  readonly #pageBytes: number;
  #lastIndex: LogIndex;

  /**
   * Locks the database, reads it with `onEntries` (as {@link Recovery.contents} does) and prepares
   * it for writes. What was read is durable on return: after a crash it may have been in the
   * system's memory only, and the node is about to act on it.
   *
   * @throws StorageError `locked`, `newerFormat`, `otherCluster`, `otherNode`, `damaged`, `io`.
   */
  static open(
    options: StorageThreadOptions,
    onEntries: (records: Uint8Array) => void,
  ): { readonly database: LogDatabase; readonly contents: DirectoryContents } {
    const path = options.databasePath;
    let connection: Database | null = null;
    try {
      connection = connect(path);
      const recovery = new Recovery(connection, path);
      const identity = recovery.identity(options.expect);
      const wal = new WalFile(`${path}-wal`);
      refuseDamagedWal(connection, wal, path);
      const contents = recovery.contents(identity, onEntries);
      const database = new LogDatabase(path, connection, wal);
      database.#prepareForWrites(options.sizeMaxBytes);
      return { database, contents };
    } catch (error) {
      connection?.close();
      throw fromSystemError(path, "opening it", error);
    }
  }

  private constructor(path: string, database: Database, wal: WalFile) {
    this.#path = path;
    this.#database = database;
    this.#wal = wal;
    this.#statements = prepareStatements(database);
    this.#walFrames = walFramesOf(database);
    this.#pageCount = database.prepare<[], number>("PRAGMA page_count").pluck();
    this.#pageBytes = Number(database.pragma("page_size", { simple: true }));
    this.#lastIndex =
      database
        .prepare<[], LogIndex>(
          "SELECT max(coalesce((SELECT max(idx) FROM log), 0), lastIncludedIndex) FROM snapshot",
        )
        .pluck()
        .get() ?? 0;
  }

  /**
   * Makes `writes` durable in one transaction, in their order.
   *
   * @throws StorageError after which nothing may be written, synced or promised any more.
   */
  commit(writes: readonly StorageWrite[]): void {
    try {
      this.#statements.begin.run();
      for (const write of writes) this.#apply(write);
      this.#statements.commit.run();
      this.#wal.sync();
    } catch (error) {
      throw fromSystemError(this.#path, "making a write durable", error);
    }
  }

  /** Bytes of the write-ahead log that the database file does not hold yet. */
  walBytes(): number {
    const [, frames, checkpointed] = this.#walFrames.get() ?? [0, 0, 0];
    return (frames - checkpointed) * this.#pageBytes;
  }

  /** Bytes of the database and of its write-ahead log on the disk. */
  sizeBytes(): number {
    return (this.#pageCount.get() ?? 0) * this.#pageBytes + this.#wal.sizeBytes();
  }

  /**
   * Copies the write-ahead log into the database file; the next commit starts the log anew.
   *
   * @throws StorageError as {@link LogDatabase.commit} does.
   */
  checkpoint(): void {
    try {
      checkpoint(this.#database);
    } catch (error) {
      throw fromSystemError(this.#path, "checkpointing it", error);
    }
  }

  /** Leaves one file that holds everything, and unlocks it. Not after a failure. */
  close(): void {
    try {
      this.#database.close();
      this.#wal.close();
    } catch (error) {
      throw fromSystemError(this.#path, "closing it", error);
    }
  }

  #prepareForWrites(sizeMaxBytes: number | null): void {
    // With fresh salts in the log, frames behind its end are never mistaken for later ones.
    this.#wal.sync();
    checkpoint(this.#database);
    this.#wal.prefill();
    if (sizeMaxBytes !== null) {
      this.#database.pragma(`max_page_count = ${Math.floor(sizeMaxBytes / this.#pageBytes)}`);
    }
    this.#statements.countOpening.run();
    this.#wal.sync();
    // Only now: a new connection reports another level before its first write than after it.
    const synchronous = this.#database.pragma("synchronous", { simple: true });
    assert(synchronous === SYNCHRONOUS_NORMAL, `synchronous is ${String(synchronous)} in SQLite`);
  }

  #apply(write: StorageWrite): void {
    if (write.kind === "persistAddress") {
      const { nodeId, address } = write;
      this.#statements.setAddress.run(nodeId, address, rowChecksum(nodeId, address));
      return;
    }
    if (write.hardState !== null) {
      const { currentTerm, votedFor, commitIndex } = write.hardState;
      const checksum = hardStateChecksum(write.hardState);
      this.#statements.setHardState.run(currentTerm, votedFor, commitIndex, checksum);
    }
    if (write.records !== null) this.#replaceLog(decodeEntries(write.records));
  }

  #replaceLog(entries: readonly LogEntry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    assert(first.index <= this.#lastIndex + 1, `entry ${first.index} would leave a gap`);
    if (first.index <= this.#lastIndex) this.#statements.truncateLog.run(first.index);
    this.#lastIndex = first.index - 1;
    for (const entry of entries) {
      this.#lastIndex += 1;
      assert(entry.index === this.#lastIndex, `entry ${entry.index} is out of order`);
      const { index, term, kind, data } = entry;
      this.#statements.insertEntry.run(index, term, kind, data, entryChecksum(entry));
    }
  }
}

const STATEMENTS = {
  begin: "BEGIN",
  commit: "COMMIT",
  countOpening: "UPDATE meta SET openCount = openCount + 1",
  setHardState:
    "UPDATE hard_state SET currentTerm = ?, votedFor = ?, commitIndex = ?, checksum = ?",
  truncateLog: "DELETE FROM log WHERE idx >= ?",
  insertEntry: "INSERT INTO log (idx, term, kind, data, checksum) VALUES (?, ?, ?, ?, ?)",
  setAddress: "INSERT OR REPLACE INTO members (nodeId, address, checksum) VALUES (?, ?, ?)",
} as const;

type StatementName = keyof typeof STATEMENTS;

function prepareStatements(database: Database): Readonly<Record<StatementName, Statement<Values>>> {
  const prepare = (name: StatementName): Statement<Values> =>
    database.prepare<Values>(STATEMENTS[name]);
  return {
    begin: prepare("begin"),
    commit: prepare("commit"),
    countOpening: prepare("countOpening"),
    setHardState: prepare("setHardState"),
    truncateLog: prepare("truncateLog"),
    insertEntry: prepare("insertEntry"),
    setAddress: prepare("setAddress"),
  };
}

function connect(path: string): Database {
  const database = new SqliteDatabase(path, { fileMustExist: true, timeout: 0 });
  try {
    // Before the first read: that read then takes the lock that keeps other processes out.
    database.pragma("locking_mode = EXCLUSIVE");
    database.pragma(`synchronous = ${SYNCHRONOUS_NORMAL}`);
    database.pragma("wal_autocheckpoint = 0");
    database.pragma("fullfsync = ON");
    database.pragma("checkpoint_fullfsync = ON");
    database.pragma("cell_size_check = ON");
    database.pragma("temp_store = MEMORY");
    database.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
    const journalMode = database.pragma("journal_mode = WAL", { simple: true });
    assert(journalMode === "wal", `journal_mode is ${String(journalMode)} in SQLite`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The name under which a damaged write-ahead log is kept: while it is there, nothing opens. */
function keptWalPath(path: string): string {
  return `${path}-wal.damaged`;
}

function refuseDamagedWal(database: Database, wal: WalFile, path: string): void {
  const kept = keptWalPath(path);
  if (fs.existsSync(kept)) {
    throw damaged(path, `entries that were durable are lost; ${kept} holds what is left of them`);
  }
  const [, frames] = walFramesOf(database).get() ?? [0, 0, 0];
  const damage = wal.findDamage(frames);
  if (damage === null) return;
  wal.keepAs(kept);
  throw damaged(path, damage);
}

function walFramesOf(
  database: Database,
): Statement<[], [busy: number, frames: number, checkpointed: number]> {
  return database
    .prepare<[], [busy: number, frames: number, checkpointed: number]>(
      "PRAGMA wal_checkpoint(NOOP)",
    )
    .raw();
}

function checkpoint(database: Database): void {
  database.pragma("wal_checkpoint(PASSIVE)");
  const [busy, frames, checkpointed] = walFramesOf(database).get() ?? [1, 0, 0];
  assert(busy === 0 && frames === checkpointed, `checkpointed ${checkpointed} of ${frames} frames`);
}
