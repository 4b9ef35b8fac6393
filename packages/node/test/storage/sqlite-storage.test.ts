import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import SqliteDatabase from "better-sqlite3";
import fc from "fast-check";
import type { EntryId, LogEntry } from "@quorate/wire";

import { InvariantError } from "../../src/raft/index.ts";
import type {
  HardState,
  PersistBatch,
  RecoveredState,
  SnapshotPoint,
  SnapshotSwitch,
} from "../../src/raft/index.ts";
import { bootstrapDirectory } from "../../src/storage/index.ts";
import type { SqliteStorage } from "../../src/storage/index.ts";
import {
  assertEntries,
  entriesOf,
  persist,
  pointAt,
  storageContract,
} from "../../src/testing/storage-suite.ts";
import {
  bootstrapOptions,
  bootstrapped,
  crashImage,
  makeSnapshot,
  open,
  temporaryFolder,
} from "./data-place.ts";

const TERM_1: HardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };

storageContract("SqliteStorage", () => {
  const folder = fs.mkdtempSync(join(tmpdir(), "quorate-contract-"));
  const directory = join(folder, "data");
  bootstrapDirectory(bootstrapOptions(directory));
  return {
    open: () => open(directory),
    makeSnapshot: (storage, point) => makeSnapshot(storage as SqliteStorage, point),
    dispose: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
});

test("SqliteStorage: shows currentTerm, votedFor and the log to any SQLite tool", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  await persist(storage, { sequence: 1, hardState: TERM_1, entries: entriesOf(1, 1, 2) });
  await storage.close();
  assert.deepEqual(fs.readdirSync(directory), ["raft.db"]);
  const database = new SqliteDatabase(join(directory, "raft.db"), { readonly: true });
  t.after(() => database.close());
  assert.deepEqual(database.prepare("SELECT currentTerm, votedFor FROM hard_state").all(), [
    { currentTerm: 1, votedFor: "n1" },
  ]);
  const rows = database.prepare("SELECT idx, term, kind, CAST(data AS TEXT) data FROM log").all();
  assert.deepEqual(rows, [
    { idx: 1, term: 1, kind: "command", data: "entry 1 of term 1" },
    { idx: 2, term: 1, kind: "command", data: "entry 2 of term 1" },
  ]);
  assert.equal(database.pragma("auto_vacuum", { simple: true }), 2);
  assert.equal(database.pragma("integrity_check", { simple: true }), "ok");
});

test("SqliteStorage: keeps the write-ahead log within its prefilled size", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const walPath = join(directory, "raft.db-wal");
  const prefilledBytes = fs.statSync(walPath).size;
  const data = new Uint8Array(512 * 1024).fill(7);
  for (let index = 1; index <= 64; index += 1) {
    const entries: LogEntry[] = [{ index, term: 1, kind: "command", data }];
    await persist(storage, { sequence: index, hardState: TERM_1, entries });
  }
  assert.equal(fs.statSync(walPath).size, prefilledBytes);
  await storage.close();
});

test("SqliteStorage: finds entries again after a checkpoint while idle", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const data = new Uint8Array(512 * 1024).fill(9);
  const entries = entriesOf(1, 1, 4).map((entry) => ({ ...entry, data }));
  await persist(storage, { sequence: 1, hardState: TERM_1, entries });
  const databasePath = join(directory, "raft.db");
  while (fs.statSync(databasePath).size < 4 * data.byteLength) await delay(5);
  await persist(storage, { sequence: 2, hardState: null, entries: entriesOf(5, 1, 1) });
  await storage.close();
  const reopened = await open(directory);
  assertEntries(reopened.recovered.entries, [...entries, ...entriesOf(5, 1, 1)]);
  await reopened.close();
});

test("SqliteStorage: keeps where members are reached, and changes of it", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  assert.equal(storage.addresses.get("n2"), "127.0.0.1:7002");
  await storage.persistAddress("n2", "10.0.0.2:7001");
  await storage.close();
  const reopened = await open(directory);
  assert.deepEqual(
    [...reopened.addresses],
    [
      ["n1", "127.0.0.1:7001"],
      ["n2", "10.0.0.2:7001"],
      ["n3", "127.0.0.1:7003"],
    ],
  );
  await reopened.close();
});

