import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { ChangeMembersReply, ErrorReply, MembersChange, NodeStatus } from "@quorate/wire";
import type { NodeConfig } from "../../src/config/node-config.ts";
import { parseNodeConfig } from "../../src/config/node-config.ts";
import type { QuorateServer } from "../../src/server/server.ts";
import { eventually, freePorts, leaderOf, localConfigs, startOne } from "./local-servers.ts";
import { bytes, RawClient } from "./raw-client.ts";

interface Cluster {
  readonly configs: NodeConfig[];
  readonly servers: QuorateServer[];
  readonly leader: QuorateServer;
}

async function startCluster(t: TestContext): Promise<Cluster> {
  const configs = await localConfigs(t, 3);
  const servers = await Promise.all(configs.map((config) => startOne(t, config)));
  return { configs, servers, leader: await leaderOf(servers) };
}

function configOf({ configs }: Cluster, server: QuorateServer): NodeConfig {
  const config = configs.find(({ nodeId }) => nodeId === server.status().nodeId);
  assert.ok(config !== undefined);
  return config;
}

/** A configuration for a node that waits to be added, beside those of `cluster`. */
async function joining({ configs }: Cluster, name: string): Promise<NodeConfig> {
  const [port] = await freePorts(1);
  const [first] = configs;
  assert.ok(first !== undefined);
  const address = `127.0.0.1:${port}`;
  return parseNodeConfig(
    {
      name,
      "data-dir": join(dirname(first.dataDirectory), name),
      "cluster-id": "test",
      "initial-cluster": `${name}=${address}`,
      join: true,
    },
    {},
  );
}

/** Asks again while another change goes on. */
async function change(
  t: TestContext,
  servers: readonly QuorateServer[],
  wanted: MembersChange,
  options: { readonly dryRun?: boolean } = {},
): Promise<ChangeMembersReply | ErrorReply> {
  for (;;) {
    const leader = await leaderOf(servers);
    const client = await RawClient.connect(leader.listenAddress);
    t.after(() => {
      client.close();
    });
    const reply = await client.ask({
      type: "ChangeMembers",
      change: wanted,
      expectedConfigurationIndex: null,
      force: false,
      dryRun: options.dryRun ?? false,
    });
    if (reply.type === "ChangeMembersReply") return reply;
    assert.ok(reply.type === "ErrorReply");
    if (reply.code !== "changeInProgress" && reply.code !== "notReady") return reply;
    await eventually(() => (isSettled(leader.status()) ? true : undefined));
  }
}

function isSettled({ members, configurationIndex, commitIndex }: NodeStatus): boolean {
  return configurationIndex <= commitIndex && members.every(({ role }) => role === "voter");
}

function votersOf(server: QuorateServer): string {
  const { members } = server.status();
  return members.flatMap(({ id, role }) => (role === "voter" ? [id] : [])).join(" ");
}

function refusalsOf(server: QuorateServer): string[] {
  return server.status().peers.flatMap(({ refusal }) => (refusal === null ? [] : [refusal]));
}

function followerOf({ servers, leader }: Cluster): QuorateServer {
  const follower = servers.find((server) => server !== leader);
  assert.ok(follower !== undefined);
  return follower;
}

test("members: a node with an empty directory is added, catches up and votes (Diss. §4.2.1)", async (t) => {
  const cluster = await startCluster(t);
  const config = await joining(cluster, "n4");
  const n4 = await startOne(t, config);
  const { advertiseAddress: address } = config;
  const reply = await change(t, cluster.servers, {
    kind: "add",
    id: "n4",
    address,
    asLearner: false,
  });
  assert.equal(reply.type, "ChangeMembersReply");
  await eventually(() => (votersOf(n4) === "n1 n2 n3 n4" ? true : undefined));
  const client = await RawClient.connect(n4.listenAddress);
  const get = await client.ask({ type: "Get", key: bytes("k"), consistency: "linearizable" });
  assert.equal(get.type, "GetReply");
  client.close();
});

test("members: a dry run tells the steps and the votes, and changes nothing", async (t) => {
  const cluster = await startCluster(t);
  const before = cluster.leader.status().configurationIndex;
  const id = followerOf(cluster).status().nodeId;
  const reply = await change(t, cluster.servers, { kind: "remove", id }, { dryRun: true });
  assert.ok(reply.type === "ChangeMembersReply");
  assert.deepEqual(
    [reply.steps[0], reply.steps[1], reply.steps.at(-1)],
    [
      `remove ${id} for ever, by joint consensus`,
      "votes before: 3 of 3 voters answer, 2 are a majority; 1 more may be lost",
      "votes after: 2 of 2 voters answer, 2 are a majority; no further loss is safe",
    ],
  );
  assert.equal(cluster.leader.status().configurationIndex, before);
});

