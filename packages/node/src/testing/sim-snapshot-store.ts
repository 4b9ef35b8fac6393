import type { LogIndex, Term } from "@quorate/wire";
import type {
  SnapshotName,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotStore,
  SnapshotWriter,
} from "../ports/snapshot-store.ts";
import { assert } from "../raft/index.ts";
import { forge } from "./forged-snapshot.ts";
import { ContentHash } from "../storage/snapshot-file.ts";

/** A file of a simulated disk. */
interface SimFile {
  name: SnapshotName;
  /** Announced by a leader; null: written here. */
  readonly totalBytes: number | null;
  pieces: Uint8Array[];
  sizeBytes: number;
  /** What of it is stored, as far as its receiver was told. */
  storedBytes: number;
  isWhole: boolean;
  /** It was changed, and all checksums made right again. */
  isForged: boolean;
}

/** What a crash makes of the bytes that were received since the last sync. */
export interface Tear {
  /** As many of them are in the file afterwards. */
  readonly kept: number;
  /** As many of those are what was written; the rest is zeros. */
  readonly sound: number;
}

/** Where `bytes` are what a snapshot of this name holds: its id says what they are. */
export function isContentOf({ snapshotId }: SnapshotName, bytes: Uint8Array): boolean {
  return contentId(bytes) === snapshotId;
}

/**
 * The snapshot files of one node's disk, across the lives of its process. A crash loses, or tears,
 * what was not synced.
 */
export class SimSnapshotFiles {
  readonly #files = new Set<SimFile>();

  create(name: SnapshotName, totalBytes: number | null): SimFile {
    const file: SimFile = {
      name,
      totalBytes,
      pieces: [],
      sizeBytes: 0,
      storedBytes: 0,
      isWhole: false,
      isForged: false,
    };
    this.#files.add(file);
    return file;
  }

  /** What is there of a snapshot that is being received. */
  findReceived(name: SnapshotName): SimFile | null {
    for (const file of this.#files) {
      const isReceived = file.totalBytes !== null && !file.isWhole;
      if (isReceived && keyOf(file.name) === keyOf(name)) return file;
    }
    return null;
  }

  /** The newest whole file that ends at `index` in `term`, or null. */
  wholeAt(index: LogIndex, term: Term): SimFile | null {
    const files = [...this.#files].filter(
      ({ name, isWhole }) =>
        isWhole && name.lastIncludedIndex === index && name.lastIncludedTerm === term,
    );
    return files.at(-1) ?? null;
  }

  remove(file: SimFile): void {
    this.#files.delete(file);
  }

  /** Removes what is received or left over beside `kept`. */
  removeReceivedBut(kept: SnapshotName | null): void {
    for (const file of this.#files) {
      if (file.totalBytes === null || file.isWhole) continue;
      if (kept === null || keyOf(kept) !== keyOf(file.name)) this.remove(file);
    }
  }

  /** A process starts on a log that follows `index`: removes whole files of any other snapshot. */
  keepOnly(index: LogIndex, term: Term): void {
    const current = this.wholeAt(index, term);
    for (const file of this.#files) {
      if (file.isWhole && file !== current) this.remove(file);
    }
  }

  /** The machine loses power: whole files stay, received ones as far as they were stored. */
  crash(tear: (unstoredBytes: number) => Tear | null = () => null): void {
    for (const file of this.#files) {
      if (file.isWhole) continue;
      if (file.totalBytes === null) this.remove(file);
      else tearFile(file, tear(file.sizeBytes));
      if (file.storedBytes === 0) this.remove(file);
    }
  }

  /** One byte of the whole file at `index` is not what it was. Says whether there is such a file. */
  rot(index: LogIndex, term: Term, offsetOf: (sizeBytes: number) => number): boolean {
    const file = this.wholeAt(index, term);
    if (file === null || file.sizeBytes === 0) return false;
    const bytes = bytesOf(file);
    const offset = offsetOf(bytes.length);
    bytes[offset] = ~(bytes[offset] ?? 0);
    file.pieces = [bytes];
    return true;
  }

