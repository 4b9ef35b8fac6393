import * as fs from "node:fs";
import { dirname } from "node:path";

import { decodeEntries } from "@quorate/wire";
import type { EntryId, LogEntry, LogIndex } from "@quorate/wire";
import SqliteDatabase from "better-sqlite3";
import type { Database, Statement } from "better-sqlite3";

import { assert } from "../raft/index.ts";
import type { SnapshotSwitch } from "../raft/index.ts";
import { entryChecksum, rowChecksum } from "./checksum.ts";
import { Compaction } from "./compaction.ts";
import { LogReader } from "./log-reader.ts";
import { migrate } from "./migration.ts";
import { writeNewDatabase } from "./new-database.ts";
import { Recovery } from "./recovery.ts";
import type { RecoveryListener } from "./recovery.ts";
import {
  hardStateValues,
  logBoundsValues,
  metaValues,
  peerValues,
  snapshotValues,
} from "./rows.ts";
import { UNFINISHED_SUFFIX } from "./schema.ts";
import { damaged, errorCode, fromSystemError, isLocked } from "./storage-error.ts";
import type {
  DirectoryContents,
  DirectoryIdentity,
  StorageThreadOptions,
  StorageWrite,
} from "./thread-messages.ts";
import { syncDirectory, WalFile } from "./wal-file.ts";

const SYNCHRONOUS_NORMAL = 1;

/** Read-ahead and spill buffer of SQLite: the log is written at its end and read once. */
const CACHE_KIBIBYTES = 4096;

interface LogBounds {
  readonly beforeFirst: EntryId;
  readonly voteFloor: EntryId | null;
}

