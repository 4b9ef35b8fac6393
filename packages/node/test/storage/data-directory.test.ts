import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { configurationOf } from "@quorate/wire";
import SqliteDatabase from "better-sqlite3";

import { rowChecksum } from "../../src/storage/checksum.ts";
import { bootstrapDirectory, readLock, StorageError } from "../../src/storage/index.ts";
import type { StorageErrorCode } from "../../src/storage/index.ts";
import { entriesOf, persist } from "../../src/testing/storage-suite.ts";
import {
  bootstrapOptions,
  bootstrapped,
  change,
  crashImage,
  flipByte,
  open,
  temporaryFolder,
  walFrames,
} from "./data-place.ts";

/** A matcher for `assert.rejects` and `assert.throws`. */
function storageError(code: StorageErrorCode, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StorageError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.equal(error.message, `${error.subject} ${error.verb}. ${error.remedy}`);
    return true;
  };
}

/** A directory with four entries of term 2, of which two are known to be committed; closed. */
async function withLog(t: TestContext): Promise<string> {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const hardState = { currentTerm: 2, votedFor: "n1", commitIndex: 2 };
  await persist(storage, { sequence: 1, hardState, entries: entriesOf(1, 2, 4) });
  await storage.close();
  return directory;
}

test("bootstrapDirectory: makes the home of one node, with the first members", async (t) => {
  const directory = join(temporaryFolder(t), "deep", "down", "data");
  const identity = bootstrapDirectory(bootstrapOptions(directory));
  assert.deepEqual(fs.readdirSync(directory), ["raft.db"]);
  const storage = await open(directory, { expect: { clusterId: "c1", nodeId: "n1" } });
  assert.deepEqual(storage.identity, { ...identity, bootNumber: 1 });
  assert.deepEqual(storage.recovered.snapshot, {
    lastIncludedIndex: 0,
    lastIncludedTerm: 0,
    configuration: bootstrapOptions(directory).configuration,
    configurationIndex: 0,
  });
  assert.deepEqual(storage.recovered.beforeFirst, { index: 0, term: 0 });
  assert.equal(storage.recovered.voteFloor, null);
  await storage.close();
});

test("bootstrapDirectory: gives each directory an incarnation of its own (Diss. §3.8)", (t) => {
  const folder = temporaryFolder(t);
  const incarnations = ["a", "b"].map(
    (name) => bootstrapDirectory(bootstrapOptions(join(folder, name))).incarnation,
  );
  assert.equal(new Set(incarnations).size, 2);
});

test("bootstrapDirectory: never bootstraps a directory twice", async (t) => {
  const directory = await withLog(t);
  const again = (): unknown => bootstrapDirectory(bootstrapOptions(directory));
  assert.throws(again, storageError("alreadyBootstrapped", /without --bootstrap/u));
  const storage = await open(directory);
  assert.equal(storage.recovered.entries.length, 4);
  await storage.close();
});

test("bootstrapDirectory: refuses a directory with something else in it", (t) => {
  const directory = temporaryFolder(t);
  fs.writeFileSync(join(directory, "notes.txt"), "mine");
  const attempt = (): unknown => bootstrapDirectory(bootstrapOptions(directory));
  assert.throws(attempt, storageError("notEmpty", /holds notes\.txt\. Choose an empty/u));
  assert.deepEqual(fs.readdirSync(directory), ["notes.txt"]);
});

test("bootstrapDirectory: begins anew after a crash in the middle", async (t) => {
  const directory = temporaryFolder(t);
  for (const name of ["raft.db.bootstrap-00", "raft.db.bootstrap-00-journal"]) {
    fs.writeFileSync(join(directory, name), "half a database");
  }
  await assert.rejects(open(directory), storageError("notBootstrapped", /holds no raft\.db/u));
  bootstrapDirectory(bootstrapOptions(directory));
  assert.deepEqual(fs.readdirSync(directory), ["raft.db"]);
});

test("openStorage: refuses a path where no node was bootstrapped", async (t) => {
  const path = join(temporaryFolder(t), "absent");
  await assert.rejects(open(path), storageError("notBootstrapped", /does not exist/u));
  assert.equal(fs.existsSync(path), false);
});

