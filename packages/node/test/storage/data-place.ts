import { execFileSync } from "node:child_process";
import { configurationOf } from "@quorate/wire";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import SqliteDatabase from "better-sqlite3";

import type {
  BootstrapOptions,
  OpenStorageOptions,
  SqliteStorage,
} from "../../src/storage/index.ts";
import type { SnapshotPoint } from "../../src/raft/index.ts";
import { writeSnapshot } from "../../src/testing/snapshot-suite.ts";
import { bootstrapDirectory, openStorage } from "../../src/storage/index.ts";

/** A bootstrap of node n1 in a cluster of three. */
export function bootstrapOptions(directory: string): BootstrapOptions {
  return {
    directory,
    clusterId: "c1",
    nodeId: "n1",
    configuration: configurationOf({ voters: ["n1", "n2", "n3"] }),
    addresses: new Map([
      ["n1", "127.0.0.1:7001"],
      ["n2", "127.0.0.1:7002"],
      ["n3", "127.0.0.1:7003"],
    ]),
  };
}

/** An empty folder that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), "quorate-storage-"));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A bootstrapped data directory that goes away with the test. */
export function bootstrapped(t: TestContext): string {
  const directory = join(temporaryFolder(t), "data");
  bootstrapDirectory(bootstrapOptions(directory));
  return directory;
}

/** Opens `directory`; a failed write or sync ends the test run. */
export function open(
  directory: string,
  options: Partial<OpenStorageOptions> = {},
): Promise<SqliteStorage> {
  const onFailure = (error: Error): void => {
    throw error;
  };
  return openStorage({ directory, onFailure, ...options });
}

/**
 * Copies what a crash at this moment would leave. By another process: closing the database file
 * in this one would drop the locks of the storage that has it open.
 */
export function crashImage(t: TestContext, directory: string): string {
  const image = join(temporaryFolder(t), "data");
  fs.mkdirSync(image);
  const names = ["raft.db", "raft.db-wal", "snapshots"].map((name) => join(directory, name));
  execFileSync("cp", ["-r", ...names.filter((name) => fs.existsSync(name)), image]);
  return image;
}

/** Makes a snapshot that `storage` can switch to; its content is of no importance. */
export async function makeSnapshot(storage: SqliteStorage, point: SnapshotPoint): Promise<void> {
  const { lastIncludedIndex, lastIncludedTerm } = point;
  const content = [new Uint8Array(2000).fill(lastIncludedIndex)];
  await writeSnapshot(storage.snapshots, lastIncludedIndex, lastIncludedTerm, content);
}

/** Changes the database of a directory that is not open, behind Quorate's back. */
export function change(directory: string, sql: string, ...values: unknown[]): void {
  const database = new SqliteDatabase(join(directory, "raft.db"));
  try {
    database.prepare(sql).run(...values);
  } finally {
    database.close();
  }
}

export interface WalFrame {
  readonly offset: number;
  readonly bytes: number;
  /** Whether the frame ends a transaction. */
  readonly isCommit: boolean;
}

/** The frames of a write-ahead log that belong to its current generation. */
export function walFrames(path: string): WalFrame[] {
  const wal = fs.readFileSync(path);
  const bytes = 24 + wal.readUInt32BE(8);
  const salts = wal.readBigUInt64BE(16);
  const frames: WalFrame[] = [];
  for (let offset = 32; offset + bytes <= wal.length; offset += bytes) {
    if (wal.readBigUInt64BE(offset + 8) !== salts) break;
    frames.push({ offset, bytes, isCommit: wal.readUInt32BE(offset + 4) !== 0 });
  }
  return frames;
}

/** Inverts one byte of a file. */
export function flipByte(path: string, offset: number): void {
  const descriptor = fs.openSync(path, "r+");
  try {
    const byte = new Uint8Array(1);
    fs.readSync(descriptor, byte, 0, 1, offset);
    byte[0] = ~(byte[0] ?? 0);
    fs.writeSync(descriptor, byte, 0, 1, offset);
  } finally {
    fs.closeSync(descriptor);
  }
}
