import assert from "node:assert/strict";
import { test } from "node:test";
import { SnapshotTaker } from "../../src/server/snapshot-taker.ts";
import { SimSnapshotFiles, SimSnapshotStore } from "../../src/testing/sim-snapshot-store.ts";
import { SimClock } from "./sim-clock.ts";
import { TapeMachine } from "./snapshot-cluster.ts";

/** Larger than two pieces. */
const STATE_BYTES = 300 * 1024;

class Scene {
  readonly clock = new SimClock();
  readonly files = new SimSnapshotFiles();
  readonly machine = new TapeMachine();
  readonly taken: number[] = [];
  readonly calls: (() => void)[] = [];
  awaitedBytes: number | null = null;
  isOfUse = true;
  readonly taker: SnapshotTaker = new SnapshotTaker({
    store: new SimSnapshotStore({
      files: this.files,
      current: () => ({ lastIncludedIndex: 0, lastIncludedTerm: 0 }),
      later: (done) => this.calls.push(done),
    }),
    stateMachine: this.machine,
    clock: this.clock,
    logBytes: 1000,
    awaitedBytes: () => this.awaitedBytes,
    onTaken: ({ lastIncludedIndex }) => {
      this.taken.push(lastIncludedIndex);
      return this.isOfUse;
    },
  });

  constructor() {
    this.machine.tape = Buffer.alloc(STATE_BYTES, "a");
  }

  apply(index: number, bytes: number): void {
    this.taker.applied({ index, term: 1, kind: "command", data: Buffer.alloc(bytes) });
    this.taker.startIfDue();
  }

  /** Ends the disk's call, and lets the loop turn. */
  endCall(): void {
    const done = this.calls.shift();
    assert.ok(done !== undefined, "no call is under way");
    done();
    this.clock.pass(1);
  }
}

test("SnapshotTaker: one piece is on its way to the disk, and the end comes after all of them", () => {
  const scene = new Scene();
  scene.apply(7, 999);
  scene.clock.pass(1);
  for (let call = 0; call < 3; call++) {
    assert.equal(scene.calls.length, 1);
    assert.equal(scene.machine.isBeingRead, true);
    scene.endCall();
  }
  assert.deepEqual(scene.taken, [], "the file is not durable yet");
  assert.equal(scene.machine.isBeingRead, false, "the state is let go as soon as it is read");
  scene.endCall();
  assert.deepEqual(scene.taken, [7]);
  assert.equal(scene.files.count, 1);
});

test("SnapshotTaker: what is applied meanwhile counts for the next one", () => {
  const scene = new Scene();
  scene.apply(7, 1000);
  scene.clock.pass(1);
  scene.apply(8, 1000);
  assert.equal(scene.taker.takingIndex, 7);
  while (scene.calls.length > 0) scene.endCall();
  assert.deepEqual(scene.taken, [7]);
  scene.taker.startIfDue();
  assert.equal(scene.taker.takingIndex, 8);
});

test("SnapshotTaker: given up at any point it leaves no file and lets the state go", () => {
  for (let ended = 0; ended < 4; ended++) {
    const scene = new Scene();
    scene.apply(7, 1000);
    scene.clock.pass(1);
    for (let call = 0; call < ended; call++) scene.endCall();
    scene.taker.restart();
    assert.equal(scene.machine.isBeingRead, false);
    while (scene.calls.length > 0) scene.endCall();
    assert.deepEqual(scene.taken, []);
    assert.equal(scene.files.count, 0, `after ${ended} calls`);
    scene.taker.startIfDue();
    assert.equal(scene.taker.takingIndex, null, "a received state starts the count anew");
  }
});

test("SnapshotTaker: given up before its first piece it leaves no file", () => {
  const scene = new Scene();
  scene.apply(7, 1000);
  scene.taker.stop();
  scene.clock.pass(1);
  assert.equal(scene.files.count, 0);
  assert.equal(scene.calls.length, 0);
});

test("SnapshotTaker: a file that came too late is removed", () => {
  const scene = new Scene();
  scene.isOfUse = false;
  scene.apply(7, 1000);
  scene.clock.pass(1);
  while (scene.calls.length > 0) scene.endCall();
  assert.deepEqual(scene.taken, [7]);
  assert.equal(scene.files.count, 0);
});

test("SnapshotTaker: waits while one is sent, but not for ever", () => {
  const scene = new Scene();
  scene.awaitedBytes = 1;
  scene.apply(7, 3000);
  assert.equal(scene.taker.takingIndex, null);
  scene.apply(8, 1000);
  assert.equal(scene.taker.takingIndex, 8);
});

test("SnapshotTaker: a large one that is sent finds the log behind it still there (Raft §7)", () => {
  const scene = new Scene();
  scene.awaitedBytes = 10_000;
  scene.apply(7, 9000);
  assert.equal(scene.taker.takingIndex, null);
  scene.apply(8, 1000);
  assert.equal(scene.taker.takingIndex, 8);
});
