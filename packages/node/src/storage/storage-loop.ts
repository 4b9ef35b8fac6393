import type { Timer } from "../ports/clock.ts";
import type { SnapshotPoint } from "../raft/index.ts";
import { LogDatabase } from "./log-database.ts";
import type { OpenWal } from "./log-database.ts";
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

/** What the loop lives in: a thread of its own, or simulated time. */
export interface StorageLoopHost {
  report(report: StorageReport): void;
  /** The next request that came in meanwhile; null: none did. */
  takeWaiting(): StorageRequest | null;
  after(delayMs: number, fn: () => void): Timer;
}

/**
 * Owns the database of one node: makes what is asked of it durable, tidies up while nobody waits,
 * and keeps what finds no room. Its calls block for a disk as long as it takes.
 */
export class StorageLoop {
  readonly #host: StorageLoopHost;
  readonly #options: StorageThreadOptions;
  readonly #openWal: OpenWal | undefined;
  /** Null before it was opened, and after the thread refused, failed or closed. */
  #database: LogDatabase | null = null;
  #idleTimer: Timer | null = null;
  /** Writes that found no room, oldest first. */
  #kept: StorageWrite[] = [];
  #isFull = false;
  #retryTimer: Timer | null = null;

  /** `openWal` opens the write-ahead log of a database by its path. */
  constructor(host: StorageLoopHost, options: StorageThreadOptions, openWal?: OpenWal) {
    this.#host = host;
    this.#options = options;
    this.#openWal = openWal;
  }

  /** Reports what the database holds, or why it is refused: then no request may come. */
  open(): void {
    const host = this.#host;
    try {
      const listener = {
        onSnapshot: (point: SnapshotPoint) => host.report({ kind: "snapshotFound", point }),
        onEntries: (records: Uint8Array) => host.report({ kind: "entries", records }),
        onAgain: () => host.report({ kind: "entriesAgain" }),
      };
      const { database, contents } = LogDatabase.open(this.#options, listener, this.#openWal);
      this.#database = database;
      host.report({ kind: "opened", contents, sizeBytes: database.sizeBytes() });
    } catch (error) {
      host.report({ kind: "refused", error: toErrorRecord(this.#toStorageError(error)) });
      return;
    }
    this.#idleTimer = host.after(IDLE_MS, () => this.#tidyUpIdle());
  }

  /** A request that was waited for; others may wait behind it. */
  onRequest(first: StorageRequest): void {
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
    let request: StorageRequest | null = first;
    while (request !== null) {
      if (request.kind === "close") return { writes, isClosing: true };
      if (request.kind === "limitSize") database.limitSize(request.sizeMaxBytes);
      else writes.push(request);
      request = this.#host.takeWaiting();
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
    this.#host.report({ kind: "durable", ticket: last.ticket, sizeBytes: database.sizeBytes() });
    return true;
  }

  #waitForRoom(): void {
    if (!this.#isFull) this.#host.report({ kind: "full" });
    this.#isFull = true;
    this.#retryTimer ??= this.#host.after(FULL_RETRY_MS, () => this.#retry());
  }

  #foundRoom(): void {
    if (this.#isFull) this.#host.report({ kind: "roomy" });
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
    if (compacted) this.#host.report({ kind: "size", sizeBytes: database.sizeBytes() });
    if (isIdle && !compacted) return;
    const delayMs = isIdle ? COMPACTION_PAUSE_MS : IDLE_MS;
    this.#idleTimer = this.#host.after(delayMs, () => this.#tidyUpIdle());
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
    this.#idleTimer?.cancel();
    this.#idleTimer = null;
  }

  /** What found no room is not stored: nobody was told that it was. */
  #close(database: LogDatabase): void {
    this.#database = null;
    this.#retryTimer?.cancel();
    this.#retryTimer = null;
    database.close();
    this.#host.report({ kind: "closed" });
  }

  /** The database stays open: closing it would write to a disk that has just failed. */
  #fail(error: unknown): void {
    this.#database = null;
    this.#host.report({ kind: "failed", error: toErrorRecord(this.#toStorageError(error)) });
  }

  #toStorageError(error: unknown): StorageError {
    return fromSystemError(this.#options.databasePath, "writing to it", error);
  }
}
