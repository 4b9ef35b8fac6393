import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

import type { LogIndex, Term } from "@quorate/wire";

import type {
  SnapshotName,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotStore,
  SnapshotWriter,
} from "../ports/snapshot-store.ts";
import { assert } from "../raft/index.ts";
import type { SnapshotPoint } from "../raft/index.ts";
import type { SnapshotDisk } from "./snapshot-disk.ts";
import {
  ContentHash,
  encodeHeader,
  HEADER_BYTES,
  isSoundContent,
  snapshotFileName,
} from "./snapshot-file.ts";
import type { SnapshotHeader } from "./snapshot-file.ts";

/** As much is written between two syncs, so that the last one has little left to do. */
const SYNC_BYTES = 8 * 1024 * 1024;

/** A whole, durable file. Open until it was replaced and nobody reads it. */
export interface StoredSnapshot extends SnapshotHeader {
  readonly handle: FileHandle;
  readers: number;
  isReplaced: boolean;
}

/** A file that is being received: stays when its receiver gives up, to be resumed. */
export interface PartFile extends SnapshotHeader {
  readonly path: string;
  /** Null: not made yet. */
  handle: FileHandle | null;
  /** Bytes of the content that are in the file. */
  storedBytes: number;
  /** Ends with the last thing that was begun with the file. */
  tail: Promise<void>;
  /** It is removed: nothing more is stored in it. */
  isDropped: boolean;
}

/** What a start found in the folder. */
export interface FoundSnapshots {
  readonly current: StoredSnapshot | null;
  readonly part: PartFile | null;
}

/**
 * Snapshot files in a folder beside the database: `<index>-<term>.snap` is whole and durable,
 * `….part` is not. Made by the storage, which tells it what it switched to.
 */
export class FileSnapshotStore implements SnapshotStore {
  readonly #disk: SnapshotDisk;
  /** Whole files that the stored state has not switched to, by their names. */
  readonly #finished: Map<string, StoredSnapshot> = new Map();
  #current: StoredSnapshot | null;
  #part: PartFile | null;

  /** By `openStorage` only. */
  constructor(disk: SnapshotDisk, found: FoundSnapshots) {
    this.#disk = disk;
    this.#current = found.current;
    this.#part = found.part;
    if (found.current !== null) disk.adopt(found.current.handle);
    if (found.part !== null && found.part.handle !== null) disk.adopt(found.part.handle);
  }

  create(lastIncludedIndex: LogIndex, lastIncludedTerm: Term): SnapshotWriter {
    const path = this.#partPath(lastIncludedIndex, lastIncludedTerm);
    const onFinished = (header: SnapshotHeader, handle: FileHandle): Promise<void> =>
      this.#publish(header, handle, path);
    return new FileSnapshotWriter(
      this.#disk,
      path,
      { lastIncludedIndex, lastIncludedTerm },
      onFinished,
    );
  }

  receive(name: SnapshotName, totalBytes: number): SnapshotReceiver {
    let part = this.#part;
    if (part === null || !isSame(part, { name, totalBytes })) {
      if (part !== null) this.#drop(part);
      part = this.#newPart(name, totalBytes);
      this.#part = part;
    }
    const onEnd = async (received: PartFile, isSound: boolean): Promise<void> => {
      if (this.#part === received) this.#part = null;
      const { handle, path } = received;
      if (isSound && handle !== null) {
        await this.#publish(received, handle, path);
        return;
      }
      if (handle !== null) await this.#disk.release(handle);
      await this.#disk.remove(path);
    };
    return new FileSnapshotReceiver(this.#disk, part, onEnd);
  }

  open(): SnapshotReader | null {
    const stored = this.#current;
    if (stored === null) return null;
    stored.readers += 1;
    return new FileSnapshotReader(this.#disk, stored, () => this.#closeUnused(stored));
  }

  /** Whether there is a whole and durable file of `point`. */
  holds({ lastIncludedIndex, lastIncludedTerm }: SnapshotPoint): boolean {
    return this.#finished.has(snapshotFileName(lastIncludedIndex, lastIncludedTerm));
  }

  /** The stored state begins with `point` from now on, durably: what is older goes. */
  switched({ lastIncludedIndex, lastIncludedTerm }: SnapshotPoint): void {
    const fileName = snapshotFileName(lastIncludedIndex, lastIncludedTerm);
    const next = this.#finished.get(fileName);
    assert(next !== undefined, `there is no snapshot ${fileName}`);
    this.#finished.delete(fileName);
    const older = [...this.#finished.values()].filter(
      ({ name }) => name.lastIncludedIndex <= lastIncludedIndex,
    );
    if (this.#current !== null) older.push(this.#current);
    this.#current = next;
    for (const stored of older) this.#replace(stored);
    const part = this.#part;
    if (part === null || part.name.lastIncludedIndex > lastIncludedIndex) return;
    this.#part = null;
    this.#drop(part);
  }

  /** Closes the files; nothing is called afterwards. */
  close(): Promise<void> {
    return this.#disk.close();
  }

  /** Its own for every file: removing or renaming one never meets another. */
  #partPath(lastIncludedIndex: LogIndex, lastIncludedTerm: Term): string {
    const fileName = snapshotFileName(lastIncludedIndex, lastIncludedTerm);
    return this.#disk.path(`${fileName}.${randomBytes(8).toString("hex")}.part`);
  }

  #newPart(name: SnapshotName, totalBytes: number): PartFile {
    const path = this.#partPath(name.lastIncludedIndex, name.lastIncludedTerm);
    const tail = Promise.resolve();
    return { name, totalBytes, path, handle: null, storedBytes: 0, tail, isDropped: false };
  }

  /** Makes a file that is written and synced a whole one. */
  async #publish(header: SnapshotHeader, handle: FileHandle, path: string): Promise<void> {
    const { name, totalBytes } = header;
    const fileName = snapshotFileName(name.lastIncludedIndex, name.lastIncludedTerm);
    const current = this.#current?.name;
    if (current !== undefined && name.lastIncludedIndex <= current.lastIncludedIndex) {
      // What is there is as new: nothing will switch to this one.
      await this.#disk.release(handle);
      await this.#disk.remove(path);
      return;
    }
    await this.#disk.publish(path, this.#disk.path(fileName));
    const before = this.#finished.get(fileName);
    const stored = { name, totalBytes, handle, readers: 0, isReplaced: false };
    this.#finished.set(fileName, stored);
    if (before !== undefined) await this.#disk.release(before.handle);
  }

  /** Removes the name of a file at once, and the file when nobody reads it any more. */
  #replace(stored: StoredSnapshot): void {
    const { lastIncludedIndex, lastIncludedTerm } = stored.name;
    const fileName = snapshotFileName(lastIncludedIndex, lastIncludedTerm);
    this.#finished.delete(fileName);
    stored.isReplaced = true;
    this.#closeUnused(stored);
    const path = this.#disk.path(fileName);
    this.#disk.run("removing a snapshot", () => this.#disk.remove(path), nothing);
  }