test("SqliteStorage: refuses batches that would break the log, before storing them", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState: HardState = { currentTerm: 3, votedFor: "n1", commitIndex: 2 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 3, 4) });
  const broken: readonly (readonly [RegExp, Omit<PersistBatch, "sequence">])[] = [
    [/gap/u, { hardState: null, entries: entriesOf(6, 3, 1) }],
    [/committed/u, { hardState: null, entries: entriesOf(2, 3, 1) }],
    [/term 4 in term 3/u, { hardState: null, entries: entriesOf(5, 4, 1) }],
    [/falls/u, { hardState: { ...hardState, currentTerm: 2 }, entries: [] }],
    [/second vote/u, { hardState: { ...hardState, votedFor: "n2" }, entries: [] }],
    [/second vote/u, { hardState: { ...hardState, votedFor: null }, entries: [] }],
    [/beyond/u, { hardState: { ...hardState, commitIndex: 5 }, entries: [] }],
    [/currentTerm/u, { hardState: { ...hardState, currentTerm: 2 ** 53 }, entries: [] }],
  ];
  for (const [reason, batch] of broken) {
    const attempt = (): void => storage.persist({ sequence: 2, ...batch }, () => undefined);
    assert.throws(
      attempt,
      (error) => error instanceof InvariantError && reason.test(error.message),
    );
  }
  await storage.close();
  const reopened = await open(directory);
  assert.deepEqual(reopened.recovered.hardState, hardState);
  assertEntries(reopened.recovered.entries, entriesOf(1, 3, 4));
  await reopened.close();
});

test("SqliteStorage: keeps a batch that finds no room, and stores it when there is some", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory, { sizeMaxBytes: 256 * 1024 });
  await persist(storage, { sequence: 1, hardState: TERM_1, entries: entriesOf(1, 1, 2) });
  assert.equal(storage.state(), "ok");
  const calls: number[] = [];
  const large: LogEntry = { index: 3, term: 1, kind: "command", data: new Uint8Array(1024 * 1024) };
  const stored = Promise.all([
    persist(storage, { sequence: 2, hardState: null, entries: [large] }).then(() => calls.push(2)),
    persist(storage, { sequence: 3, hardState: null, entries: entriesOf(4, 1, 1) }).then(() =>
      calls.push(3),
    ),
  ]);
  while (storage.state() === "ok") await delay(5);
  await delay(700);
  assert.deepEqual(calls, [], "nothing is durable, also after a try of its own");
  storage.limitSize(64 * 1024 * 1024);
  await stored;
  assert.deepEqual(calls, [2, 3]);
  while (storage.state() === "full") await delay(5);
  await persist(storage, { sequence: 4, hardState: null, entries: entriesOf(5, 1, 1) });
  await storage.close();
  const reopened = await open(directory);
  assertEntries(reopened.recovered.entries, [...entriesOf(1, 1, 2), large, ...entriesOf(4, 1, 2)]);
  await reopened.close();
});

test("SqliteStorage: gives up what finds no room when it is closed", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory, { sizeMaxBytes: 256 * 1024 });
  const large: LogEntry = { index: 1, term: 1, kind: "command", data: new Uint8Array(1024 * 1024) };
  storage.persist({ sequence: 1, hardState: TERM_1, entries: [large] }, () => assert.fail("done"));
  while (storage.state() === "ok") await delay(5);
  await storage.close();
  const reopened = await open(directory);
  assert.deepEqual(reopened.recovered.entries, []);
  assert.equal(
    reopened.recovered.hardState.currentTerm,
    0,
    "a batch is stored whole or not at all",
  );
  await reopened.close();
});

/** How one random batch differs from what is there: all the model needs. */
interface Step {
  readonly keep: number;
  readonly sizes: readonly number[];
  readonly termUp: boolean;
  readonly reopen: boolean;
  /** How far a snapshot moves on, and how many entries before it stay; null: none is taken. */
  readonly compact: { readonly by: number; readonly trailing: number } | null;
  /** The snapshot is a leader's, and the log goes. */
  readonly install: boolean;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  keep: fc.nat({ max: 8 }),
  sizes: fc.array(fc.nat({ max: 6000 }), { maxLength: 6 }),
  termUp: fc.boolean(),
  reopen: fc.integer({ min: 0, max: 4 }).map((roll) => roll === 0),
  compact: fc.option(fc.record({ by: fc.nat({ max: 6 }), trailing: fc.nat({ max: 4 }) })),
  install: fc.integer({ min: 0, max: 3 }).map((roll) => roll === 0),
});

