import type { LogEntry } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { SeededRandom } from "@quorate/node/testing";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { SnapshotPoint } from "../../../packages/node/src/raft/index.ts";
import { findSnapshots, openSnapshot } from "../../../packages/node/src/storage/find-snapshots.ts";
import type { SqliteStorage } from "../../../packages/node/src/storage/index.ts";
import {
  bootstrapDirectory,
  openStorage,
  StorageError,
} from "../../../packages/node/src/storage/index.ts";
import {
  ContentHash,
  encodeHeader,
  HEADER_BYTES,
} from "../../../packages/node/src/storage/snapshot-file.ts";
import { SnapshotDisk } from "../../../packages/node/src/storage/snapshot-disk.ts";
import { FileSnapshotStore } from "../../../packages/node/src/storage/snapshot-store.ts";
import { writeSnapshot } from "../../../packages/node/src/testing/snapshot-suite.ts";
import { joined } from "../mutations.ts";
import type { Mutation, Target } from "../target.ts";
import { hold } from "../target.ts";

const ENTRIES = 12;
const POINT: SnapshotPoint = {
  lastIncludedIndex: 5,
  lastIncludedTerm: 2,
  configuration: configurationOf({ voters: ["n1", "n2", "n3"] }),
  configurationIndex: 0,
};
const CONTENT = new Uint8Array(500).map((_, at) => at % 251);
const NUMBERS = [0, 1, 2, 5, 6, 9, 12, 13, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER] as const;

/**
 * What a hand or a bad disk does behind SQLite's back; `?` is a number. No row is taken from the
 * end of the log that was not committed: that is what a log without it would be.
 */
const CHANGES = [
  "UPDATE log SET term = ? WHERE idx = 8",
  "UPDATE log SET checksum = ? WHERE idx = 9",
  "UPDATE OR REPLACE log SET idx = ? WHERE idx = 12",
  "UPDATE log SET kind = 'configuration' WHERE idx = 1 + ?",
  "UPDATE log SET data = zeroblob(min(?, 100000)) WHERE idx = 10",
  "DELETE FROM log WHERE idx BETWEEN ? AND 9",
  "DELETE FROM log WHERE idx = ? AND idx < 12",
  "UPDATE hard_state SET currentTerm = ?",
  "UPDATE hard_state SET commitIndex = ?",
  "UPDATE hard_state SET votedFor = 'n' || ?",
  "DELETE FROM hard_state WHERE id <= ?",
  "UPDATE meta SET formatVersion = ?",
  "UPDATE meta SET nodeId = char(0, ?)",
  "UPDATE meta SET bootNumber = ?",
  "DELETE FROM meta WHERE id <= ?",
  "UPDATE snapshot SET lastIncludedIndex = ?",
  "UPDATE snapshot SET configuration = '{\"voters\":' || ? || '}'",
  "UPDATE snapshot SET configurationIndex = ?",
  "DELETE FROM snapshot WHERE id <= ?",
  "UPDATE members SET address = ?",
  "DROP TABLE log",
  "DROP TABLE snapshot",
  "PRAGMA user_version = 7",
  "PRAGMA application_id = 7",
] as const;

/*
 * An input is a list of damages: u8 kind, u32 place, u8 length, bytes. Kinds: 0 bytes of the
 * database, 1 its end, 2 bytes of the write-ahead log, 3 its end, 4 a change by SQL, 5 bytes of
 * the snapshot file, 6 its end, 7 a file that is being received.
 */
const KINDS = 8;
const DAMAGE_HEAD_BYTES = 6;
const DAMAGES_MAX = 12;

