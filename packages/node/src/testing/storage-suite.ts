import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { configurationOf } from "@quorate/wire";
import type { LogEntry, LogIndex, Term } from "@quorate/wire";

import type { Storage } from "../ports/storage.ts";
import type { HardState, PersistBatch, RecoveredState, SnapshotPoint } from "../raft/index.ts";

/** One place that a {@link Storage} keeps its state in, from its bootstrap on. */
export interface StoragePlace {
  /** Opens it: the first time with an empty log in term 0. The one before was closed. */
  open(): Promise<Storage>;
  /** Makes a durable snapshot, whatever is in it, that a batch to `storage` may switch to. */
  makeSnapshot(storage: Storage, point: SnapshotPoint): Promise<void>;
  /** Removes it, with whatever is still open. */
  dispose(): void;
}

/**
 * Registers the tests that every {@link Storage} passes.
 *
 * @param makePlace makes a new, bootstrapped place for each test.
 */
export function storageContract(name: string, makePlace: () => StoragePlace): void {
  const claim = (title: string, body: (place: StoragePlace) => Promise<void>): void => {
    void test(`${name}: ${title}`, async () => {
      const place = makePlace();
      try {
        await body(place);
      } finally {
        place.dispose();
      }
    });
  };
  void describe(`${name} keeps the contract of Storage`, () => {
    claim("begins with an empty log in term 0", beginsEmpty);
    claim("finds state and entries again when it is reopened (Figure 2)", findsAgain);
    claim("leaves alone what a batch does not name", leavesAlone);
    claim("replaces the log from the first entry of a batch on (§5.3)", replacesSuffix);
    claim("calls done once for each batch, in order, and not before persist returns", callsDone);
    claim("calls done for a batch that changes nothing", callsDoneForNothing);
    claim("keeps large batches and large entries whole", keepsLargeBatches);
    claim("keeps the bytes an entry had when it was handed over", keepsViews);
    claim("makes earlier batches durable before it is closed", flushesOnClose);
    claim("begins the log after a snapshot, and keeps what follows it (§7)", switchesKeepingLog);
    claim("drops the log that a snapshot takes the place of (§7)", switchesDroppingLog);
    claim("stores entries in the batch that drops the log before them", switchesWithEntries);
    claim("takes no fewer bytes for more entries", reportsSize);
  });
}

async function beginsEmpty(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  assert.deepEqual(storage.recovered.hardState, { currentTerm: 0, votedFor: null, commitIndex: 0 });
  assert.deepEqual(storage.recovered.entries, []);
  assert.equal(storage.recovered.snapshot.lastIncludedIndex, 0);
  assert.equal(storage.recovered.snapshot.lastIncludedTerm, 0);
  await storage.close();
}

async function findsAgain(place: StoragePlace): Promise<void> {
  const first = await place.open();
  const hardState: HardState = { currentTerm: 7, votedFor: "n2", commitIndex: 2 };
  const entries: LogEntry[] = [
    { index: 1, term: 3, kind: "noop", data: new Uint8Array(0) },
    { index: 2, term: 3, kind: "configuration", data: bytes("voters") },
    { index: 3, term: 7, kind: "command", data: Uint8Array.of(0, 255, 13, 10, 0) },
  ];
  await persist(first, { sequence: 1, hardState, entries });
  const { snapshot } = first.recovered;
  await first.close();
  const recovered = await recoverAgain(place);
  assert.deepEqual(recovered.hardState, hardState);
  assertEntries(recovered.entries, entries);
  assert.deepEqual(recovered.snapshot, snapshot);
}

async function leavesAlone(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  const hardState: HardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };
  const entries = entriesOf(1, 1, 3);
  await persist(storage, { sequence: 1, hardState, entries: [] });
  await persist(storage, { sequence: 2, hardState: null, entries });
  await storage.close();
  const recovered = await recoverAgain(place);
  assert.deepEqual(recovered.hardState, hardState);
  assertEntries(recovered.entries, entries);
}