  /** As `rot`, but by a bug, or by somebody who knows the format: all checksums are right again. */
  forge(index: LogIndex, term: Term): boolean {
    const file = this.wholeAt(index, term);
    if (file === null) return false;
    const bytes = bytesOf(file);
    forge(bytes);
    file.pieces = [bytes];
    file.name = { ...file.name, snapshotId: contentId(bytes) };
    file.isForged = true;
    return true;
  }

  /** The file of the snapshot at `index` if it was forged, or null. */
  forgedAt(index: LogIndex, term: Term): Uint8Array | null {
    const file = this.wholeAt(index, term);
    return file?.isForged === true ? bytesOf(file) : null;
  }

  /** Whether the file of the snapshot at `index` is there, and what was written. */
  isSoundAt(index: LogIndex, term: Term): boolean {
    const file = this.wholeAt(index, term);
    return file !== null && isContentOf(file.name, bytesOf(file));
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
  /** The same of a read, which needs no room. Default: `later`. */
  readonly readLater?: Later;
  /** Told that a file is received on from where it was left by an earlier life. */
  readonly onResumed?: (name: SnapshotName) => void;
  /** Says of a received file whether it is sound. Default: it is. */
  readonly isSound?: (bytes: Uint8Array, name: SnapshotName) => boolean;
}

/** The SnapshotStore port for one life of a process. */
export class SimSnapshotStore implements SnapshotStore {
  readonly #options: SimSnapshotStoreOptions;

  constructor(options: SimSnapshotStoreOptions) {
    this.#options = options;
  }

  create(lastIncludedIndex: LogIndex, lastIncludedTerm: Term): SnapshotWriter {
    const { files, later } = this.#options;
    const file = files.create({ lastIncludedIndex, lastIncludedTerm, snapshotId: "" }, null);
    const calls = new OneCall(later);
    return {
      get name() {
        return file.name;
      },
      write: (chunk, done) => {
        append(file, chunk);
        calls.begin(done);
      },
      finish: (done) => {
        calls.begin(() => {
          file.name = { ...file.name, snapshotId: contentId(bytesOf(file)) };
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
    const file = files.findReceived(name) ?? files.create(name, totalBytes);
    if (file.storedBytes > 0) onResumed?.(name);
    const calls = new OneCall(later);
    return {
      name,
      get nextOffset() {
        return file.storedBytes;
      },
      write: (chunk, done) => {
        append(file, chunk);
        calls.begin(() => {
          file.storedBytes = file.sizeBytes;
          done();
        });
      },
      finish: (done) => {
        assert(
          file.sizeBytes === totalBytes,
          `a snapshot of ${file.sizeBytes} of ${totalBytes} bytes`,
        );
        calls.begin(() => {
          const sound = isSound?.(bytesOf(file), name) ?? true;
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
    const { files, current, later, readLater = later } = this.#options;
    const { lastIncludedIndex, lastIncludedTerm } = current();
    const file = files.wholeAt(lastIncludedIndex, lastIncludedTerm);
    if (file === null) return null;
    const bytes = bytesOf(file);
    const calls = new OneCall(readLater);
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

/** Without a tear all that was stored stays. */
function tearFile(file: SimFile, tear: Tear | null): void {
  const { kept, sound } = tear ?? { kept: file.storedBytes, sound: file.storedBytes };
  const bytes = bytesOf(file).subarray(0, kept);
  bytes.fill(0, sound);
  file.pieces = [bytes];
  file.sizeBytes = kept;
  file.storedBytes = kept;
}

function contentId(bytes: Uint8Array): string {
  const hash = new ContentHash();
  hash.add(bytes);
  return hash.snapshotId();
}

function bytesOf({ pieces }: SimFile): Buffer {
  return Buffer.concat(pieces);
}
