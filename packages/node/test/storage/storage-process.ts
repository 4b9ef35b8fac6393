/*
 * A process that opens a data directory and writes to it, for tests that kill it or take its files
 * away. Reports on standard output, one line each: `open`, `refused <code> <message>`,
 * `durable <index>`, `failed <code> <count> <message>`, `late <index>`.
 *
 * Arguments: the directory, and what to do: `hold` it, `write` to it for ever, or `break <n>`: as
 * `write`, and close the n-th descriptor of the write-ahead log after a while.
 */
import * as fs from "node:fs";

import { openStorage, StorageError } from "../../src/storage/index.ts";
import type { SqliteStorage } from "../../src/storage/index.ts";
import { entriesOf } from "../../src/testing/storage-suite.ts";

const [directory = "", task = "hold", place = "0"] = process.argv.slice(2);
let failures = 0;

/** Synchronous, so that a SIGKILL loses no report of a write that was durable. */
function report(line: string): void {
  fs.writeSync(1, `${line}\n`);
}

function onFailure(error: Error): void {
  failures += 1;
  const code = error instanceof StorageError ? error.code : error.name;
  report(`failed ${code} ${failures} ${error.message}`);
  // Long enough for a late report, or a second failure, to show.
  setTimeout(() => process.kill(process.pid, "SIGKILL"), 100);
}

/** Batches of 1 to 3 entries, with a hard state in some, until the process ends. */
function write(storage: SqliteStorage, sequence: number, index: number): void {
  const count = 1 + (index % 3);
  const currentTerm = 1 + Math.floor(index / 50);
  const hardState = { currentTerm, votedFor: "n1", commitIndex: 0 };
  const entries = entriesOf(index, currentTerm, count);
  storage.persist({ sequence, hardState, entries }, () => {
    report(`${failures > 0 ? "late" : "durable"} ${index + count - 1}`);
    if (task === "break" && sequence === 5) closeWalDescriptor(Number(place));
    write(storage, sequence + 1, index + count);
  });
}

function closeWalDescriptor(position: number): void {
  const descriptors = fs
    .readdirSync("/proc/self/fd")
    .map(Number)
    .filter((descriptor) => linkOf(descriptor).endsWith("raft.db-wal"))
    .toSorted((left, right) => left - right);
  fs.closeSync(descriptors[position] ?? -1);
}

function linkOf(descriptor: number): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return ""; // it was the directory's own, and is closed by now
  }
}

try {
  const storage = await openStorage({ directory, onFailure });
  report("open");
  if (task === "hold") process.stdin.resume();
  else write(storage, 1, storage.recovered.entries.length + 1);
} catch (error) {
  if (!(error instanceof StorageError)) throw error;
  report(`refused ${error.code} ${error.message}`);
}