async function replacesSuffix(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  await persist(storage, {
    sequence: 1,
    hardState: { currentTerm: 2, votedFor: null, commitIndex: 0 },
    entries: entriesOf(1, 2, 6),
  });
  await persist(storage, {
    sequence: 2,
    hardState: { currentTerm: 3, votedFor: null, commitIndex: 1 },
    entries: entriesOf(3, 3, 2),
  });
  await storage.close();
  const recovered = await recoverAgain(place);
  assertEntries(recovered.entries, [...entriesOf(1, 2, 2), ...entriesOf(3, 3, 2)]);
}

async function callsDone(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  const calls: number[] = [];
  let isInPersist = false;
  const allDone = new Promise<void>((resolve) => {
    for (let sequence = 1; sequence <= 20; sequence += 1) {
      const hardState = { currentTerm: sequence, votedFor: null, commitIndex: 0 };
      isInPersist = true;
      storage.persist({ sequence, hardState, entries: entriesOf(sequence, sequence, 1) }, () => {
        assert.equal(isInPersist, false, "done was called from within persist");
        calls.push(sequence);
        if (sequence === 20) resolve();
      });
      isInPersist = false;
    }
  });
  await allDone;
  await nextTurn();
  await storage.close();
  assert.deepEqual(
    calls,
    Array.from({ length: 20 }, (_, offset) => offset + 1),
  );
}

async function callsDoneForNothing(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  await persist(storage, { sequence: 1, hardState: null, entries: [] });
  await storage.close();
  const recovered = await recoverAgain(place);
  assert.deepEqual(recovered.entries, []);
}

async function keepsLargeBatches(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  const large = new Uint8Array(1024 * 1024).map((_, offset) => offset * 31);
  const entries: LogEntry[] = [
    ...entriesOf(1, 1, 3000),
    { index: 3001, term: 1, kind: "command", data: large },
  ];
  const hardState: HardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  await persist(storage, { sequence: 1, hardState, entries });
  await storage.close();
  const recovered = await recoverAgain(place);
  assertEntries(recovered.entries, entries);
}

async function keepsViews(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  const frame = bytes("....first.second....");
  const entries: LogEntry[] = [
    { index: 1, term: 1, kind: "command", data: frame.subarray(4, 9) },
    { index: 2, term: 1, kind: "command", data: frame.subarray(10, 16) },
  ];
  const hardState: HardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  await persist(storage, { sequence: 1, hardState, entries });
  assert.equal(frame.byteLength, 20, "the caller's memory was taken away");
  await storage.close();
  const recovered = await recoverAgain(place);
  const texts = recovered.entries.map((entry) => new TextDecoder().decode(entry.data));
  assert.deepEqual(texts, ["first", "second"]);
}

async function flushesOnClose(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  let doneCalls = 0;
  for (let sequence = 1; sequence <= 10; sequence += 1) {
    const hardState: HardState = { currentTerm: 4, votedFor: "n3", commitIndex: 0 };
    storage.persist({ sequence, hardState, entries: entriesOf(sequence, 4, 1) }, () => {
      doneCalls += 1;
    });
  }
  await storage.close();
  const doneCallsAtClose = doneCalls;
  await nextTurn();
  assert.equal(doneCalls, doneCallsAtClose, "done was called after close");
  const recovered = await recoverAgain(place);
  assertEntries(recovered.entries, entriesOf(1, 4, 10));
}

/** A point with members that only it has. */
export function pointAt(lastIncludedIndex: LogIndex, lastIncludedTerm: Term): SnapshotPoint {
  const configuration = configurationOf({
    voters: ["n1", `n${lastIncludedIndex + 10}`],
    staging: ["n8"],
    addresses: [{ id: "n1", address: "127.0.0.1:7001" }],
    retired: ["n9"],
  });
  const configurationIndex = Math.max(0, lastIncludedIndex - 1);
  return { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex };
}

