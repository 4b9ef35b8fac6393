import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatBytes,
  snapshotInstalled,
  snapshotSending,
  snapshotTaken,
} from "../../src/server/snapshot-events.ts";

const NAME = { lastIncludedIndex: 1040, lastIncludedTerm: 7, snapshotId: "a" };

test("snapshot events: say where it ends, how large it is and how long it took", () => {
  const work = { bytes: 64 * 1024 * 1024, durationMs: 1234 };
  assert.deepEqual(
    [
      snapshotTaken(NAME, work).text,
      snapshotSending("n3", NAME, work.bytes).text,
      snapshotInstalled(NAME, work).text,
    ],
    [
      "took a snapshot at 1040@7, 64 MiB in 1.2 s",
      "began to send n3 the snapshot at 1040@7, 64 MiB",
      "took over the leader's snapshot at 1040@7, 64 MiB in 1.2 s",
    ],
  );
});

test("snapshot events: sizes have two or three digits and a unit", () => {
  assert.deepEqual([0, 700, 10_240, 1_048_576, 1.5 * 2 ** 30, 2 ** 50].map(formatBytes), [
    "0.0 KiB",
    "0.7 KiB",
    "10 KiB",
    "1.0 MiB",
    "1.5 GiB",
    "1024 TiB",
  ]);
});
