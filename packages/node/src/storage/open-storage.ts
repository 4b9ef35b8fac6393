import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";

import { decodeEntries } from "@quorate/wire";
import type { LogEntry } from "@quorate/wire";

import type { SnapshotPoint } from "../raft/index.ts";
import { removeUnfinishedBootstraps } from "./bootstrap-directory.ts";
import { DirectoryLock, lockedError } from "./directory-lock.ts";
import { findSnapshots, openSnapshot } from "./find-snapshots.ts";
import { DATABASE_FILE, SNAPSHOTS_FOLDER } from "./schema.ts";
import { SqliteStorage } from "./sqlite-storage.ts";
import type { StoredSnapshot } from "./snapshot-store.ts";
import type { OpenedDirectory } from "./sqlite-storage.ts";
import { fromErrorRecord, StorageError } from "./storage-error.ts";
import type { ExpectedIdentity, StorageReport, StorageThreadOptions } from "./thread-messages.ts";

export interface OpenStorageOptions {
  readonly directory: string;
  /** Whose data it must be. What is absent is not checked. */
  readonly expect?: ExpectedIdentity;
  /**
   * Called once, when a write or sync failed: nothing more will become durable. End the process
   * at once with `process.abort()` or a SIGKILL to itself. Not with `process.exit()`: on its way
   * out SQLite would copy what was never synced from its write-ahead log into the database.
   */
  readonly onFailure: (error: Error) => void;
  /** Largest database file, in bytes; see {@link SqliteStorage.state}. Absent: as the disk allows. */
  readonly sizeMaxBytes?: number;
}

/**
 * Opens a bootstrapped data directory, locks it and reads it. What it holds is durable when the
 * promise is fulfilled, also after a crash.
 *
 * @throws StorageError `notBootstrapped`, `locked`, `newerFormat`, `otherCluster`, `otherNode`,
 * `damaged`, `full` or `io`: the directory's data is unchanged.
 */
export async function openStorage(options: OpenStorageOptions): Promise<SqliteStorage> {
  const directory = resolve(options.directory);
  refuseUnbootstrapped(directory);
  removeUnfinishedBootstraps(directory);
  const worker = startThread({
    databasePath: join(directory, DATABASE_FILE),
    expect: options.expect ?? {},
    sizeMaxBytes: options.sizeMaxBytes ?? null,
  });
  try {
    const snapshotsFolder = join(directory, SNAPSHOTS_FOLDER);
    const opened = await readDirectory(worker, snapshotsFolder);
    const lock = await DirectoryLock.announce(directory, opened.identity);
    return new SqliteStorage(worker, opened, lock, options.onFailure);
  } catch (error) {
    await worker.terminate();
    const isLocked = error instanceof StorageError && error.code === "locked";
    throw isLocked ? await lockedError(directory) : error;
  }
}

function refuseUnbootstrapped(directory: string): void {
  if (fs.existsSync(join(directory, DATABASE_FILE))) return;
  const what = fs.existsSync(directory) ? `holds no ${DATABASE_FILE}` : "does not exist";
  throw new StorageError({
    code: "notBootstrapped",
    subject: directory,
    verb: `${what}: no node was bootstrapped there`,
    remedy:
      "Correct the path, or bootstrap a new cluster with --bootstrap. A node that lost its data " +
      "must not come back under its old name: it could vote twice in a term",
  });
}

function startThread(options: StorageThreadOptions): Worker {
  const entryPoint = new URL(import.meta.resolve("#storage-thread"));
  return new Worker(entryPoint, { name: "storage", workerData: options });
}

async function readDirectory(worker: Worker, folder: string): Promise<OpenedDirectory> {
  let opening: Promise<StoredSnapshot | null> | null = null;
  const reading = readDatabase(worker, (point) => {
    // A large file takes its time: it is checked while the log is read.
    opening ??= openSnapshot(folder, point);
    // Told below, unless the database is refused: then that is what is told.
    opening.catch(() => undefined);
  });
  const read = await reading.catch(async (error: unknown) => {
    const stored = await opening?.catch(() => null);
    await stored?.handle.close();
    throw error;
  });
  const point = read.recovered.snapshot;
  const current = await (opening ?? openSnapshot(folder, point));
  const snapshots = await findSnapshots(folder, point, current);
  return { ...read, snapshotsFolder: folder, snapshots };
}

type ReadDatabase = Omit<OpenedDirectory, "snapshots" | "snapshotsFolder">;

function readDatabase(
  worker: Worker,
  onSnapshot: (point: SnapshotPoint) => void,
): Promise<ReadDatabase> {
  const { promise, resolve: fulfil, reject } = Promise.withResolvers<ReadDatabase>();
  const entries: LogEntry[] = [];
  const onExit = (): void => reject(new Error("the storage thread ended before it was open"));
  const onReport = (report: StorageReport): void => {
    if (report.kind === "snapshotFound") {
      onSnapshot(report.point);
    } else if (report.kind === "entries") {
      for (const entry of decodeEntries(report.records)) entries.push(entry);
    } else if (report.kind === "opened") {
      const { identity, addresses, peers, warning, ...contents } = report.contents;
      const { hardState, snapshot, beforeFirst, voteFloor } = contents;
      // Entries before a damaged one that the snapshot replaces came as well.
      const log = entries.filter(({ index }) => index > beforeFirst.index);
      const recovered = { hardState, entries: log, snapshot, beforeFirst, voteFloor };
      fulfil({ identity, addresses, peers, warning, recovered, sizeBytes: report.sizeBytes });
    } else if (report.kind === "entriesAgain") {
      entries.length = 0;
    } else if (report.kind === "refused") {
      reject(fromErrorRecord(report.error));
    }
  };
  worker.on("error", reject).on("exit", onExit).on("message", onReport);
  return promise.finally(() => {
    worker.off("error", reject).off("exit", onExit).off("message", onReport);
  });
}
