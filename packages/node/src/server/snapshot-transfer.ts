import type { InstallSnapshot, LogIndex, NodeId, Term } from "@quorate/wire";
import type { SnapshotReader } from "../ports/snapshot-store.ts";
import type { SnapshotPoint } from "../raft/index.ts";
import type { ByteProgress } from "./driver-outcomes.ts";

/** Sent in one message, unless the options say otherwise. */
export const PIECE_MAX_BYTES: number = 256 * 1024;

/** On their way to one follower. */
const WINDOW_PIECES = 2;

export interface SnapshotTransferOptions {
  readonly to: NodeId;
  readonly leaderId: NodeId;
  readonly term: Term;
  readonly point: SnapshotPoint;
  /** Belongs to the transfer. */
  readonly reader: SnapshotReader;
  /** Sent in one message at most. */
  readonly pieceMaxBytes: number;
  /** Ticks without a word of the follower after which it is sent again what it has not stored. */
  readonly resendTicks: number;
}

/**
 * One snapshot on its way to one follower. What the follower has stored it says itself, so that a
 * restart on either side costs what was on its way.
 */
export class SnapshotTransfer {
  readonly to: NodeId;
  readonly #options: SnapshotTransferOptions;
  #storedBytes = 0;
  #sentBytes = 0;
  /** The piece that ends the snapshot was sent. It may be empty. */
  #isAllSent = false;
  #silentTicks = 0;
  #isHeard = true;
  #isReading = false;
  #isClosed = false;

  constructor(options: SnapshotTransferOptions) {
    this.to = options.to;
    this.#options = options;
  }

  get term(): Term {
    return this.#options.term;
  }

  get lastIncludedIndex(): LogIndex {
    return this.#options.point.lastIncludedIndex;
  }

  get progress(): ByteProgress {
    return { bytes: this.#storedBytes, totalBytes: this.#options.reader.totalBytes };
  }

  /** Ticks since the follower was heard, or was sent something again. */
  get silentTicks(): number {
    return this.#silentTicks;
  }

  /** Whether {@link readPiece} may be called. */
  get isReady(): boolean {
    const hasRoom =
      this.#sentBytes - this.#storedBytes < WINDOW_PIECES * this.#options.pieceMaxBytes;
    const isIdle = !this.#isClosed && !this.#isReading && !this.#isAllSent;
    return this.#isHeard && isIdle && hasRoom;
  }

  /** Reads the next piece; `send` is called once, unless the transfer was closed meanwhile. */
  readPiece(send: (message: InstallSnapshot) => void): void {
    const { reader, pieceMaxBytes } = this.#options;
    const offset = this.#sentBytes;
    this.#isReading = true;
    reader.read(offset, new Uint8Array(pieceMaxBytes), (data) => {
      this.#isReading = false;
      if (this.#isClosed) {
        reader.close();
        return;
      }
      if (offset === this.#sentBytes) {
        this.#sentBytes += data.length;
        this.#isAllSent = this.#sentBytes === reader.totalBytes;
      }
      send(this.#messageOf(offset, data));
    });
  }

  /** The follower has stored what comes before `nextOffset`: less than before, where it restarted. */
  acknowledged(snapshotId: string, nextOffset: number): void {
    const { reader } = this.#options;
    if (snapshotId !== reader.name.snapshotId || nextOffset > reader.totalBytes) return;
    this.#silentTicks = 0;
    if (nextOffset < this.#storedBytes || nextOffset > this.#sentBytes) this.#goOnFrom(nextOffset);
    else this.#storedBytes = nextOffset;
  }

  /** Whether the follower answers heartbeats. While it does not, nothing is sent. */
  set isHeard(isHeard: boolean) {
    if (isHeard && !this.#isHeard) this.restart();
    this.#isHeard = isHeard;
  }

  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** Nothing that is on its way will be answered. */
  restart(): void {
    this.#goOnFrom(this.#storedBytes);
  }

  tick(): void {
    this.#silentTicks += 1;
    if (this.#silentTicks % this.#options.resendTicks === 0) this.restart();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isReading) this.#options.reader.close();
  }

  #goOnFrom(offset: number): void {
    this.#storedBytes = offset;
    this.#sentBytes = offset;
    this.#isAllSent = false;
  }

  #messageOf(offset: number, data: Uint8Array): InstallSnapshot {
    const { leaderId, term, point, reader } = this.#options;
    return {
      type: "InstallSnapshot",
      term,
      leaderId,
      ...point,
      snapshotId: reader.name.snapshotId,
      totalBytes: reader.totalBytes,
      offset,
      data,
      done: offset + data.length === reader.totalBytes,
    };
  }
}
