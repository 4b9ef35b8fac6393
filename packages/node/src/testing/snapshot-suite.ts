import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type {
  SnapshotName,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotStore,
} from "../ports/snapshot-store.ts";

/** One life of a store, beside the storage that switches to its files. */
export interface OpenSnapshotStore {
  readonly snapshots: SnapshotStore;
  /** Makes the stored state begin with the snapshot at this point, durably. */
  readonly switchTo: (lastIncludedIndex: number, lastIncludedTerm: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** One place that a {@link SnapshotStore} keeps its files in. */
export interface SnapshotPlace {
  /** Opens it: the first time without a snapshot. The one before was closed. */
  open(): Promise<OpenSnapshotStore>;
  /** Removes it, with whatever is still open. */
  dispose(): void;
}

/**
 * Registers the tests that every {@link SnapshotStore} passes.
 *
 * @param makePlace makes a new, empty place for each test.
 */
export function snapshotStoreContract(name: string, makePlace: () => SnapshotPlace): void {
  const claim = (title: string, body: (place: SnapshotPlace) => Promise<void>): void => {
    void test(`${name}: ${title}`, async () => {
      const place = makePlace();
      try {
        await body(place);
      } finally {
        place.dispose();
      }
    });
  };
  void describe(`${name} keeps the contract of SnapshotStore (Raft §7)`, () => {
    claim("has no snapshot at first", hasNone);
    claim("counts a file from the switch on, and keeps it", countsFromSwitch);
    claim("removes what was never switched to", forgetsUnswitched);
    claim("keeps a replaced snapshot readable until it is closed", keepsReadable);
    claim("takes in what another store sends, in pieces", receives);
    claim("resumes what it received of the same bytes, also after a restart", resumes);
    claim("starts anew for other bytes", startsAnew);
    claim("finds that what it received is not what was sent", findsUnsound);
    claim("takes in nothing beyond the announced length", refusesTooLong);
    claim("gives up what is aborted", aborts);
  });
}

/** Pieces that differ from each other, some of them large. */
function piecesOf(seed: number): Uint8Array[] {
  return [1000, 1, 300_000, 0, 70_000].map((length, piece) =>
    new Uint8Array(length).map((_, offset) => (offset * 31 + piece * 7 + seed) % 251),
  );
}

function contentOf(pieces: readonly Uint8Array[]): Buffer {
  return Buffer.concat(pieces);
}

/** Writes and finishes a snapshot; it is durable then, and not switched to. */
export async function writeSnapshot(
  store: SnapshotStore,
  lastIncludedIndex: number,
  lastIncludedTerm: number,
  pieces: readonly Uint8Array[],
): Promise<SnapshotName> {
  const writer = store.create(lastIncludedIndex, lastIncludedTerm);
  for (const piece of pieces) await new Promise<void>((done) => writer.write(piece, done));
  await new Promise<void>((done) => writer.finish(done));
  return writer.name;
}

/** All bytes of a snapshot. */
async function readSnapshot(reader: SnapshotReader, stepBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let offset = 0; ;) {
    const chunk = await readAt(reader, offset, stepBytes);
    if (chunk.length === 0) return Buffer.concat(chunks);
    assert.ok(chunk.length <= stepBytes);
    offset += chunk.length;
    chunks.push(chunk);
  }
}

function readAt(reader: SnapshotReader, offset: number, maxBytes: number): Promise<Uint8Array> {
  return new Promise((done) => reader.read(offset, new Uint8Array(maxBytes), done));
}

function storePiece(receiver: SnapshotReceiver, chunk: Uint8Array): Promise<void> {
  return new Promise((done) => receiver.write(chunk, done));
}

function finish(receiver: SnapshotReceiver): Promise<boolean> {
  return new Promise((done) => receiver.finish(done));
}

function opened(snapshots: SnapshotStore): SnapshotReader {
  const reader = snapshots.open();
  assert.ok(reader !== null, "there is no snapshot");
  return reader;
}

async function hasNone(place: SnapshotPlace): Promise<void> {
  const { snapshots, close } = await place.open();
  assert.equal(snapshots.open(), null);
  await close();
}

async function countsFromSwitch(place: SnapshotPlace): Promise<void> {
  const first = await place.open();
  const pieces = piecesOf(1);
  const name = await writeSnapshot(first.snapshots, 5, 2, pieces);
  assert.equal(first.snapshots.open(), null);
  await first.switchTo(5, 2);
  const reader = opened(first.snapshots);
  assert.deepEqual(reader.name, name);
  assert.equal(reader.totalBytes, contentOf(pieces).length);
  assert.ok(contentOf(pieces).equals(await readSnapshot(reader, 4096)));
  reader.close();
  await first.close();
  const second = await place.open();
  const again = opened(second.snapshots);
  assert.deepEqual(again.name, name);
  assert.ok(contentOf(pieces).equals(await readSnapshot(again, 100_000)));
  again.close();
  await second.close();
}

async function forgetsUnswitched(place: SnapshotPlace): Promise<void> {
  const first = await place.open();
  await writeSnapshot(first.snapshots, 5, 2, piecesOf(1));
  await first.switchTo(5, 2);
  await writeSnapshot(first.snapshots, 7, 2, piecesOf(2));
  const unfinished = first.snapshots.create(8, 2);
  await new Promise<void>((done) => unfinished.write(new Uint8Array(10), done));
  await first.close();
  const second = await place.open();
  const reader = opened(second.snapshots);
  assert.equal(reader.name.lastIncludedIndex, 5);
  reader.close();
  await writeSnapshot(second.snapshots, 7, 2, piecesOf(3));
  await second.switchTo(7, 2);
  const newer = opened(second.snapshots);
  assert.ok(contentOf(piecesOf(3)).equals(await readSnapshot(newer, 100_000)));
  newer.close();
  await second.close();
}

async function keepsReadable(place: SnapshotPlace): Promise<void> {
  const { snapshots, switchTo, close } = await place.open();
  await writeSnapshot(snapshots, 5, 2, piecesOf(1));
  await switchTo(5, 2);
  const old = opened(snapshots);
  const begin = await readAt(old, 0, 500);
  await writeSnapshot(snapshots, 9, 3, piecesOf(2));
  await switchTo(9, 3);
  const rest = await readAt(old, 500, 1_000_000);
  assert.ok(contentOf(piecesOf(1)).equals(Buffer.concat([begin, rest])));
  old.close();
  const reader = opened(snapshots);
  assert.equal(reader.name.lastIncludedIndex, 9);
  assert.ok(contentOf(piecesOf(2)).equals(await readSnapshot(reader, 50_000)));
  reader.close();
  await close();
}

/** A snapshot as a leader would send it: its name and bytes. The place is left without it. */
async function sent(place: SnapshotPlace): Promise<{ name: SnapshotName; content: Buffer }> {
  const { snapshots, switchTo, close } = await place.open();
  const pieces = piecesOf(4);
  const { snapshotId } = await writeSnapshot(snapshots, 3, 1, pieces);
  await switchTo(3, 1);
  const reader = opened(snapshots);
  assert.equal(reader.name.snapshotId, snapshotId);
  reader.close();
  await close();
  const name = { lastIncludedIndex: 6, lastIncludedTerm: 2, snapshotId };
  return { name, content: contentOf(pieces) };
}

async function receives(place: SnapshotPlace): Promise<void> {
  const { name, content } = await sent(place);
  const { snapshots, switchTo, close } = await place.open();
  const receiver = snapshots.receive(name, content.length);
  assert.deepEqual(receiver.name, name);
  for (let offset = 0; offset < content.length; offset += 64_000) {
    assert.equal(receiver.nextOffset, offset);
    await storePiece(receiver, content.subarray(offset, offset + 64_000));
  }
  assert.equal(receiver.nextOffset, content.length);
  assert.equal(await finish(receiver), true);
  await switchTo(6, 2);
  const reader = opened(snapshots);
  assert.deepEqual(reader.name, name);
  assert.ok(content.equals(await readSnapshot(reader, 100_000)));
  reader.close();
  await close();
}

async function resumes(place: SnapshotPlace): Promise<void> {
  const { name, content } = await sent(place);
  const first = await place.open();
  const begun = first.snapshots.receive(name, content.length);
  await storePiece(begun, content.subarray(0, 1000));
  begun.abort();
  const resumed = first.snapshots.receive(name, content.length);
  assert.equal(resumed.nextOffset, 1000);
  await storePiece(resumed, content.subarray(1000, 5000));
  await first.close();
  const second = await place.open();
  const again = second.snapshots.receive(name, content.length);
  assert.equal(again.nextOffset, 5000);
  await storePiece(again, content.subarray(5000));
  assert.equal(await finish(again), true);
  await second.switchTo(6, 2);
  const reader = opened(second.snapshots);
  assert.ok(content.equals(await readSnapshot(reader, 100_000)));
  reader.close();
  await second.close();
}

async function startsAnew(place: SnapshotPlace): Promise<void> {
  const { name, content } = await sent(place);
  const { snapshots, close } = await place.open();
  const others: readonly (readonly [SnapshotName, number])[] = [
    [{ ...name, snapshotId: "other" }, content.length],
    [{ ...name, lastIncludedIndex: 7 }, content.length],
    [{ ...name, lastIncludedTerm: 3 }, content.length],
    [name, content.length + 1],
  ];
  for (const [other, totalBytes] of others) {
    const begun = snapshots.receive(name, content.length);
    await storePiece(begun, content.subarray(0, 1000));
    assert.equal(begun.nextOffset, 1000);
    assert.equal(snapshots.receive(other, totalBytes).nextOffset, 0);
    assert.equal(snapshots.receive(name, content.length).nextOffset, 0, "the first is gone");
  }
  await close();
}

async function findsUnsound(place: SnapshotPlace): Promise<void> {
  const { name, content } = await sent(place);
  const { snapshots, close } = await place.open();
  const changed = Buffer.from(content);
  changed[2000] = (changed[2000] ?? 0) ^ 1;
  for (const bytes of [changed, content.subarray(0, -1)]) {
    const receiver = snapshots.receive(name, content.length);
    assert.equal(receiver.nextOffset, 0, "what was not sound is gone");
    await storePiece(receiver, bytes);
    assert.equal(await finish(receiver), false);
  }
  await close();
}

async function refusesTooLong(place: SnapshotPlace): Promise<void> {
  const { name, content } = await sent(place);
  const { snapshots, close } = await place.open();
  const receiver = snapshots.receive(name, content.length);
  await storePiece(receiver, content);
  await storePiece(receiver, Uint8Array.of(1));
  assert.equal(receiver.nextOffset, content.length);
  assert.equal(await finish(receiver), false);
  await close();
}

async function aborts(place: SnapshotPlace): Promise<void> {
  const { snapshots, switchTo, close } = await place.open();
  const given = snapshots.create(4, 1);
  let calls = 0;
  given.write(new Uint8Array(100_000), () => (calls += 1));
  given.abort();
  await writeSnapshot(snapshots, 4, 1, piecesOf(5));
  await switchTo(4, 1);
  const reader = opened(snapshots);
  assert.ok(contentOf(piecesOf(5)).equals(await readSnapshot(reader, 100_000)));
  reader.close();
  assert.equal(calls, 0, "done was called after abort");
  await close();
}
