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

class StorageThread {
  readonly #port: MessagePort;
  readonly #options: StorageThreadOptions;
  /** Null before it was opened, and after the thread refused, failed or closed. */
  #database: LogDatabase | null = null;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(port: MessagePort, options: StorageThreadOptions) {
    this.#port = port;
    this.#options = options;
  }

  run(): void {
    try {
      const { database, contents } = LogDatabase.open(this.#options, (records) => {
        this.#report({ kind: "entries", records });
      });
      this.#database = database;
      this.#report({ kind: "opened", contents, sizeBytes: database.sizeBytes() });
    } catch (error) {
      this.#report({ kind: "refused", error: toErrorRecord(this.#toStorageError(error)) });
      return;
    }
    this.#port.on("message", (request: StorageRequest) => this.#onRequest(request));
  }

  #onRequest(first: StorageRequest): void {
    const database = this.#database;
    if (database === null) return;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
    try {
      const { writes, isClosing } = this.#takeWaiting(first);
      const last = writes.at(-1);
      if (last !== undefined) {
        database.commit(writes);
        const sizeBytes = database.sizeBytes();
        this.#report({ kind: "durable", ticket: last.ticket, sizeBytes });
      }
      if (isClosing) this.#close(database);
      else this.#checkpointWhenDue(database);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** All requests that wait by now: what came in during one sync shares the next. */
  #takeWaiting(first: StorageRequest): { writes: StorageWrite[]; isClosing: boolean } {
    const writes: StorageWrite[] = [];
    let request: StorageRequest | undefined = first;
    while (request !== undefined) {
      if (request.kind === "close") return { writes, isClosing: true };
      writes.push(request);
      request = receiveMessageOnPort(this.#port)?.message as StorageRequest | undefined;
    }
    return { writes, isClosing: false };
  }

  #checkpointWhenDue(database: LogDatabase): void {
    const walBytes = database.walBytes();
    if (walBytes >= CHECKPOINT_BYTES) {
      database.checkpoint();
    } else if (walBytes >= CHECKPOINT_IDLE_BYTES) {
      this.#idleTimer = setTimeout(() => this.#checkpointIdle(), IDLE_MS);
    }
  }

  #checkpointIdle(): void {
    this.#idleTimer = null;
    try {
      this.#database?.checkpoint();
    } catch (error) {
      this.#fail(error);
    }
  }

  #close(database: LogDatabase): void {
    this.#database = null;
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
