import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { freePorts } from "../server/local-servers.ts";
import { bytes, RawClient } from "../server/raw-client.ts";
import { Daemon, daemonFlags } from "./daemon.ts";

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "quorated-"));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

async function startCluster(t: TestContext, count: number): Promise<Map<string, Daemon>> {
  const folder = temporaryFolder(t);
  const ports = await freePorts(count);
  const members = ports.map((port, offset) => `n${offset + 1}=127.0.0.1:${port}`).join(",");
  const daemons = new Map<string, Daemon>();
  for (let number = 1; number <= count; number += 1) {
    const flags = daemonFlags(`n${number}`, folder, members);
    daemons.set(`n${number}`, new Daemon(t, [...flags, "--bootstrap"]));
  }
  await Promise.all([...daemons.values()].map((daemon) => daemon.ready()));
  return daemons;
}

/** Asks the daemons' own status who leads, until one does and the others follow it. */
async function leaderAmong(clients: readonly RawClient[]): Promise<string> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const replies = await Promise.all(clients.map((client) => client.ask({ type: "Status" })));
    const leaders = new Set(
      replies.map((reply) => (reply.type === "StatusReply" ? reply.status.leaderId : null)),
    );
    const [only] = leaders;
    if (leaders.size === 1 && typeof only === "string") return only;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return assert.fail("no leader");
}

async function connectAll(daemons: ReadonlyMap<string, Daemon>): Promise<Map<string, RawClient>> {
  const clients = new Map<string, RawClient>();
  for (const [name, daemon] of daemons) {
    const { address } = await daemon.ready();
    assert.ok(typeof address === "string");
    clients.set(name, await RawClient.connect(address));
  }
  return clients;
}

test("quorated: SIGTERM hands leadership over, exits 0, and nothing acknowledged is lost", async (t) => {
  const daemons = await startCluster(t, 3);
  const clients = await connectAll(daemons);
  const name = await leaderAmong([...clients.values()]);
  const [leader, client] = [daemons.get(name), clients.get(name)];
  assert.ok(leader !== undefined && client !== undefined);
  const put = await client.ask({ type: "Put", key: bytes("hello"), value: bytes("world") });
  assert.equal(put.type, "PutReply");

  const signalledMs = performance.now();
  leader.kill("SIGTERM");
  assert.deepEqual(await leader.ended, { code: 0, signal: null });
  const exitMs = performance.now() - signalledMs;
  clients.delete(name);
  const next = await leaderAmong([...clients.values()]);
  assert.notEqual(next, name);
  const handed = leader.log.find(({ event }) => event === "transferEnded");
  assert.equal(handed?.["moved"], true, JSON.stringify(leader.log.slice(-6)));
  t.diagnostic(`exit ${Math.round(exitMs)} ms after SIGTERM; ${next} leads`);
  for (const reader of clients.values()) {
    const get = await reader.ask({
      type: "Get",
      key: bytes("hello"),
      consistency: "linearizable",
    });
    assert.ok(get.type === "GetReply");
    assert.deepEqual(get.found?.value, bytes("world"));
    reader.close();
  }
});

test("quorated: a follower that finds the leader's process gone campaigns at once", async (t) => {
  const daemons = await startCluster(t, 3);
  const clients = await connectAll(daemons);
  const name = await leaderAmong([...clients.values()]);
  clients.delete(name);
  const killedMs = performance.now();
  daemons.get(name)?.kill("SIGKILL");
  const survivors = [...daemons].filter(([id]) => id !== name).map(([, daemon]) => daemon);
  const won = await Promise.race(
    survivors.map((daemon) =>
      daemon.logged(({ event, term }) => event === "electionWon" && Number(term) > 1),
    ),
  );
  t.diagnostic(`${String(won["msg"])}: ${Math.round(performance.now() - killedMs)} ms after kill`);
  const found = survivors.flatMap((daemon) =>
    daemon.log.filter(({ event, peer }) => event === "peerRefused" && peer === name),
  );
  assert.ok(found.length > 0, "nobody found the process gone");
  for (const client of clients.values()) client.close();
});

