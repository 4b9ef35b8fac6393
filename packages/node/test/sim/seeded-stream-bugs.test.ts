import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { FRAME_PREFIX_BYTES, FrameDecoder } from "@quorate/wire";
import { type PutResult, QuorateClient, RequestError } from "@quorate/wire/client";
import type { NodeParts } from "@quorate/node/testing";
import { simulate } from "@quorate/node/testing";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { RaftDriver } from "../../src/server/raft-driver.ts";
import type { EventsSince } from "../../src/server/event-ring.ts";
import { EventRing } from "../../src/server/event-ring.ts";
import { PORT_LIMITS } from "../../src/server/node-assembly.ts";
import { ReadRequests } from "../../src/server/read-requests.ts";
import { Subscription } from "../../src/server/subscription.ts";
import { Admission } from "../../src/transport/peer-admission.ts";
import { PEER_LINK_DEFAULTS } from "../../src/transport/tcp-transport.ts";
import type { SimulationPlan } from "../../src/testing/simulation-plan.ts";
import { assertIs, firstFailure } from "./first-failure.ts";

const hasOddReads = ({ faults }: SimulationPlan): boolean => faults.has("oddRead");

test("seeded bug: a decoder that drops what a read ends in the middle of is caught", async (t) => {
  t.mock.method(FrameDecoder.prototype, "push", pushWithoutMemory);
  const failure = await firstFailure({}, hasOddReads, "streams");
  assertIs(failure, ["Wire Sanity", "Liveness", "Admission"]);
});

/** Only the frames that lie whole in one chunk. */
function pushWithoutMemory(
  this: FrameDecoder,
  chunk: Uint8Array,
  onBody: (body: Uint8Array) => void,
): void {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  for (let at = 0; at + FRAME_PREFIX_BYTES <= chunk.length;) {
    const end = at + FRAME_PREFIX_BYTES + view.getUint32(at);
    if (end > chunk.length) return;
    onBody(chunk.subarray(at + FRAME_PREFIX_BYTES, end));
    at = end;
  }
}

test("seeded bug: a client that sends a write again under a new number is caught (Diss. §6.3)", async () => {
  class StubbornClient extends QuorateClient {
    override async put(...given: Parameters<QuorateClient["put"]>): Promise<PutResult> {
      try {
        return await super.put(...given);
      } catch (error) {
        const isUnknown = error instanceof RequestError && error.outcome === "unknown";
        if (!isUnknown) throw error;
        return await super.put(...given);
      }
    }
  }
  const createClient: NodeParts["createClient"] = (...given) => new StubbornClient(...given);
  const failure = await firstFailure({ createClient }, () => true, "streams");
  assertIs(failure, ["Exactly Once", "Honest Outcomes"]);
});

test("seeded bug: a leader that answers when it has appended is caught (§5.3)", async (t) => {
  answerAtAppend(t);
  const failure = await firstFailure({}, () => true, "streams");
  assertIs(failure, ["Acknowledged Writes Survive", "Exactly Once", "Fresh Reads"]);
});

function answerAtAppend(t: TestContext): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with its object below
  const { propose } = RaftDriver.prototype;
  t.mock.method(
    RaftDriver.prototype,
    "propose",
    function hasty(
      this: RaftDriver<KvResult>,
      ...[data, done]: Parameters<RaftDriver<KvResult>["propose"]>
    ): void {
      let isAnswered = false;
      propose.call(this, data, (outcome) => {
        if (!isAnswered) done(outcome as Parameters<typeof done>[0]);
      });
      const { role, lastLogIndex: index, currentTerm: term } = this.view();
      if (role !== "leader") return;
      isAnswered = true;
      const result: KvResult = { kind: "put", created: true, revision: index, at: { index, term } };
      done({ kind: "applied", index, term, result });
    },
  );
}

test("seeded bug: a node that answers from before what the client has seen is caught (Diss. §6.4)", async (t) => {
  // oxlint-disable-next-line typescript/unbound-method -- called with its object below
  const { get } = ReadRequests.prototype;
  t.mock.method(
    ReadRequests.prototype,
    "get",
    function forgetful(
      this: ReadRequests,
      ...[request, done]: Parameters<ReadRequests["get"]>
    ): void {
      get.call(this, { ...request, minRevision: 0 }, done);
    },
  );
  assertIs(await firstFailure({}, () => true, "streams"), ["Fresh Reads"]);
});

test("seeded bug: a stream that leaves out events and does not say so is caught", async (t) => {
  // oxlint-disable-next-line typescript/unbound-method -- called with its object below
  const { since } = EventRing.prototype;
  t.mock.method(
    EventRing.prototype,
    "since",
    function forgetful(this: EventRing, ...given: Parameters<EventRing["since"]>): EventsSince {
      const { events, lost } = since.call(this, ...given);
      return { events: events.filter(({ sequence }) => sequence % 5 !== 0), lost };
    },
  );
  assertIs(await firstFailure({}, () => true, "streams"), ["Wire Sanity"]);
});

test("seeded bug: a stream that does not tell what changed is caught", async (t) => {
  t.mock.method(Subscription.prototype, "onStateChanged", () => undefined);
  assertIs(await firstFailure({}, () => true, "streams"), ["Liveness"]);
});

test("seeded bug: a node that lets in whoever says hello is caught (rules 35 to 38)", async (t) => {
  t.mock.method(Admission.prototype, "check", () => null);
  assertIs(await firstFailure({}, () => true, "streams"), ["Admission", "Wire Sanity"]);
});

test("seeded bug: connections whose silence nobody notices are caught (L1)", async (t) => {
  const links: { silenceMs: number } = PEER_LINK_DEFAULTS;
  const port: { silenceMs: number } = PORT_LIMITS.keepAlive;
  t.mock.property(links, "silenceMs", Infinity);
  t.mock.property(port, "silenceMs", Infinity);
  const hasHalfOpen = ({ faults }: SimulationPlan): boolean => faults.has("halfOpen");
  const failure = await firstFailure({}, hasHalfOpen, "streams");
  assertIs(failure, ["Liveness", "No Disruption"]);
});

test("a run over streams takes no time, dice or timers but simulated ones", async (t) => {
  const leak = (): never => assert.fail("the machine's own, in a simulation");
  t.mock.method(Date, "now", leak);
  t.mock.method(performance, "now", leak);
  t.mock.method(Math, "random", leak);
  for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"] as const) {
    t.mock.method(globalThis, name, leak);
  }
  for (const seed of [1, 3]) {
    const { failure } = await simulate(seed, { overrides: { fabric: "streams" } });
    assert.equal(failure, null, `seed ${seed}`);
  }
});

test("a run over streams is the same again, also while another one runs", async () => {
  const run = (seed: number): ReturnType<typeof simulate> =>
    simulate(seed, { overrides: { fabric: "streams" } });
  const [first, other, again] = await Promise.all([run(4), run(5), run(4)]);
  assert.equal(first.traceHash, again.traceHash);
  assert.notEqual(first.traceHash, other.traceHash);
  assert.ok(first.coverage.count("writesAcknowledged") > 0);
});
