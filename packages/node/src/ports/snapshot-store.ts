import type { LogIndex, Term } from "@quorate/wire";

/**
 * Names a snapshot's bytes: two servers' snapshots of one index hold the same state, perhaps in
 * other bytes. Equal ids mean equal bytes, so a receiver can go on with another sender of them.
 */
export interface SnapshotName {
  readonly lastIncludedIndex: LogIndex;
  readonly lastIncludedTerm: Term;
  readonly snapshotId: string;
}

/** A snapshot file that is being written. Calls wait for the `done` of the one before. */
export interface SnapshotWriter {
  /** Its `snapshotId` is empty before the `done` of {@link finish}: it depends on the bytes. */
  readonly name: SnapshotName;
  /** Appends bytes, off the loop. They are the caller's again, to overwrite, from `done` on. */
  write(chunk: Uint8Array, done: () => void): void;
  /** Everything is written: makes file and folder durable. Only then may a batch switch to it. */
  finish(done: () => void): void;
  /** Gives the file up. */
  abort(): void;
}

/** A snapshot that a leader sends, in pieces. Calls wait for the `done` of the one before. */
export interface SnapshotReceiver {
  readonly name: SnapshotName;
  /** Bytes that are stored: a piece that starts elsewhere is not written. Survives a restart. */
  readonly nextOffset: number;
  write(chunk: Uint8Array, done: () => void): void;
  /** All bytes are there: makes them durable and checks them. Not sound: the file is gone. */
  finish(done: (isSound: boolean) => void): void;
  /** Stops. What is stored stays for a receiver of the same bytes, until others are received. */
  abort(): void;
}

/** A durable snapshot. Stays readable until it is closed, also when a newer one replaces it. */
export interface SnapshotReader {
  readonly name: SnapshotName;
  readonly totalBytes: number;
  /**
   * Fills `into` from `offset` on; `done` gets the part of it that was filled, nothing at the end.
   * Nobody else may use `into` before that.
   */
  read(offset: number, into: Uint8Array, done: (chunk: Uint8Array) => void): void;
  close(): void;
}

/**
 * Snapshot files (Raft §7). A file counts from the moment that the storage's batch with the switch
 * to its point is durable; what is older, or was never switched to, is removed.
 *
 * To ensure correctness an implementation never blocks the loop for a disk, bounds what it holds
 * in memory, and reports a failed write or sync as the storage does: once, to the owner, for good.
 * Having no space is not a failure: `done` comes when there is some again.
 */
export interface SnapshotStore {
  create(lastIncludedIndex: LogIndex, lastIncludedTerm: Term): SnapshotWriter;
  /** Resumes what is there of the same bytes, or starts anew and removes what is there of others. */
  receive(name: SnapshotName, totalBytes: number): SnapshotReceiver;
  /** The snapshot that the stored state begins with; null: there is none. */
  open(): SnapshotReader | null;
}