  #closeUnused(stored: StoredSnapshot): void {
    if (!stored.isReplaced || stored.readers > 0) return;
    this.#disk.run("closing a snapshot", () => this.#disk.release(stored.handle), nothing);
  }

  #drop(part: PartFile): void {
    part.isDropped = true;
    const remove = async (): Promise<void> => {
      await part.tail;
      if (part.handle !== null) await this.#disk.release(part.handle);
      await this.#disk.remove(part.path);
    };
    this.#disk.run("removing a part of a snapshot", remove, nothing);
  }
}

class FileSnapshotWriter implements SnapshotWriter {
  readonly #disk: SnapshotDisk;
  readonly #path: string;
  readonly #point: Omit<SnapshotName, "snapshotId">;
  readonly #onFinished: (header: SnapshotHeader, handle: FileHandle) => Promise<void>;
  readonly #hash: ContentHash = new ContentHash();
  readonly #handle: Promise<FileHandle>;
  #snapshotId = "";
  #totalBytes = 0;
  #unsyncedBytes = 0;
  #isAborted = false;
  #isFinished = false;
  #tail: Promise<void> = Promise.resolve();

  constructor(
    disk: SnapshotDisk,
    path: string,
    point: Omit<SnapshotName, "snapshotId">,
    onFinished: (header: SnapshotHeader, handle: FileHandle) => Promise<void>,
  ) {
    this.#disk = disk;
    this.#path = path;
    this.#point = point;
    this.#onFinished = onFinished;
    this.#handle = disk.create(path);
    disk.run("making a snapshot file", () => this.#handle, nothing);
  }

  get name(): SnapshotName {
    return { ...this.#point, snapshotId: this.#snapshotId };
  }

  write(chunk: Uint8Array, done: () => void): void {
    const append = async (): Promise<void> => {
      const handle = await this.#handle;
      this.#hash.add(chunk);
      await this.#disk.write(handle, chunk, HEADER_BYTES + this.#totalBytes);
      this.#totalBytes += chunk.length;
      this.#unsyncedBytes += chunk.length;
      if (this.#unsyncedBytes < SYNC_BYTES) return;
      this.#unsyncedBytes = 0;
      await handle.datasync();
    };
    this.#run("writing a snapshot", append, done);
  }

  finish(done: () => void): void {
    const finish = async (): Promise<void> => {
      const handle = await this.#handle;
      this.#snapshotId = this.#hash.snapshotId();
      const header = { name: this.name, totalBytes: this.#totalBytes };
      await this.#disk.write(handle, encodeHeader(header), 0);
      await handle.datasync();
      if (this.#isAborted) return;
      this.#isFinished = true;
      await this.#onFinished(header, handle);
    };
    this.#run("finishing a snapshot", finish, done);
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    const remove = async (): Promise<void> => {
      await this.#tail;
      if (this.#isFinished) return;
      await this.#disk.release(await this.#handle);
      await this.#disk.remove(this.#path);
    };
    this.#disk.run("giving a snapshot up", remove, nothing);
  }

  #run(doing: string, work: () => Promise<void>, done: () => void): void {
    const begun = work();
    this.#tail = begun.then(nothing, nothing);
    const whenDone = (): void => {
      if (!this.#isAborted) done();
    };
    this.#disk.run(doing, () => begun, whenDone);
  }
}

class FileSnapshotReceiver implements SnapshotReceiver {
  readonly #disk: SnapshotDisk;
  readonly #part: PartFile;
  readonly #onEnd: (part: PartFile, isSound: boolean) => Promise<void>;
  #unsyncedBytes = 0;
  #isAborted = false;
  #isTooLong = false;

  constructor(
    disk: SnapshotDisk,
    part: PartFile,
    onEnd: (part: PartFile, isSound: boolean) => Promise<void>,
  ) {
    this.#disk = disk;
    this.#part = part;
    this.#onEnd = onEnd;
  }

  get name(): SnapshotName {
    return this.#part.name;
  }

  get nextOffset(): number {
    return this.#part.storedBytes;
  }

  write(chunk: Uint8Array, done: () => void): void {
    const part = this.#part;
    const append = async (): Promise<void> => {
      if (part.storedBytes + chunk.length > part.totalBytes) this.#isTooLong = true;
      if (this.#isTooLong || this.#isAborted || part.isDropped) return;
      const handle = await this.#open();
      await this.#disk.write(handle, chunk, HEADER_BYTES + part.storedBytes);
      this.#unsyncedBytes += chunk.length;
      if (this.#unsyncedBytes >= SYNC_BYTES) {
        this.#unsyncedBytes = 0;
        await handle.datasync();
      }
      // After an abort the bytes count for nothing: whoever resumes has begun before them.
      if (!this.#isAborted) part.storedBytes += chunk.length;
    };
    this.#run("storing a piece of a snapshot", append, done);
  }

  finish(done: (isSound: boolean) => void): void {
    const part = this.#part;
    const finish = async (): Promise<boolean> => {
      if (part.isDropped) return false;
      const handle = await this.#open();
      await handle.datasync();
      const isSound = !this.#isTooLong && (await isSoundContent(handle, part));
      if (!this.#isAborted && !part.isDropped) await this.#onEnd(part, isSound);
      return isSound;
    };
    this.#run("finishing a received snapshot", finish, done);
  }

  /** What is stored stays, for a receiver of the same bytes. */
  abort(): void {
    this.#isAborted = true;
  }

  async #open(): Promise<FileHandle> {
    const part = this.#part;
    if (part.handle !== null) return part.handle;
    const handle = await this.#disk.create(part.path);
    part.handle = handle;
    await this.#disk.write(handle, encodeHeader(part), 0);
    return handle;
  }

  /** After what an earlier receiver of the same file began. */
  #run<Result>(doing: string, work: () => Promise<Result>, done: (result: Result) => void): void {
    const before = this.#part.tail;
    const begun = before.then(work);
    this.#part.tail = begun.then(nothing, nothing);
    this.#disk.run(
      doing,
      () => begun,
      (result) => {
        if (!this.#isAborted) done(result);
      },
    );
  }
}

class FileSnapshotReader implements SnapshotReader {
  readonly name: SnapshotName;
  readonly totalBytes: number;
  readonly #disk: SnapshotDisk;
  readonly #stored: StoredSnapshot;
  readonly #onClosed: () => void;
  #isClosed = false;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(disk: SnapshotDisk, stored: StoredSnapshot, onClosed: () => void) {
    this.name = stored.name;
    this.totalBytes = stored.totalBytes;
    this.#disk = disk;
    this.#stored = stored;
    this.#onClosed = onClosed;
  }

  read(offset: number, into: Uint8Array, done: (chunk: Uint8Array) => void): void {
    assert(!this.#isClosed, "a snapshot is read after it was closed");
    const length = Math.max(0, Math.min(into.length, this.totalBytes - offset));
    const chunk = into.subarray(0, length);
    const fill = async (): Promise<Uint8Array> => {
      for (let filled = 0; filled < length;) {
        const position = HEADER_BYTES + offset + filled;
        const result = await this.#stored.handle.read(chunk, filled, length - filled, position);
        assert(result.bytesRead > 0, `the snapshot ends at ${offset + filled}`);
        filled += result.bytesRead;
      }
      return chunk;
    };
    const reading = fill();
    this.#reading = reading.then(nothing, nothing);
    this.#disk.run(
      "reading a snapshot",
      () => reading,
      (read) => {
        if (!this.#isClosed) done(read);
      },
    );
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // A read that is under way needs the file to its end.
    void this.#reading.then(() => {
      this.#stored.readers -= 1;
      this.#onClosed();
    });
  }
}

function isSame(part: PartFile, { name, totalBytes }: SnapshotHeader): boolean {
  return (
    part.totalBytes === totalBytes &&
    part.name.snapshotId === name.snapshotId &&
    part.name.lastIncludedIndex === name.lastIncludedIndex &&
    part.name.lastIncludedTerm === name.lastIncludedTerm
  );
}

function nothing(): void {
  // what was done is all there is to it
}
