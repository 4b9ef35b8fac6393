import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import type { NodeEvent, StreamMessage } from "@quorate/wire";
import {
  AnswerError,
  QuorateClient,
  type Subscription,
  type SubscribeOptions,
} from "@quorate/wire/client";
import { ConnectionError } from "@quorate/wire/net";
import { cluster, refusal, type ScriptedCluster } from "./scripted-node.ts";

function event(sequence: number): NodeEvent {
  return {
    sequence,
    kind: "committed",
    severity: "info",
    term: 3,
    wallMs: 1,
    monotonicMs: 1,
    text: `committed ${sequence}`,
    details: { index: sequence },
  };
}

interface Followed {
  readonly subscription: Subscription;
  readonly told: unknown[];
  readonly ended: Promise<ConnectionError | AnswerError>;
  readonly until: (count: number) => Promise<void>;
}

function follow(t: TestContext, group: ScriptedCluster, options: SubscribeOptions = {}): Followed {
  const client = new QuorateClient({ endpoints: group.endpoints, timeoutMs: 2000 });
  t.after(() => client.close());
  const told: unknown[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const tell = (what: unknown): void => {
    told.push(what);
    for (const { count, resolve } of waiting) if (told.length >= count) resolve();
  };
  const { promise: ended, resolve: end } = Promise.withResolvers<ConnectionError | AnswerError>();
  const subscription = client.subscribe(
    group.node(0).address,
    {
      onState: (status) => tell(["state", status.nodeId]),
      onDelta: (changed) => tell(["delta", changed]),
      onEvents: (events) => tell(["events", events.map(({ sequence }) => sequence)]),
      onTick: (monotonicMs) => tell(["tick", monotonicMs]),
      onGap: (lost) => tell(["gap", lost]),
      onDisconnect: end,
    },
    options,
  );
  return {
    subscription,
    told,
    ended,
    until: (count) =>
      told.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ count, resolve })),
  };
}

/** A node that answers a subscription with these. */
function streaming(group: ScriptedCluster, messages: (requestId: number) => StreamMessage[]): void {
  const node = group.node(0);
  node.react = (request, connection) => {
    if (request.type !== "Subscribe") return group.answer(node, request);
    for (const message of messages(request.requestId)) connection.send(message);
    return "silence";
  };
}

test("subscribe: hands over state, deltas, events, ticks and gaps, and remembers where it is", async (t) => {
  const group = await cluster(t, 1);
  streaming(group, (requestId) => [
    { type: "StreamState", requestId, status: group.statusOf(group.node(0)) },
    { type: "StreamEvents", requestId, events: [event(41), event(42)] },
    { type: "StreamDelta", requestId, changed: { currentTerm: 4 } },
    { type: "StreamGap", requestId, lost: 7 },
    { type: "StreamTick", requestId, monotonicMs: 12.5 },
  ]);

  const { subscription, told, until } = follow(t, group, { stateRateMaxHz: 20 });
  assert.equal(subscription.resume, null);
  assert.deepEqual(told, [], "nothing is told from within subscribe");
  await until(5);

  assert.deepEqual(told, [
    ["state", "n1"],
    ["events", [41, 42]],
    ["delta", { currentTerm: 4 }],
    ["gap", 7],
    ["tick", 12.5],
  ]);
  assert.deepEqual(subscription.resume, { bootId: "boot-of-n1", sequence: 42 });
  const [request] = group.node(0).requests;
  assert.ok(request?.type === "Subscribe");
  assert.equal(request.stateRateMaxHz, 20);
  assert.equal(request.resume, null);
});

test("subscribe: asks to go on after the event that it is given", async (t) => {
  const group = await cluster(t, 1);
  streaming(group, (requestId) => [{ type: "StreamTick", requestId, monotonicMs: 1 }]);
  const resume = { bootId: "boot-of-n1", sequence: 42 };
  const { subscription, until } = follow(t, group, { resume });
  await until(1);
  const [request] = group.node(0).requests;
  assert.deepEqual(request?.type === "Subscribe" ? request.resume : null, resume);
  assert.deepEqual(subscription.resume, resume);
});

test("subscribe: the end of the connection is told once, with the reason", async (t) => {
  const group = await cluster(t, 1);
  streaming(group, (requestId) => [{ type: "StreamTick", requestId, monotonicMs: 1 }]);
  const { ended, until } = follow(t, group);
  await until(1);
  await group.node(0).stop();
  const error = await ended;
  assert.ok(error instanceof ConnectionError);
  assert.equal(error.kind, "closed");

  const again = await follow(t, group).ended;
  assert.equal(again.code, "refused");
});

test("subscribe: a refusal and a wrong answer end it", async (t) => {
  const group = await cluster(t, 1);
  const node = group.node(0);
  node.react = ({ requestId }) => refusal(requestId, "overloaded");
  const refused = await follow(t, group).ended;
  assert.ok(refused instanceof AnswerError);
  assert.equal(refused.code, "overloaded");

  node.react = ({ requestId, type }) =>
    type === "Subscribe"
      ? { type: "StatusReply", requestId, status: group.statusOf(node) }
      : "silence";
  assert.equal((await follow(t, group).ended).code, "protocol");
});

test("subscribe: cancel ends the stream at the node, and nothing is told any more", async (t) => {
  const group = await cluster(t, 1);
  const node = group.node(0);
  streaming(group, (requestId) => [{ type: "StreamTick", requestId, monotonicMs: 1 }]);
  const { subscription, told, until } = follow(t, group);
  await until(1);
  const [request] = node.requests;
  const canceled = node.next("Cancel");

  subscription.cancel();
  subscription.cancel();
  await canceled;

  assert.deepEqual(node.requests.at(-1), { type: "Cancel", requestId: request?.requestId });
  assert.equal(node.count("Cancel"), 1);
  assert.equal(told.length, 1);
});
