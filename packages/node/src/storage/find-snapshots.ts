import * as fs from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";

import type { SnapshotPoint } from "../raft/index.ts";
import { HEADER_BYTES, isSoundContent, readHeader, snapshotFileName } from "./snapshot-file.ts";
import type { FoundSnapshots, PartFile, StoredSnapshot } from "./snapshot-store.ts";
import { damaged, errorCode, fromSystemError } from "./storage-error.ts";

/**
 * Opens and checks the file of `point`; null: it is the point before the first entry. Changes
 * nothing, so it may be done before the rest of the directory is known to be sound.
 *
 * @throws StorageError `damaged` where the file is not what was written, or `io`.
 */
export async function openSnapshot(
  folder: string,
  point: SnapshotPoint,
): Promise<StoredSnapshot | null> {
  try {
    return await openCurrent(folder, point);
  } catch (error) {
    throw fromSystemError(folder, "reading its snapshot", error);
  }
}

/**
 * Opens what was being received beyond `current`, the file of `point`, and removes what is left of
 * everything else. With the directory's lock only, of a directory that is sound.
 *
 * @throws StorageError `io`.
 */
export async function findSnapshots(
  folder: string,
  point: SnapshotPoint,
  current: StoredSnapshot | null,
): Promise<FoundSnapshots> {
  try {
    const names = await namesIn(folder);
    const fileName = snapshotFileName(point.lastIncludedIndex, point.lastIncludedTerm);
    let part: PartFile | null = null;
    for (const name of names) {
      const isCurrent = current !== null && name === fileName;
      if (isCurrent || !/\.(?:snap|part)$/u.test(name)) continue;
      const path = join(folder, name);
      part ??= name.endsWith(".part") ? await openPart(path, point) : null;
      if (part?.path !== path) await fs.rm(path, { force: true });
    }
    return { current, part };
  } catch (error) {
    throw fromSystemError(folder, "reading its snapshots", error);
  }
}

/** Null: there is no folder yet. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function openCurrent(folder: string, point: SnapshotPoint): Promise<StoredSnapshot | null> {
  const { lastIncludedIndex, lastIncludedTerm } = point;
  if (lastIncludedIndex === 0) return null;
  const path = join(folder, snapshotFileName(lastIncludedIndex, lastIncludedTerm));
  const handle = await openExisting(path);
  if (handle === null) throw damaged(path, "the snapshot is gone that the log begins with");
  const header = await readHeader(handle);
  const isSound =
    header !== null &&
    header.name.lastIncludedIndex === lastIncludedIndex &&
    header.name.lastIncludedTerm === lastIncludedTerm &&
    (await isSoundContent(handle, header));
  if (!isSound) {
    await handle.close();
    throw damaged(path, "its content is not what was written");
  }
  return { ...header, handle, readers: 0, isReplaced: false };
}

/** Null: there is nothing in the file that could be resumed. */
async function openPart(path: string, point: SnapshotPoint): Promise<PartFile | null> {
  const handle = await openExisting(path);
  if (handle === null) return null;
  const header = await readHeader(handle);
  const { size } = await handle.stat();
  const storedBytes = size - HEADER_BYTES;
  if (
    header === null ||
    header.name.lastIncludedIndex <= point.lastIncludedIndex ||
    storedBytes > header.totalBytes
  ) {
    await handle.close();
    return null;
  }
  return { ...header, path, handle, storedBytes, tail: Promise.resolve(), isDropped: false };
}

async function openExisting(path: string): Promise<FileHandle | null> {
  try {
    return await fs.open(path, "r+");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}
