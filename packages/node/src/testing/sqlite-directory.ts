import * as fs from "node:fs";
import { join } from "node:path";

import type { Configuration, NodeId } from "@quorate/wire";

import { writeNewDatabase } from "../storage/new-database.ts";
import { DATABASE_FILE } from "../storage/schema.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A disk writes so many bytes whole or not at all. */
const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;
const WAL_HEADER_BYTES = 32;
const WAL_FRAME_HEADER_BYTES = 24;
/** Of a frame, behind its commit. */
const WAL_SALTS_OFFSET = 8;
const WAL_FRAME_BYTES = WAL_FRAME_HEADER_BYTES + PAGE_BYTES;
/** Few bytes, each with a meaning of its own. */
const HEADER_CHANCE = 0.2;
const ROT_TRIES = 30;

/** Bytes of the files, as they are or as a crash leaves them. */
export interface DirectoryImage {
  readonly database: Buffer;
  readonly wal: Buffer;
}

/**
 * The data directory of one simulated node: a real database, in real files. A crash is what a power
 * cut makes of them: the process that had them open gets no chance to tidy up, and what it did not
 * sync is there in part.
 */
export class SqliteDirectory {
  readonly #folder: string;
  readonly #nodeId: NodeId;
  /** Counts up with every crash: what was open before goes on with files that nobody looks at. */
  #life = 0;
  #isRotten = false;

