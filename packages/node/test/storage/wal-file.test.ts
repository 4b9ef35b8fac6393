import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { encodeEntries } from "@quorate/wire";

import { LogDatabase } from "../../src/storage/log-database.ts";
import { DATABASE_FILE } from "../../src/storage/schema.ts";
import { StorageError } from "../../src/storage/storage-error.ts";
import type { DirectoryContents, StorageWrite } from "../../src/storage/thread-messages.ts";
import { entriesOf } from "../../src/testing/storage-suite.ts";
import { bootstrapped, flipByte, walFrames } from "./data-place.ts";

const LOG_HEADER_BYTES = 32;
/** Page, commit, two salts, two checksums. */
const FRAME_HEADER_BYTES = 24;
const SALTS_OFFSET = 8;
const SECTOR_BYTES = 512;
/** The first frame, from 0, between whose commit and salts a sector ends. */
const SPLIT_FRAME = 41;
/** The log without most of the zeros behind it. */
const WAL_BYTES = 512 * 1024;

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

  open(): { readonly database: LogDatabase; readonly contents: DirectoryContents } {
    const options = { databasePath: this.path, expect: {}, sizeMaxBytes: null };
    const listener = { onSnapshot: () => {}, onEntries: () => {}, onAgain: () => {} };
    return LogDatabase.open(options, listener);
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
  outcome(): string {
    try {
      const { database, contents } = this.open();
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

/** Many frames of the log. */
function largeEntry(currentTerm: number): StorageWrite {
  const [entry] = entriesOf(1, currentTerm, 1);
  assert.ok(entry !== undefined);
  const data = Uint8Array.from({ length: 60_000 }, (_, place) => 1 + (place % 251));
  return write(currentTerm, encodeEntries([{ ...entry, data }]));
}

function write(currentTerm: number, records: Uint8Array | null): StorageWrite {
  const hardState = { currentTerm, votedFor: "n1", commitIndex: 0 };
  const rest = { snapshot: null, clearsVoteFloor: false };
  return { kind: "persist", ticket: currentTerm, hardState, records, ...rest };
}

test("WalFile: each byte that changes in a header before the last transaction is found (rule 58)", (t) => {
  const place = new Place(t);
  const { database } = place.open();
  for (let term = 1; term <= 3; term += 1) assert.equal(database.commit([vote(term)]), true);
  const image = place.read();
  database.close();
  place.write(image);
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
  const first = place.open();
  for (let term = 1; term <= 60; term += 1) assert.equal(first.database.commit([vote(term)]), true);
  const old = place.read();
  first.database.close();
  place.write(old);
  const commitOfOld = walFrames(place.walPath)[SPLIT_FRAME];
  assert.ok(commitOfOld?.isCommit === true);
  assert.equal((commitOfOld.offset + SALTS_OFFSET) % SECTOR_BYTES, 0);
  // Its frames take the place of those of the log before it, bit by bit.
  const second = place.open();
  let term = 60;
  while (walFrames(place.walPath).length < SPLIT_FRAME - 2) {
    term += 1;
    assert.equal(second.database.commit([vote(term)]), true);
  }
  const before = place.read();
  assert.equal(second.database.commit([largeEntry(term + 1)]), true);
  const after = place.read();
  assert.equal(walFrames(place.walPath)[SPLIT_FRAME]?.isCommit, false);
  second.database.close();
  let sectors = 0;
  for (let start = 0; start < after.wal.length; start += SECTOR_BYTES) {
    const end = start + SECTOR_BYTES;
    if (after.wal.compare(before.wal, start, end, start, end) === 0) continue;
    sectors += 1;
    const wal = Buffer.from(after.wal);
    before.wal.copy(wal, start, start, end);
    place.write({ database: after.database, wal });
    assert.equal(place.outcome(), `term ${term}`, `sector ${sectors}, at ${start}`);
  }
  assert.ok(sectors > 60_000 / SECTOR_BYTES, `${sectors} sectors`);
});
