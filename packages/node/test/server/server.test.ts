import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientReply, NodeEvent } from "@quorate/wire";
import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from "@quorate/wire";
import { ConnectionError } from "@quorate/wire/net";
import type { QuorateServer } from "../../src/server/server.ts";
import { startServer } from "../../src/server/server.ts";
import { StorageError } from "../../src/storage/index.ts";
import { eventually, leaderOf, localConfigs, startOne, startServers } from "./local-servers.ts";
import { bytes, clientHello, RawClient } from "./raw-client.ts";

function replyOf<T extends ClientReply["type"]>(
  reply: ClientReply,
  type: T,
): Extract<ClientReply, { type: T }> {
  assert.equal(reply.type, type, JSON.stringify(reply));
  return reply as Extract<ClientReply, { type: T }>;
}

function followersOf(servers: readonly QuorateServer[], leader: QuorateServer): QuorateServer[] {
  return servers.filter((server) => server !== leader);
}

test("server: one node leads itself, stores, and finds it all again after a restart", async (t) => {
  const [config] = await localConfigs(t, 1);
  assert.ok(config !== undefined);
  const first = await startOne(t, config);
  await leaderOf([first]);
  const client = await RawClient.connect(first.listenAddress);

  const put = await client.ask({ type: "Put", key: bytes("hello"), value: bytes("world") });
  assert.equal(replyOf(put, "PutReply").created, true);
  const again = await client.ask({ type: "Put", key: bytes("hello"), value: bytes("earth") });
  assert.equal(replyOf(again, "PutReply").created, false);
  assert.equal(replyOf(again, "PutReply").revision, 2);
  await client.ask({ type: "Put", key: bytes("gone"), value: bytes("") });
  const deleted = await client.ask({ type: "Delete", key: bytes("gone") });
  assert.equal(replyOf(deleted, "DeleteReply").deleted, true);
  const absent = await client.ask({ type: "Delete", key: bytes("gone") });
  assert.equal(replyOf(absent, "DeleteReply").deleted, false);
  assert.equal(replyOf(absent, "DeleteReply").revision, 4);
  const hash = first.stateHash;
  await first.stop();
  assert.ok((await client.until(() => client.closed ?? undefined)) !== null);

  await assert.rejects(
    startServer(config),
    (error) => error instanceof StorageError && error.code === "alreadyBootstrapped",
  );
  const second = await startOne(t, { ...config, bootstrap: false });
  await leaderOf([second]);
  const reader = await RawClient.connect(second.listenAddress);
  const get = await reader.ask({ type: "Get", key: bytes("hello"), consistency: "linearizable" });
  const { found, revision } = replyOf(get, "GetReply");
  assert.deepEqual(found, {
    value: bytes("earth"),
    createRevision: 1,
    modRevision: 2,
    version: 2,
  });
  assert.equal(revision, 4);
  assert.equal(second.stateHash, hash);
  assert.notEqual(second.bootId, first.bootId);
  reader.close();
});

test("server: what the leader acknowledged is read linearizably on every node (Diss. §6.4)", async (t) => {
  const servers = await startServers(t, 3);
  const leader = await leaderOf(servers);
  const writer = await RawClient.connect(leader.listenAddress);
  const readers = await Promise.all(
    servers.map((server) => RawClient.connect(server.listenAddress)),
  );
  for (let round = 1; round <= 50; round += 1) {
    const put = await writer.ask({
      type: "Put",
      key: bytes("counter"),
      value: bytes(String(round)),
    });
    const { index } = replyOf(put, "PutReply");
    const gets = await Promise.all(
      readers.map((reader) =>
        reader.ask({ type: "Get", key: bytes("counter"), consistency: "linearizable" }),
      ),
    );
    for (const get of gets) {
      const { found, appliedIndex } = replyOf(get, "GetReply");
      assert.deepEqual(found?.value, bytes(String(round)));
      assert.ok(appliedIndex >= index);
    }
  }
  const last = leader.status().lastApplied;
  await eventually(() => servers.every((one) => one.status().lastApplied >= last) || undefined);
  assert.equal(new Set(servers.map((one) => one.stateHash)).size, 1);
  for (const client of [writer, ...readers]) client.close();
});

test("server: a follower refuses a write and names the leader and its address", async (t) => {
  const servers = await startServers(t, 3);
  const leader = await leaderOf(servers);
  const [follower] = followersOf(servers, leader);
  assert.ok(follower !== undefined);
  const client = await RawClient.connect(follower.listenAddress);
  const refused = await client.ask({ type: "Put", key: bytes("k"), value: bytes("v") });
  const { code, outcome, leaderId, leaderAddress } = replyOf(refused, "ErrorReply");
  assert.deepEqual(
    { code, outcome, leaderId, leaderAddress },
    {
      code: "notLeader",
      outcome: "notApplied",
      leaderId: leader.status().nodeId,
      leaderAddress: leader.listenAddress,
    },
  );
  client.close();
});

