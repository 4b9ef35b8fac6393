import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import type { EntryId } from "@quorate/wire";
import SqliteDatabase from "better-sqlite3";

import { entryChecksum } from "../../src/storage/checksum.ts";
import { assertEntries, entriesOf, persist, pointAt } from "../../src/testing/storage-suite.ts";
import { bootstrapped, change, flipByte, makeSnapshot, open } from "./data-place.ts";

/** Entries 1 to 8 of term 2 and then, in currentTerm 4, a snapshot at 5 with the log from 4 on. */
async function withLog(t: TestContext, count = 8): Promise<string> {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState = { currentTerm: 4, votedFor: "n1", commitIndex: 6 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 2, count) });
  const point = pointAt(5, 2);
  await makeSnapshot(storage, point);
  const snapshot = { point, beforeFirst: { index: 3, term: 2 }, keepsLog: true };
  await persist(storage, { sequence: 2, hardState: null, entries: [], snapshot });
  await storage.close();
  return directory;
}

/** Inverts one byte in the stored text of an entry. */
function flipEntry(directory: string, index: number): void {
  const path = join(directory, "raft.db");
  const text = `entry ${index} of term 2`;
  const offset = fs.readFileSync(path).indexOf(text);
  assert.ok(offset > 0, `${text} is not in the file`);
  flipByte(path, offset + 2);
}

/** What a damaged directory with entries from 4 on is opened with. */
interface Expectation {
  readonly beforeFirst: number;
  readonly last: number;
  readonly voteFloor: EntryId | null;
  readonly warning: RegExp;
}

async function assertRepaired(directory: string, expected: Expectation): Promise<void> {
  const storage = await open(directory);
  const { recovered } = storage;
  const { beforeFirst, last, voteFloor } = expected;
  assert.match(storage.warning ?? "none", expected.warning);
  assert.deepEqual(recovered.beforeFirst, { index: beforeFirst, term: 2 });
  assert.deepEqual(recovered.snapshot, pointAt(5, 2));
  assert.deepEqual(recovered.voteFloor, voteFloor);
  assertEntries(recovered.entries, entriesOf(beforeFirst + 1, 2, last - beforeFirst));
  assert.equal(recovered.hardState.currentTerm, 4);
  assert.equal(recovered.hardState.votedFor, "n1", "the vote is never forgotten");
  assert.equal(recovered.hardState.commitIndex, Math.min(6, last));
  await storage.close();
  // The floor is durable: a second start finds it again, and nothing wrong.
  const again = await open(directory);
  assert.equal(again.warning, null);
  assert.deepEqual(again.recovered.voteFloor, voteFloor);
  assert.equal(again.identity.bootNumber, storage.identity.bootNumber + 1);
  assert.deepEqual(
    fs.readdirSync(directory).filter((name) => name.startsWith("raft.db.")),
    [],
  );
  await persist(again, { sequence: 1, hardState: null, entries: entriesOf(last + 1, 4, 1) });
  await persist(again, { sequence: 2, hardState: null, entries: [], clearsVoteFloor: true });
  await again.close();
  const lifted = await open(directory);
  assert.equal(lifted.recovered.voteFloor, null);
  assert.equal(lifted.recovered.entries.at(-1)?.index, last + 1);
  await lifted.close();
}

test("openStorage: cuts the log before an entry that changed, and votes only for logs beyond", async (t) => {
  const directory = await withLog(t);
  flipEntry(directory, 7);
  await assertRepaired(directory, {
    beforeFirst: 3,
    last: 6,
    voteFloor: { index: 8, term: 2 },
    warning: /entry 7 does not match its checksum/u,
  });
});

test("openStorage: takes currentTerm for the floor where the last entry itself changed", async (t) => {
  const directory = await withLog(t);
  flipEntry(directory, 8);
  await assertRepaired(directory, {
    beforeFirst: 3,
    last: 7,
    voteFloor: { index: 8, term: 4 },
    warning: /entry 8 does not match/u,
  });
});

