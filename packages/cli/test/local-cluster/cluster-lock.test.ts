import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { lockCluster } from "../../src/local-cluster/cluster-lock.ts";
import { temporaryFolder } from "../temporary-folder.ts";

function request(stateRoot: string, waitMs: number, onWait: (pid: number) => void = () => {}) {
  return { stateRoot, clusterName: "demo", waitMs, signal: null, onWait };
}

test("cluster lock: a second command waits for the first, and is told whose it is", async (context) => {
  const stateRoot = temporaryFolder(context);
  const first = await lockCluster(request(stateRoot, 0));
  const holders: number[] = [];
  const second = lockCluster(
    request(stateRoot, 10_000, (pid) => {
      holders.push(pid);
      first.release();
    }),
  );
  (await second).release();
  assert.deepEqual(holders, [process.pid]);
});

test("cluster lock: held too long it is a conflict, exit code 9", async (context) => {
  const stateRoot = temporaryFolder(context);
  const held = await lockCluster(request(stateRoot, 0));
  await assert.rejects(lockCluster(request(stateRoot, 30)), { code: "localConflict" });
  held.release();
});

test("cluster lock: that of a command which died, or whose pid is another's, is taken", async (context) => {
  const stateRoot = temporaryFolder(context);
  mkdirSync(join(stateRoot, ".locks"));
  const dead = { pid: process.pid, startTime: "an earlier process" };
  writeFileSync(join(stateRoot, ".locks", "demo.7"), JSON.stringify(dead));
  const lock = await lockCluster(request(stateRoot, 0));
  assert.deepEqual(readdirSync(join(stateRoot, ".locks")), ["demo.8"]);
  lock.release();
});

test("cluster lock: of many that want it at once, one holds it at a time", async (context) => {
  const stateRoot = temporaryFolder(context);
  let holders = 0;
  let turns = 0;
  const takeTurn = async (): Promise<void> => {
    const lock = await lockCluster(request(stateRoot, 20_000));
    holders += 1;
    assert.equal(holders, 1);
    await new Promise(setImmediate);
    holders -= 1;
    turns += 1;
    lock.release();
  };
  await Promise.all(Array.from({ length: 8 }, takeTurn));
  assert.equal(turns, 8);
});

test("cluster lock: locks of clusters whose names begin alike are apart", async (context) => {
  const stateRoot = temporaryFolder(context);
  const one = await lockCluster(request(stateRoot, 0));
  const other = await lockCluster({ ...request(stateRoot, 0), clusterName: "demo.1" });
  one.release();
  other.release();
});
