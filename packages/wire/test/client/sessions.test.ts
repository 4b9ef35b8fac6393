import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import type { ClientRequest, SessionOperation } from "@quorate/wire";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import { cluster, refusal, type ScriptedCluster, type ScriptedNode } from "./scripted-node.ts";

function clientOf(t: TestContext, { endpoints }: ScriptedCluster, timeoutMs = 4000): QuorateClient {
  const client = new QuorateClient({ endpoints, timeoutMs });
  t.after(() => client.close());
  return client;
}

/** What named each put that arrived at any node, in the order of their arrival at it. */
function putsOf(group: ScriptedCluster): (SessionOperation | null)[] {
  return group.nodes
    .flatMap((node): readonly ClientRequest[] => node.requests)
    .flatMap((request) => (request.type === "Put" ? [request.session] : []));
}

/** The first put at `node` is met like this; everything else as ever. */
function once(
  group: ScriptedCluster,
  node: ScriptedNode,
  react: (requestId: number) => ReturnType<ScriptedNode["react"]>,
): void {
  let met = false;
  node.react = (request) => {
    if (request.type !== "Put" || met) return group.answer(node, request);
    met = true;
    return react(request.requestId);
  };
}

test("session: opened by the first write, and its writes are numbered (Diss. §6.3)", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  await client.put("k", "1");
  await client.put("k", "2");
  await Promise.all([client.put("k", "3"), client.put("k", "4")]);
  assert.deepEqual(putsOf(group), [
    { sessionId: 1, serial: 1, ackedBelow: 1 },
    { sessionId: 1, serial: 2, ackedBelow: 2 },
    { sessionId: 1, serial: 3, ackedBelow: 3 },
    { sessionId: 1, serial: 4, ackedBelow: 3 },
  ]);
});

test("session: a write whose leader died with it is sent to the next one under its number", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  once(group, group.node(0), () => {
    group.leader = group.node(1);
    return "drop";
  });
  const result = await client.put("k", "v");
  assert.equal(result.revision, 1);
  const operation = { sessionId: 1, serial: 1, ackedBelow: 1 };
  assert.deepEqual(putsOf(group), [operation, operation]);
});

test("session: an answer that tells nothing of the outcome is no reason to give up", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  once(group, group.node(0), (requestId) => refusal(requestId, "leadershipLost", "unknown"));
  await client.put("k", "v");
  assert.equal(putsOf(group).length, 2);
});

test("session: one that is over before any attempt is replaced, and the write goes on", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  once(group, group.node(0), (requestId) => refusal(requestId, "sessionExpired"));
  await client.put("k", "v");
  assert.deepEqual(putsOf(group), [
    { sessionId: 1, serial: 1, ackedBelow: 1 },
    { sessionId: 2, serial: 1, ackedBelow: 1 },
  ]);
});

test("session: one that is over after an attempt of unknown outcome leaves it unknown", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  group.node(0).react = (request) => {
    if (request.type !== "Put") return group.answer(group.node(0), request);
    const isFirst = group.node(0).count("Put") === 1;
    return isFirst
      ? refusal(request.requestId, "leadershipLost", "unknown")
      : refusal(request.requestId, "sessionExpired");
  };
  await assert.rejects(
    client.put("k", "v"),
    (error) =>
      error instanceof RequestError &&
      error.code === "sessionExpired" &&
      error.outcome === "unknown",
  );
  assert.equal(putsOf(group).length, 2);
});

test("session: never more than 64 writes of it wait for their answers", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  const held: number[] = [];
  let isHeld = true;
  leader.react = (request) => {
    if (request.type !== "Put" || !isHeld) return group.answer(leader, request);
    held.push(request.requestId);
    return "silence";
  };
  const puts = Array.from({ length: 70 }, (_, at) => client.put(`k${at}`, "v"));
  while (held.length < 64) await leader.next("Put");
  const serials = putsOf(group).map((operation) => operation?.serial);
  assert.deepEqual([serials.length, Math.max(...serials.map(Number))], [64, 64]);
  isHeld = false;
  await Promise.all(puts);
  assert.equal(Math.max(...putsOf(group).map((operation) => operation?.serial ?? 0)), 70);
});

test("session: writes that wait for room in one that is over are made in the next", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = (request) =>
    request.type === "Put" && request.session?.sessionId === 1
      ? refusal(request.requestId, "sessionExpired")
      : group.answer(leader, request);
  await Promise.all(Array.from({ length: 70 }, (_, at) => client.put(`k${at}`, "v")));
  const served = putsOf(group).filter((operation) => operation?.sessionId === 2);
  assert.equal(new Set(served.map((operation) => operation?.serial)).size, 70);
});

test("session: closed with the client", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  await client.put("k", "v");
  const closing = group.node(0).next("CloseSession");
  await client.close();
  await closing;
});

test("reads: none goes back behind what the client has seen, whichever node it asks", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  group.revision = 41;
  await client.put("k", "v");
  await client.get("k", { consistency: "stale", endpoint: group.node(2).address });
  const last = group.node(2).requests.at(-1);
  assert.ok(last?.type === "Get");
  assert.equal(last.minRevision, 42);
});

test("reads: a node that is behind or too old is passed over", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  for (const node of group.nodes.slice(1)) {
    node.react = (request) =>
      request.type === "Get"
        ? refusal(request.requestId, node === group.node(1) ? "behind" : "tooStale")
        : group.answer(node, request);
  }
  for (let round = 0; round < 4; round += 1) await client.get("k", { maxStalenessMs: 100 });
  assert.equal(group.node(0).count("Get"), 4);
});
