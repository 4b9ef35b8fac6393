import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { bootstrapDirectory } from "../../src/storage/index.ts";
import { writeSnapshot } from "../../src/testing/snapshot-suite.ts";
import { assertEntries, entriesOf, persist } from "../../src/testing/storage-suite.ts";
import { bootstrapOptions, open } from "./data-place.ts";

const DISK_MIB = 32;

/** A file system of 32 MiB that goes away with the test; null: this user may make none. */
function smallDisk(t: TestContext): string | null {
  const folder = fs.mkdtempSync(join(tmpdir(), "quorate-full-"));
  t.after(() => {
    // Lazily: the test's own files may still be closing.
    spawnSync("umount", ["-l", folder], { stdio: "ignore" });
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const options = ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "quorate-test", folder];
  if (process.platform !== "linux" || spawnSync("mount", options).status !== 0) return null;
  return folder;
}

test("SqliteStorage: waits on a full disk, and goes on when there is room (rule 54)", async (t) => {
  const disk = smallDisk(t);
  if (disk === null) {
    t.skip("takes the right to mount a tmpfs");
    return;
  }
  const directory = join(disk, "data");
  bootstrapDirectory(bootstrapOptions(directory));
  const storage = await open(directory);
  const hardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 1, 2) });
  const ballast = join(disk, "ballast");
  fs.writeFileSync(ballast, new Uint8Array(23 * 1024 * 1024));
  const data = new Uint8Array(1024 * 1024).fill(1);
  const large = entriesOf(3, 1, 10).map((entry) => ({ ...entry, data }));
  let isStored = false;
  const stored = persist(storage, { sequence: 2, hardState: null, entries: large }).then(() => {
    isStored = true;
  });
  while (storage.state() === "ok") await delay(5);
  await delay(600);
  assert.equal(isStored, false);
  fs.rmSync(ballast);
  await stored;
  while (storage.state() === "full") await delay(5);
  await storage.close();
  const reopened = await open(directory);
  assertEntries(reopened.recovered.entries, [...entriesOf(1, 1, 2), ...large]);
  await reopened.close();
});

test("FileSnapshotStore: waits on a full disk, and goes on when there is room", async (t) => {
  const disk = smallDisk(t);
  if (disk === null) {
    t.skip("takes the right to mount a tmpfs");
    return;
  }
  const directory = join(disk, "data");
  bootstrapDirectory(bootstrapOptions(directory));
  const storage = await open(directory);
  const ballast = join(disk, "ballast");
  fs.writeFileSync(ballast, new Uint8Array(21 * 1024 * 1024));
  const pieces = Array.from({ length: 5 }, () => new Uint8Array(1024 * 1024).fill(3));
  let isWritten = false;
  const written = writeSnapshot(storage.snapshots, 5, 1, pieces).then(() => {
    isWritten = true;
  });
  while (storage.state() === "ok") await delay(5);
  await delay(600);
  assert.equal(isWritten, false);
  fs.rmSync(ballast);
  await written;
  assert.equal(storage.state(), "ok");
  const hardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 1, 1) });
  await storage.close();
  const reopened = await open(directory);
  assertEntries(reopened.recovered.entries, entriesOf(1, 1, 1));
  await reopened.close();
});