test("openStorage: cuts committed entries as well, where they are damaged", async (t) => {
  const directory = await withLog(t);
  flipEntry(directory, 6);
  await assertRepaired(directory, {
    beforeFirst: 3,
    last: 5,
    voteFloor: { index: 8, term: 2 },
    warning: /entry 6 does not match/u,
  });
});

test("openStorage: drops damaged entries that the snapshot replaces, and no vote with them", async (t) => {
  for (const index of [4, 5]) {
    const directory = await withLog(t);
    flipEntry(directory, index);
    await assertRepaired(directory, {
      beforeFirst: 5,
      last: 8,
      voteFloor: null,
      warning: new RegExp(`entry ${index} does not match`, "u"),
    });
  }
});

test("openStorage: finds damage on both sides of the snapshot", async (t) => {
  const directory = await withLog(t);
  flipEntry(directory, 4);
  flipEntry(directory, 7);
  await assertRepaired(directory, {
    beforeFirst: 5,
    last: 6,
    voteFloor: { index: 8, term: 2 },
    warning: /entry 7 does not match/u,
  });
});

const UNKNOWN = Number.MAX_SAFE_INTEGER;

/** What may happen to rows of the log, and what is left then. */
const ROW_DAMAGE: readonly (readonly [string, Expectation, string, ...unknown[]])[] = [
  [
    "a row is missing",
    { beforeFirst: 3, last: 6, voteFloor: { index: 8, term: 2 }, warning: /entry 7 is missing/u },
    "DELETE FROM log WHERE idx = 7",
  ],
  [
    "committed rows are missing at the end",
    { beforeFirst: 3, last: 5, voteFloor: { index: UNKNOWN, term: 4 }, warning: /ends at 5/u },
    "DELETE FROM log WHERE idx >= 6",
  ],
  [
    "the rows end before the snapshot",
    { beforeFirst: 5, last: 5, voteFloor: { index: UNKNOWN, term: 4 }, warning: /ends at 4/u },
    "DELETE FROM log WHERE idx >= 5",
  ],
  [
    "all rows are missing",
    { beforeFirst: 5, last: 5, voteFloor: { index: UNKNOWN, term: 4 }, warning: /ends at 3/u },
    "DELETE FROM log",
  ],
  [
    "a row's place changed",
    { beforeFirst: 3, last: 7, voteFloor: { index: 80, term: 4 }, warning: /entry 8 is missing/u },
    "UPDATE log SET idx = 80 WHERE idx = 8",
  ],
  [
    "a term falls",
    { beforeFirst: 3, last: 6, voteFloor: { index: 8, term: 2 }, warning: /has term 1/u },
    "UPDATE log SET term = 1, data = x'', checksum = ? WHERE idx = 7",
    entryChecksum({ index: 7, term: 1, kind: "command", data: new Uint8Array(0) }),
  ],
];

for (const [what, expected, sql, ...values] of ROW_DAMAGE) {
  test(`openStorage: goes on where ${what}, with a floor for its votes`, async (t) => {
    const directory = await withLog(t);
    change(directory, sql, ...values);
    await assertRepaired(directory, expected);
  });
}

test("openStorage: cuts the log where SQLite cannot read its pages", async (t) => {
  const directory = await withLog(t, 2000);
  const path = join(directory, "raft.db");
  const database = new SqliteDatabase(path, { readonly: true });
  const rootPage = database
    .prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'log'")
    .pluck()
    .get();
  database.close();
  const whole = fs.readFileSync(path);
  let cuts = 0;
  for (const page of logLeaves(whole)) {
    if (page === rootPage) continue;
    fs.writeFileSync(path, whole);
    for (const suffix of ["-wal", "-journal"]) fs.rmSync(path + suffix, { force: true });
    // The page's type: no page of a table begins like this.
    flipByte(path, (page - 1) * 4096);
    const storage = await open(directory);
    const { entries, beforeFirst, voteFloor } = storage.recovered;
    assertEntries(entries, entriesOf(beforeFirst.index + 1, 2, entries.length));
    assert.match(storage.warning ?? "none", /SQLite cannot read entry \d+/u);
    assert.ok(beforeFirst.index === 5 || voteFloor !== null, `page ${page}`);
    if (voteFloor !== null) cuts += 1;
    await storage.close();
    const again = await open(directory);
    assert.equal(again.warning, null);
    assert.deepEqual(again.recovered.voteFloor, voteFloor);
    assertEntries(again.recovered.entries, entries);
    await again.close();
  }
  assert.ok(cuts >= 3, `${cuts} pages`);
});