/** A damaged data directory is opened with what is sound of it, and says so, or is refused. */
export async function storageTarget(): Promise<Target> {
  const root = fs.mkdtempSync(join(tmpdir(), "quorate-fuzz-"));
  const [closed, crashed] = await makeImages(root);
  const directory = join(root, "data");
  return {
    name: "storage",
    seeds: [new Uint8Array(0), Uint8Array.of(0, 0, 0, 0, 0, 0)],
    mutations: [addDamage, addDamage, addDamage],
    limitMs: 2000,
    check: async (input) => {
      const isCrashed = input.length % 2 === 1;
      fs.rmSync(directory, { recursive: true, force: true });
      fs.cpSync(isCrashed ? crashed : closed, directory, { recursive: true });
      const kinds = damagesOf(input).map((damage) => apply(directory, damage));
      let opened: SqliteStorage;
      try {
        opened = await openStorage({ directory, onFailure: fail });
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        return `refused ${error.code} ${error.verb.replaceAll(/\d+/gu, "#").slice(0, 60)}`;
      }
      try {
        return `ok ${checkRecovered(opened, kinds)}`;
      } finally {
        await opened.close();
      }
    },
    close: () => {
      fs.rmSync(root, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

function fail(error: Error): never {
  throw error;
}

/** Nothing is recovered that was not written; what is missing is told. */
function checkRecovered({ recovered, warning }: SqliteStorage, kinds: readonly number[]): string {
  const { entries, beforeFirst, voteFloor } = recovered;
  for (const [offset, entry] of entries.entries()) {
    const index = beforeFirst.index + 1 + offset;
    const isWritten = Buffer.compare(entry.data, entryAt(index).data) === 0;
    hold(entry.index === index && isWritten, () => `recovers entry ${index} as ${entry.index}`);
    hold(
      entry.term === 2 || index > ENTRIES,
      () => `recovers entry ${index} of term ${entry.term}`,
    );
  }
  const last = entries.at(-1)?.index ?? beforeFirst.index;
  // A crash may take what was not synced with it: the write-ahead log may end anywhere.
  const isLossTold = warning !== null || voteFloor !== null;
  const mayLose = kinds.some((kind) => kind === 2 || kind === 3);
  hold(last >= ENTRIES || isLossTold || mayLose, () => `loses entries after ${last} in silence`);
  return `${last} ${voteFloor === null} ${warning?.replaceAll(/\d+/gu, "#").slice(0, 60)}`;
}

function entryAt(index: number): LogEntry {
  return { index, term: 2, kind: "command", data: Buffer.from(`entry ${index} of term 2`) };
}

/** A directory that was closed in order, and one whose process was killed. */
async function makeImages(root: string): Promise<[closed: string, crashed: string]> {
  const [closed, crashed] = [join(root, "closed"), join(root, "crashed")];
  bootstrapDirectory({
    directory: closed,
    clusterId: "c1",
    nodeId: "n1",
    configuration: POINT.configuration,
    addresses: new Map(["n1", "n2", "n3"].map((id) => [id, "127.0.0.1:7001"])),
  });
  const storage = await openStorage({ directory: closed, onFailure: fail });
  const persist = (batch: Parameters<SqliteStorage["persist"]>[0]): Promise<void> =>
    new Promise((done) => {
      storage.persist(batch, done);
    });
  const entries = Array.from({ length: ENTRIES }, (_, offset) => entryAt(offset + 1));
  const hardState = { currentTerm: 4, votedFor: "n1", commitIndex: 6 };
  await persist({ sequence: 1, hardState, entries });
  await writeSnapshot(storage.snapshots, POINT.lastIncludedIndex, 2, [CONTENT]);
  const snapshot = { point: POINT, beforeFirst: { index: 3, term: 2 }, keepsLog: true };
  await persist({ sequence: 2, hardState: null, entries: [], snapshot });
  // By another process: closing the file in this one would end the lock on it.
  fs.mkdirSync(crashed);
  const names = ["raft.db", "raft.db-wal", "snapshots"].map((name) => join(closed, name));
  execFileSync("cp", ["-r", ...names, crashed]);
  await storage.close();
  return [closed, crashed];
}

interface Damage {
  readonly kind: number;
  readonly place: number;
  readonly bytes: Uint8Array;
}

function damagesOf(input: Uint8Array): Damage[] {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const damages: Damage[] = [];
  for (let at = 0; at + DAMAGE_HEAD_BYTES <= input.length && damages.length < DAMAGES_MAX;) {
    const end = at + DAMAGE_HEAD_BYTES + view.getUint8(at + 5);
    const bytes = input.subarray(at + DAMAGE_HEAD_BYTES, end);
    damages.push({ kind: view.getUint8(at) % KINDS, place: view.getUint32(at + 1), bytes });
    at = end;
  }
  return damages;
}

/** Does it; tells its kind. */
function apply(directory: string, { kind, place, bytes }: Damage): number {
  const database = join(directory, "raft.db");
  const snapshot = join(directory, "snapshots", "5-2.snap");
  if (kind === 0) overwrite(database, place, bytes);
  else if (kind === 1) cutEnd(database, place);
  else if (kind === 2) overwrite(`${database}-wal`, place, bytes);
  else if (kind === 3) cutEnd(`${database}-wal`, place);
  else if (kind === 4) change(database, place, bytes);
  else if (kind === 5) overwrite(snapshot, place, bytes);
  else if (kind === 6) cutEnd(snapshot, place);
  else fs.writeFileSync(join(directory, "snapshots", `9-2.${place}.part`), bytes);
  return kind;
}

function overwrite(path: string, place: number, bytes: Uint8Array): void {
  if (!fs.existsSync(path)) return;
  const { size } = fs.statSync(path);
  const descriptor = fs.openSync(path, "r+");
  const at = size === 0 ? 0 : place % size;
  fs.writeSync(descriptor, bytes.subarray(0, size - at), 0, undefined, at);
  fs.closeSync(descriptor);
}

/** Mostly a little, at times everything. */
function cutEnd(path: string, place: number): void {
  if (!fs.existsSync(path)) return;
  const { size } = fs.statSync(path);
  fs.truncateSync(path, Math.max(0, size - (place % (place % 7 === 0 ? size + 1 : 5000))));
}

function change(path: string, place: number, bytes: Uint8Array): void {
  const sql = CHANGES[place % CHANGES.length] ?? "";
  const number = NUMBERS[(bytes[0] ?? 0) % NUMBERS.length] ?? 0;
  let database;
  try {
    database = new DatabaseSync(path);
    database.exec("PRAGMA ignore_check_constraints = ON");
    database.prepare(sql).run(...(sql.includes("?") ? [number] : []));
  } catch {
    // It is too damaged for that already, or its types forbid it.
  } finally {
    database?.close();
  }
}

const addDamage: Mutation = (input, dice) => {
  const length = dice.chance(0.5) ? dice.between(1, 4) : dice.below(64);
  const head = new Uint8Array(DAMAGE_HEAD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint8(0, dice.pick([0, 0, 0, 1, 2, 2, 3, 4, 4, 4, 5, 6, 7]));
  view.setUint32(1, dice.below(2 ** 32));
  view.setUint8(5, length);
  const bytes = Uint8Array.from({ length }, () => dice.below(256));
  const odd = dice.chance(0.5) ? new Uint8Array(1) : new Uint8Array(0);
  return joined([input.subarray(0, input.length - (input.length % 2)), head, bytes, odd]);
};

/** Snapshot files as a start finds them, whole ones and parts. */
export function snapshotFilesTarget(): Target {
  const folder = fs.mkdtempSync(join(tmpdir(), "quorate-fuzz-"));
  const name = { lastIncludedIndex: 5, lastIncludedTerm: 2, snapshotId: idOf(CONTENT) };
  const sound = joined([encodeHeader({ name, totalBytes: CONTENT.length }), CONTENT]);
  return {
    name: "snapshot-files",
    seeds: [sound],
    mutations: [mendHeader, mendHeader],
    limitMs: 500,
    check: async (input) => {
      fs.writeFileSync(join(folder, "5-2.snap"), input);
      fs.writeFileSync(join(folder, "9-2.0.part"), input);
      try {
        const current = await openSnapshot(folder, POINT);
        const { part } = await findSnapshots(folder, POINT, current);
        const read = await readAll(current?.handle ?? null);
        await part?.handle?.close();
        const isSame = Buffer.compare(read.subarray(HEADER_BYTES), CONTENT) === 0;
        hold(isSame, () => "takes another content for the snapshot's");
        return "ok";
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        return `refused ${error.code} ${await findPart(folder, input)}`;
      }
    },
    close: () => {
      fs.rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** A snapshot that is received in pieces: sound if it is what was named, else gone. */
export function snapshotPiecesTarget(): Target {
  const folder = fs.mkdtempSync(join(tmpdir(), "quorate-fuzz-"));
  const name = { lastIncludedIndex: 5, lastIncludedTerm: 2, snapshotId: idOf(CONTENT) };
  return {
    name: "snapshot-pieces",
    seeds: [CONTENT],
    mutations: [],
    limitMs: 500,
    check: async (input) => {
      const disk = new SnapshotDisk(folder, fail);
      const store = new FileSnapshotStore(disk, { current: null, part: null });
      const receiver = store.receive(name, CONTENT.length);
      const dice = new SeededRandom(`pieces of ${crc32(input)}`);
      for (let at = 0; at < input.length;) {
        const piece = input.slice(at, at + 1 + dice.exponential(120));
        at += piece.length;
        await new Promise<void>((done) => {
          receiver.write(piece, done);
        });
      }
      const isSound = await new Promise<boolean>((done) => {
        receiver.finish(done);
      });
      await store.close();
      const isSame = Buffer.compare(input, CONTENT) === 0;
      hold(isSound === isSame, () => `${input.length} bytes are ${isSound ? "sound" : "refused"}`);
      const files = fs.readdirSync(folder);
      for (const file of files) fs.rmSync(join(folder, file));
      hold(files.length === (isSame ? 1 : 0), () => `leaves ${files.length} files`);
      return isSame ? "ok" : `refused ${Math.sign(input.length - CONTENT.length)}`;
    },
    close: () => {
      fs.rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

function idOf(content: Uint8Array): string {
  const hash = new ContentHash();
  hash.add(content);
  return hash.snapshotId();
}

/** Without a snapshot that the log begins with: what can be resumed. */
async function findPart(folder: string, input: Uint8Array): Promise<string> {
  fs.writeFileSync(join(folder, "9-2.0.part"), input);
  const nothing = { ...POINT, lastIncludedIndex: 0, lastIncludedTerm: 0 };
  const { part } = await findSnapshots(folder, nothing, null);
  if (part === null) return "no part";
  await part.handle?.close();
  const { storedBytes, totalBytes } = part;
  hold(storedBytes >= 0 && storedBytes <= totalBytes, () => `resumes at ${storedBytes}`);
  hold(Number.isSafeInteger(totalBytes), () => `resumes a part of ${totalBytes} bytes`);
  return "a part";
}

async function readAll(handle: fs.promises.FileHandle | null): Promise<Uint8Array> {
  if (handle === null) return new Uint8Array(0);
  const { size } = await handle.stat();
  const bytes = new Uint8Array(size);
  await handle.read(bytes, 0, size, 0);
  await handle.close();
  return bytes;
}

/** Makes the header's checksum right again. */
const mendHeader: Mutation = (input) => {
  if (input.length < HEADER_BYTES) return input;
  const bytes = input.slice();
  new DataView(bytes.buffer).setUint32(12, crc32(bytes.subarray(16, HEADER_BYTES)));
  return bytes;
};
