/*
 * Entry point of the thread that owns the database of one node. It may block for a disk as long
 * as it takes: the thread of the event loop only posts writes and hears when they are durable.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";

import { assert } from "../raft/index.ts";
import { LogDatabase } from "./log-database.ts";
import { fromSystemError, toErrorRecord } from "./storage-error.ts";
import type { StorageError } from "./storage-error.ts";
import type {
  StorageReport,
  StorageRequest,
  StorageThreadOptions,
  StorageWrite,
} from "./thread-messages.ts";

/** A log of this size is checkpointed as soon as no write waits. */
const CHECKPOINT_IDLE_BYTES = 1024 * 1024;
/** A log of this size is checkpointed at once: the prefilled file must have room for more. */
const CHECKPOINT_BYTES = 4 * 1024 * 1024;
/** No write for this long means that none waits. */
const IDLE_MS = 20;
/** Pause between two steps of a compaction while idle: a write that comes waits for one step. */
const COMPACTION_PAUSE_MS = 2;
/** How often a write that found no room is tried again. */
const FULL_RETRY_MS = 500;

class StorageThread {
  readonly #port: MessagePort;
  readonly #options: StorageThreadOptions;
  /** Null before it was opened, and after the thread refused, failed or closed. */
  #database: LogDatabase | null = null;
  #idleTimer: NodeJS.Timeout | null = null;
  /** Writes that found no room, oldest first. */
  #kept: StorageWrite[] = [];
  #isFull = false;
  #retryTimer: NodeJS.Timeout | null = null;

  constructor(port: MessagePort, options: StorageThreadOptions) {
    this.#port = port;
    this.#options = options;
  }

  run(): void {
    try {
      const { database, contents } = LogDatabase.open(this.#options, {
        onSnapshot: (point) => this.#report({ kind: "snapshotFound", point }),
        onEntries: (records) => this.#report({ kind: "entries", records }),
        onAgain: () => this.#report({ kind: "entriesAgain" }),
      });
      this.#database = database;
      this.#report({ kind: "opened", contents, sizeBytes: database.sizeBytes() });
    } catch (error) {
      this.#report({ kind: "refused", error: toErrorRecord(this.#toStorageError(error)) });
      return;
    }
    this.#port.on("message", (request: StorageRequest) => this.#onRequest(request));
    this.#idleTimer = setTimeout(() => this.#tidyUpIdle(), IDLE_MS);
  }

  #onRequest(first: StorageRequest): void {
    const database = this.#database;
    if (database === null) return;
    this.#stopIdling();
    try {
      const { writes, isClosing } = this.#takeWaiting(first, database);
      this.#kept.push(...writes);
      const hasRoom = this.#commitKept(database);
      if (isClosing) this.#close(database);
      else if (hasRoom && !this.#isFull) this.#tidyUp(database, false);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** All requests that wait by now: what came in during one sync shares the next. */
  #takeWaiting(
    first: StorageRequest,
    database: LogDatabase,
  ): { writes: StorageWrite[]; isClosing: boolean } {
    const writes: StorageWrite[] = [];
    let request: StorageRequest | undefined = first;
    while (request !== undefined) {
      if (request.kind === "close") return { writes, isClosing: true };
      if (request.kind === "limitSize") database.limitSize(request.sizeMaxBytes);
      else writes.push(request);
      request = receiveMessageOnPort(this.#port)?.message as StorageRequest | undefined;
    }
    return { writes, isClosing: false };
  }

  /** Makes what waits durable; false: there is no room for it, and it waits on. */
  #commitKept(database: LogDatabase): boolean {
    const last = this.#kept.at(-1);
    if (last === undefined) return true;
    if (!database.commit(this.#kept)) {
      this.#waitForRoom();
      return false;
    }
    this.#kept = [];
    this.#report({ kind: "durable", ticket: last.ticket, sizeBytes: database.sizeBytes() });
    return true;
  }

  #waitForRoom(): void {
    if (!this.#isFull) this.#report({ kind: "full" });
    this.#isFull = true;
    this.#retryTimer ??= setTimeout(() => this.#retry(), FULL_RETRY_MS);
  }

  #foundRoom(): void {
    if (this.#isFull) this.#report({ kind: "roomy" });
    this.#isFull = false;
  }

  #retry(): void {
    this.#retryTimer = null;
    const database = this.#database;
    if (database === null) return;
    try {
      if (this.#commitKept(database)) this.#tidyUp(database, true);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What nobody waits for, a step at a time: one between two batches, more while idle. */
  #tidyUp(database: LogDatabase, isIdle: boolean): void {
    const compacted = database.compact(isIdle);
    const walBytes = database.walBytes();
    const isDue = walBytes >= CHECKPOINT_BYTES || (isIdle && walBytes >= CHECKPOINT_IDLE_BYTES);
    if (isDue && !database.checkpoint()) {
      this.#waitForRoom();
      return;
    }
    this.#foundRoom();
    if (compacted) this.#report({ kind: "size", sizeBytes: database.sizeBytes() });
    if (isIdle && !compacted) return;
    const delayMs = isIdle ? COMPACTION_PAUSE_MS : IDLE_MS;
    this.#idleTimer = setTimeout(() => this.#tidyUpIdle(), delayMs);
  }

  #tidyUpIdle(): void {
    this.#idleTimer = null;
    try {
      if (this.#database !== null) this.#tidyUp(this.#database, true);
    } catch (error) {
      this.#fail(error);
    }
  }

  #stopIdling(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
  }

  /** What found no room is not stored: nobody was told that it was. */
  #close(database: LogDatabase): void {
    this.#database = null;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    database.close();
    this.#report({ kind: "closed" });
    this.#port.close();
  }

  /** The database stays open: closing it would write to a disk that has just failed. */
  #fail(error: unknown): void {
    this.#database = null;
    this.#report({ kind: "failed", error: toErrorRecord(this.#toStorageError(error)) });
  }

  #toStorageError(error: unknown): StorageError {
    return fromSystemError(this.#options.databasePath, "writing to it", error);
  }

  #report(report: StorageReport): void {
    const transfer = report.kind === "entries" ? [report.records.buffer as ArrayBuffer] : [];
    this.#port.postMessage(report, transfer);
  }
}

assert(parentPort !== null, "the storage thread is a worker thread");
new StorageThread(parentPort, workerData as StorageThreadOptions).run();
