/**
 * Measures what a durable commit costs on a disk, three ways side by side: SQLite's own sync, and
 * commits without one followed by an own `fdatasync` of the write-ahead log, growing and prefilled.
 * docs/decisions/0002-storage-thread-and-sync.md is built on its figures.
 */
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface Statement {
  run(...values: (number | Uint8Array)[]): void;
}

interface Database {
  pragma(source: string, options?: { simple: boolean }): unknown;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

const USAGE = `Usage: node scripts/measure-sync.ts [options]

  --directory D   where to write; a folder in it is made and removed  (default: .)
  --commits N     commits in each way                                (default: 600)
  --bytes N       bytes of data in each commit                       (default: 300)
  --prefill N     bytes of the prefilled write-ahead log             (default: 8388608)
  --help          print this

Prints one line a way: microseconds a commit. The ways take turns in rounds of 50 commits.`;

const WAYS = ["full", "fdatasync", "fdatasync, prefilled"] as const;
type Way = (typeof WAYS)[number];

const ROUND_COMMITS = 50;

/** A dependency of @quorate/node, and looked up from there. */
const DRIVER = "better-sqlite3";

interface Contender {
  readonly database: Database;
  readonly insert: Statement;
  /** Null: SQLite syncs. */
  readonly walDescriptor: number | null;
  readonly microseconds: number[];
}

function loadDatabaseClass(): new (path: string) => Database {
  const require = createRequire(new URL("../packages/node/package.json", import.meta.url));
  return require(DRIVER) as new (path: string) => Database;
}

function openContender(way: Way, folder: string, prefillBytes: number): Contender {
  const path = join(folder, `${way.replace(", ", "-")}.db`);
  const DatabaseClass = loadDatabaseClass();
  const fresh = new DatabaseClass(path);
  fresh.pragma("journal_mode = WAL");
  fresh.exec("CREATE TABLE log (idx INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT");
  fresh.close();
  if (way === "fdatasync, prefilled") prefill(`${path}-wal`, prefillBytes);
  const database = new DatabaseClass(path);
  database.pragma("locking_mode = EXCLUSIVE");
  database.pragma(`synchronous = ${way === "full" ? "FULL" : "NORMAL"}`);
  database.pragma("wal_autocheckpoint = 0");
  const insert = database.prepare("INSERT INTO log (idx, data) VALUES (?, ?)");
  insert.run(1, new Uint8Array(1));
  const level = database.pragma("synchronous", { simple: true });
  if (level !== (way === "full" ? 2 : 1))
    throw new Error(`${way}: synchronous is ${String(level)}`);
  const walDescriptor = way === "full" ? null : fs.openSync(`${path}-wal`, "r+");
  return { database, insert, walDescriptor, microseconds: [] };
}

function prefill(path: string, bytes: number): void {
  const descriptor = fs.openSync(path, "w");
  fs.writeSync(descriptor, new Uint8Array(bytes));
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}

function commitOnce(contender: Contender, index: number, data: Uint8Array): void {
  const start = process.hrtime.bigint();
  contender.insert.run(index, data);
  if (contender.walDescriptor !== null) fs.fdatasyncSync(contender.walDescriptor);
  contender.microseconds.push(Number(process.hrtime.bigint() - start) / 1000);
}

function describe(way: Way, microseconds: readonly number[]): string {
  const sorted = [...microseconds].sort((left, right) => left - right);
  const at = (share: number): string => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return value.toFixed(0).padStart(7);
  };
  return `${way.padEnd(22)} p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)}  max ${at(1)}`;
}

function measure(folder: string, commits: number, bytes: number, prefillBytes: number): void {
  const contenders = WAYS.map((way) => openContender(way, folder, prefillBytes));
  const data = new Uint8Array(bytes).fill(0x71);
  for (let done = 0; done < commits; done += ROUND_COMMITS) {
    for (const contender of contenders) {
      for (let turn = 0; turn < ROUND_COMMITS; turn += 1)
        commitOnce(contender, done + turn + 2, data);
    }
  }
  for (const [position, contender] of contenders.entries()) {
    process.stdout.write(`${describe(WAYS[position] ?? "full", contender.microseconds)}\n`);
    contender.database.close();
    if (contender.walDescriptor !== null) fs.closeSync(contender.walDescriptor);
  }
}

const { values } = parseArgs({
  options: {
    directory: { type: "string", default: "." },
    commits: { type: "string", default: "600" },
    bytes: { type: "string", default: "300" },
    prefill: { type: "string", default: String(8 * 1024 * 1024) },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(`${USAGE}\n`);
} else {
  const folder = fs.mkdtempSync(join(values.directory, "measure-sync-"));
  try {
    measure(folder, Number(values.commits), Number(values.bytes), Number(values.prefill));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
