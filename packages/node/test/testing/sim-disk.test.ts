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

function switchTo(index: number, keepsLog: boolean): PersistBatch {
  const beforeFirst = { index, term: 1 };
  const point = {
    lastIncludedIndex: index,
    lastIncludedTerm: 1,
    configuration,
    configurationIndex: 0,
  };
  return { sequence: 9, hardState: null, entries: [], snapshot: { point, beforeFirst, keepsLog } };
}

test("SimDisk: a snapshot takes the place of the start of the log, or of all of it (§7)", () => {
  const disk = new SimDisk(
    configuration,
    () => {},
    (index) => 1000 + index,
  );
  disk.write(batch(1, [entry(1, 1), entry(2, 1), entry(3, 1)], 1));
  disk.sync(1);
  const [at2, at3] = [disk.chainHashAt(2), disk.chainHashAt(3)];
  disk.write(switchTo(2, true));
  disk.crash(0);
  assert.deepEqual(stored(disk), ["1@1", "2@1", "3@1"]);
  disk.write(switchTo(2, true));
  disk.sync(1);
  assert.deepEqual(stored(disk), ["3@1"]);
  assert.deepEqual([disk.chainHashAt(2), disk.chainHashAt(3)], [at2, at3]);
  assert.equal(disk.chainHashAt(1), 1001, "what is below stands in the committed log");
  disk.write(switchTo(7, false));
  disk.sync(1);
  assert.deepEqual(stored(disk), []);
  assert.deepEqual([disk.lastIndex, disk.lastTerm, disk.chainHashAt(7)], [7, 1, 1007]);
  assert.equal(disk.recover().snapshot.lastIncludedIndex, 7);
});

test("SimDisk: damage cuts the log and leaves the vote floor until it is lifted (§5.4.1)", () => {
  const disk = new SimDisk(configuration, () => {});
  disk.write(batch(1, [entry(1, 1), entry(2, 1), entry(3, 2)], 2));
  disk.sync(1);
  disk.damage(2);
  assert.deepEqual(stored(disk), ["1@1"]);
  assert.deepEqual(disk.recover().voteFloor, { index: 3, term: 2 });
  disk.write({ ...batch(2, [entry(2, 1), entry(3, 2)]), clearsVoteFloor: true });
  disk.sync(1);
  assert.equal(disk.recover().voteFloor, null);
});
