import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { SimDisk } from "@quorate/node/testing";
import type { PersistBatch } from "../../src/raft/index.ts";

const configuration = configurationOf({ voters: ["n1"] });

function entry(index: number, term: number): LogEntry {
  return { index, term, kind: "command", data: Buffer.from(`${index}@${term}`) };
}

function batch(sequence: number, entries: readonly LogEntry[], term?: number): PersistBatch {
  const hardState =
    term === undefined ? null : { currentTerm: term, votedFor: null, commitIndex: 0 };
  return { sequence, hardState, entries };
}

function stored(disk: SimDisk): string[] {
  return disk.recover().entries.map(({ index, term }) => `${index}@${term}`);
}

test("SimDisk: what was not synced is not durable, and a crash loses all but a prefix of it", () => {
  for (const survivors of [0, 1, 2, 3]) {
    const disk = new SimDisk(configuration, () => {});
    disk.write(batch(1, [entry(1, 1)], 1));
    disk.write(batch(2, [entry(2, 1)]));
    disk.write(batch(3, [entry(3, 2)], 2));
    assert.deepEqual(stored(disk), []);
    disk.crash(survivors);
    assert.deepEqual(stored(disk), ["1@1", "2@1", "3@2"].slice(0, survivors));
    assert.equal(disk.hardState.currentTerm, [0, 1, 1, 2][survivors]);
    assert.equal(disk.unsyncedBatches, 0);
  }
});

test("SimDisk: a batch replaces the log from its first entry on", () => {
  const disk = new SimDisk(configuration, () => {});
  disk.write(batch(1, [entry(1, 1), entry(2, 1), entry(3, 1)], 1));
  disk.sync(1);
  const before = disk.chainHashAt(2);
  disk.write(batch(2, [entry(2, 2)], 2));
  disk.sync(1);
  assert.deepEqual(stored(disk), ["1@1", "2@2"]);
  assert.equal(disk.lastTerm, 2);
  assert.notEqual(disk.chainHashAt(2), before);
  assert.equal(disk.chainHashAt(3), null);
});

test("SimDisk: keeps the bytes that it was given, whatever becomes of the caller's", () => {
  const disk = new SimDisk(configuration, () => {});
  const data = Buffer.from("given");
  disk.write(batch(1, [{ index: 1, term: 1, kind: "command", data }], 1));
  data.fill(0);
  disk.sync(1);
  assert.equal(Buffer.from(disk.recover().entries[0]?.data ?? []).toString(), "given");
});

test("SimDisk: a gap in the log is refused", () => {
  const disk = new SimDisk(configuration, () => {});
  disk.write(batch(1, [entry(2, 1)], 1));
  assert.throws(() => disk.sync(1), /a gap before entry 2/u);
});
