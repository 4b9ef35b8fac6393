import type { LogIndex, Term } from "@quorate/wire";
import type {
  SnapshotName,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotStore,
  SnapshotWriter,
} from "../ports/snapshot-store.ts";
import { assert } from "../raft/index.ts";

/** A file of a simulated disk. */
interface SimFile {
  readonly name: SnapshotName;
  /** Announced by a leader; null: written here. */
  readonly totalBytes: number | null;
  pieces: Uint8Array[];
  sizeBytes: number;
  /** What of it a crash leaves. */
  syncedBytes: number;
  isWhole: boolean;
}

/**
 * The snapshot files of one node's disk, across the lives of its process. A crash loses what was
 * not synced. Bytes that a test damages are found when a file is finished.
 */
export class SimSnapshotFiles {
  readonly #files = new Map<string, SimFile>();
  readonly #writer: string;
  #written = 0;

  /** `writer` names the node: two nodes' snapshots of one index hold other bytes. */
  constructor(writer = "sim") {
    this.#writer = writer;
  }

  /** Names a new file. */
  nextId(): string {
    this.#written += 1;
    return `${this.#writer}-${this.#written}`;
  }

  create(name: SnapshotName, totalBytes: number | null): SimFile {
    const file: SimFile = {
      name,
      totalBytes,
      pieces: [],
      sizeBytes: 0,
      syncedBytes: 0,
      isWhole: false,
    };
    this.#files.set(keyOf(name), file);
    return file;
  }

  find(name: SnapshotName): SimFile | null {
    return this.#files.get(keyOf(name)) ?? null;
  }

  /** The newest whole file that ends at `index` in `term`, or null. */
  wholeAt(index: LogIndex, term: Term): SimFile | null {
    const files = [...this.#files.values()].filter(
      ({ name, isWhole }) =>
        isWhole && name.lastIncludedIndex === index && name.lastIncludedTerm === term,
    );
    return files.at(-1) ?? null;
  }

  remove({ name }: SimFile): void {
    this.#files.delete(keyOf(name));
  }

  /** Removes what is received or left over beside `kept`. */
  removeReceivedBut(kept: SnapshotName | null): void {
    for (const file of this.#files.values()) {
      if (file.totalBytes === null || file.isWhole) continue;
      if (kept === null || keyOf(kept) !== keyOf(file.name)) this.remove(file);
    }
  }

  /** A process starts on a log that follows `index`: removes whole files of any other snapshot. */
  keepOnly(index: LogIndex, term: Term): void {
    const current = this.wholeAt(index, term);
    for (const file of this.#files.values()) {
      if (file.isWhole && file !== current) this.remove(file);
    }
  }

  /** The machine loses power: whole files stay, received ones to where they were synced. */
  crash(): void {
    for (const file of this.#files.values()) {
      if (file.isWhole) continue;
      if (file.totalBytes === null || file.syncedBytes === 0) this.remove(file);
      else truncate(file, file.syncedBytes);
    }
  }

  /** How many files there are. */
  get count(): number {
    return this.#files.size;
  }
}

/** When the simulated disk has done something; it may take its time, or never come. */
export type Later = (done: () => void) => void;

export interface SimSnapshotStoreOptions {
  readonly files: SimSnapshotFiles;
  /** Index and term that the durable log says it begins after. */
  readonly current: () => { readonly lastIncludedIndex: LogIndex; readonly lastIncludedTerm: Term };
  readonly later: Later;
  /** Told that a file is received on from where it was left by an earlier life. */
  readonly onResumed?: (name: SnapshotName) => void;
  /** Says of a received file whether it is sound. Default: it is. */
  readonly isSound?: (bytes: Uint8Array) => boolean;
}

/** The SnapshotStore port for one life of a process. */
export class SimSnapshotStore implements SnapshotStore {
  readonly #options: SimSnapshotStoreOptions;

  constructor(options: SimSnapshotStoreOptions) {
    this.#options = options;
  }

  create(lastIncludedIndex: LogIndex, lastIncludedTerm: Term): SnapshotWriter {
    const { files, later } = this.#options;
    const name = { lastIncludedIndex, lastIncludedTerm, snapshotId: files.nextId() };
    const file = files.create(name, null);
    const calls = new OneCall(later);
    return {
      name,
      write: (chunk, done) => {
        append(file, chunk);
        calls.begin(done);
      },
      finish: (done) => {
        calls.begin(() => {
          file.isWhole = true;
          done();
        });
      },
      abort: () => {
        calls.end();
        files.remove(file);
      },
    };
  }

  receive(name: SnapshotName, totalBytes: number): SnapshotReceiver {
    const { files, later, isSound, onResumed } = this.#options;
    files.removeReceivedBut(name);
    const file = files.find(name) ?? files.create(name, totalBytes);
    if (file.syncedBytes > 0) onResumed?.(name);
    const calls = new OneCall(later);
    return {
      name,
      get nextOffset() {
        return file.syncedBytes;
      },
      write: (chunk, done) => {
        append(file, chunk);
        calls.begin(() => {
          file.syncedBytes = file.sizeBytes;
          done();
        });
      },
      finish: (done) => {
        assert(
          file.sizeBytes === totalBytes,
          `a snapshot of ${file.sizeBytes} of ${totalBytes} bytes`,
        );
        calls.begin(() => {
          const sound = isSound?.(bytesOf(file)) ?? true;
          if (sound) file.isWhole = true;
          else files.remove(file);
          done(sound);
        });
      },
      abort: () => {
        calls.end();
        files.remove(file);
      },
    };
  }

  open(): SnapshotReader | null {
    const { files, current, later } = this.#options;
    const { lastIncludedIndex, lastIncludedTerm } = current();
    const file = files.wholeAt(lastIncludedIndex, lastIncludedTerm);
    if (file === null) return null;
    const bytes = bytesOf(file);
    const calls = new OneCall(later);
    return {
      name: file.name,
      totalBytes: bytes.length,
      read: (offset, into, done) => {
        calls.begin(() => {
          const piece = bytes.subarray(offset, offset + into.length);
          into.set(piece);
          done(into.subarray(0, piece.length));
        });
      },
      close: () => {
        calls.end();
      },
    };
  }
}

/** The contract of the port: a call waits for the `done` of the one before, and none comes after. */
class OneCall {
  readonly #later: Later;
  #isUnderWay = false;
  #isEnded = false;

  constructor(later: Later) {
    this.#later = later;
  }

  begin(done: () => void): void {
    assert(!this.#isUnderWay, "a call before the one before it has ended");
    assert(!this.#isEnded, "a call after the last");
    this.#isUnderWay = true;
    this.#later(() => {
      this.#isUnderWay = false;
      done();
    });
  }

  end(): void {
    assert(!this.#isUnderWay, "ended before its call has");
    assert(!this.#isEnded, "ended twice");
    this.#isEnded = true;
  }
}

function keyOf({ lastIncludedIndex, lastIncludedTerm, snapshotId }: SnapshotName): string {
  return `${lastIncludedIndex}-${lastIncludedTerm}-${snapshotId}`;
}

function append(file: SimFile, chunk: Uint8Array): void {
  file.pieces.push(chunk.slice());
  file.sizeBytes += chunk.length;
}

function truncate(file: SimFile, sizeBytes: number): void {
  file.pieces = [bytesOf(file).slice(0, sizeBytes)];
  file.sizeBytes = sizeBytes;
}

function bytesOf({ pieces }: SimFile): Uint8Array {
  return Buffer.concat(pieces);
}