/** Opens the write-ahead log of a database by its path. */
export type OpenWal = (path: string) => WalFile;

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
  readonly #compaction: Compaction;
  #bounds: LogBounds;
  #lastIndex: LogIndex;

  /**
   * Locks the database, reads it with `onEntries` (as {@link Recovery.contents} does) and prepares
   * it for writes. What was read is durable on return: after a crash it may have been in the
   * system's memory only, and the node is about to act on it. A damaged log is cut, for good,
   * before its damage; then `onAgain` says that what was handed out before is void.
   *
   * @throws StorageError `locked`, `newerFormat`, `otherCluster`, `otherNode`, `damaged`, `io`.
   */
  static open(
    options: StorageThreadOptions,
    listener: RecoveryListener & { onAgain(): void },
    openWal: OpenWal = (walPath) => new WalFile(walPath),
  ): { readonly database: LogDatabase; readonly contents: DirectoryContents } {
    const path = options.databasePath;
    const openings: Opening[] = [];
    try {
      let found = openChecked(options, openings, listener, openWal);
      const { warning } = found.contents;
      if (warning !== null) {
        replaceDamaged(found, path);
        listener.onAgain();
        found = openChecked(options, openings, listener, openWal);
        assert(found.contents.warning === null, "the repaired database is damaged");
        openings.shift()?.close();
      }
      const database = new LogDatabase(path, found.connection, found.wal, found.contents);
      const identity = database.#prepareForWrites(options.sizeMaxBytes, found.contents.identity);
      return { database, contents: { ...found.contents, identity, warning } };
    } catch (error) {
      for (const opening of openings) opening.close();
      throw fromSystemError(path, "opening it", error);
    }
  }

  private constructor(path: string, database: Database, wal: WalFile, contents: DirectoryContents) {
    this.#path = path;
    this.#database = database;
    this.#wal = wal;
    this.#statements = prepareStatements(database);
    this.#walFrames = walFramesOf(database);
    this.#pageCount = database.prepare<[], number>("PRAGMA page_count").pluck();
    this.#pageBytes = Number(database.pragma("page_size", { simple: true }));
    const lastRow = database.prepare<[], LogIndex>("SELECT max(idx) FROM log").pluck().get();
    this.#lastIndex = Math.max(lastRow ?? 0, contents.beforeFirst.index);
    this.#bounds = { beforeFirst: contents.beforeFirst, voteFloor: contents.voteFloor };
    this.#compaction = new Compaction(database, contents.beforeFirst.index);
  }

  /**
   * Makes `writes` durable in one transaction, in their order. Returns false where there is no
   * room: then nothing was written, and the same may be tried again.
   *
   * @throws StorageError after which nothing may be written, synced or promised any more.
   */
  commit(writes: readonly StorageWrite[]): boolean {
    const lastIndex = this.#lastIndex;
    const bounds = this.#bounds;
    try {
      this.#statements.begin.run();
      for (const write of writes) this.#apply(write);
      this.#statements.commit.run();
    } catch (error) {
      if (!this.#rollBackWhenFull(error)) {
        throw fromSystemError(this.#path, "making a write durable", error);
      }
      this.#lastIndex = lastIndex;
      this.#bounds = bounds;
      return false;
    }
    this.#sync();
    this.#compaction.logStartsAfter(this.#bounds.beforeFirst.index);
    return true;
  }

  /** From now on the database file does not grow beyond `sizeMaxBytes`. It is never cut. */
  limitSize(sizeMaxBytes: number): void {
    this.#database.pragma(`max_page_count = ${Math.floor(sizeMaxBytes / this.#pageBytes)}`);
  }

  /**
   * One small step of giving back what the snapshot replaced: rows first, then pages. Durable, as
   * a commit is, because no later transaction may begin before the one before it is synced.
   * Returns whether there is more to do.
   *
   * @throws StorageError as {@link LogDatabase.commit} does.
   */
  compact(mayShrink: boolean): boolean {
    try {
      const worked = this.#compaction.removeRows() || (mayShrink && this.#compaction.shrink());
      if (worked) this.#wal.sync();
      return worked;
    } catch (error) {
      if (this.#rollBackWhenFull(error)) return false;
      throw fromSystemError(this.#path, "removing what a snapshot replaced", error);
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
   * Returns false where there is no room for it: the log still holds everything.
   *
   * @throws StorageError as {@link LogDatabase.commit} does.
   */
  checkpoint(): boolean {
    try {
      checkpoint(this.#database);
      return true;
    } catch (error) {
      if (errorCode(error) === "SQLITE_FULL") return false;
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

  #sync(): void {
    try {
      this.#wal.sync();
    } catch (error) {
      throw fromSystemError(this.#path, "making a write durable", error);
    }
  }

  /**
   * Whether `error` says that there is no room, and nothing of the transaction is left.
   *
   * @throws StorageError where what it wrote cannot be taken back.
   */
  #rollBackWhenFull(error: unknown): boolean {
    if (errorCode(error) !== "SQLITE_FULL") return false;
    try {
      // SQLite may have rolled back already.
      if (this.#database.inTransaction) this.#statements.rollback.run();
      this.#wal.forgetAfter(framesIn(this.#walFrames));
      return true;
    } catch (failure) {
      throw fromSystemError(this.#path, "taking back a write that found no room", failure);
    }
  }

  #prepareForWrites(sizeMaxBytes: number | null, found: DirectoryIdentity): DirectoryIdentity {
    // Also of an older format, brought to this one: no write may begin before that is synced.
    this.#wal.sync();
    if (sizeMaxBytes !== null) this.limitSize(sizeMaxBytes);
    const identity = { ...found, bootNumber: found.bootNumber + 1 };
    this.#statements.setMeta.run(...metaValues(identity));
    this.#wal.sync();
    // Only now: a new connection reports another level before its first write than after it.
    const synchronous = this.#database.pragma("synchronous", { simple: true });
    assert(synchronous === SYNCHRONOUS_NORMAL, `synchronous is ${String(synchronous)} in SQLite`);
    return identity;
  }

  #apply(write: StorageWrite): void {
    switch (write.kind) {
      case "persistAddress": {
        const { nodeId, address } = write;
        this.#statements.setAddress.run(nodeId, address, rowChecksum(nodeId, address));
        return;
      }
      case "rememberPeer":
        this.#statements.setPeer.run(...peerValues(write.nodeId, write.peer));
        return;
      case "persist":
        if (write.snapshot !== null) this.#switchTo(write.snapshot);
        if (write.clearsVoteFloor) this.#setBounds({ ...this.#bounds, voteFloor: null });
        if (write.hardState !== null) {
          this.#statements.setHardState.run(...hardStateValues(write.hardState));
        }
        if (write.records !== null) this.#replaceLog(decodeEntries(write.records));
    }
  }

  /** Rows up to the new start stay for now: what counts is where the log begins. */
  #switchTo({ point, beforeFirst, keepsLog }: SnapshotSwitch): void {
    this.#statements.setSnapshot.run(...snapshotValues(point));
    if (!keepsLog) {
      this.#statements.truncateLog.run(beforeFirst.index + 1);
      this.#lastIndex = beforeFirst.index;
    }
    this.#setBounds({ ...this.#bounds, beforeFirst });
  }

  #setBounds(bounds: LogBounds): void {
    this.#statements.setLogBounds.run(...logBoundsValues(bounds.beforeFirst, bounds.voteFloor));
    this.#bounds = bounds;
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
  rollback: "ROLLBACK",
  setMeta:
    "UPDATE meta SET (formatVersion, clusterId, nodeId, incarnation, createdAt, bootNumber, " +
    "checksum) = (?, ?, ?, ?, ?, ?, ?)",
  setHardState:
    "UPDATE hard_state SET currentTerm = ?, votedFor = ?, commitIndex = ?, checksum = ?",
  setSnapshot:
    "UPDATE snapshot SET (lastIncludedIndex, lastIncludedTerm, configuration, " +
    "configurationIndex, checksum) = (?, ?, ?, ?, ?)",
  setLogBounds:
    "UPDATE log_bounds SET (beforeFirstIndex, beforeFirstTerm, voteFloorIndex, voteFloorTerm, " +
    "checksum) = (?, ?, ?, ?, ?)",
  truncateLog: "DELETE FROM log WHERE idx >= ?",
  insertEntry: "INSERT INTO log (idx, term, kind, data, checksum) VALUES (?, ?, ?, ?, ?)",
  setPeer:
    "INSERT OR REPLACE INTO peers (nodeId, incarnation, bootNumber, bootId, checksum) " +
    "VALUES (?, ?, ?, ?, ?)",
  setAddress: "INSERT OR REPLACE INTO members (nodeId, address, checksum) VALUES (?, ?, ?)",
} as const;

type StatementName = keyof typeof STATEMENTS;

function prepareStatements(database: Database): Readonly<Record<StatementName, Statement<Values>>> {
  const prepare = (name: StatementName): Statement<Values> =>
    database.prepare<Values>(STATEMENTS[name]);
  return {
    begin: prepare("begin"),
    commit: prepare("commit"),
    rollback: prepare("rollback"),
    setMeta: prepare("setMeta"),
    setHardState: prepare("setHardState"),
    setSnapshot: prepare("setSnapshot"),
    setLogBounds: prepare("setLogBounds"),
    truncateLog: prepare("truncateLog"),
    insertEntry: prepare("insertEntry"),
    setAddress: prepare("setAddress"),
    setPeer: prepare("setPeer"),
  };
}

function connect(path: string): Database {
  const database = new SqliteDatabase(path, { fileMustExist: true, timeout: 0 });
  try {
    // Before the first read: that read, of the next pragma, takes the lock that keeps other processes
    // out, and recovers the log.
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
    closeUnjudged(database, path, error);
    throw error;
  }
}

/** A connection, with its write-ahead log once that is open, for whoever cleans up. */
class Opening {
  readonly connection: Database;
  wal: WalFile | null = null;

  constructor(connection: Database) {
    this.connection = connection;
  }

  /** Copies what SQLite knows of the log into the database file, and deletes the log. */
  close(): void {
    this.wal?.close();
    this.connection.close();
  }
}

interface Found {
  readonly connection: Database;
  readonly wal: WalFile;
  readonly contents: DirectoryContents;
  readonly lastIndex: LogIndex;
}

/**
 * Connects, and reads and checks everything in one transaction, which brings an older format to
 * this one. The opening is added to `openings`.
 */
function openChecked(
  options: StorageThreadOptions,
  openings: Opening[],
  listener: RecoveryListener,
  openWal: OpenWal,
): Found {
  const path = options.databasePath;
  const opening = new Opening(connect(path));
  openings.push(opening);
  const { connection } = opening;
  const wal = openJudgedWal(connection, path, openWal);
  opening.wal = wal;
  const recovery = new Recovery(connection, path);
  recovery.checkApplication();
  startLogAnew(connection, wal);
  connection.exec("BEGIN");
  migrate(connection, path);
  recovery.checkSchema();
  const identity = recovery.identity(options.expect);
  const { contents, lastIndex } = recovery.contents(identity, listener);
  // No row of a damaged database is written: what was found goes into a new one.
  connection.exec(contents.warning === null ? "COMMIT" : "ROLLBACK");
  return { connection, wal, contents, lastIndex };
}

/**
 * Makes what was recovered from the log durable, in the database file, and leaves a log of zeros.
 * What a crash left behind the end of the log is of the same salts as what would be written before
 * it: after a second crash it would look as if that had been there and were lost. A checkpoint by
 * itself draws new salts only where it had something to copy.
 */
function startLogAnew(connection: Database, wal: WalFile): void {
  // What was recovered may be in the system's memory only.
  wal.sync();
  connection.pragma("wal_checkpoint(TRUNCATE)");
  assert(wal.sizeBytes() === 0, "the write-ahead log was not cut");
  // Or the zeros might be found among frames of before.
  wal.sync();
  wal.prefill();
}

/**
 * Puts a new database with what was found in the place of the damaged one, in one step: what is
 * damaged is not written to, as nobody knows what else its pages say. The old connection, and with
 * it the lock on the old file, stays open.
 */
function replaceDamaged({ connection, contents, lastIndex }: Found, path: string): void {
  const unfinished = `${path}${UNFINISHED_SUFFIX}repair`;
  fs.rmSync(unfinished, { force: true });
  writeNewDatabase(unfinished, contents, (onEntries) => {
    const { hardState, snapshot, beforeFirst } = contents;
    // SQLite looks at a page when it fetches it: one that it has by now it may read further.
    const around = { hardState, snapshot, beforeFirst, through: lastIndex };
    const again = new LogReader(connection, around, onEntries).read();
    if (again.last.index < lastIndex || again.beforeFirst.index > beforeFirst.index) {
      throw damaged(path, `entries up to ${lastIndex} could be read only once`);
    }
  });
  // The new database has none: what this one's holds moves into the file that goes away.
  const journalMode = connection.pragma("journal_mode = DELETE", { simple: true });
  assert(journalMode === "delete", `journal_mode is ${String(journalMode)} in SQLite`);
  fs.renameSync(unfinished, path);
  syncDirectory(dirname(path));
}

/** The name under which a damaged write-ahead log is kept: while it is there, nothing opens. */
function keptWalPath(path: string): string {
  return `${path}-wal.damaged`;
}

/**
 * Opens the log, whose recovered part `connection` has read, and finds nothing wrong with it. Comes
 * before anything else that may refuse the start: a connection that closes deletes the log by its
 * name, and with it what proves it damaged. So a damaged one loses its name first.
 */
function openJudgedWal(connection: Database, path: string, openWal: OpenWal): WalFile {
  const walPath = `${path}-wal`;
  const kept = keptWalPath(path);
  if (fs.existsSync(kept)) {
    throw damaged(path, `entries that were durable are lost; ${kept} holds what is left of them`);
  }
  let wal: WalFile | null = null;
  let damage: string | null;
  try {
    // Where there was no log, a read makes one.
    connection.pragma("schema_version");
    wal = openWal(walPath);
    damage = wal.findDamage(framesIn(walFramesOf(connection)));
    if (damage === null) return wal;
  } catch (error) {
    closeUnjudged(connection, path, error);
    wal?.close();
    throw error;
  }
  fs.renameSync(walPath, kept);
  syncDirectory(dirname(path));
  wal.close();
  throw damaged(path, damage);
}

/**
 * Closes a connection after `error`, and leaves the log, which nobody has judged yet, to the next
 * start; one of another process is not touched. If this process dies meanwhile, or another start has a log of its own already, the directory
 * stays refused: better that than to forget what the log says.
 */
function closeUnjudged(connection: Database, path: string, error: unknown): void {
  const walPath = `${path}-wal`;
  const kept = keptWalPath(path);
  const isKept = !isLocked(error) && fs.existsSync(walPath) && !fs.existsSync(kept);
  if (isKept) fs.renameSync(walPath, kept);
  connection.close();
  if (!isKept) return;
  // Unlike a rename it replaces nothing.
  fs.linkSync(kept, walPath);
  fs.unlinkSync(kept);
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

/** How many frames of the log SQLite knows. */
function framesIn(
  statement: Statement<[], [busy: number, frames: number, checkpointed: number]>,
): number {
  const [busy, frames] = statement.get() ?? [1, -1, -1];
  assert(busy === 0 && frames >= 0, `SQLite counts ${frames} frames in its log`);
  return frames;
}

function checkpoint(database: Database): void {
  database.pragma("wal_checkpoint(PASSIVE)");
  const [busy, frames, checkpointed] = walFramesOf(database).get() ?? [1, 0, 0];
  assert(busy === 0 && frames === checkpointed, `checkpointed ${checkpointed} of ${frames} frames`);
}