test("openStorage: refuses the data of another cluster or node", async (t) => {
  const directory = bootstrapped(t);
  await assert.rejects(
    open(directory, { expect: { clusterId: "c2" } }),
    storageError("otherCluster", /belongs to cluster c1, not to c2/u),
  );
  await assert.rejects(
    open(directory, { expect: { clusterId: "c1", nodeId: "n2" } }),
    storageError("otherNode", /holds the data of node n1, not of n2/u),
  );
});

test("openStorage: refuses a newer format", async (t) => {
  const directory = bootstrapped(t);
  change(directory, "UPDATE meta SET formatVersion = 3");
  await assert.rejects(open(directory), storageError("newerFormat", /has format 3.*up to 2/u));
});

/** What may happen to stored rows, and what the refusal says about it. */
const ROW_DAMAGE: readonly (readonly [string, RegExp, string, ...unknown[]])[] = [
  [
    "the log is ahead of currentTerm",
    /the log ends in term 2, currentTerm is 1/u,
    "UPDATE hard_state SET currentTerm = 1, checksum = ?",
    rowChecksum(1, "n1", 2),
  ],
  [
    "the vote changed",
    /a row of table hard_state does not match its checksum/u,
    "UPDATE hard_state SET votedFor = 'n2'",
  ],
  [
    "a number is not a safe integer",
    /outside 0 to 2\^53 - 1/u,
    "UPDATE hard_state SET currentTerm = 9007199254740992, checksum = ?",
    rowChecksum(2 ** 53, "n1", 2),
  ],
  [
    "the log's start changed",
    /a row of table log_bounds does not match/u,
    "UPDATE log_bounds SET beforeFirstIndex = 1",
  ],
  [
    "the boot number changed",
    /a row of table meta does not match/u,
    "UPDATE meta SET bootNumber = 9",
  ],
  ["the hard state is gone", /hard_state has 0 rows/u, "DELETE FROM hard_state"],
  [
    "the members changed",
    /a row of table snapshot does not match/u,
    'UPDATE snapshot SET configuration = \'{"voters":["n1"]}\'',
  ],
  [
    "an address changed",
    /a row of table members does not match/u,
    "UPDATE members SET address = 'x' WHERE nodeId = 'n3'",
  ],
  [
    "the identity changed",
    /a row of table meta does not match/u,
    "UPDATE meta SET incarnation = 'x'",
  ],
];

for (const [what, message, sql, ...values] of ROW_DAMAGE) {
  test(`openStorage: refuses data where ${what}, and changes nothing`, async (t) => {
    const directory = await withLog(t);
    change(directory, sql, ...values);
    const before = fs.readFileSync(join(directory, "raft.db"));
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      await assert.rejects(open(directory), storageError("damaged", message));
    }
    assert.deepEqual(fs.readdirSync(directory), ["raft.db"]);
    assert.ok(before.equals(fs.readFileSync(join(directory, "raft.db"))));
  });
}

test("openStorage: refuses a file that SQLite cannot read", async (t) => {
  const directory = await withLog(t);
  const path = join(directory, "raft.db");
  const whole = fs.readFileSync(path);
  const withoutHeader = Uint8Array.from(whole).fill(0x55, 0, 100);
  const withoutPages = Uint8Array.from(whole).fill(0x55, 4096);
  for (const bytes of [withoutHeader, withoutPages, new Uint8Array(0)]) {
    fs.writeFileSync(path, bytes);
    await assert.rejects(open(directory), storageError("damaged", /put a new node/u));
  }
});

test("openStorage: refuses the database of another program", async (t) => {
  const directory = temporaryFolder(t);
  const database = new SqliteDatabase(join(directory, "raft.db"));
  database.exec("CREATE TABLE t (x)");
  database.close();
  await assert.rejects(open(directory), storageError("damaged", /not a Quorate database/u));
});

test("openStorage: says which node has the directory open", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const message = new RegExp(`by node n1 of cluster c1, process ${process.pid}\\. Stop that`, "u");
  await assert.rejects(open(directory), storageError("locked", message));
  await storage.close();
  assert.deepEqual(await readLock(directory), { kind: "free" });
  const reopened = await open(directory);
  await reopened.close();
});