test("openStorage: keeps of a page what it read of it first, when SQLite reads more of it later", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState = { currentTerm: 4, votedFor: "n1", commitIndex: 2000 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 2, 2000) });
  await storage.close();
  const path = join(directory, "raft.db");
  const page = logLeaves(fs.readFileSync(path))[1] ?? assert.fail("the log is in one page");
  // Where the page's row 20 begins: no page of it is so large.
  flipByte(path, (page - 1) * 4096 + 8 + 2 * 20);
  const opened = await open(directory);
  t.after(() => opened.close());
  const { entries, hardState: found } = opened.recovered;
  assert.match(opened.warning ?? "none", new RegExp(`entry ${entries.length + 1}$`, "u"));
  assert.ok(entries.length > 0);
  assertEntries(entries, entriesOf(1, 2, entries.length));
  assert.equal(found.commitIndex, entries.length);
});

test("openStorage: refuses tables that are not those that were made", async (t) => {
  // A column's name, and a constraint that every write would break.
  for (const text of ["votedFor    TEXT", "commitIndex >= 0"]) {
    const directory = await withLog(t);
    const path = join(directory, "raft.db");
    const offset = fs.readFileSync(path).indexOf(text);
    assert.ok(offset > 0, `${text} is not in the file`);
    const database = fs.readFileSync(path);
    database.write(text.startsWith("voted") ? "votedFOr" : "commitIndex < 0 ", offset, "latin1");
    fs.writeFileSync(path, database);
    await assert.rejects(open(directory), { code: "damaged" });
  }
});

test("openStorage: calls a schema that no statement fits damaged, not a fault of the disk", async (t) => {
  const directory = await withLog(t);
  const path = join(directory, "raft.db");
  const database = fs.readFileSync(path);
  database.write("votedFar", database.indexOf("votedFor    TEXT"), "latin1");
  fs.writeFileSync(path, database);
  await assert.rejects(open(directory), { code: "damaged" });
});

/** Some pages of the file that hold rows of the log, each with many. */
function logLeaves(file: Buffer): number[] {
  const pages: number[] = [];
  for (let page = 2; page * 4096 <= file.length; page += 1) {
    const bytes = file.subarray((page - 1) * 4096, page * 4096);
    const isLeaf = bytes[0] === 0x0d && bytes.readUInt16BE(3) > 40;
    if (isLeaf && bytes.includes("of term 2")) pages.push(page);
  }
  return pages.filter((_, position) => position % 9 === 0 || position === pages.length - 1);
}

test("openStorage: a directory that it refuses keeps every file (rule 58)", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState = { currentTerm: 4, votedFor: "n1", commitIndex: 6 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 2, 8) });
  const point = pointAt(5, 2);
  await makeSnapshot(storage, point);
  const snapshot = { point, beforeFirst: { index: 3, term: 2 }, keepsLog: true };
  await persist(storage, { sequence: 2, hardState: null, entries: [], snapshot });
  await storage.close();
  const folder = join(directory, "snapshots");
  fs.copyFileSync(join(folder, "5-2.snap"), join(folder, "9-2.snap"));
  change(directory, "UPDATE log_bounds SET checksum = checksum + 1");
  await assert.rejects(open(directory), { code: "damaged" });
  assert.deepEqual(fs.readdirSync(folder).toSorted(), ["5-2.snap", "9-2.snap"]);
});
