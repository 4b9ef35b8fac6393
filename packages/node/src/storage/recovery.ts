import { configurationOf } from "@quorate/wire";
import type { Configuration, EntryId, LogIndex, NodeId } from "@quorate/wire";
import SqliteDatabase from "better-sqlite3";
import type { Database } from "better-sqlite3";

import type { HardState, SnapshotPoint } from "../raft/index.ts";
import { isAsUpToDate } from "../raft/index.ts";
import { rowChecksum } from "./checksum.ts";
import { LogReader } from "./log-reader.ts";
import { APPLICATION_ID, FORMAT_VERSION, SCHEMA } from "./schema.ts";
import { damaged, StorageError } from "./storage-error.ts";
import type {
  DirectoryContents,
  DirectoryIdentity,
  ExpectedIdentity,
  PeerIdentity,
} from "./thread-messages.ts";

interface Checked {
  readonly checksum: number;
}

interface SnapshotRow extends Checked {
  readonly lastIncludedIndex: number;
  readonly lastIncludedTerm: number;
  readonly configuration: string;
  readonly configurationIndex: number;
}

interface LogBoundsRow extends Checked {
  readonly beforeFirstIndex: number;
  readonly beforeFirstTerm: number;
  readonly voteFloorIndex: number | null;
  readonly voteFloorTerm: number | null;
}

interface PeerRow extends PeerIdentity, Checked {
  readonly nodeId: NodeId;
}

/** Told what a database holds as it is read, before all of it is known to be sound. */
export interface RecoveryListener {
  /** The snapshot that the log follows. */
  onSnapshot(point: SnapshotPoint): void;
  /** Some of the log, in order, as `encodeEntries` makes it. */
  onEntries(records: Uint8Array): void;
}

/** What a database holds, of which the log was told already. */
export interface RecoveredContents {
  readonly contents: DirectoryContents;
  /** Of the last entry that was told, or that the snapshot stands for. */
  readonly lastIndex: LogIndex;
}

/** Reads one database and refuses what cannot be right. `path` is for messages. */
export class Recovery {
  readonly #database: Database;
  readonly #path: string;

  constructor(database: Database, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /** @throws StorageError `damaged` where this is the database of another program. */
  checkApplication(): void {
    if (this.#database.pragma("application_id", { simple: true }) === APPLICATION_ID) return;
    throw damaged(this.#path, "it is not a Quorate database");
  }

  /**
   * What the tables are is stored like their rows, and without a checksum.
   *
   * @throws StorageError `damaged` where they are not those of this format.
   */
  checkSchema(): void {
    const expected = new SqliteDatabase(":memory:");
    try {
      expected.exec(SCHEMA);
      if (schemaOf(this.#database) === schemaOf(expected)) return;
    } finally {
      expected.close();
    }
    throw damaged(this.#path, "its tables are not those that were made");
  }

  /**
   * Whose data this is.
   *
   * @throws StorageError `otherCluster`, `otherNode` or `damaged`.
   */
  identity(expect: ExpectedIdentity): DirectoryIdentity {
    const columns = "clusterId, nodeId, incarnation, createdAt, bootNumber";
    const row = this.#only<DirectoryIdentity & Checked>("meta", `${columns}, checksum`);
    const { clusterId, nodeId, incarnation, createdAt, bootNumber } = row;
    const values = [FORMAT_VERSION, clusterId, nodeId, incarnation, createdAt, bootNumber];
    this.#checkChecksum("meta", row.checksum, rowChecksum(...values));
    this.#checkNumbers("meta", [bootNumber]);
    checkExpected(this.#path, expect, row);
    return { clusterId, nodeId, incarnation, createdAt, bootNumber };
  }

  /**
   * The state and the log; the log by calls of `listener`, up to the first entry that is damaged.
   * With a `warning` the contents are what is left: they
   * must be made durable before they are used.
   *
   * @throws StorageError `damaged`: nothing of what was handed out may be used.
   */
  contents(identity: DirectoryIdentity, listener: RecoveryListener): RecoveredContents {
    const addresses = this.#addresses();
    const peers = this.#peers();
    const stored = this.#hardState();
    const snapshot = this.#snapshot();
    listener.onSnapshot(snapshot);
    const bounds = this.#logBounds(snapshot);
    const { beforeFirst: stated } = bounds;
    const around = { hardState: stored, snapshot, beforeFirst: stated, through: Infinity };
    const log = new LogReader(this.#database, around, (records) => {
      listener.onEntries(records);
    }).read();
    if (log.last.term > stored.currentTerm) {
      throw damaged(
        this.#path,
        `the log ends in term ${log.last.term}, currentTerm is ${stored.currentTerm}`,
      );
    }
    const hardState = { ...stored, commitIndex: Math.min(stored.commitIndex, log.last.index) };
    const voteFloor = higher(bounds.voteFloor, log.lostEnd);
    const { beforeFirst, damage: warning } = log;
    const contents = {
      identity,
      addresses,
      peers,
      hardState,
      snapshot,
      beforeFirst,
      voteFloor,
      warning,
    };
    return { contents, lastIndex: log.last.index };
  }

  #hardState(): HardState {
    const row = this.#only<HardState & Checked>(
      "hard_state",
      "currentTerm, votedFor, commitIndex, checksum",
    );
    const { currentTerm, votedFor, commitIndex } = row;
    this.#checkChecksum(
      "hard_state",
      row.checksum,
      rowChecksum(currentTerm, votedFor, commitIndex),
    );
    this.#checkNumbers("hard_state", [currentTerm, commitIndex]);
    return { currentTerm, votedFor, commitIndex };
  }

  #snapshot(): SnapshotPoint {
    const row = this.#only<SnapshotRow>(
      "snapshot",
      "lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex, checksum",
    );
    const { lastIncludedIndex, lastIncludedTerm, configurationIndex } = row;
    const values = [lastIncludedIndex, lastIncludedTerm, row.configuration, configurationIndex];
    this.#checkChecksum("snapshot", row.checksum, rowChecksum(...values));
    this.#checkNumbers("snapshot", [lastIncludedIndex, lastIncludedTerm, configurationIndex]);
    // As this program wrote it: the checksum says that these are its bytes.
    const configuration = configurationOf(JSON.parse(row.configuration) as Configuration);
    return { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex };
  }

  #logBounds(snapshot: SnapshotPoint): {
    readonly beforeFirst: EntryId;
    readonly voteFloor: EntryId | null;
  } {
    const row = this.#only<LogBoundsRow>(
      "log_bounds",
      "beforeFirstIndex, beforeFirstTerm, voteFloorIndex, voteFloorTerm, checksum",
    );
    const { beforeFirstIndex, beforeFirstTerm, voteFloorIndex, voteFloorTerm } = row;
    const values = [beforeFirstIndex, beforeFirstTerm, voteFloorIndex, voteFloorTerm];
    this.#checkChecksum("log_bounds", row.checksum, rowChecksum(...values));
    const numbers = [beforeFirstIndex, beforeFirstTerm, voteFloorIndex ?? 0, voteFloorTerm ?? 0];
    this.#checkNumbers("log_bounds", numbers);
    if (beforeFirstIndex > snapshot.lastIncludedIndex) {
      throw damaged(this.#path, `the log begins after ${beforeFirstIndex}, beyond the snapshot`);
    }
    const hasFloor = voteFloorIndex !== null && voteFloorTerm !== null;
    return {
      beforeFirst: { index: beforeFirstIndex, term: beforeFirstTerm },
      voteFloor: hasFloor ? { index: voteFloorIndex, term: voteFloorTerm } : null,
    };
  }

