import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstallSnapshot } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { SnapshotChunk } from "../../src/raft/index.ts";
import { SnapshotIntake } from "../../src/server/snapshot-intake.ts";
import { SimSnapshotFiles, SimSnapshotStore } from "../../src/testing/sim-snapshot-store.ts";

const TOTAL_BYTES = 300;

class Scene {
  readonly files = new SimSnapshotFiles();
  readonly calls: (() => void)[] = [];
  /** `n2 100`: n2 is told that the next piece starts at 100. */
  readonly answers: string[] = [];
  readonly received: string[] = [];
  isInstalled = true;
  isSound = true;
  readonly intake: SnapshotIntake = new SnapshotIntake({
    store: new SimSnapshotStore({
      files: this.files,
      current: () => ({ lastIncludedIndex: 0, lastIncludedTerm: 0 }),
      later: (done) => this.calls.push(done),
      isSound: () => this.isSound,
    }),
    onStored: ({ from }, nextOffset) => this.answers.push(`${from} ${nextOffset}`),
    onReceived: ({ from, message }) => {
      this.received.push(`${from} ${message.lastIncludedIndex}`);
      return this.isInstalled;
    },
    onDamaged: (from) => this.answers.push(`${from} sent rubbish`),
  });

  take(chunk: SnapshotChunk): void {
    this.intake.take(chunk);
  }

  /** Ends the disk's call under way. */
  endCall(): void {
    const done = this.calls.shift();
    assert.ok(done !== undefined, "no call is under way");
    done();
  }

  endCalls(): void {
    while (this.calls.length > 0) this.endCall();
  }
}

function piece(offset: number, changes: Partial<InstallSnapshot> = {}, from = "n2"): SnapshotChunk {
  const message: InstallSnapshot = {
    type: "InstallSnapshot",
    term: 5,
    leaderId: from,
    lastIncludedIndex: 40,
    lastIncludedTerm: 4,
    configuration: configurationOf({ voters: ["n1", "n2", "n3"] }),
    configurationIndex: 0,
    snapshotId: "a",
    totalBytes: TOTAL_BYTES,
    offset,
    data: Buffer.alloc(100),
    done: offset === TOTAL_BYTES - 100,
    ...changes,
  };
  return { from, message };
}

test("SnapshotIntake: pieces are written in order, and each is answered once it is stored", () => {
  const scene = new Scene();
  scene.take(piece(0));
  scene.take(piece(100));
  assert.deepEqual(scene.answers, []);
  scene.endCall();
  assert.deepEqual(scene.answers, ["n2 100"]);
  scene.take(piece(200));
  scene.endCalls();
  assert.deepEqual(scene.answers, ["n2 100", "n2 200"]);
  assert.deepEqual(scene.received, ["n2 40"]);
});

test("SnapshotIntake: a piece that starts elsewhere is answered by where it should", () => {
  const scene = new Scene();
  scene.take(piece(200));
  assert.deepEqual(scene.answers, ["n2 0"]);
  scene.take(piece(0));
  scene.endCalls();
  scene.take(piece(0));
  assert.deepEqual(scene.answers, ["n2 0", "n2 100", "n2 100"]);
  assert.equal(scene.calls.length, 0, "it is not written twice");
});

test("SnapshotIntake: what all was stored before a crash needs no more than a word", () => {
  const scene = new Scene();
  const file = scene.files.create(
    { lastIncludedIndex: 40, lastIncludedTerm: 4, snapshotId: "a" },
    TOTAL_BYTES,
  );
  file.pieces = [Buffer.alloc(TOTAL_BYTES)];
  file.sizeBytes = TOTAL_BYTES;
  file.storedBytes = TOTAL_BYTES;
  scene.take(piece(0));
  scene.endCalls();
  assert.deepEqual(scene.received, ["n2 40"]);
});

test("SnapshotIntake: while one is finished, and until it is installed, nothing else is begun", () => {
  const scene = new Scene();
  for (const offset of [0, 100, 200]) scene.take(piece(offset));
  for (let stored = 0; stored < 3; stored++) scene.endCall();
  scene.take(piece(TOTAL_BYTES, { data: Buffer.alloc(0), done: true }));
  assert.equal(scene.calls.length, 1, "only the finish");
  scene.endCalls();
  const newer = piece(0, { lastIncludedIndex: 50, snapshotId: "b" });
  scene.take(newer);
  assert.equal(scene.calls.length, 0);
  assert.equal(scene.files.count, 1);
  scene.intake.installed();
  scene.take(newer);
  assert.equal(scene.calls.length, 1);
});

test("SnapshotIntake: a newer leader's own file wins, also while a piece is being written", () => {
  const scene = new Scene();
  scene.take(piece(0));
  const other = { term: 6, snapshotId: "b" };
  scene.take(piece(0, other, "n3"));
  scene.endCall();
  assert.deepEqual(scene.answers, [], "what was written is of no use any more");
  assert.equal(scene.files.count, 0);
  scene.take(piece(100));
  assert.equal(scene.intake.progress?.from, "n2", "the core lets no earlier term through");
});

test("SnapshotIntake: in one term an older snapshot's late piece changes nothing", () => {
  const scene = new Scene();
  scene.take(piece(0, { lastIncludedIndex: 50, snapshotId: "b" }));
  scene.take(piece(0));
  scene.endCalls();
  assert.equal(scene.intake.progress?.index, 50);
  scene.take(piece(0, { lastIncludedIndex: 60, snapshotId: "c" }));
  scene.endCalls();
  assert.equal(scene.intake.progress?.index, 60);
});

test("SnapshotIntake: one that is not sound begins again, one that came too late is removed", () => {
  const scene = new Scene();
  scene.isSound = false;
  for (const offset of [0, 100, 200]) scene.take(piece(offset));
  scene.endCalls();
  assert.deepEqual(scene.answers.slice(-2), ["n2 sent rubbish", "n2 0"]);
  scene.isSound = true;
  scene.isInstalled = false;
  for (const offset of [0, 100, 200]) scene.take(piece(offset));
  scene.endCalls();
  assert.equal(scene.files.count, 0);
  scene.take(piece(0));
  assert.notEqual(scene.intake.progress, null, "it is ready for another");
});

test("SnapshotIntake: pieces that contradict themselves are not taken", () => {
  const scene = new Scene();
  scene.take(piece(250));
  scene.take(piece(0, { done: true }));
  scene.take(piece(200, { done: false }));
  assert.equal(scene.intake.progress, null);
});

test("SnapshotIntake: what the log has brought meanwhile is given up", () => {
  const scene = new Scene();
  scene.take(piece(0));
  scene.intake.committed(39);
  assert.notEqual(scene.intake.progress, null);
  scene.intake.committed(40);
  assert.equal(scene.intake.progress, null);
  scene.endCalls();
  assert.equal(scene.files.count, 0);
});
