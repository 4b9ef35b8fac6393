import assert from "node:assert/strict";
import { dirname } from "node:path";

const SECTOR_BYTES = 512;

/** Draws what of the unsynced reached the disk; the number is from 0 up to 1. */
export type Draw = () => number;

interface Pending {
  /** Place in the trace at which the call had returned. */
  readonly endedAt: number;
  readonly change: ContentChange;
}

export type ContentChange =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly sizeBytes: number };

/** A file or folder, whatever its name is. */
export class CutFile {
  readonly isFolder: boolean;
  durable: Buffer<ArrayBuffer> = Buffer.alloc(0);
  pending: Pending[] = [];

  constructor(isFolder: boolean) {
    this.isFolder = isFolder;
  }
}

type Names = Map<string, CutFile>;

interface PendingName {
  readonly folder: string;
  readonly endedAt: number;
  readonly apply: (names: Names) => void;
}

/**
 * What a disk may hold after power was cut, by the letter of POSIX: the content of a file is what
 * was synced, and of each later write any of its sectors; a name is there, moved or gone for
 * certain only once its folder was synced.
 */
export class CutDisk {
  readonly root: string;
  /** What the running system sees. */
  readonly #names: Names = new Map();
  readonly #durableNames: Names = new Map();
  #pendingNames: PendingName[] = [];
  #syncCount = 0;

  /** An empty folder that is there to stay. */
  constructor(root: string) {
    this.root = root;
  }

  /** Until it changes, what is durable stays as it is. */
  get syncCount(): number {
    return this.#syncCount;
  }

  isBelow(path: string): boolean {
    // The index of the write-ahead log is memory that SQLite makes anew, whatever the file says.
    return path.startsWith(`${this.root}/`) && !path.endsWith("-shm");
  }

  find(path: string): CutFile | null {
    return this.#names.get(path) ?? null;
  }

  create(path: string, isFolder: boolean, endedAt: number): CutFile {
    const file = new CutFile(isFolder);
    this.#rename(path, endedAt, (names) => names.set(path, file));
    return file;
  }

  /** A second name for the same file. */
  link(path: string, name: string, endedAt: number): void {
    const file = this.find(path);
    if (file !== null) this.#rename(name, endedAt, (names) => names.set(name, file));
  }

  remove(path: string, endedAt: number): void {
    this.#rename(path, endedAt, (names) => names.delete(path));
  }

  move(from: string, to: string, endedAt: number): void {
    assert.equal(dirname(from), dirname(to), "a move within its folder");
    this.#rename(to, endedAt, (names) => {
      for (const [path, file] of names) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        names.delete(path);
        names.set(to + path.slice(from.length), file);
      }
    });
  }

  change(file: CutFile, change: ContentChange, endedAt: number): void {
    file.pending.push({ change, endedAt });
  }

  /** What had returned when the sync began is durable. */
  sync(file: CutFile, beganAt: number): void {
    this.#syncCount += 1;
    const isCovered = ({ endedAt }: Pending): boolean => endedAt <= beganAt;
    for (const { change } of file.pending.filter(isCovered)) {
      file.durable = applied(file.durable, change);
    }
    file.pending = file.pending.filter((one) => !isCovered(one));
  }

  syncFolder(path: string, beganAt: number): void {
    this.#syncCount += 1;
    const isCovered = ({ folder, endedAt }: PendingName): boolean =>
      folder === path && endedAt <= beganAt;
    for (const { apply } of this.#pendingNames.filter(isCovered)) apply(this.#durableNames);
    this.#pendingNames = this.#pendingNames.filter((one) => !isCovered(one));
  }

  /** The files after a cut at this moment. Without `draw` nothing unsynced has survived. */
  image(draw: Draw | null): Map<string, Buffer | "folder"> {
    const names = new Map(this.#durableNames);
    // A folder's changes reach the disk in their order.
    const survivors = draw === null ? 0 : Math.floor(draw() * (this.#pendingNames.length + 1));
    for (const { apply } of this.#pendingNames.slice(0, survivors)) apply(names);
    const image = new Map<string, Buffer | "folder">();
    for (const [path, file] of names) {
      if (!this.#isReachable(names, path)) continue;
      image.set(path, file.isFolder ? "folder" : contentAfterCut(file, draw));
    }
    return image;
  }

  #isReachable(names: Names, path: string): boolean {
    const folder = dirname(path);
    return folder === this.root || (names.has(folder) && this.#isReachable(names, folder));
  }

  #rename(path: string, endedAt: number, apply: (names: Names) => void): void {
    apply(this.#names);
    this.#pendingNames.push({ folder: dirname(path), endedAt, apply });
  }
}

function contentAfterCut({ durable, pending }: CutFile, draw: Draw | null): Buffer {
  if (draw === null || pending.length === 0) return durable;
  let content: Buffer<ArrayBuffer> = Buffer.from(durable);
  for (const { change } of pending) {
    if (change.kind === "truncate") {
      if (draw() < 0.5) content = applied(content, change);
      continue;
    }
    for (const { from, to } of survivingSectors(change, draw)) {
      const bytes = change.bytes.subarray(from, to);
      content = applied(content, { kind: "write", offset: change.offset + from, bytes });
    }
  }
  return content;
}

/** The parts of a write that reached the disk, the last one first: a file grows once. */
function survivingSectors(
  { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
  draw: Draw,
): { from: number; to: number }[] {
  const all = { from: 0, to: bytes.length };
  if (draw() < 0.3) return [all];
  const sectors: { from: number; to: number }[] = [];
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES));
    if (draw() < 0.5) sectors.push({ from, to });
    from = to;
  }
  return sectors.toReversed();
}

/** Changes `content`, or a longer copy where it does not fit. */
function applied(content: Buffer<ArrayBuffer>, change: ContentChange): Buffer<ArrayBuffer> {
  const end = change.kind === "truncate" ? change.sizeBytes : change.offset + change.bytes.length;
  const isTooShort = content.length < end;
  const fitting = isTooShort
    ? Buffer.concat([content, Buffer.alloc(end - content.length)])
    : content;
  if (change.kind === "truncate") return fitting.subarray(0, end);
  fitting.set(change.bytes, change.offset);
  return fitting;
}