/** An array with a term, and a start that moves: what a storage must be, whatever happens. */
class Model {
  hardState: HardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  log: LogEntry[] = [];
  beforeFirst: EntryId = { index: 0, term: 0 };
  point: SnapshotPoint | null = null;

  get lastIndex(): number {
    return this.beforeFirst.index + this.log.length;
  }

  termAt(index: number): number {
    if (index === this.beforeFirst.index) return this.beforeFirst.term;
    return this.log[index - this.beforeFirst.index - 1]?.term ?? this.hardState.currentTerm;
  }

  /** The switch of `step`, done in the model; null: it has none. */
  switchOf(step: Step): SnapshotSwitch | null {
    const lastIncluded = this.point?.lastIncludedIndex ?? 0;
    const { compact, install } = step;
    if (compact === null || compact.by === 0) return null;
    const wanted = lastIncluded + compact.by;
    const index = install ? this.lastIndex + compact.by : Math.min(wanted, this.lastIndex);
    if (index <= lastIncluded) return null;
    const point = pointAt(index, this.termAt(index));
    const start = install ? index : Math.max(this.beforeFirst.index, index - compact.trailing);
    const beforeFirst = { index: start, term: this.termAt(start) };
    this.log = install ? [] : this.log.slice(start - this.beforeFirst.index);
    this.beforeFirst = beforeFirst;
    this.point = point;
    return { point, beforeFirst, keepsLog: !install };
  }

  /** The entries of `step`, done in the model. */
  entriesOf(step: Step): LogEntry[] {
    const committed = this.point?.lastIncludedIndex ?? 0;
    const kept = Math.max(this.lastIndex - step.keep, committed);
    const term = this.hardState.currentTerm;
    const entries = step.sizes.map((size, offset): LogEntry => {
      const index = kept + offset + 1;
      return { index, term, kind: "command", data: new Uint8Array(size).fill(index) };
    });
    if (entries.length === 0) return entries;
    this.log = [...this.log.slice(0, kept - this.beforeFirst.index), ...entries];
    return entries;
  }

  assertEqual(recovered: RecoveredState): void {
    assert.deepEqual(recovered.hardState, this.hardState);
    assert.deepEqual(recovered.beforeFirst, this.beforeFirst);
    if (this.point !== null) assert.deepEqual(recovered.snapshot, this.point);
    assert.equal(recovered.voteFloor, null);
    assertEntries(recovered.entries, this.log);
  }
}

test("SqliteStorage: is an array with a term, whatever is written and reopened", async (t) => {
  const folder = temporaryFolder(t);
  let run = 0;
  const property = fc.asyncProperty(fc.array(STEP, { maxLength: 12 }), async (steps) => {
    run += 1;
    const directory = join(folder, `run-${run}`);
    bootstrapDirectory(bootstrapOptions(directory));
    let storage = await open(directory);
    const model = new Model();
    let sequence = 0;
    await persist(storage, {
      sequence: (sequence += 1),
      hardState: model.hardState,
      entries: [],
    });
    for (const step of steps) {
      const { currentTerm } = model.hardState;
      const snapshot = model.switchOf(step);
      if (step.termUp) model.hardState = { ...model.hardState, currentTerm: currentTerm + 1 };
      const entries = model.entriesOf(step);
      const hardState = step.termUp ? model.hardState : null;
      if (snapshot !== null) await makeSnapshot(storage, snapshot.point);
      const switched = snapshot === null ? {} : { snapshot };
      await persist(storage, { sequence: (sequence += 1), hardState, entries, ...switched });
      if (!step.reopen) continue;
      await storage.close();
      storage = await open(directory);
      sequence = 0;
      model.assertEqual(storage.recovered);
    }
    await storage.close();
    storage = await open(directory);
    model.assertEqual(storage.recovered);
    await storage.close();
    fs.rmSync(directory, { recursive: true });
  });
  await fc.assert(property, { numRuns: 12 });
});