  #addresses(): (readonly [NodeId, string])[] {
    const rows = this.#database
      .prepare<[], { nodeId: NodeId; address: string; checksum: number }>(
        "SELECT nodeId, address, checksum FROM members ORDER BY nodeId",
      )
      .all();
    return rows.map(({ nodeId, address, checksum }) => {
      this.#checkChecksum("members", checksum, rowChecksum(nodeId, address));
      return [nodeId, address] as const;
    });
  }

  #peers(): (readonly [NodeId, PeerIdentity])[] {
    const rows = this.#database
      .prepare<[], PeerRow>(
        "SELECT nodeId, incarnation, bootNumber, bootId, checksum FROM peers ORDER BY nodeId",
      )
      .all();
    return rows.map(({ nodeId, incarnation, bootNumber, bootId, checksum }) => {
      this.#checkChecksum("peers", checksum, rowChecksum(nodeId, incarnation, bootNumber, bootId));
      this.#checkNumbers("peers", [bootNumber]);
      return [nodeId, { incarnation, bootNumber, bootId }] as const;
    });
  }

  #only<Row>(table: string, columns: string): Row {
    const rows = this.#database.prepare<[], Row>(`SELECT ${columns} FROM ${table}`).all();
    const [row] = rows;
    if (row === undefined || rows.length > 1) {
      throw damaged(this.#path, `table ${table} has ${rows.length} rows instead of one`);
    }
    return row;
  }

  #checkChecksum(table: string, stored: number, expected: number): void {
    if (stored === expected) return;
    throw damaged(this.#path, `a row of table ${table} does not match its checksum`);
  }

  #checkNumbers(table: string, numbers: readonly number[]): void {
    if (numbers.every((number) => Number.isSafeInteger(number) && number >= 0)) return;
    throw damaged(this.#path, `table ${table} holds a number outside 0 to 2^53 - 1`);
  }
}

function schemaOf(database: Database): string {
  const rows = database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master").all();
  return rows
    .map((row) => JSON.stringify(row))
    .toSorted()
    .join();
}

/** The floor that says more. */
function higher(stored: EntryId | null, found: EntryId | null): EntryId | null {
  if (stored === null || found === null) return stored ?? found;
  return isAsUpToDate(stored, found) ? stored : found;
}

function checkExpected(path: string, expect: ExpectedIdentity, found: DirectoryIdentity): void {
  if (expect.clusterId !== undefined && expect.clusterId !== found.clusterId) {
    throw new StorageError({
      code: "otherCluster",
      subject: path,
      verb: `belongs to cluster ${found.clusterId}, not to ${expect.clusterId}`,
      remedy: "Correct the cluster id or the data directory. Clusters never share or swap data",
    });
  }
  if (expect.nodeId !== undefined && expect.nodeId !== found.nodeId) {
    throw new StorageError({
      code: "otherNode",
      subject: path,
      verb: `holds the data of node ${found.nodeId}, not of ${expect.nodeId}`,
      remedy:
        "Correct the name or the data directory. A node that votes with another's data " +
        "could vote twice in a term",
    });
  }
}