test("members: what cannot be meant is refused with its reason", async (t) => {
  const cluster = await startCluster(t);
  const messageOf = async (wanted: MembersChange): Promise<string> => {
    const reply = await change(t, cluster.servers, wanted);
    assert.ok(reply.type === "ErrorReply" && reply.code === "invalid", reply.type);
    return reply.message;
  };
  const address = "127.0.0.1:1";
  assert.equal(await messageOf({ kind: "remove", id: "n8" }), "n8 is no member");
  assert.equal(await messageOf({ kind: "promote", id: "n1" }), "n1 votes already");
  const again = { kind: "add", id: "n1", address, asLearner: true } as const;
  assert.equal(await messageOf(again), "n1 is a member already");
  const taken = { kind: "add", id: "n8", address: cluster.leader.listenAddress } as const;
  assert.match(await messageOf({ ...taken, asLearner: true }), /is the address of n/u);
});

test("members: a removed node is told, retires, answers nothing, and its id never comes back", async (t) => {
  const cluster = await startCluster(t);
  const removed = followerOf(cluster);
  const { nodeId: id, address } = removed.status();
  const stayers = cluster.servers.filter((server) => server !== removed);
  await change(t, stayers, { kind: "remove", id });
  await eventually(() => (removed.status().retired ? true : undefined));
  const client = await RawClient.connect(removed.listenAddress);
  const get = await client.ask({ type: "Get", key: bytes("k"), consistency: "stale" });
  assert.ok(get.type === "ErrorReply");
  assert.equal(get.code, "notMember");
  client.close();
  const back = await change(t, stayers, { kind: "add", id, address, asLearner: false });
  assert.ok(back.type === "ErrorReply");
  assert.match(back.message, /was a member before, and an id is used once/u);
});

test("members: a node that was removed while it was down hears of it from whoever it calls", async (t) => {
  const cluster = await startCluster(t);
  const removed = followerOf(cluster);
  const config = { ...configOf(cluster, removed), bootstrap: false };
  const { nodeId: id } = removed.status();
  await removed.stop();
  const stayers = cluster.servers.filter((server) => server !== removed);
  await change(t, stayers, { kind: "remove", id });
  const back = await startOne(t, config);
  await eventually(() => (back.status().retired ? true : undefined));
  const client = await RawClient.connect(back.listenAddress);
  const get = await client.ask({ type: "Get", key: bytes("k"), consistency: "stale" });
  client.close();
  assert.ok(get.type === "ErrorReply");
  assert.equal(get.code, "notMember");
});

test("members: another takes the place of one that is gone, in one step", async (t) => {
  const cluster = await startCluster(t);
  const gone = followerOf(cluster);
  const { nodeId: id } = gone.status();
  const rest = cluster.servers.filter((server) => server !== gone);
  await gone.stop();
  const config = await joining(cluster, "n4");
  const n4 = await startOne(t, config);
  const address = config.advertiseAddress;
  await change(t, rest, { kind: "replace", id, withId: "n4", address });
  const expected = [...rest.map((server) => server.status().nodeId), "n4"].join(" ");
  await eventually(() => (votersOf(n4) === expected ? true : undefined));
});

test("identity: a node whose directory was wiped is refused by all, and says so (Diss. §3.8)", async (t) => {
  const cluster = await startCluster(t);
  const lost = followerOf(cluster);
  const config = configOf(cluster, lost);
  await lost.stop();
  rmSync(config.dataDirectory, { recursive: true });
  const wiped = await startOne(t, { ...config, bootstrap: true });
  await eventually(() => (refusalsOf(wiped).length === 2 ? true : undefined));
  for (const refusal of refusalsOf(wiped)) {
    assert.match(refusal, new RegExp(`^${config.nodeId} has lost its data`, "u"));
    assert.match(refusal, new RegExp(`quorate member replace ${config.nodeId}`, "u"));
  }
  assert.equal(wiped.status().commitIndex, 0);
});

test("identity: a node that was restored from an older copy of its directory is refused", async (t) => {
  const cluster = await startCluster(t);
  const restored = followerOf(cluster);
  const config = { ...configOf(cluster, restored), bootstrap: false };
  const copy = `${config.dataDirectory}-copy`;
  await restored.stop();
  cpSync(config.dataDirectory, copy, { recursive: true });
  const later = await startOne(t, config);
  await eventually(() => (later.status().leaderId === null ? undefined : true));
  await eventually(() => (later.status().peers.every((p) => p.connected) ? true : undefined));
  await later.stop();
  rmSync(config.dataDirectory, { recursive: true });
  cpSync(copy, config.dataDirectory, { recursive: true });
  const old = await startOne(t, config);
  await eventually(() => (refusalsOf(old).length === 2 ? true : undefined));
  for (const refusal of refusalsOf(old))
    assert.match(refusal, /or was restored from an older copy/u);
});

test("members: a node that moves to another address is found there", async (t) => {
  const cluster = await startCluster(t);
  const mover = followerOf(cluster);
  const before = configOf(cluster, mover);
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  await mover.stop();
  const rest = cluster.servers.filter((server) => server !== mover);
  const { nodeId: id } = before;
  const reply = await change(t, rest, { kind: "updateAddress", id, address });
  assert.equal(reply.type, "ChangeMembersReply");
  const config = { ...before, listenAddress: address, advertiseAddress: address, bootstrap: false };
  const moved = await startOne(t, config);
  await eventually(() => (moved.status().leaderId === null ? undefined : true));
  const seen = cluster.leader.status().members.find((member) => member.id === id);
  assert.equal(seen?.address, address);
});
