import { configurationOf, encodeEntries, ENTRY_DATA_MAX_BYTES } from "@quorate/wire";
import type { Configuration, EntryKind, LogEntry, NodeId } from "@quorate/wire";
import type { Database } from "better-sqlite3";

import type { HardState, SnapshotPoint } from "../raft/index.ts";
import { entryChecksum, rowChecksum } from "./checksum.ts";
import { APPLICATION_ID, FORMAT_VERSION } from "./schema.ts";
import { damaged, StorageError } from "./storage-error.ts";
import type { DirectoryContents, DirectoryIdentity, ExpectedIdentity } from "./thread-messages.ts";

/** Entries travel to the main thread in pieces of about this many bytes. */
const PIECE_BYTES = 1024 * 1024;

const ENTRY_KINDS: readonly string[] = ["noop", "command", "configuration"] satisfies EntryKind[];

interface HardStateRow extends HardState {
  readonly checksum: number;
}

interface SnapshotRow {
  readonly lastIncludedIndex: number;
  readonly lastIncludedTerm: number;
  readonly configuration: string;
  readonly checksum: number;
}

interface LogRow {
  readonly idx: number;
  readonly term: number;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
  readonly checksum: number;
}

/** Reads one database and refuses what cannot be right. `path` is for messages. */
export class Recovery {
  readonly #database: Database;
  readonly #path: string;

  constructor(database: Database, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /**
   * Whose data this is.
   *
   * @throws StorageError `newerFormat`, `otherCluster`, `otherNode` or `damaged`.
   */
  identity(expect: ExpectedIdentity): DirectoryIdentity {
    if (this.#database.pragma("application_id", { simple: true }) !== APPLICATION_ID) {
      throw damaged(this.#path, "it is not a Quorate database");
    }
    this.#checkFormat();
    const row = this.#only<DirectoryIdentity & { checksum: number }>(
      "meta",
      "clusterId, nodeId, incarnation, createdAt, checksum",
    );
    const { clusterId, nodeId, incarnation, createdAt } = row;
    const checksum = rowChecksum(FORMAT_VERSION, clusterId, nodeId, incarnation, createdAt);
    this.#checkChecksum("meta", row.checksum, checksum);
    checkExpected(this.#path, expect, row);
    return { clusterId, nodeId, incarnation, createdAt };
  }

  /**
   * The state and the log; the log by calls of `onEntries`, in order, as `encodeEntries` makes it.
   *
   * @throws StorageError `damaged`: nothing of what was handed out may be used.
   */
  contents(
    identity: DirectoryIdentity,
    onEntries: (records: Uint8Array) => void,
  ): DirectoryContents {
    const addresses = this.#addresses();
    const hardState = this.#hardState();
    const snapshot = this.#snapshot();
    const last = this.#readLog(snapshot, onEntries);
    if (hardState.commitIndex > last.index) {
      throw damaged(
        this.#path,
        `entries up to ${hardState.commitIndex} were committed, the log ends at ${last.index}`,
      );
    }
    if (last.term > hardState.currentTerm) {
      throw damaged(
        this.#path,
        `the log ends in term ${last.term}, currentTerm is ${hardState.currentTerm}`,
      );
    }
    return { identity, addresses, hardState, snapshot };
  }

  #checkFormat(): void {
    const { formatVersion } = this.#only<{ formatVersion: number }>("meta", "formatVersion");
    if (formatVersion > FORMAT_VERSION) {
      throw new StorageError({
        code: "newerFormat",
        subject: this.#path,
        verb: `has format ${formatVersion}; this version of Quorate reads up to ${FORMAT_VERSION}`,
        remedy: "Start the node with the version that wrote it, or a newer one",
      });
    }
    if (formatVersion !== FORMAT_VERSION) {
      throw damaged(this.#path, `there was never a format ${formatVersion}`);
    }
  }

  #hardState(): HardState {
    const row = this.#only<HardStateRow>(
      "hard_state",
      "currentTerm, votedFor, commitIndex, checksum",
    );
    const { currentTerm, votedFor, commitIndex } = row;
    this.#checkChecksum("hard_state", row.checksum, hardStateChecksum(row));
    this.#checkNumbers("hard_state", [currentTerm, commitIndex]);
    return { currentTerm, votedFor, commitIndex };
  }

  #snapshot(): SnapshotPoint {
    const row = this.#only<SnapshotRow>(
      "snapshot",
      "lastIncludedIndex, lastIncludedTerm, configuration, checksum",
    );
    const { lastIncludedIndex, lastIncludedTerm } = row;
    this.#checkChecksum(
      "snapshot",
      row.checksum,
      rowChecksum(lastIncludedIndex, lastIncludedTerm, row.configuration),
    );
    this.#checkNumbers("snapshot", [lastIncludedIndex, lastIncludedTerm]);
    // As bootstrap wrote it: the checksum says that these are its bytes.
    const configuration = configurationOf(JSON.parse(row.configuration) as Configuration);
    return { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex: 0 };
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

  /** Returns position and term of the last entry. */
  #readLog(
    snapshot: SnapshotPoint,
    onEntries: (records: Uint8Array) => void,
  ): { readonly index: number; readonly term: number } {
    let last = { index: snapshot.lastIncludedIndex, term: snapshot.lastIncludedTerm };
    let piece: LogEntry[] = [];
    let pieceBytes = 0;
    const rows = this.#database
      .prepare<[], LogRow>("SELECT idx, term, kind, data, checksum FROM log ORDER BY idx")
      .iterate();
    for (const row of rows) {
      last = this.#checkEntry(last, row);
      piece.push({ index: row.idx, term: row.term, kind: row.kind, data: row.data });
      pieceBytes += row.data.byteLength;
      if (pieceBytes < PIECE_BYTES) continue;
      onEntries(encodeEntries(piece));
      piece = [];
      pieceBytes = 0;
    }
    if (piece.length > 0) onEntries(encodeEntries(piece));
    return last;
  }

  #checkEntry(
    previous: { readonly index: number; readonly term: number },
    row: LogRow,
  ): { readonly index: number; readonly term: number } {
    const { idx: index, term, kind, data } = row;
    this.#checkNumbers("log", [index, term]);
    if (index !== previous.index + 1) {
      throw damaged(this.#path, `entry ${previous.index + 1} is missing before entry ${index}`);
    }
    if (!ENTRY_KINDS.includes(kind) || data.byteLength > ENTRY_DATA_MAX_BYTES) {
      throw damaged(this.#path, `entry ${index} is no entry that was ever written`);
    }
    if (row.checksum !== entryChecksum({ index, term, kind, data })) {
      throw damaged(this.#path, `entry ${index} does not match its checksum`);
    }
    if (term < previous.term) {
      throw damaged(
        this.#path,
        `entry ${index} has term ${term}, the one before it ${previous.term}`,
      );
    }
    return { index, term };
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

export function hardStateChecksum(hardState: HardState): number {
  return rowChecksum(hardState.currentTerm, hardState.votedFor, hardState.commitIndex);
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
