import type { InstallSnapshot, LogIndex, NodeId } from "@quorate/wire";
import type { SnapshotName, SnapshotReceiver, SnapshotStore } from "../ports/snapshot-store.ts";
import type { SnapshotChunk } from "../raft/index.ts";
import type { ByteProgress } from "./driver-outcomes.ts";

/** Pieces that wait for the disk; a leader sends no more than a few ahead. */
const QUEUE_MAX_BYTES = 1024 * 1024;

export interface SnapshotIntakeOptions {
  readonly store: SnapshotStore;
  /** What comes before `nextOffset` is stored. */
  readonly onStored: (chunk: SnapshotChunk, nextOffset: number) => void;
  /** All of it is durable and sound. Says whether it is installed. */
  readonly onReceived: (chunk: SnapshotChunk) => boolean;
  /** It is not what was announced: it begins again. */
  readonly onDamaged: (from: NodeId, name: SnapshotName) => void;
}

interface Incoming {
  readonly file: SnapshotReceiver;
  readonly totalBytes: number;
  /** The newest piece: names whom to answer. */
  chunk: SnapshotChunk;
  readonly queue: Uint8Array[];
  /** Where the piece starts that may be queued next. */
  queuedBytes: number;
  storedBytes: number;
  /** A call of the file has not ended. */
  isCalling: boolean;
  isOver: boolean;
}

/**
 * Stores the snapshot that the leader sends, one at a time, in order. A piece that starts elsewhere
 * is answered by where it should, which is how a leader finds out what is there already.
 */
export class SnapshotIntake {
  readonly #options: SnapshotIntakeOptions;
  #incoming: Incoming | null = null;
  /** Calls of files that were given up and have not ended. */
  #leaving = 0;
  /** A received snapshot is being installed: until that is done its file is the only one. */
  #isHeld = false;

  constructor(options: SnapshotIntakeOptions) {
    this.#options = options;
  }

  get progress(): (ByteProgress & { readonly from: NodeId; readonly index: LogIndex }) | null {
    if (this.#incoming === null) return null;
    const { chunk, storedBytes: bytes, totalBytes } = this.#incoming;
    return { from: chunk.from, index: chunk.message.lastIncludedIndex, bytes, totalBytes };
  }

  /** A piece of the leader of the current term. What is not taken is sent again. */
  take(chunk: SnapshotChunk): void {
    const { message } = chunk;
    if (this.#isHeld || !isWellFormed(message)) return;
    if (this.#incoming !== null && !isPieceOf(message, this.#incoming)) {
      if (!isNewer(message, this.#incoming.chunk.message)) return;
      this.stop();
    }
    if (this.#leaving > 0) return;
    const incoming = this.#incoming ?? this.#begin(chunk);
    incoming.chunk = chunk;
    const isNext = message.offset === incoming.queuedBytes && message.data.length > 0;
    const waitingBytes = incoming.queuedBytes - incoming.storedBytes;
    if (isNext && waitingBytes <= QUEUE_MAX_BYTES) {
      incoming.queue.push(message.data);
      incoming.queuedBytes += message.data.length;
    } else if (!incoming.isCalling && incoming.storedBytes < incoming.totalBytes) {
      this.#options.onStored(chunk, incoming.storedBytes);
    }
    this.#goOn(incoming);
  }

  /** What is being received ends below what is committed here: it is not needed any more. */
  committed(commitIndex: LogIndex): void {
    if (this.#incoming === null) return;
    if (this.#incoming.chunk.message.lastIncludedIndex <= commitIndex) this.stop();
  }

  /** What was received is in place: the next one may come. */
  installed(): void {
    this.#isHeld = false;
  }

  /** Gives up what is being received. */
  stop(): void {
    const incoming = this.#incoming;
    if (incoming === null) return;
    this.#incoming = null;
    incoming.isOver = true;
    if (incoming.isCalling) this.#leaving += 1;
    else incoming.file.abort();
  }

  #begin(chunk: SnapshotChunk): Incoming {
    const { lastIncludedIndex, lastIncludedTerm, snapshotId, totalBytes } = chunk.message;
    const name = { lastIncludedIndex, lastIncludedTerm, snapshotId };
    const file = this.#options.store.receive(name, totalBytes);
    const incoming: Incoming = {
      file,
      totalBytes,
      chunk,
      queue: [],
      queuedBytes: file.nextOffset,
      storedBytes: file.nextOffset,
      isCalling: false,
      isOver: false,
    };
    this.#incoming = incoming;
    return incoming;
  }

  #goOn(incoming: Incoming): void {
    if (incoming.isCalling) return;
    const piece = incoming.queue.shift();
    if (piece !== undefined) this.#write(incoming, piece);
    else if (incoming.storedBytes === incoming.totalBytes) this.#finish(incoming);
  }

  #write(incoming: Incoming, piece: Uint8Array): void {
    incoming.isCalling = true;
    incoming.file.write(piece, () => {
      if (this.#hasLeft(incoming)) return;
      incoming.storedBytes += piece.length;
      if (incoming.storedBytes < incoming.totalBytes) {
        this.#options.onStored(incoming.chunk, incoming.storedBytes);
      }
      this.#goOn(incoming);
    });
  }

  #finish(incoming: Incoming): void {
    incoming.isCalling = true;
    incoming.file.finish((isSound) => {
      if (this.#hasLeft(incoming)) return;
      const { chunk, file } = incoming;
      this.#incoming = null;
      incoming.isOver = true;
      if (!isSound) {
        this.#options.onDamaged(chunk.from, file.name);
        this.#options.onStored(chunk, 0);
      } else if (this.#options.onReceived(chunk)) {
        this.#isHeld = true;
      } else {
        file.abort();
      }
    });
  }

  /** A call has ended. Says whether its file was given up meanwhile. */
  #hasLeft(incoming: Incoming): boolean {
    incoming.isCalling = false;
    if (!incoming.isOver) return false;
    this.#leaving -= 1;
    incoming.file.abort();
    return true;
  }
}

/** A piece within its snapshot, which says rightly whether it is the last. */
function isWellFormed({ offset, data, totalBytes, done }: InstallSnapshot): boolean {
  const endsAt = offset + data.length;
  return endsAt <= totalBytes && done === (endsAt === totalBytes);
}

function isPieceOf(message: InstallSnapshot, { file, totalBytes }: Incoming): boolean {
  const { name } = file;
  return (
    message.snapshotId === name.snapshotId &&
    message.lastIncludedIndex === name.lastIncludedIndex &&
    message.lastIncludedTerm === name.lastIncludedTerm &&
    message.totalBytes === totalBytes
  );
}

/** A newer leader has its own file, and a leader that has a newer one sends that. */
function isNewer(message: InstallSnapshot, than: InstallSnapshot): boolean {
  return message.term > than.term || message.lastIncludedIndex > than.lastIncludedIndex;
}