test("quorated: a second signal while it stops ends it at once, and a restart finds all", async (t) => {
  const folder = temporaryFolder(t);
  const [port, otherPort] = await freePorts(2);
  const members = `n1=127.0.0.1:${port}`;
  const flags = daemonFlags("n1", folder, members);
  const daemon = new Daemon(t, [...flags, "--bootstrap"]);
  await daemon.logged(({ event }) => event === "electionWon");
  const client = await RawClient.connect(`127.0.0.1:${port}`);
  const put = await client.ask({ type: "Put", key: bytes("k"), value: bytes("v") });
  assert.equal(put.type, "PutReply");
  daemon.kill("SIGINT");
  daemon.kill("SIGTERM");
  const end = await daemon.ended;
  assert.ok(end.code === 0 || end.signal === "SIGKILL", JSON.stringify(end));

  const again = new Daemon(t, [...flags, "--listen", `127.0.0.1:${otherPort}`]);
  await again.logged(({ event }) => event === "electionWon");
  const reader = await RawClient.connect(`127.0.0.1:${otherPort}`);
  const get = await reader.ask({ type: "Get", key: bytes("k"), consistency: "linearizable" });
  assert.ok(get.type === "GetReply");
  assert.deepEqual(get.found?.value, bytes("v"));
  reader.close();
});

test("quorated: a failed write ends it with the reason, even if the log cannot be written", async (t) => {
  if (spawnSync("prlimit", ["--version"]).error !== undefined) {
    t.skip("prlimit, which makes writes fail, is not installed");
    return;
  }
  const folder = temporaryFolder(t);
  for (const logged of [true, false]) {
    const [port] = await freePorts(1);
    const flags = daemonFlags("n1", join(folder, String(logged)), `n1=127.0.0.1:${port}`);
    const logFlags = logged ? [] : ["--log-file", join(folder, "n1.log")];
    const daemon = new Daemon(t, [...flags, "--bootstrap", ...logFlags]);
    await daemon.ready();
    const client = await RawClient.connect(`127.0.0.1:${port}`);
    assert.equal(await leaderAmong([client]), "n1");
    // From now on every write to a file fails with EFBIG, and no core is dumped.
    assert.equal(
      spawnSync("prlimit", ["--pid", String(daemon.pid), "--fsize=1:1", "--core=0:0"]).status,
      0,
    );
    client.send({ type: "Put", key: bytes("k"), value: new Uint8Array(100_000) });
    assert.deepEqual(await daemon.ended, { code: null, signal: "SIGABRT" });
    assert.ok(client.replies.every(({ type }) => type !== "PutReply"));
    const told = daemon.log.find(({ level }) => level === "fatal")?.["code"];
    assert.equal(told, logged ? "io" : undefined);
  }
});

test("quorated: faults in its configuration are told at once and exit 2", async (t) => {
  const daemon = new Daemon(t, ["--name", "?", "--tick-ms", "0", "--nope"]);
  assert.deepEqual(await daemon.ended, { code: 2, signal: null });
  for (const key of ["name", "tick-ms", "nope", "data-dir", "cluster-id", "initial-cluster"]) {
    assert.match(daemon.errorText, new RegExp(`^ {2}${key}: `, "mu"));
  }
});

test("quorated: a folder or port in use, or of another cluster, exits 9 with a remedy", async (t) => {
  const folder = temporaryFolder(t);
  const [port, otherPort] = await freePorts(2);
  const members = `n1=127.0.0.1:${port}`;
  const flags = daemonFlags("n1", folder, members);
  const holder = new Daemon(t, [...flags, "--bootstrap"]);
  await holder.ready();
  const attempts: { args: string[]; code: string }[] = [
    { args: [...flags, "--listen", `127.0.0.1:${otherPort}`], code: "locked" },
    { args: [...flags, "--bootstrap"], code: "alreadyBootstrapped" },
    { args: [...daemonFlags("n1", `${folder}/b`, members), "--bootstrap"], code: "addressInUse" },
    { args: daemonFlags("n1", `${folder}/c`, members), code: "notBootstrapped" },
  ];
  for (const { args, code } of attempts) {
    const daemon = new Daemon(t, args);
    assert.deepEqual(await daemon.ended, { code: 9, signal: null }, code);
    assert.equal(daemon.log.at(-1)?.["code"], code);
    assert.match(daemon.errorText, /^error: /u);
  }
  holder.kill("SIGTERM");
  await holder.ended;
  const stranger = new Daemon(t, [...flags, "--cluster-id", "elsewhere"]);
  assert.deepEqual(await stranger.ended, { code: 9, signal: null });
  assert.equal(stranger.log.at(-1)?.["code"], "otherCluster");
});
