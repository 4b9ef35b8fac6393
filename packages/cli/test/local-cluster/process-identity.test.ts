import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { writeClusterFile } from "../../src/local-cluster/cluster-file.ts";
import { LocalCluster } from "../../src/local-cluster/local-cluster.ts";
import type { NotedProcess } from "../../src/local-cluster/process-identity.ts";
import {
  observeProcess,
  signalProcess,
  stateOfProcess,
} from "../../src/local-cluster/process-identity.ts";
import { readRunFile, writeRunFile } from "../../src/local-cluster/run-file.ts";
import { temporaryFolder } from "../temporary-folder.ts";

/** A process that is ended when the test ends, with or without its help. */
async function startProcess(
  context: TestContext,
): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6); console.log('up')"]);
  context.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { readonly pid: number };
}

function noted(pid: number): NotedProcess {
  const startTime = observeProcess(pid)?.startTime;
  assert.ok(startTime !== undefined);
  return { pid, startTime };
}

test("process identity: pid and start time together name a process", async (context) => {
  const child = await startProcess(context);
  const itself = noted(child.pid);
  assert.equal(stateOfProcess(itself), "running");
  assert.equal(stateOfProcess({ ...itself, startTime: "another" }), "recycled");
  const exit = once(child, "exit");
  assert.equal(signalProcess(itself, "SIGKILL"), true);
  await exit;
  assert.equal(stateOfProcess(itself), "gone");
  assert.equal(signalProcess(itself, "SIGKILL"), false);
});

test("process identity: a stopped process is paused, and runs after SIGCONT", async (context) => {
  const child = await startProcess(context);
  const itself = noted(child.pid);
  signalProcess(itself, "SIGSTOP");
  while (stateOfProcess(itself) !== "paused") await new Promise(setImmediate);
  signalProcess(itself, "SIGCONT");
  while (stateOfProcess(itself) !== "running") await new Promise(setImmediate);
});

test("process identity: a recycled pid is never signalled", async (context) => {
  const foreign = await startProcess(context);
  const stateRoot = temporaryFolder(context);
  const directory = join(stateRoot, "demo");
  const file = {
    name: "demo",
    clusterId: "demo-1",
    createdAt: new Date().toISOString(),
    directory,
    bootstrapped: true,
    removedIds: [],
    nodes: [{ id: "n1", host: "127.0.0.1", port: 1, joining: false }],
  };
  writeClusterFile(stateRoot, file);
  const nodeDirectory = join(directory, "nodes", "n1");
  mkdirSync(nodeDirectory, { recursive: true });
  writeRunFile(nodeDirectory, {
    pid: foreign.pid,
    startTime: "an earlier process",
    bootId: "b",
    address: "127.0.0.1:1",
    softwareVersion: "0.1.0",
    startedAt: new Date().toISOString(),
    lastExit: null,
  });
  let exited = false;
  foreign.once("exit", () => (exited = true));

  const cluster = LocalCluster.open(stateRoot, "demo");
  assert.ok(cluster !== null);
  assert.equal(cluster.node("n1").state, "down");
  assert.equal(cluster.node("n1").pidRecycled, true);
  assert.equal(cluster.signal("n1", "SIGSTOP"), null);
  assert.equal(await cluster.kill("n1", "test"), null);
  assert.equal(await cluster.stop("n1", 10, "test"), null);

  assert.equal(observeProcess(foreign.pid)?.paused, false);
  assert.equal(exited, false);
  assert.equal(readRunFile(nodeDirectory)?.lastExit, null);
});
