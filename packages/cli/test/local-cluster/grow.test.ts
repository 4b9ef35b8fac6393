import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import type { ClusterFile } from "../../src/local-cluster/cluster-file.ts";
import { readClusterFile, writeClusterFile } from "../../src/local-cluster/cluster-file.ts";
import { newNode, nextFreeId } from "../../src/local-cluster/grow.ts";
import { LocalCluster } from "../../src/local-cluster/local-cluster.ts";
import { findFreeBasePort } from "../../src/local-cluster/ports.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const HOST = "127.0.0.1";

async function clusterOf(
  context: TestContext,
  changes: Partial<ClusterFile> = {},
): Promise<LocalCluster> {
  const stateRoot = temporaryFolder(context);
  const basePort = await findFreeBasePort(HOST, 6, 24_000 + (process.pid % 100) * 100);
  assert.ok(basePort !== null);
  const file: ClusterFile = {
    name: "demo",
    clusterId: "demo-1",
    createdAt: new Date().toISOString(),
    directory: join(stateRoot, "demo"),
    nodes: [1, 2, 3].map((number) => ({
      id: `n${number}`,
      host: HOST,
      port: basePort + number - 1,
      joining: false,
    })),
    removedIds: [],
    bootstrapped: true,
    ...changes,
  };
  writeClusterFile(stateRoot, file);
  return new LocalCluster(stateRoot, file);
}

test("growing: the next node has the next name and the first free port above the others", async (context) => {
  const cluster = await clusterOf(context);
  const highest = cluster.node("n3").port;
  const squatter = createServer().listen(highest + 1, HOST);
  context.after(() => squatter.close());
  await once(squatter, "listening");
  const node = await newNode(cluster, null);
  assert.deepEqual(node, { id: "n4", host: HOST, port: highest + 2, joining: true });
});

test("growing: a name is used once, whether its node was removed or only left its files", async (context) => {
  const cluster = await clusterOf(context, { removedIds: ["n4"] });
  mkdirSync(join(cluster.file.directory, "nodes", "n5"), { recursive: true });
  assert.equal(nextFreeId(cluster), "n6");
  for (const id of ["n4", "n5"]) {
    await assert.rejects(newNode(cluster, id), /there was a node "n\d" before/u);
  }
  await assert.rejects(newNode(cluster, "n2"), /has a node "n2" already/u);
  await assert.rejects(newNode(cluster, "a/b"), /cannot be the name of a node/u);
});

test("growing and shrinking: cluster.json says so, and names the removed for ever", async (context) => {
  const cluster = await clusterOf(context);
  const node = await newNode(cluster, null);
  cluster.addNode(node);
  assert.equal(cluster.node("n4").dataLost, false);
  cluster.removeNode("n2", { wasMember: true, purge: false });
  const file = readClusterFile(cluster.stateRoot, "demo");
  assert.deepEqual(
    file?.nodes.map(({ id, joining }) => [id, joining]),
    [
      ["n1", false],
      ["n3", false],
      ["n4", true],
    ],
  );
  assert.deepEqual(file.removedIds, ["n2"]);
  cluster.removeNode("n4", { wasMember: false, purge: true });
  assert.equal(nextFreeId(cluster), "n4");
});

test("a node whose data was deleted after it ran has lost it, and must not be started", async (context) => {
  const cluster = await clusterOf(context);
  assert.equal(cluster.node("n3").dataLost, true);
  await assert.rejects(
    cluster.start("n3", 1000, null),
    (error: { readonly message: string; readonly remedies: readonly string[] }) => {
      assert.match(error.message, /the data of n3 is gone/u);
      assert.equal(error.remedies[0], "quorate member replace n3");
      return true;
    },
  );
  mkdirSync(cluster.node("n3").dataDirectory, { recursive: true });
  writeFileSync(join(cluster.node("n3").dataDirectory, "raft.db"), "data");
  assert.equal(cluster.node("n3").dataLost, false);
});

test("cluster.json of a cluster that could not grow yet is read", async (context) => {
  const cluster = await clusterOf(context);
  const path = join(cluster.stateRoot, "demo", "cluster.json");
  const { removedIds: _removed, name: _name, nodes, ...rest } = cluster.file;
  const oldNodes = nodes.map(({ id, host, port }) => ({ id, host, port }));
  writeFileSync(path, JSON.stringify({ formatVersion: 1, ...rest, nodes: oldNodes }));
  assert.deepEqual(readClusterFile(cluster.stateRoot, "demo"), cluster.file);
});
