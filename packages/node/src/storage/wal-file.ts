import * as fs from "node:fs";
import { dirname } from "node:path";

import { isNoRoom } from "./storage-error.ts";

/** A write-ahead log of this size or less is written in place: no commit moves metadata. */
const WAL_PREFILL_BYTES: number = 8 * 1024 * 1024;

/** Format of its words, version, page size, number of the checkpoint, two salts, two checksums. */
const HEADER_BYTES = 32;
const PAGE_SIZE_OFFSET = 8;
const HEADER_SALTS_OFFSET = 16;
const HEADER_CHECKSUMS_OFFSET = 24;
/** Page, commit, two salts, two checksums: a word each. */
const FRAME_HEADER_BYTES = 24;
const COMMIT_OFFSET = 4;
const SALTS_OFFSET = 8;
const CHECKSUMS_OFFSET = 16;
/** A disk writes so many bytes whole or not at all. */
const SECTOR_BYTES = 512;
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
   * Where both explanations fit, it is a crash: a node that is refused has to be replaced.
   *
   * @param framesRecovered how many frames SQLite found valid.
   */
  findDamage(framesRecovered: number): string | null {
    const header = this.#read(0, HEADER_BYTES);
    if (header === null) return null;
    if (isZero(header)) {
      // It is on the disk before any frame is written, and after all that was there before is gone.
      return this.#isEmpty() ? null : "the header of the write-ahead log is gone";
    }
    if (!isValidHeader(header)) return "the header of the write-ahead log has a wrong checksum";
    let commitLost = false;
    for (let frame = framesRecovered; ; frame += 1) {
      const position = positionOf(frame, header);
      const frameHeader = this.#read(position, FRAME_HEADER_BYTES);
      if (frameHeader === null) return null;
      if (!isOfLog(frameHeader, header)) continue;
      if (commitLost) {
        return `frame ${framesRecovered + 1} of the write-ahead log is bad and later ones are not`;
      }
      commitLost =
        frameHeader.getUint32(COMMIT_OFFSET) !== 0 &&
        (!isSplit(position) || this.#isSound(position, header));
    }
  }

  /**
   * Whether the frame at `position`, which two others precede, was written whole. One of them may
   * be what stopped SQLite: the frame follows from the checksums that the one before it has, or
   * from those that it should have.
   */
  #isSound(position: number, header: DataView): boolean {
    const frameBytes = frameBytesOf(header);
    const first = this.#read(position - 2 * frameBytes, frameBytes);
    const second = this.#read(position - frameBytes, frameBytes);
    const third = this.#read(position, frameBytes);
    if (first === null || second === null || third === null) return false;
    const isLittleEndian = header.getUint32(0) === MAGIC_LITTLE_ENDIAN;
    const expected = checksumsAt(third, CHECKSUMS_OFFSET);
    return [
      checksumsAt(second, CHECKSUMS_OFFSET),
      withFrame(checksumsAt(first, CHECKSUMS_OFFSET), second, isLittleEndian),
    ].some((before) => areEqual(withFrame(before, third, isLittleEndian), expected));
  }

  /**
   * Takes back, for good, what a transaction that was rolled back wrote behind the first `frames`:
   * behind a shorter transaction that a crash cuts short, its frames would prove that the shorter
   * one was there and is lost. Needs no room.
   */
  forgetAfter(frames: number): void {
    const header = this.#read(0, HEADER_BYTES);
    if (header === null || isZero(header)) return;
    if (frames === 0) {
      // The header may be that of the log before, all of whose frames the database has.
      this.#empty();
      return;
    }
    const zeros = new Uint8Array(FRAME_HEADER_BYTES);
    for (let frame = frames; ; frame += 1) {
      const position = positionOf(frame, header);
      const frameHeader = this.#read(position, FRAME_HEADER_BYTES);
      if (frameHeader === null || !isOfLog(frameHeader, header)) break;
      fs.writeSync(this.#descriptor, zeros, 0, zeros.length, position);
    }
    this.sync();
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }

  #empty(): void {
    fs.ftruncateSync(this.#descriptor, 0);
    fs.fsyncSync(this.#descriptor);
    try {
      this.prefill();
    } catch (error) {
      // What fits must do: commits are slower where the file grows.
      if (!isNoRoom(error)) throw error;
    }
  }

  #isEmpty(): boolean {
    const bytes = Buffer.alloc(PREFILL_STEP_BYTES);
    const zeros = Buffer.alloc(PREFILL_STEP_BYTES);
    for (let position = 0; ; position += bytes.length) {
      const length = fs.readSync(this.#descriptor, bytes, 0, bytes.length, position);
      if (length === 0) return true;
      if (bytes.compare(zeros, 0, length, 0, length) !== 0) return false;
    }
  }

  #read(position: number, bytes: number): DataView | null {
    const view = new DataView(new ArrayBuffer(bytes));
    return fs.readSync(this.#descriptor, view, 0, bytes, position) === bytes ? view : null;
  }
}

function frameBytesOf(header: DataView): number {
  return FRAME_HEADER_BYTES + header.getUint32(PAGE_SIZE_OFFSET);
}

/** Where the frame with the number `frame`, from 0, begins. */
function positionOf(frame: number, header: DataView): number {
  return HEADER_BYTES + frame * frameBytesOf(header);
}

function isZero(view: DataView): boolean {
  for (let offset = 0; offset < view.byteLength; offset += 1) {
    if (view.getUint8(offset) !== 0) return false;
  }
  return true;
}

/**
 * Whether a frame was written to the log that begins with `header`, and not to one before it in the
 * same file. One salt tells: the first counts the logs, the second is drawn anew for each. So the
 * other one was changed on the disk, as both are in one sector.
 */
function isOfLog(frameHeader: DataView, header: DataView): boolean {
  return [0, 4].some(
    (salt) =>
      frameHeader.getUint32(SALTS_OFFSET + salt) === header.getUint32(HEADER_SALTS_OFFSET + salt),
  );
}

/**
 * Whether a sector ends between the commit of the frame at `position` and its salts: a crash may
 * leave the commit of a frame of an earlier log before salts of this one.
 */
function isSplit(position: number): boolean {
  return (position + SALTS_OFFSET) % SECTOR_BYTES === 0;
}

function isValidHeader(header: DataView): boolean {
  const magic = header.getUint32(0);
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return false;
  const isLittleEndian = magic === MAGIC_LITTLE_ENDIAN;
  const words = { view: header, start: 0, end: HEADER_CHECKSUMS_OFFSET, isLittleEndian };
  return areEqual(continued([0, 0], words), checksumsAt(header, HEADER_CHECKSUMS_OFFSET));
}

/** Of all that a log holds up to a place (sqlite.org/fileformat2.html §4.2). */
type Checksums = readonly [first: number, second: number];

function checksumsAt(view: DataView, offset: number): Checksums {
  return [view.getUint32(offset), view.getUint32(offset + 4)];
}

interface Words {
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  readonly isLittleEndian: boolean;
}

/** The checksums when `words` follow. */
function continued(checksums: Checksums, { view, start, end, isLittleEndian }: Words): Checksums {
  let [first, second] = checksums;
  for (let offset = start; offset < end; offset += 8) {
    first = (first + view.getUint32(offset, isLittleEndian) + second) >>> 0;
    second = (second + view.getUint32(offset + 4, isLittleEndian) + first) >>> 0;
  }
  return [first, second];
}

/** The checksums when a frame follows: of its page and commit, and of the page itself. */
function withFrame(before: Checksums, view: DataView, isLittleEndian: boolean): Checksums {
  const first = continued(before, { view, start: 0, end: SALTS_OFFSET, isLittleEndian });
  const page = { view, start: FRAME_HEADER_BYTES, end: view.byteLength, isLittleEndian };
  return continued(first, page);
}

function areEqual(one: Checksums, other: Checksums): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
