import assert from "node:assert/strict";
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { bootstrapDirectory } from "../../src/storage/index.ts";
import { writeSnapshot } from "../../src/testing/snapshot-suite.ts";
import { bootstrapOptions, bootstrapped, open, temporaryFolder } from "./data-place.ts";

/** What this thread syncs and gives a name, in order, as `verb path`. */
function recordCalls(t: TestContext): string[] {
  const calls: string[] = [];
  const paths = new Map<number, string>();
  const { openSync, fsyncSync, linkSync } = fs;
  t.mock.method(fs, "openSync", (path: string, flags: string) => {
    const descriptor = openSync(path, flags);
    paths.set(descriptor, path);
    return descriptor;
  });
  t.mock.method(fs, "fsyncSync", (descriptor: number) => {
    fsyncSync(descriptor);
    calls.push(`sync ${paths.get(descriptor)}`);
  });
  t.mock.method(fs, "linkSync", (existing: string, to: string) => {
    linkSync(existing, to);
    calls.push(`name ${to}`);
  });
  recordAsyncCalls(t, calls);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return calls;
}

function recordAsyncCalls(t: TestContext, calls: string[]): void {
  const { open: openFile, rename } = promises;
  t.mock.method(promises, "rename", async (from: string, to: string) => {
    await rename(from, to);
    calls.push(`name ${to}`);
  });
  t.mock.method(promises, "open", async (path: string, flags: string) => {
    const handle = await openFile(path, flags);
    for (const name of ["sync", "datasync"] as const) {
      const sync = handle[name].bind(handle);
      handle[name] = async () => {
        await sync();
        calls.push(`sync ${path}`);
      };
    }
    return handle;
  });
}

/** The first name that was given fits `expected`; its file was synced before, its folder after. */
function assertSyncedAround(calls: readonly string[], expected: RegExp): void {
  const named = calls.findIndex((call) => call.startsWith("name "));
  const path = calls[named]?.slice("name ".length) ?? "";
  assert.match(path, expected);
  const folder = dirname(path);
  const synced = (part: readonly string[]): string[] =>
    part.filter((call) => call.startsWith("sync ")).map((call) => call.slice("sync ".length));
  const before = synced(calls.slice(0, named)).map((file) => dirname(file));
  assert.ok(before.includes(folder), calls.join("\n"));
  assert.ok(synced(calls.slice(named)).includes(folder), calls.join("\n"));
}

test("bootstrapDirectory: syncs the file before it has its name, and the folder after (rule 57)", (t) => {
  const directory = join(temporaryFolder(t), "data");
  const calls = recordCalls(t);
  bootstrapDirectory(bootstrapOptions(directory));
  assertSyncedAround(calls, /data\/raft\.db$/u);
  assert.ok(calls.includes(`sync ${dirname(directory)}`), "the new directory's own name");
});

test("FileSnapshotStore: syncs the file before it has its name, and the folder after (rule 57)", async (t) => {
  const directory = bootstrapped(t);
  const calls = recordCalls(t);
  const storage = await open(directory);
  await writeSnapshot(storage.snapshots, 5, 1, [new Uint8Array(100)]);
  await storage.close();
  assertSyncedAround(calls, /snapshots\/.*\.snap$/u);
});
