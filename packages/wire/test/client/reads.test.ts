import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import type { ClientReply } from "@quorate/wire";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import { ConnectionError } from "@quorate/wire/net";
import { helloFrom, host, rawServer } from "../net/peers.ts";
import { cluster, refusal } from "./scripted-node.ts";

function clientOf(
  t: TestContext,
  { endpoints }: { endpoints: readonly string[] },
  timeoutMs = 4000,
): QuorateClient {
  const client = new QuorateClient({ endpoints, timeoutMs, sessions: false });
  t.after(() => client.close());
  return client;
}

function textOf(result: { found: { value: Uint8Array } | null }): string | null {
  return result.found === null ? null : Buffer.from(result.found.value).toString();
}

test("get: a thousand at once use one connection, answered in any order", async (t) => {
  const group = await cluster(t, 1);
  const node = group.node(0);
  const waiting: ClientReply[] = [];
  node.react = (request, connection) => {
    const answer = group.answer(node, request);
    if (request.type !== "Get" || typeof answer === "string") return answer;
    waiting.push(answer);
    if (waiting.length === 1000) {
      for (const reply of waiting.toReversed()) connection.send(reply);
    }
    return "silence";
  };
  const client = clientOf(t, group);

  const results = await Promise.all(Array.from({ length: 1000 }, (_, i) => client.get(`key-${i}`)));

  for (const [i, result] of results.entries()) assert.equal(textOf(result), `key-${i}`);
  assert.equal(node.connections.length, 1);
});

test("get: a connection that breaks under it is no failure", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = (request) => {
    if (request.type !== "Get") return group.answer(leader, request);
    group.leader = group.node(1);
    group.term += 1;
    return "drop";
  };
  assert.equal(textOf(await client.get("k")), "k");
  assert.equal(leader.count("Get"), 1);
});

test("get: a node that hangs costs a part of the time, then another is asked", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = (request) => {
    if (request.type !== "Get") return group.answer(leader, request);
    group.leader = group.node(1);
    group.term += 1;
    return "silence";
  };
  assert.equal(textOf(await client.get("k", { timeoutMs: 1200 })), "k");
});

test("get: lost leadership and dropped rounds are retried", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  const codes = ["leadershipLost", "noLeader", "stopping"] as const;
  let turn = 0;
  leader.react = (request) => {
    const code = codes[turn];
    if (request.type !== "Get" || code === undefined) return group.answer(leader, request);
    turn += 1;
    return refusal(request.requestId, code, "unknown");
  };
  assert.equal(textOf(await client.get("k")), "k");
});

test("get: never answered: timeout, and a read has no outcome to fear", async (t) => {
  const group = await cluster(t, 1);
  const node = group.node(0);
  node.react = (request) => (request.type === "Get" ? "silence" : group.answer(node, request));
  const client = clientOf(t, group);
  await assert.rejects(client.get("k", { timeoutMs: 200 }), (error: unknown) => {
    assert.ok(error instanceof RequestError);
    assert.equal(error.code, "timeout");
    assert.equal(error.outcome, "notApplied");
    return true;
  });
});

test("get: stale reads are served without a leader, and only when asked for", async (t) => {
  const group = await cluster(t);
  group.leader = null;
  const client = clientOf(t, group);
  assert.equal(textOf(await client.get("k", { consistency: "stale" })), "k");
  await assert.rejects(client.get("k", { timeoutMs: 150 }), { code: "noLeader" });
});

test("get: an endpoint that is named is the only one asked", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const third = group.node(2);
  await client.get("k", { consistency: "stale", endpoint: third.address });
  assert.deepEqual(
    group.nodes.map((node) => node.count("Get")),
    [0, 0, 1],
  );
  await third.stop();
  await assert.rejects(client.get("k", { endpoint: third.address }), { code: "unreachable" });
});

test("get: the value is the caller's own bytes", async (t) => {
  const group = await cluster(t, 1);
  const client = clientOf(t, group);
  const { found } = await client.get("k");
  assert.ok(found !== null);
  assert.equal(found.value.buffer.byteLength, 1, "it does not hold what was read with it");
});

test("get: a link that went silent is given up, and made anew", async (t) => {
  const group = await cluster(t, 2);
  const client = clientOf(t, group, 6000);
  await client.get("k");
  const [connection] = group.node(0).connections;
  assert.ok(connection !== undefined);
  connection.pauseReading();
  group.leader = group.node(1);
  group.term += 1;

  const write = client.put("k", "v");

  await assert.rejects(write, { code: "connectionLost", outcome: "unknown" });
  await client.put("k", "v");
});

test("status: tells why a node does not answer", async (t) => {
  const group = await cluster(t, 1);
  const client = clientOf(t, group, 200);
  const { address } = group.node(0);
  assert.equal((await client.status(address)).nodeId, "n1");

  await group.node(0).stop();
  const { address: mute } = await rawServer(t, (socket) => socket.resume());
  const full = await host(t, { connectionsMax: 0 });
  const expected = [
    [address, "refused"],
    [mute, "timeout"],
    [full.address, "helloRefused"],
  ] as const;
  for (const [endpoint, kind] of expected) {
    await assert.rejects(client.status(endpoint), (error: unknown) => {
      assert.ok(error instanceof RequestError);
      assert.equal(error.code, "unreachable");
      const [attempt] = error.attempts;
      assert.ok(attempt?.error instanceof ConnectionError);
      assert.equal(attempt.error.kind, kind);
      return true;
    });
  }
});

test("QuorateClient: its name is what nodes see, cut to what a hello holds", async (t) => {
  const names: string[] = [];
  const server = await host(t, {
    accept: (hello) => {
      names.push(hello.from);
      return helloFrom("n1");
    },
  });
  const client = new QuorateClient({
    endpoints: [server.address],
    timeoutMs: 100,
    clientName: "x".repeat(100),
  });
  t.after(() => client.close());
  await assert.rejects(client.status(server.address), { code: "timeout" });
  assert.deepEqual(names, ["x".repeat(64)]);
});