test("SqliteStorage: removes what a snapshot replaced, and gives its room back", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const data = new Uint8Array(10_000).fill(5);
  const entries = entriesOf(1, 1, 3000).map((entry) => ({ ...entry, data }));
  for (let sequence = 1; sequence <= 30; sequence += 1) {
    const batch = entries.slice(sequence * 100 - 100, sequence * 100);
    await persist(storage, { sequence, hardState: TERM_1, entries: batch });
  }
  const fullBytes = storage.sizeBytes();
  const point = pointAt(2990, 1);
  await makeSnapshot(storage, point);
  const snapshot = { point, beforeFirst: { index: 2980, term: 1 }, keepsLog: true };
  await persist(storage, { sequence: 31, hardState: null, entries: [], snapshot });
  const atOnce = storage.sizeBytes();
  assert.ok(atOnce >= fullBytes, "the switch itself waits for none of it");
  while (storage.sizeBytes() > fullBytes / 2) await delay(5);
  await persist(storage, { sequence: 32, hardState: null, entries: entriesOf(3001, 1, 1) });
  await storage.close();
  const database = new SqliteDatabase(join(directory, "raft.db"), { readonly: true });
  t.after(() => database.close());
  const rows = database.prepare("SELECT min(idx) first, max(idx) last FROM log").get();
  assert.deepEqual(rows, { first: 2981, last: 3001 });
  assert.equal(database.pragma("integrity_check", { simple: true }), "ok");
});

test("SqliteStorage: ignores and removes what a crash left before the log's start", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  await persist(storage, { sequence: 1, hardState: TERM_1, entries: entriesOf(1, 1, 2000) });
  const point = pointAt(1990, 1);
  await makeSnapshot(storage, point);
  const snapshot = { point, beforeFirst: { index: 1985, term: 1 }, keepsLog: true };
  await persist(storage, { sequence: 2, hardState: null, entries: [], snapshot });
  const image = crashImage(t, directory);
  await storage.close();
  const count = new SqliteDatabase(join(image, "raft.db"));
  const left = count.prepare<[], number>("SELECT count(*) FROM log WHERE idx <= 1985").pluck();
  assert.ok((left.get() ?? 0) > 0, "the crash was too late to leave anything");
  count.close();
  const reopened = await open(image);
  assertEntries(reopened.recovered.entries, entriesOf(1986, 1, 15));
  // A step between every two batches.
  for (let sequence = 1; sequence <= 6; sequence += 1) {
    await persist(reopened, { sequence, hardState: null, entries: [] });
  }
  await reopened.close();
  const after = new SqliteDatabase(join(image, "raft.db"), { readonly: true });
  t.after(() => after.close());
  assert.equal(after.prepare("SELECT min(idx) FROM log").pluck().get(), 1986);
});

test("SqliteStorage: refuses switches that would lose entries, before storing them", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState: HardState = { currentTerm: 3, votedFor: "n1", commitIndex: 3 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 3, 4) });
  for (const index of [3, 9]) await makeSnapshot(storage, pointAt(index, 3));
  const at = (index: number): EntryId => ({ index, term: 3 });
  const broken: readonly (readonly [RegExp, SnapshotSwitch])[] = [
    [/file is not there/u, { point: pointAt(2, 3), beforeFirst: at(2), keepsLog: true }],
    [/begins after its snapshot/u, { point: pointAt(3, 3), beforeFirst: at(4), keepsLog: true }],
    [/before its snapshot/u, { point: pointAt(9, 3), beforeFirst: at(3), keepsLog: true }],
    [/beyond its end/u, { point: pointAt(9, 3), beforeFirst: at(9), keepsLog: true }],
  ];
  for (const [reason, snapshot] of broken) {
    const attempt = (): void =>
      storage.persist({ sequence: 2, hardState: null, entries: [], snapshot }, () => undefined);
    assert.throws(
      attempt,
      (error) => error instanceof InvariantError && reason.test(error.message),
    );
  }
  await storage.close();
});
