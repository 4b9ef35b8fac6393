import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import type { LogEntry } from "@quorate/wire";

import { StorageError } from "../../src/storage/index.ts";
import { assertEntries, entriesOf, persist } from "../../src/testing/storage-suite.ts";
import { bootstrapped, crashImage, flipByte, open, walFrames } from "./data-place.ts";

interface StorageProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: AsyncIterator<string>;
}

function startProcess(t: TestContext, ...args: readonly string[]): StorageProcess {
  const program = fileURLToPath(import.meta.resolve("./storage-process.ts"));
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

async function nextLine(process: StorageProcess): Promise<string> {
  const { value, done } = await process.lines.next();
  assert.ok(done !== true, "the storage process ended early");
  return value;
}

async function remainingLines(process: StorageProcess): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const { value, done } = await process.lines.next();
    if (done === true) return lines;
    lines.push(value);
  }
}

/** The entries that the storage process writes, however its batches were cut. */
function expectedEntries(count: number): LogEntry[] {
  const entries: LogEntry[] = [];
  while (entries.length < count) {
    const index = entries.length + 1;
    entries.push(...entriesOf(index, 1 + Math.floor(index / 50), 1 + (index % 3)));
  }
  return entries.slice(0, count);
}

test("SqliteStorage: finds all that was durable after each of three SIGKILLs (Figure 2)", async (t) => {
  const directory = bootstrapped(t);
  let durable = 0;
  for (let round = 1; round <= 3; round += 1) {
    const writer = startProcess(t, directory, "write");
    assert.equal(await nextLine(writer), "open");
    for (let report = 0; report < 40 * round; report += 1) await nextLine(writer);
    writer.child.kill("SIGKILL");
    for (const line of await remainingLines(writer)) durable = Number(line.split(" ")[1]);
    const storage = await open(directory);
    const { entries, hardState } = storage.recovered;
    assert.ok(
      entries.length >= durable,
      `${durable} entries were durable, ${entries.length} found`,
    );
    assertEntries(entries, expectedEntries(entries.length));
    assert.equal(hardState.currentTerm, entries.at(-1)?.term);
    await storage.close();
  }
});

test("SqliteStorage: cuts a torn transaction and opens with what is before it", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 1, 3) });
  const data = new Uint8Array(20_000).fill(3);
  const large: LogEntry = { index: 4, term: 1, kind: "command", data };
  await persist(storage, { sequence: 2, hardState: null, entries: [large] });
  const truncated = crashImage(t, directory);
  const garbled = crashImage(t, directory);
  await storage.close();
  const last = walFrames(join(truncated, "raft.db-wal")).at(-1);
  assert.ok(last?.isCommit === true);
  fs.truncateSync(join(truncated, "raft.db-wal"), last.offset + 1000);
  flipByte(join(garbled, "raft.db-wal"), last.offset - last.bytes + 1000);
  for (const image of [truncated, garbled]) {
    const reopened = await open(image);
    assertEntries(reopened.recovered.entries, entriesOf(1, 1, 3));
    await persist(reopened, { sequence: 1, hardState: null, entries: entriesOf(4, 1, 2) });
    await reopened.close();
    const again = await open(image);
    assertEntries(again.recovered.entries, entriesOf(1, 1, 5));
    await again.close();
  }
});

test("SqliteStorage: opens again when a second crash follows a torn transaction", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };
  const data = new Uint8Array(60_000).fill(3);
  const large: LogEntry = { index: 1, term: 1, kind: "command", data };
  await persist(storage, { sequence: 1, hardState, entries: [large] });
  const image = crashImage(t, directory);
  await storage.close();
  const [, second] = walFrames(join(image, "raft.db-wal"));
  assert.ok(second !== undefined);
  flipByte(join(image, "raft.db-wal"), second.offset + 1000);
  const reopened = await open(image);
  assert.deepEqual(reopened.recovered.entries, []);
  await persist(reopened, { sequence: 1, hardState, entries: entriesOf(1, 1, 1) });
  const secondImage = crashImage(t, image);
  await reopened.close();
  const last = walFrames(join(secondImage, "raft.db-wal")).at(-1);
  assert.ok(last !== undefined);
  flipByte(join(secondImage, "raft.db-wal"), last.offset + 1000);
  const again = await open(secondImage);
  assert.deepEqual(again.recovered.entries, []);
  await again.close();
});

test("SqliteStorage: refuses a write-ahead log with damage before its end, and stays so", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };
  for (let index = 1; index <= 5; index += 1) {
    await persist(storage, { sequence: index, hardState, entries: entriesOf(index, 1, 1) });
  }
  const frameDamaged = crashImage(t, directory);
  const headerDamaged = crashImage(t, directory);
  await storage.close();
  const middle = walFrames(join(frameDamaged, "raft.db-wal"))[4];
  assert.ok(middle !== undefined);
  flipByte(join(frameDamaged, "raft.db-wal"), middle.offset + 1000);
  flipByte(join(headerDamaged, "raft.db-wal"), 17);
  for (const image of [frameDamaged, headerDamaged]) {
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      await assert.rejects(open(image), (error) => {
        assert.ok(error instanceof StorageError);
        assert.equal(error.code, "damaged");
        assert.match(error.message, /write-ahead log|durable are lost/u);
        return true;
      });
    }
  }
});

/** Each descriptor of the write-ahead log that a node has: SQLite's, then our own. */
const BROKEN_DESCRIPTORS = [
  ["SQLite's write", /^failed io 1 .*SQLITE_IOERR/u],
  ["the sync", /^failed io 1 .*EBADF.*fdatasync/u],
] as const;

for (const [position, [what, message]] of BROKEN_DESCRIPTORS.entries()) {
  const skip = process.platform === "linux" ? false : "takes descriptors from /proc";
  const title = `SqliteStorage: reports once that ${what} failed, and nothing as durable after it`;
  test(title, { skip }, async (t) => {
    const directory = bootstrapped(t);
    const writer = startProcess(t, directory, "break", String(position));
    const lines = await remainingLines(writer);
    assert.equal(lines[0], "open");
    assert.match(lines.at(-1) ?? "", message);
    const durable = lines.slice(1, -1);
    assert.ok(durable.length >= 5);
    assert.ok(durable.every((line) => line.startsWith("durable ")));
    const storage = await open(directory);
    const last = Number(durable.at(-1)?.split(" ")[1]);
    assert.ok(storage.recovered.entries.length >= last);
    await storage.close();
  });
}
