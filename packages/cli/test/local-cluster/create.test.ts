import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

import { readClusterFile } from "../../src/local-cluster/cluster-file.ts";
import { checkShape, createCluster } from "../../src/local-cluster/create.ts";
import { findFreeBasePort, findPortOwner } from "../../src/local-cluster/ports.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const HOST = "127.0.0.1";

async function freeBasePort(): Promise<number> {
  const port = await findFreeBasePort(HOST, 3, 20_000 + (process.pid % 100) * 100);
  assert.ok(port !== null);
  return port;
}

test("a new cluster: fixed ports, a cluster id of its own, and files that say so", async (context) => {
  const stateRoot = temporaryFolder(context);
  const basePort = await freeBasePort();
  const shape = { nodeCount: 3, basePort, directory: null };
  const cluster = await createCluster(stateRoot, "demo", shape);
  assert.deepEqual(readClusterFile(stateRoot, "demo"), cluster.file);
  assert.deepEqual(
    cluster.nodes().map(({ id, address, state }) => ({ id, address, state })),
    [0, 1, 2].map((offset) => ({
      id: `n${offset + 1}`,
      address: `${HOST}:${basePort + offset}`,
      state: "down",
    })),
  );
  const other = await createCluster(stateRoot, "other", shape);
  assert.notEqual(other.file.clusterId, cluster.file.clusterId);
});

test("a new cluster: a taken port is a conflict that names its owner and free ports", async (context) => {
  const stateRoot = temporaryFolder(context);
  const server = createServer().listen(0, HOST);
  context.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await assert.rejects(
    createCluster(stateRoot, "demo", { nodeCount: 1, basePort: port, directory: null }),
    (error: { code: string; message: string; remedies: string[] }) => {
      assert.equal(error.code, "localConflict");
      if (process.platform === "linux") {
        assert.ok(error.message.includes(`(pid ${process.pid})`), error.message);
        assert.equal(findPortOwner(port)?.pid, process.pid);
      }
      assert.match(error.remedies[0] ?? "", /^quorate up --base-port \d+$/u);
      return true;
    },
  );
  assert.equal(readClusterFile(stateRoot, "demo"), null);
});

test("an existing cluster: what was not asked for cannot differ, what was asked for must fit", async (context) => {
  const stateRoot = temporaryFolder(context);
  const basePort = await freeBasePort();
  const cluster = await createCluster(stateRoot, "demo", {
    nodeCount: 3,
    basePort,
    directory: null,
  });
  checkShape(cluster, { nodeCount: null, basePort: null, directory: null });
  checkShape(cluster, { nodeCount: 3, basePort, directory: join(stateRoot, "demo") });
  for (const shape of [
    { nodeCount: 5, basePort: null, directory: null },
    { nodeCount: null, basePort: basePort + 1, directory: null },
    { nodeCount: null, basePort: null, directory: "/elsewhere" },
  ]) {
    assert.throws(() => checkShape(cluster, shape), { code: "localConflict" });
  }
});
