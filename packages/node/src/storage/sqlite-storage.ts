import type { Worker } from "node:worker_threads";

import { encodeEntries } from "@quorate/wire";
import type { NodeId } from "@quorate/wire";

import type { Storage } from "../ports/storage.ts";
import { assert } from "../raft/index.ts";
import type { PersistBatch, RecoveredState } from "../raft/index.ts";
import { BatchOrder } from "./batch-order.ts";
import type { DirectoryLock } from "./directory-lock.ts";
import { SnapshotDisk } from "./snapshot-disk.ts";
import { FileSnapshotStore } from "./snapshot-store.ts";
import type { FoundSnapshots } from "./snapshot-store.ts";
import { fromErrorRecord } from "./storage-error.ts";
import type {
  DirectoryIdentity,
  PeerIdentity,
  StorageReport,
  StorageRequest,
} from "./thread-messages.ts";

interface Waiting {
  readonly ticket: number;
  readonly done: () => void;
}

/** What a directory held when its thread opened it. */
export interface OpenedDirectory {
  readonly identity: DirectoryIdentity;
  readonly addresses: readonly (readonly [NodeId, string])[];
  readonly peers: readonly (readonly [NodeId, PeerIdentity])[];
  readonly warning: string | null;
  readonly snapshotsFolder: string;
  readonly snapshots: FoundSnapshots;
  readonly recovered: RecoveredState;
  readonly sizeBytes: number;
}

/** Figure 2's persistent state in one SQLite file, written by a thread of its own. */
export class SqliteStorage implements Storage {
  readonly identity: DirectoryIdentity;
  readonly recovered: RecoveredState;
  /** Damage that this start found and cut off, as one sentence for people; null: none. */
  readonly warning: string | null;
  /** The files that batches with a `snapshot` switch to. Closed with the storage. */
  readonly snapshots: FileSnapshotStore;
  readonly #disk: SnapshotDisk;
  readonly #peers: Map<NodeId, PeerIdentity>;
  readonly #addresses: Map<NodeId, string>;
  readonly #worker: Worker;
  readonly #lock: DirectoryLock;
  readonly #onFailure: (error: Error) => void;
  readonly #order: BatchOrder;
  readonly #waiting: Waiting[] = [];
  #ticket = 0;
  #sizeBytes: number;
  #isFull = false;
  #state: "open" | "closing" | "failed" = "open";
  #finishClosing: (() => void) | null = null;