test("openStorage: lets one of two openings at once win", async (t) => {
  const directory = bootstrapped(t);
  const outcomes = await Promise.allSettled([open(directory), open(directory)]);
  const winners = outcomes.filter((outcome) => outcome.status === "fulfilled");
  const losers = outcomes.filter((outcome) => outcome.status === "rejected");
  assert.equal(winners.length, 1);
  const [loser] = losers;
  assert.ok(loser?.reason instanceof StorageError);
  assert.equal(loser.reason.code, "locked");
  await winners[0]?.value.close();
});

test("openStorage: says that a SQLite tool has the database open", async (t) => {
  const directory = bootstrapped(t);
  const tool = new SqliteDatabase(join(directory, "raft.db"));
  tool.prepare("SELECT * FROM meta").all();
  await assert.rejects(open(directory), storageError("locked", /a program has its database open/u));
  tool.close();
});

test("openStorage: refuses a directory whose holder is stopped, and takes it when it is dead", async (t) => {
  const directory = bootstrapped(t);
  const program = fileURLToPath(import.meta.resolve("./storage-process.ts"));
  const holder = spawn(process.execPath, [...process.execArgv, program, directory, "hold"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => holder.kill("SIGKILL"));
  const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, "open");
  holder.kill("SIGSTOP");
  await assert.rejects(open(directory), storageError("locked", /does not answer.*Resume/u));
  holder.kill("SIGKILL");
  assert.equal((await lines.next()).done, true);
  assert.equal(fs.existsSync(join(directory, "lock")), true, "the dead left their socket behind");
  const storage = await open(directory);
  assert.equal((await readLock(directory)).kind, "held");
  await storage.close();
});

test("openStorage: locks a directory whose path is too long for a socket", async (t) => {
  const directory = join(temporaryFolder(t), "d".repeat(120), "data");
  bootstrapDirectory(bootstrapOptions(directory));
  const storage = await open(directory);
  assert.equal(fs.existsSync(join(directory, "lock")), false);
  assert.equal((await readLock(directory)).kind, "held");
  await assert.rejects(open(directory), storageError("locked", /by node n1/u));
  await storage.close();
});

test("openStorage: answers on its lock whatever is sent there", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  const socket = connect({ path: join(directory, "lock") });
  socket.on("error", () => undefined);
  socket.write(new Uint8Array(100_000));
  assert.deepEqual(await readLock(directory), {
    kind: "held",
    holder: { clusterId: "c1", nodeId: "n1", pid: process.pid },
  });
  await storage.close();
  socket.destroy();
});

test("bootstrapDirectory: lets a server wait, without members, to be added (Diss. §4.2.1)", async (t) => {
  const directory = join(temporaryFolder(t), "data");
  const configuration = configurationOf({ voters: [] });
  const addresses = new Map([["n4", "127.0.0.1:7004"]]);
  bootstrapDirectory({ directory, clusterId: "c1", nodeId: "n4", configuration, addresses });
  const storage = await open(directory, { expect: { clusterId: "c1", nodeId: "n4" } });
  assert.deepEqual(storage.recovered.snapshot.configuration, configuration);
  assert.equal(storage.addresses.get("n4"), "127.0.0.1:7004");
  await storage.close();
});

test("openStorage: counts the starts, durably, before anybody hears of one (rule 36)", async (t) => {
  const directory = bootstrapped(t);
  for (let bootNumber = 1; bootNumber <= 3; bootNumber += 1) {
    const storage = await open(directory);
    assert.equal(storage.identity.bootNumber, bootNumber);
    const image = crashImage(t, directory);
    await storage.close();
    const afterCrash = await open(image);
    assert.equal(afterCrash.identity.bootNumber, bootNumber + 1);
    await afterCrash.close();
  }
});

test("SqliteStorage: remembers who its peers are", async (t) => {
  const directory = bootstrapped(t);
  const storage = await open(directory);
  assert.equal(storage.peerIdentity("n2"), null);
  const first = { incarnation: "i2", bootNumber: 3, bootId: "b1" };
  const second = { incarnation: "i2", bootNumber: 4, bootId: "b2" };
  for (const peer of [first, second]) {
    await new Promise<void>((done) => storage.rememberPeer("n2", peer, done));
    assert.deepEqual(storage.peerIdentity("n2"), peer);
  }
  const image = crashImage(t, directory);
  await storage.close();
  const reopened = await open(image);
  assert.deepEqual(reopened.peerIdentity("n2"), second);
  assert.equal(reopened.peerIdentity("n3"), null);
  await reopened.close();
  change(image, "UPDATE peers SET bootNumber = 1");
  await assert.rejects(open(image), storageError("damaged", /a row of table peers/u));
});

