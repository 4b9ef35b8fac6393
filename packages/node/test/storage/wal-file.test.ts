import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { encodeEntries } from "@quorate/wire";

import { LogDatabase } from "../../src/storage/log-database.ts";
import type { OpenWal } from "../../src/storage/log-database.ts";
import { DATABASE_FILE } from "../../src/storage/schema.ts";
import { StorageError } from "../../src/storage/storage-error.ts";
import type {
  DirectoryContents,
  ExpectedIdentity,
  StorageWrite,
} from "../../src/storage/thread-messages.ts";
import { WalFile } from "../../src/storage/wal-file.ts";
import { entriesOf } from "../../src/testing/storage-suite.ts";
import { bootstrapped, flipByte, walFrames } from "./data-place.ts";

const LOG_HEADER_BYTES = 32;
/** Page, commit, two salts, two checksums. */
const FRAME_HEADER_BYTES = 24;
const COMMIT_OFFSET = 4;
const SALTS_OFFSET = 8;
const CHECKSUMS_OFFSET = 16;
const PAGE_FRAME_BYTES = FRAME_HEADER_BYTES + 4096;
const SECTOR_BYTES = 512;
/** The first frame, from 0, between whose commit and salts a sector ends. */
const SPLIT_FRAME = 41;
/** The log without most of the zeros behind it. */
const WAL_BYTES = 512 * 1024;
const MEBIBYTE = 1024 * 1024;
/** A name for each file that this process has open. */
const DESCRIPTORS = "/proc/self/fd";

interface Image {
  readonly database: Buffer;
  readonly wal: Buffer;
}

/** A database file on its own, which is opened as the storage thread does. */
class Place {
  readonly path: string;

  constructor(t: TestContext) {
    this.path = join(bootstrapped(t), DATABASE_FILE);
  }

  get walPath(): string {
    return `${this.path}-wal`;
  }

  open(
    expect: ExpectedIdentity = {},
    openWal?: OpenWal,
  ): {
    readonly database: LogDatabase;
    readonly contents: DirectoryContents;
  } {
    const options = { databasePath: this.path, expect, sizeMaxBytes: null };
    const listener = { onSnapshot: () => {}, onEntries: () => {}, onAgain: () => {} };
    return LogDatabase.open(options, listener, openWal);
  }

  read(): Image {
    return {
      database: fs.readFileSync(this.path),
      wal: fs.readFileSync(this.walPath).subarray(0, WAL_BYTES),
    };
  }

  /** What a crash left. Nobody has the files open. */
  write({ database, wal }: Image): void {
    fs.rmSync(`${this.walPath}.damaged`, { force: true });
    fs.writeFileSync(this.path, database);
    fs.writeFileSync(this.walPath, wal);
  }

  /** What comes of opening it: `term <currentTerm>`, or the code of the error. */
  outcome(expect: ExpectedIdentity = {}): string {
    try {
      const { database, contents } = this.open(expect);
      database.close();
      return `term ${contents.hardState.currentTerm}`;
    } catch (error) {
      assert.ok(error instanceof StorageError, String(error));
      return error.code;
    }
  }
}

/** One frame of the log. */
function vote(currentTerm: number): StorageWrite {
  return write(currentTerm, null);
}

/** Votes in the terms from 1 to `times`; the term of the last one. */
function voteOften(database: LogDatabase, times: number): number {
  for (let term = 1; term <= times; term += 1) assert.equal(database.commit([vote(term)]), true);
  return times;
}

/** Leaves what is there when a node crashes that voted three times. */
function crashAfterVotes(place: Place): Image {
  const { database } = place.open();
  voteOften(database, 3);
  const image = place.read();
  database.close();
  place.write(image);
  return image;
}

/** Many frames of the log; with 3000 bytes two. */
function largeEntry(currentTerm: number, bytes = 60_000): StorageWrite {
  return largeEntries(currentTerm, 1, bytes);
}

function largeEntries(currentTerm: number, count: number, bytes: number): StorageWrite {
  const data = Uint8Array.from({ length: bytes }, (_, place) => 1 + (place % 251));
  const entries = entriesOf(1, currentTerm, count).map((entry) => ({ ...entry, data }));
  return write(currentTerm, encodeEntries(entries));
}

