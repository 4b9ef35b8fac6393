import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import {
  type ClientErrorCode,
  QuorateClient,
  type QuorateClientOptions,
  RequestError,
} from "@quorate/wire/client";
import { ConnectionError } from "@quorate/wire/net";
import { rawServer } from "../net/peers.ts";
import { cluster, refusal, type ScriptedCluster } from "./scripted-node.ts";

function clientOf(
  t: TestContext,
  { endpoints }: { endpoints: readonly string[] },
  options: Partial<QuorateClientOptions> = {},
): QuorateClient {
  const client = new QuorateClient({ endpoints, timeoutMs: 4000, sessions: false, ...options });
  t.after(() => client.close());
  return client;
}

async function failureOf(promise: Promise<unknown>): Promise<RequestError> {
  const error: unknown = await promise.then(
    () => assert.fail("it was fulfilled"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RequestError, String(error));
  return error;
}

function assertFailed(error: RequestError, code: ClientErrorCode, outcome: string): void {
  assert.equal(`${error.code}, ${error.outcome}`, `${code}, ${outcome}`, error.message);
}

function putCounts(group: ScriptedCluster): number[] {
  return group.nodes.map((node) => node.count("Put"));
}

test("put: finds the leader from any endpoint, and keeps to it", async (t) => {
  const group = await cluster(t);
  group.leader = group.node(2);
  const client = clientOf(t, { endpoints: [group.node(0).address] });

  const result = await client.put("k", "v");
  await client.put("k", "v");

  assert.deepEqual(result, { index: 1, term: 3, revision: 1, created: true });
  assert.deepEqual(putCounts(group), [0, 0, 2]);
  assert.deepEqual(client.endpoints, group.endpoints);
});

test("put: follows the address that a former leader names", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  await client.put("k", "1");
  const asked = group.node(1).count("Status");
  group.leader = group.node(1);

  await client.put("k", "2");

  assert.deepEqual(putCounts(group), [2, 1, 0]);
  assert.equal(group.node(1).count("Status"), asked, "no search was needed");
});

test("put: two nodes that name each other are not followed for ever", async (t) => {
  const group = await cluster(t, 2);
  const [first, second] = [group.node(0), group.node(1)];
  const client = clientOf(t, group, { timeoutMs: 300 });
  for (const [node, other] of [
    [first, second],
    [second, first],
  ] as const) {
    node.react = (request) =>
      request.type === "Put"
        ? {
            ...refusal(request.requestId, "notLeader"),
            leaderId: other.id,
            leaderAddress: other.address,
          }
        : group.answer(node, request);
  }

  assertFailed(await failureOf(client.put("k", "v")), "noLeader", "notApplied");

  const [one = 0, two = 0] = putCounts(group);
  assert.ok(one + two < 30, `${one + two} puts in 300 ms`);
});

test("put: the leader dies with it in hand: unknown, and never sent again", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  await client.put("k", "1");
  const leader = group.node(0);
  leader.react = (request) => (request.type === "Put" ? "drop" : group.answer(leader, request));
  group.leader = group.node(1);
  group.term += 1;

  const error = await failureOf(client.put("k", "2"));

  assertFailed(error, "connectionLost", "unknown");
  assert.equal(error.attempts.at(-1)?.endpoint, leader.address);
  assert.equal(error.attempts.at(-1)?.nodeId, "n1");
  assert.deepEqual(putCounts(group), [2, 0, 0]);
  await client.put("k", "3");
  assert.deepEqual(putCounts(group), [2, 1, 0]);
});

test("put: a node that refuses connections is passed over", async (t) => {
  const group = await cluster(t);
  group.leader = group.node(2);
  await group.node(0).stop();
  const client = clientOf(t, group);
  await client.put("k", "v");
  assert.deepEqual(putCounts(group), [0, 0, 1]);
});

test("put: a node that hangs before the hello is passed over at once", async (t) => {
  const group = await cluster(t);
  const { address: mute } = await rawServer(t, (socket) => socket.resume());
  const client = clientOf(t, { endpoints: [mute, ...group.endpoints] });
  const begun = performance.now();
  await client.put("k", "v");
  assert.ok(performance.now() - begun < 500);
});