test("server: without a leader a stale read answers, a linearizable one says noLeader", async (t) => {
  const [config] = await localConfigs(t, 3);
  assert.ok(config !== undefined);
  const alone = await startOne(t, config);
  const client = await RawClient.connect(alone.listenAddress);
  const stale = await client.ask({ type: "Get", key: bytes("k"), consistency: "stale" });
  assert.equal(replyOf(stale, "GetReply").found, null);
  const read = await client.ask({ type: "Get", key: bytes("k"), consistency: "linearizable" });
  assert.equal(replyOf(read, "ErrorReply").code, "noLeader");
  const write = await client.ask({ type: "Put", key: bytes("k"), value: bytes("v") });
  const { code, outcome, leaderAddress } = replyOf(write, "ErrorReply");
  assert.deepEqual([code, outcome, leaderAddress], ["noLeader", "notApplied", null]);
  client.close();
});

test("server: sizes are checked before anything is proposed", async (t) => {
  const [server] = await startServers(t, 1);
  assert.ok(server !== undefined);
  const client = await RawClient.connect(server.listenAddress);
  const before = server.status().lastLogIndex;
  const codeOf = async (key: Uint8Array, value: Uint8Array): Promise<string> => {
    const reply = await client.ask({ type: "Put", key, value });
    return reply.type === "ErrorReply" ? `${reply.code} ${reply.outcome}` : reply.type;
  };
  assert.equal(await codeOf(new Uint8Array(0), bytes("v")), "invalid notApplied");
  assert.equal(await codeOf(new Uint8Array(KEY_MAX_BYTES + 1), bytes("v")), "tooLarge notApplied");
  const tooLong = new Uint8Array(VALUE_MAX_BYTES + 1);
  assert.equal(await codeOf(bytes("k"), tooLong), "tooLarge notApplied");
  assert.equal(server.status().lastLogIndex, before);
  const largest = new Uint8Array(VALUE_MAX_BYTES).fill(7);
  assert.equal(await codeOf(new Uint8Array(KEY_MAX_BYTES), largest), "PutReply");
  client.close();
});

test("server: requests beyond the cap wait unread, and all are answered", async (t) => {
  const [server] = await startServers(t, 1);
  assert.ok(server !== undefined);
  const client = await RawClient.connect(server.listenAddress);
  const count = 5000;
  for (let at = 0; at < count; at += 1) {
    client.send({ type: "Put", key: bytes(`k${at}`), value: bytes(String(at)) });
  }
  await client.until(() => (client.replies.length === count ? true : undefined), 20_000);
  assert.ok(client.replies.every((reply) => reply.type === "PutReply"));
  assert.equal(server.status().keyCount, count);
  client.close();
});

test("server: many large answers at once reach a client that reads", async (t) => {
  const [server] = await startServers(t, 1);
  assert.ok(server !== undefined);
  const client = await RawClient.connect(server.listenAddress);
  const value = new Uint8Array(VALUE_MAX_BYTES).fill(7);
  await client.ask({ type: "Put", key: bytes("large"), value });
  const count = 60;
  const numbers = Array.from({ length: count }, () =>
    client.send({ type: "Get", key: bytes("large"), consistency: "linearizable" }),
  );
  const answered = await client.until(() => {
    const got = client.replies.filter((reply) => reply.type === "GetReply");
    return got.length === count ? got : undefined;
  }, 20_000);
  assert.deepEqual(
    answered.map((reply) => reply.requestId),
    numbers,
  );
  assert.ok(answered.every(({ found }) => found?.value.length === VALUE_MAX_BYTES));
  client.close();
});

test("server: moving the leader answers with the new one, and refuses a stranger", async (t) => {
  const servers = await startServers(t, 3);
  const leader = await leaderOf(servers);
  const [target] = followersOf(servers, leader).map((server) => server.status().nodeId);
  assert.ok(target !== undefined);
  const client = await RawClient.connect(leader.listenAddress);
  const refused = await client.ask({ type: "MoveLeader", target: "n9" });
  const { code, outcome } = replyOf(refused, "ErrorReply");
  assert.deepEqual([code, outcome], ["transferFailed", "notApplied"]);
  const moved = await client.ask({ type: "MoveLeader", target });
  assert.equal(replyOf(moved, "MoveLeaderReply").leaderId, target);
  assert.equal((await leaderOf(servers)).status().nodeId, target);
  client.close();
});