function write(currentTerm: number, records: Uint8Array | null): StorageWrite {
  const hardState = { currentTerm, votedFor: "n1", commitIndex: 0 };
  const rest = { snapshot: null, clearsVoteFloor: false };
  return { kind: "persist", ticket: currentTerm, hardState, records, ...rest };
}

/** Where the sectors of the log begin that differ. */
function changedSectors(before: Image, after: Image): number[] {
  const changed: number[] = [];
  for (let start = 0; start < after.wal.length; start += SECTOR_BYTES) {
    const end = start + SECTOR_BYTES;
    if (after.wal.compare(before.wal, start, end, start, end) !== 0) changed.push(start);
  }
  return changed;
}

/** A sector of the first frame's page that differs. */
function inFirstFrame(before: Image, after: Image): number {
  const sector = changedSectors(before, after).find((start) => start >= SECTOR_BYTES);
  assert.ok(sector !== undefined && sector + SECTOR_BYTES <= PAGE_FRAME_BYTES);
  return sector;
}

/** `after`, but the sector at `start` was not written. */
function lacking(after: Image, before: Image, start: number): Image {
  const wal = Buffer.from(after.wal);
  before.wal.copy(wal, start, start, start + SECTOR_BYTES);
  return { database: after.database, wal };
}

test("WalFile: each byte that changes in a header before the last transaction is found (rule 58)", (t) => {
  const place = new Place(t);
  const image = crashAfterVotes(place);
  const frames = walFrames(place.walPath);
  assert.ok(frames.length >= 4 && frames.every(({ isCommit }) => isCommit));
  assert.equal(place.outcome(), "term 3");
  const headers = frames.slice(0, -1).map(({ offset }) => ({ offset, bytes: FRAME_HEADER_BYTES }));
  for (const { offset, bytes } of [{ offset: 0, bytes: LOG_HEADER_BYTES }, ...headers]) {
    for (let byte = offset; byte < offset + bytes; byte += 1) {
      place.write(image);
      flipByte(place.walPath, byte);
      assert.equal(place.outcome(), "damaged", `byte ${byte}`);
    }
  }
});

test("WalFile: a last transaction that lacks any one sector was cut short, which is no damage", (t) => {
  const place = new Place(t);
  const { database } = place.open();
  let term = voteOften(database, 60);
  const commitOfOld = walFrames(place.walPath)[SPLIT_FRAME];
  assert.ok(commitOfOld?.isCommit === true);
  assert.equal((commitOfOld.offset + SALTS_OFFSET) % SECTOR_BYTES, 0);
  // Its frames take the place of those of the log before it, bit by bit.
  assert.equal(database.checkpoint(), true);
  do {
    term += 1;
    assert.equal(database.commit([vote(term)]), true);
  } while (walFrames(place.walPath).length < SPLIT_FRAME - 2);
  const before = place.read();
  assert.equal(database.commit([largeEntry(term + 1)]), true);
  const after = place.read();
  assert.equal(walFrames(place.walPath)[SPLIT_FRAME]?.isCommit, false);
  database.close();
  const sectors = changedSectors(before, after);
  for (const start of sectors) {
    place.write(lacking(after, before, start));
    assert.equal(place.outcome(), `term ${term}`, `the sector at ${start}`);
  }
  assert.ok(sectors.length > 60_000 / SECTOR_BYTES, `${sectors.length} sectors`);
});

test("WalFile: a commit that a sector splits is lost where its frame is whole (rule 58)", (t) => {
  const place = new Place(t);
  const { database } = place.open();
  const term = voteOften(database, SPLIT_FRAME - 2);
  // Two frames, of which the second has the commit.
  assert.equal(database.commit([largeEntry(term + 1, 3000)]), true);
  const frames = walFrames(place.walPath);
  assert.equal(frames.length, SPLIT_FRAME + 1);
  const [before, commit] = frames.slice(-2);
  assert.ok(before?.isCommit === false && commit?.isCommit === true);
  assert.equal(database.commit([vote(term + 2)]), true);
  const image = place.read();
  database.close();
  for (const byte of [
    before.offset + SALTS_OFFSET,
    before.offset + CHECKSUMS_OFFSET,
    before.offset + FRAME_HEADER_BYTES,
    commit.offset + SALTS_OFFSET,
  ]) {
    place.write(image);
    flipByte(place.walPath, byte);
    assert.equal(place.outcome(), "damaged", `byte ${byte}`);
  }
});