test("put: waits through an election, and is applied once", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  await client.put("k", "1");
  const former = group.node(0);
  group.leader = null;
  await former.stop();

  const pending = client.put("k", "2");
  await group.node(2).next("Status");
  await group.node(2).next("Status");
  group.leader = group.node(2);
  group.term += 1;
  const electedAt = performance.now();
  await pending;

  t.diagnostic(`answered ${Math.round(performance.now() - electedAt)} ms after the election`);
  assert.deepEqual(putCounts(group), [1, 0, 1]);
});

test("put: many that wait for a leader ask no more than one would", async (t) => {
  const group = await cluster(t);
  group.leader = null;
  const client = clientOf(t, group);

  const pending = Array.from({ length: 200 }, () => client.put("k", "v"));
  await group.node(0).next("Status");
  await group.node(0).next("Status");
  group.leader = group.node(0);
  await Promise.all(pending);

  assert.ok(group.node(0).count("Status") < 10);
  assert.deepEqual(putCounts(group), [200, 0, 0]);
});

test("put: no leader until the time is over: not applied, and who is missing", async (t) => {
  const group = await cluster(t);
  group.leader = null;
  const client = clientOf(t, { endpoints: [group.node(0).address] }, { timeoutMs: 250 });
  await client.status(group.node(0).address);
  await group.node(1).stop();
  await group.node(2).stop();

  const error = await failureOf(client.put("k", "v"));

  assertFailed(error, "noLeader", "notApplied");
  const found = error.attempts.map(({ nodeId, error: { code } }) => `${nodeId} ${code}`);
  assert.deepEqual(found.toSorted(), ["n1 noLeader", "n2 refused", "n3 refused"]);
  assert.match(error.message, /n2 \(127\.0\.0\.1:\d+\): connection refused/u);
});

test("put: nobody listens anywhere: unreachable, not applied", async (t) => {
  const group = await cluster(t, 2);
  for (const node of group.nodes) await node.stop();
  const client = clientOf(t, group, { timeoutMs: 150 });
  const error = await failureOf(client.put("k", "v"));
  assertFailed(error, "unreachable", "notApplied");
  assert.deepEqual(
    error.attempts.map(({ endpoint }) => endpoint).toSorted(),
    group.endpoints.toSorted(),
  );
  for (const attempt of error.attempts) assert.ok(attempt.error instanceof ConnectionError);
});

test("put: a leader that never answers: timeout, unknown", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = (request) => (request.type === "Put" ? "silence" : group.answer(leader, request));

  const error = await failureOf(client.put("k", "v", { timeoutMs: 150 }));

  assertFailed(error, "timeout", "unknown");
  assert.deepEqual(putCounts(group), [1, 0, 0]);
});

test("put: what a node says it did not apply is sent again, what it does not know is not", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  for (const code of ["proposalDropped", "overloaded", "transferring", "stopping"] as const) {
    let refusals = 2;
    leader.react = (request) => {
      if (request.type !== "Put" || refusals === 0) return group.answer(leader, request);
      refusals -= 1;
      return refusal(request.requestId, code);
    };
    await client.put("k", code);
  }
  assert.deepEqual(putCounts(group), [12, 0, 0]);

  leader.react = (request) =>
    request.type === "Put"
      ? refusal(request.requestId, "leadershipLost", "unknown")
      : group.answer(leader, request);
  assertFailed(await failureOf(client.put("k", "v")), "leadershipLost", "unknown");
  assert.deepEqual(putCounts(group), [13, 0, 0]);
});

test("put: a refusal for good is reported at once", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = (request) =>
    request.type === "Put" ? refusal(request.requestId, "tooLarge") : group.answer(leader, request);
  assertFailed(await failureOf(client.put("k", "v")), "tooLarge", "notApplied");
  assert.deepEqual(putCounts(group), [1, 0, 0]);
});