  /** By {@link openStorage} only. */
  constructor(
    worker: Worker,
    opened: OpenedDirectory,
    lock: DirectoryLock,
    onFailure: (error: Error) => void,
  ) {
    this.identity = opened.identity;
    this.recovered = opened.recovered;
    this.warning = opened.warning;
    this.#addresses = new Map(opened.addresses);
    this.#peers = new Map(opened.peers);
    this.#sizeBytes = opened.sizeBytes;
    this.#order = new BatchOrder(opened.recovered);
    this.#worker = worker;
    this.#lock = lock;
    this.#onFailure = onFailure;
    this.#disk = new SnapshotDisk(opened.snapshotsFolder, (error) => this.#fail(error));
    this.snapshots = new FileSnapshotStore(this.#disk, opened.snapshots);
    worker.on("message", (report: StorageReport) => this.#onReport(report));
    worker.on("error", (error) => this.#fail(asError(error)));
    worker.on("exit", () => this.#onExit());
  }

  /** Where each member is reached, as it was last stored: at bootstrap or since. */
  get addresses(): ReadonlyMap<NodeId, string> {
    return this.#addresses;
  }

  persist(batch: PersistBatch, done: () => void): void {
    const point = batch.snapshot?.point;
    assert(point === undefined || this.snapshots.holds(point), "the snapshot's file is not there");
    this.#order.check(batch);
    const records = batch.entries.length > 0 ? encodeEntries(batch.entries) : null;
    const ticket = this.#nextTicket(() => {
      if (point !== undefined) this.snapshots.switched(point);
      done();
    });
    const { hardState, snapshot = null, clearsVoteFloor = false } = batch;
    this.#request({ kind: "persist", ticket, hardState, records, snapshot, clearsVoteFloor });
  }

  /**
   * Stores where `nodeId` is reached from now on. Durable when the promise is fulfilled; it never
   * is after a failure.
   */
  persistAddress(nodeId: NodeId, address: string): Promise<void> {
    return new Promise((resolveDurable) => {
      const ticket = this.#nextTicket(resolveDurable);
      this.#addresses.set(nodeId, address);
      this.#request({ kind: "persistAddress", ticket, nodeId, address });
    });
  }

  /** Who `nodeId` was when it was last remembered; null: it never was. */
  peerIdentity(nodeId: NodeId): PeerIdentity | null {
    return this.#peers.get(nodeId) ?? null;
  }

  /** Remembers who `nodeId` is from now on; durable when `done` is called. */
  rememberPeer(nodeId: NodeId, peer: PeerIdentity, done: () => void): void {
    const ticket = this.#nextTicket(done);
    this.#peers.set(nodeId, peer);
    this.#request({ kind: "rememberPeer", ticket, nodeId, peer });
  }

  /**
   * `full`: there is no room for a write, which waits and is tried again every 500 ms. What is
   * stored stays readable.
   */
  state(): "ok" | "full" {
    return this.#isFull || this.#disk.isFull ? "full" : "ok";
  }

  /** Sets `sizeMaxBytes` anew; what found no room is tried again at once. */
  limitSize(sizeMaxBytes: number): void {
    this.#request({ kind: "limitSize", sizeMaxBytes });
  }

  sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** As {@link Storage.close}; but what finds no room is given up, and its `done` never called. */
  async close(): Promise<void> {
    assert(this.#state !== "closing", "storage is closed once");
    await this.#lock.release();
    if (this.#state === "failed") {
      await this.snapshots.close();
      return;
    }
    this.#state = "closing";
    await new Promise<void>((resolveClosed) => {
      this.#finishClosing = resolveClosed;
      this.#request({ kind: "close" });
    });
    await this.snapshots.close();
  }

  #nextTicket(done: () => void): number {
    assert(this.#state !== "closing", "nothing is stored after close");
    this.#ticket += 1;
    this.#waiting.push({ ticket: this.#ticket, done });
    return this.#ticket;
  }

  #request(request: StorageRequest): void {
    const records = request.kind === "persist" ? request.records : null;
    const transfer = records === null ? [] : [records.buffer as ArrayBuffer];
    this.#worker.postMessage(request, transfer);
  }

  #onReport(report: StorageReport): void {
    switch (report.kind) {
      case "durable":
        this.#sizeBytes = report.sizeBytes;
        this.#callDone(report.ticket);
        return;
      case "size":
        this.#sizeBytes = report.sizeBytes;
        return;
      case "full":
      case "roomy":
        this.#isFull = report.kind === "full";
        return;
      case "failed":
        this.#fail(fromErrorRecord(report.error));
        return;
      case "closed":
        if (this.#isFull) this.#waiting.length = 0;
        return; // the thread's exit follows
      case "entries":
      case "snapshotFound":
      case "entriesAgain":
      case "opened":
      case "refused":
        assert(false, `the storage thread reported ${report.kind} twice`);
    }
  }

  #callDone(durableTicket: number): void {
    if (this.#state === "failed") return;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.ticket > durableTicket) return;
      this.#waiting.shift();
      first.done();
    }
  }

  #fail(error: Error): void {
    if (this.#state === "failed") return;
    this.#state = "failed";
    this.#disk.stop();
    // Not terminated: SQLite would then close the database, and write to a disk that failed.
    this.#worker.unref();
    this.#waiting.length = 0;
    this.#finishClosing?.();
    this.#onFailure(error);
  }

  #onExit(): void {
    if (this.#state === "closing" && this.#waiting.length === 0) this.#finishClosing?.();
    else this.#fail(new Error("the storage thread ended"));
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
