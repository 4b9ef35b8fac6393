import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TestContext } from "node:test";
import type { NodeConfig } from "../../src/config/node-config.ts";
import { parseNodeConfig } from "../../src/config/node-config.ts";
import type { QuorateServer } from "../../src/server/server.ts";
import { startServer } from "../../src/server/server.ts";

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => {
        server.listen({ host: "127.0.0.1", port: 0 }, resolve);
      });
      return server;
    }),
  );
  return await Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      assert.ok(address !== null && typeof address === "object");
      await new Promise((resolve) => {
        server.close(resolve);
      });
      return address.port;
    }),
  );
}

/** Configurations of a cluster of `count` in a folder that goes when the test ends. */
export async function localConfigs(t: TestContext, count: number): Promise<NodeConfig[]> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-server-"));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const ports = await freePorts(count);
  const members = ports.map((port, offset) => `n${offset + 1}=127.0.0.1:${port}`).join(",");
  return ports.map((_, offset) => {
    const name = `n${offset + 1}`;
    const flags = {
      name,
      "data-dir": join(folder, name),
      "cluster-id": "test",
      "initial-cluster": members,
      bootstrap: true,
      join: false,
    };
    return parseNodeConfig(flags, {});
  });
}

/** Starts a cluster of `count` servers in this process; they are stopped when the test ends. */
export async function startServers(t: TestContext, count: number): Promise<QuorateServer[]> {
  const configs = await localConfigs(t, count);
  const servers = await Promise.all(configs.map((config) => startOne(t, config)));
  await leaderOf(servers);
  return servers;
}

/** Starts one server, stopped when the test ends at the latest. */
export async function startOne(t: TestContext, config: NodeConfig): Promise<QuorateServer> {
  const server = await startServer(config, {
    onFailure: (error) => {
      throw error;
    },
  });
  t.after(() => server.stop());
  return server;
}

/** The server that leads, once every server of `servers` follows it. */
export async function leaderOf(servers: readonly QuorateServer[]): Promise<QuorateServer> {
  return await eventually(() => {
    const all = servers.map((server) => server.status());
    const [first] = all;
    const agree = all.every(({ leaderId }) => leaderId !== null && leaderId === first?.leaderId);
    return agree ? servers[all.findIndex(({ role }) => role === "leader")] : undefined;
  });
}

/** Waits until `find` finds something: for state that nothing announces. */
export async function eventually<T>(find: () => T | undefined, timeoutMs = 10_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const found = find();
    if (found !== undefined) return found;
    await delay(5);
  }
  return assert.fail(`not within ${timeoutMs} ms`);
}
