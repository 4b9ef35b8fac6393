import * as fs from "node:fs";
import { dirname } from "node:path";

/** A write-ahead log of this size or less is written in place: no commit moves metadata. */
const WAL_PREFILL_BYTES: number = 8 * 1024 * 1024;

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PREFILL_STEP_BYTES = 1024 * 1024;

/** Last bit set: the checksums are of big-endian words (sqlite.org/fileformat2.html §4.1). */
const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;

/** Makes the entries of `directory` (names, not contents) survive a power cut. */
export function syncDirectory(directory: string): void {
  const descriptor = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * The `-wal` file of an open database, by a descriptor of our own that stays open as long as the
 * database: Linux reports a failed write-back once to each descriptor that was open at the time.
 * Only for the thread whose connection holds the database's exclusive lock. SQLite locks the
 * database file and never this one, so closing a descriptor of it drops no lock.
 */
export class WalFile {
  readonly #path: string;
  readonly #descriptor: number;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = fs.openSync(path, "r+");
  }

  sizeBytes(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  /** What was committed before this call would survive a power cut when it returns. */
  sync(): void {
    fs.fdatasyncSync(this.#descriptor);
  }

  /**
   * Grows the file with zeros to {@link WAL_PREFILL_BYTES} and makes that durable, with its name.
   * SQLite takes zeros for the end of the log and later overwrites them.
   */
  prefill(): void {
    const zeros = new Uint8Array(PREFILL_STEP_BYTES);
    for (let size = this.sizeBytes(); size < WAL_PREFILL_BYTES;) {
      const bytes = Math.min(zeros.length, WAL_PREFILL_BYTES - size);
      size += fs.writeSync(this.#descriptor, zeros, 0, bytes, size);
    }
    fs.fsyncSync(this.#descriptor);
    syncDirectory(dirname(this.#path));
  }

  /**
   * Why the log must have been longer once than what SQLite recovered from it; null when it need
   * not. SQLite stops silently at the first frame with a bad checksum. A transaction that was cut
   * short by a crash explains that, but only one: the next is not begun before the one before it
   * is synced. So frames of this log that follow a lost commit prove that durable data is gone.
   *
   * @param framesRecovered how many frames SQLite found valid.
   */
  findDamage(framesRecovered: number): string | null {
    const header = this.#read(0, HEADER_BYTES);
    if (header === null || isZero(header)) return null;
    if (!isValidHeader(header)) return "the header of the write-ahead log has a wrong checksum";
    const frameBytes = FRAME_HEADER_BYTES + header.getUint32(8);
    const salts = header.getBigUint64(16);
    let commitLost = false;
    for (let frame = framesRecovered; ; frame += 1) {
      const frameHeader = this.#read(HEADER_BYTES + frame * frameBytes, FRAME_HEADER_BYTES);
      if (frameHeader === null) return null;
      if (frameHeader.getBigUint64(8) !== salts) continue;
      if (commitLost) {
        return `frame ${framesRecovered + 1} of the write-ahead log is bad and later ones are not`;
      }
      commitLost = frameHeader.getUint32(4) !== 0;
    }
  }

  /** Keeps what the log holds under a second name, as SQLite deletes the first when it closes. */
  keepAs(path: string): void {
    fs.linkSync(this.#path, path);
    syncDirectory(dirname(path));
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }

  #read(position: number, bytes: number): DataView | null {
    const view = new DataView(new ArrayBuffer(bytes));
    return fs.readSync(this.#descriptor, view, 0, bytes, position) === bytes ? view : null;
  }
}

function isZero(view: DataView): boolean {
  for (let offset = 0; offset < view.byteLength; offset += 1) {
    if (view.getUint8(offset) !== 0) return false;
  }
  return true;
}

function isValidHeader(header: DataView): boolean {
  const magic = header.getUint32(0);
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return false;
  let first = 0;
  let second = 0;
  for (let offset = 0; offset < FRAME_HEADER_BYTES; offset += 8) {
    const littleEndian = magic === MAGIC_LITTLE_ENDIAN;
    first = (first + header.getUint32(offset, littleEndian) + second) >>> 0;
    second = (second + header.getUint32(offset + 4, littleEndian) + first) >>> 0;
  }
  return first === header.getUint32(24) && second === header.getUint32(28);
}