async function switchesKeepingLog(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  const hardState: HardState = { currentTerm: 2, votedFor: null, commitIndex: 8 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 2, 10) });
  const point = pointAt(7, 2);
  await place.makeSnapshot(storage, point);
  const beforeFirst = { index: 4, term: 2 };
  const snapshot = { point, beforeFirst, keepsLog: true };
  await persist(storage, { sequence: 2, hardState: null, entries: entriesOf(11, 2, 1), snapshot });
  await persist(storage, { sequence: 3, hardState: null, entries: entriesOf(10, 2, 1) });
  await storage.close();
  const recovered = await recoverAgain(place);
  assert.deepEqual(recovered.hardState, hardState);
  assert.deepEqual(recovered.snapshot, point);
  assert.deepEqual(recovered.beforeFirst, beforeFirst);
  assert.equal(recovered.voteFloor, null);
  assertEntries(recovered.entries, entriesOf(5, 2, 6));
}

async function switchesDroppingLog(place: StoragePlace): Promise<void> {
  const first = await place.open();
  const hardState: HardState = { currentTerm: 3, votedFor: null, commitIndex: 2 };
  await persist(first, { sequence: 1, hardState, entries: entriesOf(1, 2, 9) });
  const point = pointAt(7, 3);
  await place.makeSnapshot(first, point);
  const beforeFirst = { index: 7, term: 3 };
  const snapshot = { point, beforeFirst, keepsLog: false };
  await persist(first, { sequence: 2, hardState: null, entries: [], snapshot });
  await first.close();
  const second = await place.open();
  assert.deepEqual(second.recovered.snapshot, point);
  assert.deepEqual(second.recovered.beforeFirst, beforeFirst);
  assert.deepEqual(second.recovered.entries, []);
  await persist(second, { sequence: 1, hardState: null, entries: entriesOf(8, 3, 3) });
  await second.close();
  const recovered = await recoverAgain(place);
  assertEntries(recovered.entries, entriesOf(8, 3, 3));
}

async function switchesWithEntries(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  const before: HardState = { currentTerm: 3, votedFor: null, commitIndex: 2 };
  await persist(storage, { sequence: 1, hardState: before, entries: entriesOf(1, 2, 9) });
  const point = pointAt(6, 3);
  await place.makeSnapshot(storage, point);
  const hardState: HardState = { currentTerm: 4, votedFor: "n2", commitIndex: 7 };
  const snapshot = { point, beforeFirst: { index: 6, term: 3 }, keepsLog: false };
  await persist(storage, { sequence: 2, hardState, entries: entriesOf(7, 4, 2), snapshot });
  await storage.close();
  const recovered = await recoverAgain(place);
  assert.deepEqual(recovered.hardState, hardState);
  assert.deepEqual(recovered.snapshot, point);
  assertEntries(recovered.entries, entriesOf(7, 4, 2));
}

async function reportsSize(place: StoragePlace): Promise<void> {
  const storage = await place.open();
  const before = storage.sizeBytes();
  assert.ok(Number.isSafeInteger(before) && before >= 0);
  const data = new Uint8Array(512 * 1024);
  const entries = entriesOf(1, 1, 32).map((entry) => ({ ...entry, data }));
  const hardState: HardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  await persist(storage, { sequence: 1, hardState, entries });
  assert.ok(storage.sizeBytes() >= before + 32 * data.byteLength);
  await storage.close();
}

/** Fulfilled when `batch` is durable. */
export function persist(storage: Storage, batch: PersistBatch): Promise<void> {
  return new Promise((resolve) => storage.persist(batch, resolve));
}

/** `count` commands of `term` from `index` on, each with its own bytes. */
export function entriesOf(index: LogIndex, term: Term, count: number): LogEntry[] {
  return Array.from({ length: count }, (_, offset) => ({
    index: index + offset,
    term,
    kind: "command" as const,
    data: bytes(`entry ${index + offset} of term ${term}`),
  }));
}

/** Compares entries by value: `data` may be any view of the same bytes. */
export function assertEntries(actual: readonly LogEntry[], expected: readonly LogEntry[]): void {
  const plain = (entry: LogEntry): object => ({
    ...entry,
    data: Buffer.from(entry.data.buffer, entry.data.byteOffset, entry.data.byteLength),
  });
  assert.deepEqual(actual.map(plain), expected.map(plain));
}

/** What the place holds when it is opened once more; it is closed again. */
async function recoverAgain(place: StoragePlace): Promise<RecoveredState> {
  const storage = await place.open();
  const { recovered } = storage;
  await storage.close();
  return recovered;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
