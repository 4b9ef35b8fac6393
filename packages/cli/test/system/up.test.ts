import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { LocalQuorate } from "./local-quorate.ts";

interface UpResult {
  readonly alreadyRunning: boolean;
  readonly started: readonly string[];
}

test("up: repeated it says that the cluster runs, and starts what is down", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const pids = quorate.livingProcesses().map(({ pid }) => pid);
  assert.match(await quorate.up("-n", "3"), /^Cluster "demo" already runs\./u);
  assert.deepEqual(
    quorate.livingProcesses().map(({ pid }) => pid),
    pids,
  );
  await quorate.succeed("kill", "n2");
  const again = JSON.parse(await quorate.succeed("up", "--wait", "-o", "json")) as UpResult;
  assert.deepEqual(again.started, ["n2"]);
  assert.equal((await quorate.status()).up, 3);
});

test("up: two at once make one cluster, and neither calls it a conflict", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  const arguments_ = ["up", "--base-port", String(quorate.basePort), "-o", "json"];
  const [one, other] = await Promise.all([quorate.run(arguments_), quorate.run(arguments_)]);
  assert.deepEqual([one.code, other.code], [0, 0], `${one.stderr}${other.stderr}`);
  const results = [one, other].map(({ stdout }) => JSON.parse(stdout) as UpResult);
  assert.equal(results.filter(({ alreadyRunning }) => alreadyRunning).length, 1);
  assert.equal(quorate.livingProcesses().length, 3);
  assert.match(
    one.stderr + other.stderr,
    /Another command \(pid \d+\) is changing cluster "demo"/u,
  );
});

test("up: another shape is a conflict, exit 9, and nothing changes", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const { stderr } = await quorate.fail(9, "up", "-n", "5");
  assert.match(stderr, /exists in another shape\n {2}why: {2}it has 3 nodes, not 5/u);
  assert.match(stderr, /quorate up --name demo --fresh -n 5/u);
  assert.equal(quorate.livingProcesses().length, 3);
});

test("up: a taken port is a conflict, exit 9, before anything was started", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  const stranger = createServer().listen(quorate.basePort + 1, "127.0.0.1");
  context.after(() => stranger.close());
  await once(stranger, "listening");
  const args = ["up", "--base-port", String(quorate.basePort)];
  const { stderr } = await quorate.fail(9, ...args);
  assert.match(stderr, new RegExp(`port ${quorate.basePort + 1} is taken by`, "u"));
  assert.match(stderr, /try: {2}quorate up --base-port \d+/u);
  assert.deepEqual(quorate.livingProcesses(), []);
  assert.equal(existsSync(join(quorate.stateHome, "quorate", "demo")), false);
});

test("up: a cluster under another name on the same ports is told whose nodes are there", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const args = ["up", "--name", "second", "--base-port", String(quorate.basePort)];
  const { stderr } = await quorate.fail(9, ...args);
  assert.match(stderr, /is taken by .*node n1 of Quorate cluster demo-/u);
});

test("up: Ctrl-C while it waits rolls back what it started", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  const child = quorate.spawn(["up", "--base-port", String(quorate.basePort)]);
  assert.ok(child.stdout !== null);
  // The first line is printed before the first process is started.
  await once(child.stdout, "data");
  while (quorate.livingProcesses().length === 0) await new Promise(setImmediate);
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 130);
  assert.deepEqual(quorate.livingProcesses(), []);
  assert.equal(existsSync(join(quorate.stateHome, "quorate", "demo")), false);
});

test("up: nodes outlive the terminal: they are in sessions of their own", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const processes = quorate.livingProcesses();
  assert.equal(processes.length, 3);
  if (process.platform !== "linux") return;
  for (const { pid } of processes) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, , group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    assert.deepEqual([group, session], [String(pid), String(pid)]);
  }
});

test("up --fresh: deletes the data of the last time, after -y", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  await quorate.succeed("put", "old", "1");
  await quorate.fail(2, "up", "--fresh");
  await quorate.succeed("get", "old");
  await quorate.up("--fresh", "-y", "-n", "1");
  await quorate.fail(3, "get", "old");
  assert.equal(quorate.livingProcesses().length, 1);
});