test("LogDatabase: a second power cut meets nothing of what the first one cut short", (t) => {
  const place = new Place(t);
  const { database } = place.open();
  const term = voteOften(database, 60);
  assert.equal(database.checkpoint(), true);
  const before = place.read();
  // Of the first transaction of a log all is there but one sector of its first frame.
  assert.equal(database.commit([largeEntry(term + 1)]), true);
  const after = place.read();
  database.close();
  const cut = lacking(after, before, inFirstFrame(before, after));
  place.write(cut);
  const second = place.open();
  assert.equal(second.contents.hardState.currentTerm, term);
  const end = LOG_HEADER_BYTES + PAGE_FRAME_BYTES * walFrames(place.walPath).length;
  const started = place.read();
  assert.ok(started.wal.subarray(end).every((byte) => byte === 0));
  second.database.close();
  place.write(lacking(started, cut, inFirstFrame(cut, started)));
  assert.equal(place.outcome(), `term ${term}`);
});

test("LogDatabase: a refusal for another reason keeps what proves the log damaged (rule 58)", (t) => {
  const place = new Place(t);
  crashAfterVotes(place);
  flipByte(place.walPath, LOG_HEADER_BYTES - 1);
  assert.equal(place.outcome({ nodeId: "n9" }), "damaged");
  assert.equal(place.outcome(), "damaged");
});

test("LogDatabase: a refusal leaves no file open", (t) => {
  if (!fs.existsSync(DESCRIPTORS)) {
    t.skip("the system does not tell which files are open");
    return;
  }
  const place = new Place(t);
  const image = crashAfterVotes(place);
  const before = fs.readdirSync(DESCRIPTORS).length;
  assert.equal(place.outcome({ nodeId: "n9" }), "otherNode");
  place.write(image);
  flipByte(place.walPath, LOG_HEADER_BYTES - 1);
  assert.equal(place.outcome(), "damaged");
  assert.equal(fs.readdirSync(DESCRIPTORS).length, before);
});

test("LogDatabase: nothing is left in the log of a write that found no room", (t) => {
  const place = new Place(t);
  const { database } = place.open();
  const term = voteOften(database, 10);
  const frames = walFrames(place.walPath).length;
  const before = fs.readFileSync(place.walPath);
  database.limitSize(fs.statSync(place.path).size + 6 * MEBIBYTE);
  // More than SQLite keeps in memory, so it writes before it knows that there is no room.
  assert.equal(database.commit([largeEntries(term + 1, 18, MEBIBYTE / 2)]), false);
  assert.ok(!fs.readFileSync(place.walPath).equals(before));
  assert.equal(walFrames(place.walPath).length, frames);
  assert.equal(database.commit([vote(term + 1)]), true);
  const after = place.read();
  database.close();
  place.write(after);
  assert.equal(place.outcome(), `term ${term + 1}`);
});

test("LogDatabase: nothing is left of a write that found no room at the beginning of a log", (t) => {
  const place = new Place(t);
  const { database } = place.open();
  const term = voteOften(database, 10);
  assert.equal(database.checkpoint(), true);
  database.limitSize(fs.statSync(place.path).size + 6 * MEBIBYTE);
  assert.equal(database.commit([largeEntries(term + 1, 18, MEBIBYTE / 2)]), false);
  assert.ok(fs.readFileSync(place.walPath).every((byte) => byte === 0));
  assert.equal(database.commit([vote(term + 1)]), true);
  assert.equal(database.commit([vote(term + 2)]), true);
  const after = place.read();
  assert.ok(fs.statSync(place.walPath).size >= 8 * MEBIBYTE, "it was filled up again");
  database.close();
  place.write(after);
  assert.equal(place.outcome(), `term ${term + 2}`);
});