test("server: a subscriber gets the state, its changes, each event once, and signs of life", async (t) => {
  const [server] = await startServers(t, 1);
  assert.ok(server !== undefined);
  const client = await RawClient.connect(server.listenAddress);
  const requestId = client.send({ type: "Subscribe", resume: null, stateRateMaxHz: 50 });
  const first = await client.until(() => client.replies[0]);
  const { status } = replyOf(first, "StreamState");
  assert.equal(status.role, "leader");
  assert.equal(status.subscribers, 1);

  const writer = await RawClient.connect(server.listenAddress);
  await writer.ask({ type: "Put", key: bytes("k"), value: bytes("v") });
  await client.until(() => client.replies.find((reply) => deltaOf(reply)?.["revision"] === 1));
  const events = (): NodeEvent[] =>
    client.replies.flatMap((reply) => (reply.type === "StreamEvents" ? reply.events : []));
  await client.until(() => events().find((event) => event.kind === "committed"));
  const sequences = events().map((event) => event.sequence);
  assert.deepEqual(
    sequences,
    [...new Set(sequences)].toSorted((a, b) => a - b),
  );

  client.send({
    type: "Subscribe",
    resume: { bootId: server.bootId, sequence: 0 },
    stateRateMaxHz: 1,
  });
  const resumed = (): NodeEvent[] =>
    client.replies.flatMap((reply) =>
      reply.type === "StreamEvents" && reply.requestId !== requestId ? reply.events : [],
    );
  await client.until(() => resumed().find((event) => event.kind === "electionWon"));
  assert.deepEqual(resumed()[0]?.kind, "started");
  assert.deepEqual(
    resumed().map((event) => event.sequence),
    resumed().map((_, offset) => offset + 1),
  );

  client.connection.send({ type: "Cancel", requestId });
  client.connection.send({ type: "Cancel", requestId: requestId + 1 });
  await eventually(() => (server.status().subscribers === 0 ? true : undefined));
  client.close();
  writer.close();
});

function deltaOf(reply: ClientReply): Readonly<Record<string, unknown>> | null {
  return reply.type === "StreamDelta" ? { ...reply.changed } : null;
}

test("server: hellos for another cluster or node, or from a stranger, get a typed remedy", async (t) => {
  const servers = await startServers(t, 3);
  const [server] = servers;
  assert.ok(server !== undefined);
  const { nodeId } = server.status();
  const peer = { role: "peer", clusterId: "test", to: nodeId, incarnation: "other" } as const;
  const cases = [
    { hello: clientHello({ clusterId: "elsewhere" }), code: "wrongCluster" },
    { hello: clientHello({ to: "n9" }), code: "wrongNode" },
    { hello: clientHello({ ...peer, from: "n9" }), code: "notMember" },
    { hello: clientHello({ ...peer, from: "n2" }), code: "wrongIncarnation" },
    { hello: clientHello({ ...peer, from: nodeId }), code: "wrongNode" },
    { hello: clientHello({ ...peer, from: "n2", clusterId: null }), code: "wrongCluster" },
  ] as const;
  await eventually(() => (server.status().peers.every((one) => one.connected) ? true : undefined));
  await eventually(() => {
    const heard = server.status().peers.every((one) => one.lastContactMs !== null);
    return heard || server.status().role !== "leader" ? true : undefined;
  });
  for (const { hello, code } of cases) {
    const error: unknown = await RawClient.connect(server.listenAddress, hello).then(
      () => null,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ConnectionError, `${code}: ${String(error)}`);
    assert.equal(error.refusal?.code, code);
    assert.notEqual(error.refusal?.remedy, "");
  }
});

test("server: a leader that stops hands over first; the rest never miss it (Diss. §3.10)", async (t) => {
  const servers = await startServers(t, 3);
  const leader = await leaderOf(servers);
  const { currentTerm } = leader.status();
  const rest = followersOf(servers, leader);
  await leader.stop();
  const next = await leaderOf(rest);
  assert.equal(next.status().currentTerm, currentTerm + 1);
  const client = await RawClient.connect(next.listenAddress);
  const put = await client.ask({ type: "Put", key: bytes("k"), value: bytes("v") });
  replyOf(put, "PutReply");
  client.close();
});

test("server: every write that is under way when the leader stops gets its true outcome", async (t) => {
  const servers = await startServers(t, 3);
  const leader = await leaderOf(servers);
  const client = await RawClient.connect(leader.listenAddress);
  const keyOf = new Map<number, string>();
  let stopped: Promise<void> | null = null;
  for (let at = 0; at < 400; at += 1) {
    const key = `k${at}`;
    keyOf.set(client.send({ type: "Put", key: bytes(key), value: bytes(key) }), key);
    client.connection.flush();
    if (at === 200) stopped = leader.stop();
    await new Promise(setImmediate);
  }
  await stopped;
  await client.until(() => client.closed ?? undefined);
  const next = await leaderOf(followersOf(servers, leader));
  const reader = await RawClient.connect(next.listenAddress);
  const outcomes = new Map<string, number>();
  for (const reply of client.replies) {
    const key = keyOf.get(reply.requestId);
    assert.ok(key !== undefined);
    const get = await reader.ask({ type: "Get", key: bytes(key), consistency: "linearizable" });
    const { found } = replyOf(get, "GetReply");
    const name = reply.type === "ErrorReply" ? `${reply.code} ${reply.outcome}` : reply.type;
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    if (reply.type === "PutReply") assert.ok(found !== null, `${key} was acknowledged and is gone`);
    if (reply.type === "ErrorReply" && reply.outcome === "notApplied") {
      assert.equal(found, null, `${key} was not applied, and is there`);
    }
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(outcomes)));
  assert.ok((outcomes.get("PutReply") ?? 0) > 0);
  assert.ok((outcomes.get("stopping notApplied") ?? 0) > 0);
  reader.close();
});