test("up --dir: logs and data are there; down --purge leaves what is not the cluster's", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  const folder = join(quorate.stateHome, "elsewhere");
  await quorate.up("-n", "1", "--dir", folder);
  assert.ok(readdirSync(join(folder, "nodes", "n1")).includes("node.log"));
  writeFileSync(join(folder, "mine.txt"), "kept");
  await quorate.succeed("down", "--purge", "-y");
  assert.deepEqual(readdirSync(folder), ["mine.txt"]);
});

test("start: a run file that was lost is written anew for the node that still runs", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const before = quorate.runFile("n2");
  context.after(() => quorate.signalNoted(before));
  rmSync(join(quorate.nodeDirectory("n2"), "run.json"));
  assert.match(await quorate.succeed("start", "n2"), /n2 was running without a note of it/u);
  const { pid, startTime, bootId } = quorate.runFile("n2");
  assert.deepEqual(
    { pid, startTime, bootId },
    {
      pid: before.pid,
      startTime: before.startTime,
      bootId: before.bootId,
    },
  );
});

test("start: a node whose data is gone is not bootstrapped again (Raft §5.2)", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  await quorate.succeed("kill", "n3");
  rmSync(join(quorate.nodeDirectory("n3"), "data"), { recursive: true });
  const { stderr } = await quorate.fail(1, "start", "n3");
  assert.match(stderr, /the data of n3 is gone/u);
  assert.match(stderr, /quorate up --fresh/u);
});

test("kill: a recycled pid in a run file is never signalled", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const own = quorate.runFile("n1");
  const stranger = quorate.runFile("n2");
  context.after(() => quorate.signalNoted(own));
  // The file of n1 names the pid of n2's process, with the start time of n1's.
  const isSameTick = own.startTime === stranger.startTime;
  const startTime = isSameTick ? `${own.startTime}0` : own.startTime;
  const swapped = { ...own, pid: stranger.pid, startTime };
  writeFileSync(join(quorate.nodeDirectory("n1"), "run.json"), JSON.stringify(swapped));
  const { stderr } = await quorate.fail(1, "kill", "n1");
  assert.match(stderr, /n1 is not running: nothing was signalled/u);
  assert.match(await quorate.succeed("ps"), /n1\tdown \(its pid is another program's now\)/u);
  process.kill(stranger.pid, 0);
  process.kill(own.pid, 0);
});

test("kill: several nodes are signalled only if all of them run", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  await quorate.succeed("kill", "n3");
  const { stderr } = await quorate.fail(1, "kill", "n1", "n3");
  assert.match(stderr, /n3 is not running: nothing was signalled/u);
  assert.equal(quorate.livingProcesses().length, 2);
  const without = await quorate.fail(8, "kill", "leader", "--wait");
  assert.match(without.stdout, /^Killed n\d \(leader of term \d+/u);
  assert.match(without.stderr, /no leader can be elected: 1\/3 up, 2 are needed: no quorum/u);
});

test("targets: --name goes before QUORATE_ENDPOINTS, which goes before the local cluster", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up("-n", "1");
  const environment = { QUORATE_ENDPOINTS: "127.0.0.1:1", QUORATE_TIMEOUT: "300ms" };
  const endOf = async (...args: readonly string[]): Promise<number | null> => {
    const [code] = (await once(quorate.spawn(args, environment), "exit")) as [number | null];
    return code;
  };
  assert.equal(await endOf("status"), 4);
  assert.equal(await endOf("status", "--name", "demo"), 0);
  assert.equal(await endOf("status", "--endpoints", `127.0.0.1:${quorate.basePort}`), 0);
});

test("start: a node that cannot start says why, in its own words, once", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  await quorate.succeed("stop", "n1");
  const database = join(quorate.nodeDirectory("n1"), "data", "raft.db");
  writeFileSync(database, "not a database at all, but long enough to be looked at".repeat(100));
  const { stderr } = await quorate.fail(1, "start", "n1");
  assert.match(stderr, /^error: n1 ended with code \d+ while starting\n {2}why: {2}.*raft\.db/u);
  assert.equal(stderr.trimEnd().split("\n").length, 3);
  assert.equal((await quorate.status()).up, 2);
});
