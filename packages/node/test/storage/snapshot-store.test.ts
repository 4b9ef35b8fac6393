import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { configurationOf } from "@quorate/wire";

import { bootstrapDirectory, StorageError } from "../../src/storage/index.ts";
import type { SqliteStorage } from "../../src/storage/index.ts";
import { snapshotStoreContract, writeSnapshot } from "../../src/testing/snapshot-suite.ts";
import { persist } from "../../src/testing/storage-suite.ts";
import { bootstrapOptions, bootstrapped, flipByte, open } from "./data-place.ts";

/** Switches to the file of this point, without any log. */
function switchTo(storage: SqliteStorage, sequence: number, index: number, term: number) {
  const configuration = configurationOf({ voters: ["n1", "n2", "n3"] });
  return persist(storage, {
    sequence,
    hardState: { currentTerm: term, votedFor: null, commitIndex: index },
    entries: [],
    snapshot: {
      point: {
        lastIncludedIndex: index,
        lastIncludedTerm: term,
        configuration,
        configurationIndex: 0,
      },
      beforeFirst: { index, term },
      keepsLog: false,
    },
  });
}

snapshotStoreContract("FileSnapshotStore", () => {
  const folder = fs.mkdtempSync(join(tmpdir(), "quorate-contract-"));
  const directory = join(folder, "data");
  bootstrapDirectory(bootstrapOptions(directory));
  return {
    async open() {
      const storage = await open(directory);
      let sequence = 0;
      return {
        snapshots: storage.snapshots,
        switchTo: (index, term) => switchTo(storage, (sequence += 1), index, term),
        close: () => storage.close(),
      };
    },
    dispose: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
});

/** A closed directory whose state begins with a snapshot at 5 of term 2. */
async function withSnapshot(t: TestContext): Promise<string> {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  await writeSnapshot(storage.snapshots, 5, 2, [new Uint8Array(300_000).fill(7)]);
  await switchTo(storage, 1, 5, 2);
  await storage.close();
  return directory;
}

test("FileSnapshotStore: leaves one file for each state, and none of what was given up", async (t) => {
  const directory = await withSnapshot(t);
  const folder = join(directory, "snapshots");
  assert.deepEqual(fs.readdirSync(folder), ["5-2.snap"]);
  for (const name of ["3-1.snap", "9-2.snap.00.part", "10-2.snap.00.part"]) {
    fs.writeFileSync(join(folder, name), "left by a crash");
  }
  fs.writeFileSync(join(folder, "notes.txt"), "mine");
  const storage = await open(directory);
  assert.deepEqual(fs.readdirSync(folder), ["5-2.snap", "notes.txt"]);
  await writeSnapshot(storage.snapshots, 8, 2, [new Uint8Array(10)]);
  assert.deepEqual(fs.readdirSync(folder).length, 3, "the old one stays until the switch");
  await switchTo(storage, 1, 8, 2);
  await storage.close();
  assert.deepEqual(fs.readdirSync(folder), ["8-2.snap", "notes.txt"]);
});

test("openStorage: refuses a snapshot with any byte changed, cut or gone (rule 58)", async (t) => {
  const directory = await withSnapshot(t);
  const path = join(directory, "snapshots", "5-2.snap");
  const whole = fs.readFileSync(path);
  const isDamaged = (error: unknown): boolean =>
    error instanceof StorageError &&
    error.code === "damaged" &&
    /5-2\.snap is damaged.*put a new node/u.test(error.message);
  for (const offset of [0, 9, 20, 45, 128, 200_000, whole.length - 1]) {
    flipByte(path, offset);
    await assert.rejects(open(directory), isDamaged, `byte ${offset}`);
    flipByte(path, offset);
  }
  fs.truncateSync(path, whole.length - 1);
  await assert.rejects(open(directory), isDamaged);
  fs.writeFileSync(path, whole);
  const storage = await open(directory);
  await storage.close();
  fs.rmSync(path);
  await assert.rejects(open(directory), isDamaged);
});