test("WalFile.forgetAfter: clears a commit whose page found no room", (t) => {
  const place = new Place(t);
  crashAfterVotes(place);
  const frames = walFrames(place.walPath);
  const descriptor = fs.openSync(place.walPath, "r+");
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  for (const more of [0, 1, 2]) {
    const behind = LOG_HEADER_BYTES + (frames.length + more) * PAGE_FRAME_BYTES;
    fs.readSync(descriptor, header, 0, header.length, LOG_HEADER_BYTES);
    // As SQLite writes it, before the page.
    if (more < 2) header.fill(0, COMMIT_OFFSET, SALTS_OFFSET);
    fs.writeSync(descriptor, header, 0, header.length, behind);
  }
  fs.closeSync(descriptor);
  assert.equal(walFrames(place.walPath).length, frames.length + 3);
  const wal = new WalFile(place.walPath);
  wal.forgetAfter(frames.length);
  wal.close();
  assert.deepEqual(walFrames(place.walPath), frames);
});

test("LogDatabase: a log that could not be judged is judged by the next start (rule 58)", (t) => {
  const place = new Place(t);
  crashAfterVotes(place);
  flipByte(place.walPath, LOG_HEADER_BYTES - 1);
  const tooMany = Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
  const refusal = (error: unknown): boolean => error instanceof StorageError && error.code === "io";
  assert.throws(
    () =>
      place.open({}, () => {
        throw tooMany;
      }),
    refusal,
  );
  assert.equal(place.outcome(), "damaged");
  assert.equal(place.outcome(), "damaged");
});

test("LogDatabase: a damaged log that SQLite cannot read outlives that (rule 58)", (t) => {
  const place = new Place(t);
  const { database } = place.open();
  assert.equal(database.commit([vote(1)]), true);
  assert.equal(database.commit([largeEntry(2)]), true);
  assert.equal(database.commit([vote(3)]), true);
  assert.equal(database.checkpoint(), true);
  const image = place.read();
  database.close();
  place.write(image);
  // What is recovered knows fewer pages than the database has by now.
  const growing = walFrames(place.walPath)[2];
  assert.ok(growing !== undefined);
  flipByte(place.walPath, growing.offset + FRAME_HEADER_BYTES);
  assert.equal(place.outcome(), "damaged");
  assert.ok([place.walPath, `${place.walPath}.damaged`].some((path) => fs.existsSync(path)));
  assert.equal(place.outcome(), "damaged");
  assert.ok([place.walPath, `${place.walPath}.damaged`].some((path) => fs.existsSync(path)));
});

test("LogDatabase: a damaged log is kept as it was", (t) => {
  const place = new Place(t);
  crashAfterVotes(place);
  flipByte(place.walPath, LOG_HEADER_BYTES - 1);
  const { wal } = place.read();
  assert.equal(place.outcome(), "damaged");
  assert.ok(fs.readFileSync(`${place.walPath}.damaged`).equals(wal));
  assert.ok(!fs.existsSync(place.walPath));
});

test("WalFile: a log whose beginning is gone is damaged (rule 58)", (t) => {
  const place = new Place(t);
  const image = crashAfterVotes(place);
  for (const bytes of [LOG_HEADER_BYTES, SECTOR_BYTES, 4096]) {
    const wal = Buffer.from(image.wal);
    wal.fill(0, 0, bytes);
    place.write({ database: image.database, wal });
    assert.equal(place.outcome(), "damaged", `${bytes} bytes`);
  }
  place.write({ database: image.database, wal: Buffer.alloc(WAL_BYTES) });
  assert.equal(place.outcome(), "term 0");
});

test("LogDatabase: that the log was cut is on the disk before it is filled up again", (t) => {
  const place = new Place(t);
  crashAfterVotes(place);
  const sizes: string[] = [];
  class Watched extends WalFile {
    override sync(): void {
      super.sync();
      sizes.push(`synced at ${this.sizeBytes()}`);
    }

    override prefill(): void {
      sizes.push(`filled from ${this.sizeBytes()}`);
      super.prefill();
    }
  }
  const { database } = place.open({}, (path) => new Watched(path));
  database.close();
  assert.deepEqual(sizes.slice(1, 3), ["synced at 0", "filled from 0"]);
});