test("put: an answer of another kind breaks the protocol: unknown", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = ({ type, requestId }) =>
    type === "Put"
      ? { type: "MoveLeaderReply", requestId, leaderId: "n1", term: 1 }
      : { type: "StatusReply", requestId, status: group.statusOf(leader) };
  assertFailed(await failureOf(client.put("k", "v")), "connectionLost", "unknown");
});

test("put: a leader of an earlier term is not believed", async (t) => {
  const group = await cluster(t);
  const [stale, current] = [group.node(0), group.node(1)];
  group.leader = current;
  group.term = 8;
  const staleStatus = { ...group.statusOf(stale), role: "leader", currentTerm: 7 } as const;
  stale.react = (request) =>
    request.type === "Status"
      ? { type: "StatusReply", requestId: request.requestId, status: staleStatus }
      : "silence";
  const client = clientOf(t, group);
  await client.status(group.node(2).address);
  await client.status(stale.address);

  await client.put("k", "v");

  assert.deepEqual(putCounts(group), [0, 1, 0]);
});

test("put: keys and values outside the limits never leave the client", async (t) => {
  const group = await cluster(t, 1);
  const client = clientOf(t, group);
  assertFailed(await failureOf(client.put("", "v")), "invalid", "notApplied");
  const longKey = new Uint8Array(4097).fill(1);
  assertFailed(await failureOf(client.put(longKey, "v")), "tooLarge", "notApplied");
  const longValue = new Uint8Array(1024 * 1024 + 1);
  assertFailed(await failureOf(client.put("k", longValue)), "tooLarge", "notApplied");
  assertFailed(await failureOf(client.moveLeader("no such/name")), "invalid", "notApplied");
  assert.equal(group.node(0).connections.length, 0);
});

test("put: the caller's signal: unknown where a node has it, otherwise not applied", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = (request) => (request.type === "Put" ? "silence" : group.answer(leader, request));
  const sent = new AbortController();
  const arrived = leader.next("Put");
  const pending = client.put("k", "v", { signal: sent.signal });
  await arrived;
  sent.abort();
  assertFailed(await failureOf(pending), "canceled", "unknown");

  const aborted = client.put("k", "v", { signal: AbortSignal.abort() });
  assertFailed(await failureOf(aborted), "canceled", "notApplied");
  assert.deepEqual(putCounts(group), [1, 0, 0]);
});

test("close: ends what is under way with what is known of it, and takes nothing more", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  const leader = group.node(0);
  leader.react = (request) =>
    request.type === "Status" ? group.answer(leader, request) : "silence";
  const arrived = leader.next("Put");
  const write = client.put("k", "v");
  const read = client.get("k");
  await arrived;
  const failures = Promise.all([failureOf(write), failureOf(read)]);

  await client.close();

  const [writeFailure, readFailure] = await failures;
  assertFailed(writeFailure, "closed", "unknown");
  assertFailed(readFailure, "closed", "notApplied");
  assertFailed(await failureOf(client.put("k", "v")), "closed", "notApplied");
});

test("close: a write that waits for a leader was not applied", async (t) => {
  const group = await cluster(t);
  group.leader = null;
  const client = clientOf(t, group);
  const waiting = failureOf(client.put("k", "v"));
  await group.node(0).next("Status");
  await client.close();
  assertFailed(await waiting, "closed", "notApplied");
});

test("put: more than the client holds at once is refused, not queued", async (t) => {
  const group = await cluster(t, 1);
  group.node(0).react = (request) =>
    request.type === "Status" ? group.answer(group.node(0), request) : "silence";
  const client = clientOf(t, group);
  const outcomes = Promise.allSettled(Array.from({ length: 4096 }, () => client.put("k", "v")));
  assertFailed(await failureOf(client.put("k", "v")), "tooManyOutstanding", "notApplied");
  await client.close();
  const settled = await outcomes;
  assert.ok(settled.every(({ status }) => status === "rejected"));
});

test("moveLeader: goes to the leader and says who leads now", async (t) => {
  const group = await cluster(t);
  const client = clientOf(t, group);
  assert.deepEqual(await client.moveLeader("n2"), { leaderId: "n2", term: 4 });
  assert.equal(group.node(0).count("MoveLeader"), 1);
});
