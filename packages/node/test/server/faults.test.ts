import assert from "node:assert/strict";
import { test } from "node:test";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import type { LinkFault, NodeId } from "@quorate/wire";
import type { QuorateServer } from "../../src/server/server.ts";
import { eventually, leaderOf, localConfigs, startOne, startServers } from "./local-servers.ts";

function cut(peer: NodeId): LinkFault[] {
  return (["to", "from"] as const).map((direction) => {
    return { peer, direction, dropRate: 1, delayMs: 0 };
  });
}

function refusedAs(code: string) {
  return (error: unknown): boolean => error instanceof RequestError && error.code === code;
}

test("SetFaults: is refused by a node that was not started for it, and changes nothing", async (t) => {
  const [server] = await startServers(t, 1);
  assert.ok(server !== undefined);
  const client = new QuorateClient({ endpoints: [server.listenAddress] });
  t.after(() => client.close());
  await assert.rejects(
    client.setFaults(server.listenAddress, cut("n2"), 1000),
    refusedAs("faultsNotAllowed"),
  );
  assert.equal(server.status().faultsAllowed, false);
  assert.deepEqual(server.status().faults, []);
});

test("SetFaults: a leader that is cut off is replaced, and follows when the time is over (Raft §5.2)", async (t) => {
  const configs = await localConfigs(t, 3);
  const servers: QuorateServer[] = await Promise.all(
    configs.map((config) => startOne(t, { ...config, allowFaults: true })),
  );
  const old = await leaderOf(servers);
  const others = servers.filter((server) => server !== old);
  const client = new QuorateClient({ endpoints: servers.map((server) => server.listenAddress) });
  t.after(() => client.close());
  const rules = others.flatMap((server) => cut(server.status().nodeId));
  assert.equal(await client.setFaults(old.listenAddress, rules, 2500), 2500);
  assert.deepEqual(old.status().faults, rules);
  const next = await leaderOf(others);
  assert.ok(next !== old);
  assert.ok(next.status().currentTerm > old.status().currentTerm);
  // It steps down where no quorum answers it.
  await eventually(() => (old.status().role === "leader" ? undefined : true));
  await eventually(() => (old.status().faults.length === 0 ? true : undefined));
  await leaderOf(servers);
});

test("SetFaults: rules that cannot be meant are refused as a whole", async (t) => {
  const [config] = await localConfigs(t, 1);
  assert.ok(config !== undefined);
  const server = await startOne(t, { ...config, allowFaults: true });
  const client = new QuorateClient({ endpoints: [server.listenAddress] });
  t.after(() => client.close());
  const [to] = cut("n2");
  assert.ok(to !== undefined);
  for (const [rules, ttlMs] of [
    [cut("n1"), 1000],
    [[to, to], 1000],
    [cut("n2"), 0],
    [cut("n2"), 86_400_001],
    [[{ ...to, delayMs: 60_001 }], 1000],
    [Array.from({ length: 257 }, (_, n) => ({ ...to, peer: `p${n}` })), 1000],
  ] as const) {
    await assert.rejects(
      client.setFaults(server.listenAddress, rules, ttlMs),
      refusedAs("invalid"),
    );
  }
  assert.deepEqual(server.status().faults, []);
  assert.equal(await client.setFaults(server.listenAddress, [], 0), 0);
});