  /** Makes the directory, in `parent`, of a server that begins with `configuration`. */
  constructor(parent: string, nodeId: NodeId, configuration: Configuration) {
    this.#folder = join(parent, nodeId);
    this.#nodeId = nodeId;
    fs.mkdirSync(this.#lifeFolder, { recursive: true });
    const identity = {
      clusterId: "sim",
      nodeId,
      incarnation: "0".repeat(32),
      createdAt: new Date(0).toISOString(),
      bootNumber: 0,
    };
    const contents = {
      identity,
      addresses: [],
      peers: [],
      hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
      snapshot: { lastIncludedIndex: 0, lastIncludedTerm: 0, configuration, configurationIndex: 0 },
      beforeFirst: { index: 0, term: 0 },
      voteFloor: null,
    };
    writeNewDatabase(this.databasePath, contents, () => undefined);
  }

  get nodeId(): NodeId {
    return this.#nodeId;
  }

  /** Where its files are, in this life. */
  get folder(): string {
    return this.#lifeFolder;
  }

  get databasePath(): string {
    return join(this.#lifeFolder, DATABASE_FILE);
  }

  /** Whether bytes were changed since it was last opened. */
  get isRotten(): boolean {
    return this.#isRotten;
  }

  /** It was opened, and what was wrong was found. */
  opened(): void {
    this.#isRotten = false;
  }

  read(): DirectoryImage {
    return { database: read(this.databasePath), wal: read(this.#walPath) };
  }

  /**
   * The machine loses power, and this is what is on the disk. Whoever had the files open keeps
   * those, which are nobody's; call `close` of theirs before {@link SqliteDirectory.forget}.
   */
  crash(image: DirectoryImage): void {
    this.#life += 1;
    fs.mkdirSync(this.#lifeFolder);
    fs.writeFileSync(this.databasePath, image.database);
    if (image.wal.length > 0) fs.writeFileSync(this.#walPath, image.wal);
  }

  /** Removes the files of the lives before this one. */
  forget(): void {
    for (const name of fs.readdirSync(this.#folder)) {
      if (name !== `${this.#life}`) fs.rmSync(join(this.#folder, name), { recursive: true });
    }
  }

  /**
   * Changes one byte of what is stored, but not of the last transaction in the write-ahead log:
   * nobody can tell a damaged one from one that a crash cut short.
   */
  rot(random: SeededRandom): void {
    const { database, wal } = this.read();
    const told = wal.subarray(0, endOfWhatIsTold(wal));
    const safe = Buffer.concat([database, told]);
    let offset = random.below(safe.length);
    // Most of a small database is empty.
    for (let tries = 0; safe[offset] === 0 && tries < ROT_TRIES; tries++) {
      offset = random.below(safe.length);
    }
    if (told.length > 0 && random.chance(HEADER_CHANCE)) {
      offset = database.length + placeInHeader(told.length, random);
    }
    this.#isRotten = true;
    if (offset < database.length) flip(this.databasePath, database, offset);
    else flip(this.#walPath, wal, offset - database.length);
  }

  get #lifeFolder(): string {
    return join(this.#folder, `${this.#life}`);
  }

  get #walPath(): string {
    return `${this.databasePath}-wal`;
  }

  /** For messages. */
  get label(): string {
    return `the directory of ${this.#nodeId}`;
  }
}

/**
 * What is there when the first transaction that `after` has beyond `before` was cut short: of the
 * sectors that it changed any may be there, but one at least is not. SQLite syncs a new header
 * before any frame that follows it.
 */
export function tearWal(before: Buffer, after: Buffer, random: SeededRandom): Buffer {
  const old = Buffer.concat([before, Buffer.alloc(Math.max(0, after.length - before.length))]);
  after.copy(old, 0, 0, WAL_HEADER_BYTES);
  const known = transactionEnds(old).at(-1) ?? WAL_HEADER_BYTES;
  const end = transactionEnds(after).find((one) => one > known) ?? after.length;
  const torn = Buffer.concat([after.subarray(0, end), old.subarray(end)]);
  const changed = changedSectors(old, torn);
  const lost = changed.filter(() => random.chance(0.5));
  const surely = changed.length === 0 ? [] : [random.pick(changed)];
  for (const start of [...lost, ...surely]) {
    old.copy(torn, start, start, Math.min(start + SECTOR_BYTES, torn.length));
  }
  return torn;
}

/** What is there when pages were being copied into the database: any of them. */
export function tearDatabase(before: Buffer, after: Buffer, random: SeededRandom): Buffer {
  const torn = Buffer.from(after);
  const old = Buffer.concat([before, Buffer.alloc(Math.max(0, after.length - before.length))]);
  for (const start of changedSectors(old, after)) {
    if (random.chance(0.5)) {
      old.copy(torn, start, start, Math.min(start + SECTOR_BYTES, torn.length));
    }
  }
  return torn;
}

function changedSectors(before: Buffer, after: Buffer): number[] {
  const changed: number[] = [];
  for (let start = 0; start < after.length; start += SECTOR_BYTES) {
    const end = Math.min(start + SECTOR_BYTES, after.length);
    if (after.compare(before, start, end, start, end) !== 0) changed.push(start);
  }
  return changed;
}

/**
 * How far damage to the log is found; 0: nowhere. Not in the newest transaction, and not in the last
 * frame of the one before it where a sector ends between its commit and the salts: a crash may leave
 * the like.
 */
function endOfWhatIsTold(wal: Buffer): number {
  const [last, secondLast] = transactionEnds(wal).toReversed();
  if (last === undefined) return 0;
  if (secondLast === undefined) return WAL_HEADER_BYTES;
  const commit = secondLast - WAL_FRAME_BYTES;
  return (commit + WAL_SALTS_OFFSET) % SECTOR_BYTES === 0 ? commit : secondLast;
}

/** A byte of the log's header, or of that of a frame, among its first `bytes`. */
function placeInHeader(bytes: number, random: SeededRandom): number {
  const frames = Math.floor((bytes - WAL_HEADER_BYTES) / WAL_FRAME_BYTES);
  const header = random.below(frames + 1);
  if (header === 0) return random.below(WAL_HEADER_BYTES);
  const start = WAL_HEADER_BYTES + (header - 1) * WAL_FRAME_BYTES;
  return start + random.below(WAL_FRAME_HEADER_BYTES);
}

/** Where each transaction of the log's current generation ends. */
function transactionEnds(wal: Buffer): number[] {
  if (wal.length < WAL_HEADER_BYTES) return [];
  const salts = wal.readBigUInt64BE(16);
  const ends: number[] = [];
  for (let at = WAL_HEADER_BYTES; at + WAL_FRAME_BYTES <= wal.length; at += WAL_FRAME_BYTES) {
    if (wal.readBigUInt64BE(at + WAL_SALTS_OFFSET) !== salts) break;
    if (wal.readUInt32BE(at + 4) !== 0) ends.push(at + WAL_FRAME_BYTES);
  }
  return ends;
}

function read(path: string): Buffer {
  return fs.existsSync(path) ? fs.readFileSync(path) : Buffer.alloc(0);
}

function flip(path: string, bytes: Buffer, offset: number): void {
  bytes[offset] = ~(bytes[offset] ?? 0);
  fs.writeFileSync(path, bytes);
}
