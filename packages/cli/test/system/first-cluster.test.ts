import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";

import { stateOfProcess } from "../../src/local-cluster/process-identity.ts";
import { LocalQuorate } from "./local-quorate.ts";

interface DatabaseRow {
  readonly [column: string]: unknown;
}

interface Database {
  prepare(sql: string): { all(): DatabaseRow[] };
  close(): void;
}

type DatabaseClass = new (path: string, options: { readonly: boolean }) => Database;

/** Opens a node's database with the library that the daemon uses, as any SQLite tool would. */
function openDatabase(path: string): Database {
  const manifest = new URL("../../../node/package.json", import.meta.url);
  const Sqlite = createRequire(manifest)("better-sqlite3") as DatabaseClass;
  return new Sqlite(path, { readonly: true });
}

function databaseOf(dataDirectory: string): string {
  const found = readdirSync(dataDirectory).find((file) => /\.(?:db|sqlite3?)$/u.test(file));
  assert.ok(found !== undefined, `no database in ${dataDirectory}`);
  return join(dataDirectory, found);
}

test("the first cluster: from up to a leader's death and back, nothing acknowledged is lost", async (context) => {
  const quorate = await LocalQuorate.prepare(context);

  await context.test("up: three nodes and one leader, all at one commit index", async () => {
    const printed = await quorate.up();
    assert.match(printed, /✓ n\d leads term \d+ after .* 3\/3 up; one more loss is safe/u);
    assert.match(printed, /NODE +ROLE +TERM +COMMIT +ADDRESS +PID +DATA/u);
    const status = await quorate.status();
    assert.equal(status.health, "healthy");
    assert.equal(status.members.length, 3);
    assert.equal(new Set(status.members.map(({ commitIndex }) => commitIndex)).size, 1);
    assert.equal(status.members.filter(({ role }) => role === "leader").length, 1);
  });

  await context.test("put, get, del: values byte for byte, a missing key exits 3", async () => {
    assert.equal(await quorate.succeed("put", "hello", "world"), "OK\n");
    assert.equal(await quorate.succeed("get", "hello"), "world\n");
    const bytes = Uint8Array.from({ length: 256 }, (_unused, value) => value);
    assert.equal((await quorate.run(["put", "bytes", "-"], bytes)).code, 0);
    const read = JSON.parse(await quorate.succeed("get", "bytes", "-o", "json")) as DatabaseRow;
    assert.deepEqual(read["value"], { base64: Buffer.from(bytes).toString("base64") });
    assert.equal(await quorate.succeed("get", "hello", "--value-only"), "world");
    assert.equal(await quorate.succeed("del", "bytes"), "deleted 1\n");
    assert.equal(await quorate.succeed("del", "bytes"), "deleted 0\n");
    const missing = await quorate.fail(3, "get", "bytes");
    assert.equal(missing.stdout, "");
    assert.match(missing.stderr, /key "bytes" not found/u);
  });

  await context.test("kill leader --wait: names the next leader and the time", async () => {
    const before = await quorate.status();
    const printed = await quorate.succeed("kill", "leader", "--wait");
    assert.match(
      printed,
      new RegExp(
        `^Killed ${before.leader} \\(leader of term ${before.term}, pid \\d+, SIGKILL\\)`,
        "u",
      ),
    );
    const next = /✓ (?<id>n\d) leads term (?<term>\d+) after (?<ms>\d+) ms\. 2\/3 up/u.exec(
      printed,
    );
    assert.ok(next?.groups !== undefined, printed);
    assert.notEqual(next.groups["id"], before.leader);
    assert.ok(Number(next.groups["term"]) > Number(before.term));
    assert.ok(printed.includes(`Undo: quorate start ${before.leader}`));
    assert.equal(await quorate.succeed("get", "hello"), "world\n");
  });

  await context.test("start: the killed node comes back and catches up", async () => {
    await quorate.succeed("put", "while-away", "1");
    const back = await quorate.succeed("start");
    assert.match(
      back,
      /answers on .*\n✓ caught up at commit \d+.*\n3\/3 up; one more loss is safe/u,
    );
    await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
    assert.equal((await quorate.status()).up, 3);
    assert.equal(await quorate.succeed("start"), "No node is down.\n");
  });

  await context.test("kill all, start all: nothing is lost", async () => {
    await quorate.succeed("kill", "all");
    assert.deepEqual(quorate.livingProcesses(), []);
    const unreachable = await quorate.fail(4, "get", "hello", "--timeout", "500ms");
    assert.match(unreachable.stderr, /n1, n2 and n3 are down[^]*quorate start n1 n2 n3/u);
    await quorate.succeed("start", "all");
    await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
    assert.equal(await quorate.succeed("get", "hello"), "world\n");
    assert.equal(await quorate.succeed("get", "while-away"), "1\n");
  });

  await context.test("two of three down: put exits 5 in time and names them", async () => {
    await quorate.succeed("kill", "follower", "follower");
    // A leader that has not yet noticed may take one proposal: of that one nobody can tell.
    const { leader } = await quorate.status();
    if (leader !== null) await quorate.run(["put", "a", "0", "--timeout", "3s"]);
    const began = performance.now();
    const { stderr } = await quorate.fail(5, "put", "a", "1", "--timeout", "1s");
    assert.ok(performance.now() - began < 5_000);
    assert.match(stderr, /^error: no leader: 1 of 3 nodes answer, 2 are needed to commit/u);
    assert.match(stderr, /why: {2}n\d and n\d are down \(connection refused\)/u);
    assert.match(stderr, /try: {2}quorate start n\d n\d/u);
    const status = await quorate.status();
    assert.equal(status.health, "noQuorum");
    assert.equal(await quorate.succeed("get", "hello", "--consistency", "stale"), "world\n");
    const waited = await quorate.run(["status", "--wait", "healthy", "--timeout", "300ms"]);
    assert.equal(waited.code, 8);
    await quorate.succeed("start");
  });

  await context.test("a paused leader: never a false success, and the others go on", async () => {
    const { leader } = await quorate.status();
    assert.ok(leader !== null);
    const address = quorate.runFile(leader).address;
    await quorate.succeed("pause", "leader");
    const toPaused = ["put", "paused", "1", "--endpoints", address, "--timeout", "1s"];
    const { code } = await quorate.run(toPaused);
    assert.ok(code === 5 || code === 6, `exit ${code}`);
    const status = await quorate.status();
    assert.equal(status.members.find(({ id }) => id === leader)?.health, "paused");
    assert.match(await quorate.succeed("start"), new RegExp(`${leader} is paused, not down`, "u"));
    await quorate.succeed("put", "by-the-others", "1");
    await quorate.succeed("resume");
    await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
    assert.equal(await quorate.succeed("get", "by-the-others"), "1\n");
  });

  await context.test("stop, restart, move-leader: leadership goes where it is told", async () => {
    const before = await quorate.status();
    const follower = before.members.find(({ id }) => id !== before.leader)?.id ?? "";
    assert.match(
      await quorate.succeed("move-leader", follower),
      new RegExp(`✓ ${follower} leads`, "u"),
    );
    await quorate.succeed("restart", "leader");
    await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
    assert.match(await quorate.succeed("stop", "n2"), /^Stopped n2 \(pid \d+\)\.\n$/u);
    assert.equal(quorate.runFile("n2").lastExit?.reason, "SIGTERM by quorate stop");
    assert.equal(await quorate.succeed("get", "hello"), "world\n");
  });

  await context.test("a stopped node's database: any SQLite tool reads term, vote and log", () => {
    const path = databaseOf(join(quorate.nodeDirectory("n2"), "data"));
    const database = openDatabase(path);
    const rows = (sql: string): DatabaseRow[] => database.prepare(sql).all();
    const [hardState] = rows("SELECT currentTerm, votedFor FROM hard_state");
    assert.ok(Number(hardState?.["currentTerm"]) >= 3);
    assert.match(String(hardState?.["votedFor"]), /^(?:n\d|null)$/u);
    const log = rows("SELECT idx, term, kind, data FROM log ORDER BY idx");
    assert.ok(log.length > 5);
    const indexes = log.map((entry) => Number(entry["idx"]));
    assert.deepEqual(
      indexes,
      indexes.map((_index, offset) => offset + 1),
    );
    const puts = log.filter((entry) => Buffer.from(entry["data"] as Uint8Array).includes("world"));
    assert.equal(puts.length, 1);
    database.close();
  });

  await context.test("logs: what the nodes wrote, for people and raw", async () => {
    assert.match(await quorate.succeed("logs", "n1", "-n", "3"), /^\d\d:\d\d:\d\d\.\d{3} /u);
    const raw = await quorate.succeed("logs", "n1", "--raw", "-n", "1");
    assert.equal(typeof (JSON.parse(raw) as { msg: unknown }).msg, "string");
    assert.match(await quorate.succeed("logs"), /^n1 .*\n(?:.*\n)*n3 /u);
  });

  await context.test("a closed pipe: ends the command quietly", () => {
    const environment = { ...process.env, XDG_STATE_HOME: quorate.stateHome };
    const program = new URL("../../bin/quorate.js", import.meta.url).pathname;
    const pipeline = `"${process.execPath}" "${program}" logs -n 10000 --raw 2>&1 | head -n 1`;
    const printed = execFileSync("sh", ["-c", pipeline], { env: environment, encoding: "utf8" });
    assert.equal(printed.trim().split("\n").length, 1);
    assert.doesNotMatch(printed, /EPIPE/u);
  });

  await context.test("down --purge: no process and no file is left", async () => {
    const processes = quorate.livingProcesses();
    assert.equal(processes.length, 2);
    const refused = await quorate.fail(2, "down", "--purge");
    assert.match(refused.stderr, /add -y/u);
    await quorate.succeed("down", "--purge", "-y");
    assert.equal(existsSync(join(quorate.stateHome, "quorate", "demo")), false);
    for (const noted of processes) assert.equal(stateOfProcess(noted), "gone");
    assert.equal(await quorate.succeed("ps"), "");
  });
});