/** The tables of format 1 that format 2 made anew. */
const FORMAT_1 = `
DROP TABLE meta; DROP TABLE snapshot; DROP TABLE log_bounds; DROP TABLE peers;
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1), formatVersion INTEGER NOT NULL, clusterId TEXT NOT NULL,
  nodeId TEXT NOT NULL, incarnation TEXT NOT NULL, createdAt TEXT NOT NULL,
  checksum INTEGER NOT NULL, openCount INTEGER NOT NULL
) STRICT;
CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY CHECK (id = 1), lastIncludedIndex INTEGER NOT NULL,
  lastIncludedTerm INTEGER NOT NULL, configuration TEXT NOT NULL, checksum INTEGER NOT NULL
) STRICT;
`;

/** A closed directory with four entries, as the first format wrote it. */
async function ofFormat1(t: TestContext): Promise<string> {
  const directory = await withLog(t);
  const database = new SqliteDatabase(join(directory, "raft.db"));
  database.exec(FORMAT_1);
  const identity = ["c1", "n1", "i1", "2026-01-01T00:00:00.000Z"];
  database
    .prepare("INSERT INTO meta VALUES (1, 1, ?, ?, ?, ?, ?, 7)")
    .run(...identity, rowChecksum(1, ...identity));
  const configuration = '{"voters":["n1","n2","n3"],"votersOutgoing":[],"learners":[]}';
  database
    .prepare("INSERT INTO snapshot VALUES (1, 0, 0, ?, ?)")
    .run(configuration, rowChecksum(0, 0, configuration));
  database.close();
  return directory;
}

test("openStorage: brings a directory of format 1 to this one", async (t) => {
  const directory = await ofFormat1(t);
  for (const bootNumber of [8, 9]) {
    const storage = await open(directory, { expect: { clusterId: "c1", nodeId: "n1" } });
    assert.equal(storage.identity.incarnation, "i1");
    assert.equal(storage.identity.bootNumber, bootNumber);
    assert.deepEqual(
      storage.recovered.snapshot.configuration,
      bootstrapOptions(directory).configuration,
    );
    assert.equal(storage.recovered.entries.length, 4);
    assert.deepEqual(storage.recovered.hardState, {
      currentTerm: 2,
      votedFor: "n1",
      commitIndex: 2,
    });
    await storage.close();
  }
});

test("openStorage: brings format 1 to this one behind nothing that a crash cut short", async (t) => {
  const directory = await ofFormat1(t);
  const database = new SqliteDatabase(join(directory, "raft.db"));
  database.pragma("locking_mode = EXCLUSIVE");
  database.prepare("UPDATE log SET data = ? WHERE idx = 4").run(new Uint8Array(60_000));
  const image = crashImage(t, directory);
  database.close();
  const walPath = join(image, "raft.db-wal");
  const [first] = walFrames(walPath);
  assert.ok(first !== undefined);
  flipByte(walPath, first.offset + first.bytes - 1);
  const storage = await open(image);
  assert.equal(storage.recovered.entries.length, 4);
  const startedWal = join(crashImage(t, image), "raft.db-wal");
  await storage.close();
  const last = walFrames(startedWal).at(-1);
  assert.ok(last?.isCommit === true);
  const behind = fs.readFileSync(startedWal).subarray(last.offset + last.bytes);
  assert.ok(behind.every((byte) => byte === 0));
});

test("openStorage: leaves a directory of format 1 as it is where it refuses it", async (t) => {
  const directory = await ofFormat1(t);
  const before = fs.readFileSync(join(directory, "raft.db"));
  await assert.rejects(
    open(directory, { expect: { clusterId: "c2" } }),
    storageError("otherCluster", /belongs to cluster c1/u),
  );
  assert.ok(before.equals(fs.readFileSync(join(directory, "raft.db"))));
  change(directory, "UPDATE snapshot SET lastIncludedIndex = 3");
  await assert.rejects(open(directory), storageError("damaged", /a row of table snapshot/u));
});
