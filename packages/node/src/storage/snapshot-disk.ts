import * as fs from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { errorCode, fromSystemError } from "./storage-error.ts";

/** How often a write that found no room is tried again. */
const FULL_RETRY_MS = 500;

/**
 * What may fail about the files of a snapshot folder: each failure is reported once, for good,
 * but having no room is waited out.
 */
export class SnapshotDisk {
  readonly folder: string;
  readonly #onFailure: (error: Error) => void;
  readonly #stop: AbortController = new AbortController();
  readonly #handles: Set<FileHandle> = new Set();
  readonly #underWay: Set<Promise<unknown>> = new Set();
  #hasFolder = false;
  #waitingForRoom = 0;

  constructor(folder: string, onFailure: (error: Error) => void) {
    this.folder = folder;
    this.#onFailure = onFailure;
  }

  /** Nothing is called any more: the storage was closed, or it failed. */
  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  get isFull(): boolean {
    return this.#waitingForRoom > 0;
  }

  /** Calls nothing any more. What is under way goes on. */
  stop(): void {
    this.#stop.abort();
  }

  /** Stops, and closes every file once nothing is under way. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(this.#underWay);
    await Promise.all([...this.#handles].map((handle) => this.release(handle)));
  }

  /** `handle` is closed at the latest with everything else. */
  adopt(handle: FileHandle): void {
    this.#handles.add(handle);
  }

  /** Closes a file that {@link create} or {@link adopt} took in, unless it was closed already. */
  async release(handle: FileHandle): Promise<void> {
    if (this.#handles.delete(handle)) await handle.close();
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Does `work`, then calls `onDone`; a failure of `work` is the storage's. */
  run<Result>(doing: string, work: () => Promise<Result>, onDone: (result: Result) => void): void {
    const settled = this.#settle(doing, work);
    this.#underWay.add(settled);
    void settled.then((outcome) => {
      this.#underWay.delete(settled);
      if (outcome !== null && !this.isStopped) onDone(outcome.result);
    });
  }

  /** A new, empty file, readable as well. */
  async create(path: string): Promise<FileHandle> {
    await this.#whenRoomy(async () => {
      if (this.#hasFolder) return;
      await fs.mkdir(this.folder, { recursive: true, mode: 0o700 });
      await syncFolder(dirname(this.folder));
      this.#hasFolder = true;
    });
    const handle = await this.#whenRoomy(() => fs.open(path, "wx+", 0o600));
    this.adopt(handle);
    return handle;
  }

  /** Writes all of `bytes` at `position`, however long it takes to find room for them. */
  async write(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
    let written = 0;
    await this.#whenRoomy(async () => {
      while (written < bytes.length) {
        const length = bytes.length - written;
        const result = await handle.write(bytes, written, length, position + written);
        written += result.bytesWritten;
      }
    });
  }

  /** Gives the file its final name, durably. */
  async publish(from: string, to: string): Promise<void> {
    await this.#whenRoomy(() => fs.rename(from, to));
    await syncFolder(this.folder);
  }

  async remove(path: string): Promise<void> {
    await fs.rm(path, { force: true });
  }

  async #settle<Result>(
    doing: string,
    work: () => Promise<Result>,
  ): Promise<{ readonly result: Result } | null> {
    try {
      return { result: await work() };
    } catch (error) {
      if (!this.isStopped) {
        this.stop();
        this.#onFailure(fromSystemError(this.folder, doing, error));
      }
      return null;
    }
  }

  async #whenRoomy<Result>(work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const code = errorCode(error);
        if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
      }
      this.#waitingForRoom += 1;
      try {
        await delay(FULL_RETRY_MS, undefined, { signal: this.#stop.signal });
      } finally {
        this.#waitingForRoom -= 1;
      }
    }
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
