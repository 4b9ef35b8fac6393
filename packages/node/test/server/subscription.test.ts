import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeEvent, NodeStatus, StreamMessage } from "@quorate/wire";
import { EventRing } from "../../src/server/event-ring.ts";
import { LatencyWindow } from "../../src/server/latency-window.ts";
import { Subscription } from "../../src/server/subscription.ts";
import { SimClock } from "./sim-clock.ts";

const EVENT: Omit<NodeEvent, "sequence"> = {
  kind: "committed",
  severity: "info",
  term: 1,
  wallMs: 0,
  monotonicMs: 0,
  text: "committed 1",
  details: {},
};

class Scene {
  readonly clock = new SimClock();
  readonly events: EventRing;
  readonly sent: StreamMessage[] = [];
  queuedBytes = 0;
  revision = 1;
  readonly subscription: Subscription;

  constructor(
    resume: { bootId: string; sequence: number } | null = null,
    events = new EventRing(100),
    eventBacklogMax = 0,
  ) {
    this.events = events;
    const queuedBytes = (): number => this.queuedBytes;
    this.subscription = new Subscription({
      request: { type: "Subscribe", requestId: 9, resume, stateRateMaxHz: 10, eventBacklogMax },
      bootId: "boot",
      clock: this.clock,
      events: this.events,
      // A status is compared field by field: two fields stand for all of them.
      status: () => ({ revision: this.revision, term: 3 }) as unknown as NodeStatus,
      sink: {
        send: (message) => this.sent.push(message),
        get queuedBytes() {
          return queuedBytes();
        },
      },
    });
  }

  emit(count: number): void {
    for (let made = 0; made < count; made += 1) {
      this.events.append(EVENT);
      this.subscription.onEvents();
    }
  }

  change(): void {
    this.revision += 1;
    this.subscription.onStateChanged();
  }

  types(): string[] {
    return this.sent.splice(0).map(({ type }) => type);
  }
}

test("Subscription: the whole state first, then changed fields, no faster than asked", () => {
  const scene = new Scene();
  scene.subscription.start();
  assert.deepEqual(scene.types(), ["StreamState"]);
  for (let at = 0; at < 20; at += 1) {
    scene.change();
    scene.clock.pass(10);
  }
  const deltas = scene.sent.filter((message) => message.type === "StreamDelta");
  assert.deepEqual(
    deltas.map(({ changed }) => changed),
    [{ revision: 11 }, { revision: 21 }],
  );
});

test("Subscription: events of one turn go together, each once and in order", () => {
  const events = new EventRing(100);
  for (let made = 0; made < 3; made += 1) events.append(EVENT);
  const scene = new Scene(null, events);
  scene.subscription.start();
  assert.deepEqual(scene.types(), ["StreamState"]);
  scene.emit(2);
  scene.clock.pass(1);
  scene.emit(1);
  scene.clock.pass(1);
  const batches = scene.sent.map((message) =>
    message.type === "StreamEvents" ? message.events.map(({ sequence }) => sequence) : message.type,
  );
  assert.deepEqual(batches, [[4, 5], [6]]);
});

test("Subscription: resumes after the event that it names, in the same process only", () => {
  for (const [bootId, expected] of [
    ["boot", ["StreamState", "StreamEvents"]],
    ["older", ["StreamState"]],
  ] as const) {
    const events = new EventRing(100);
    for (let made = 0; made < 3; made += 1) events.append(EVENT);
    const scene = new Scene({ bootId, sequence: 1 }, events);
    scene.subscription.start();
    assert.deepEqual(scene.types(), expected);
  }
});

test("Subscription: begins with as many events of before as asked for, unless it resumes", () => {
  for (const [resume, eventBacklogMax, expected] of [
    [null, 2, [9, 10]],
    [null, 0, []],
    [null, Number.MAX_SAFE_INTEGER, [7, 8, 9, 10]],
    [{ bootId: "older", sequence: 99 }, 3, [8, 9, 10]],
    [{ bootId: "boot", sequence: 9 }, 3, [10]],
  ] as const) {
    const events = new EventRing(4);
    for (let made = 0; made < 10; made += 1) events.append(EVENT);
    const scene = new Scene(resume, events, eventBacklogMax);
    scene.subscription.start();
    const [state, ...rest] = scene.sent;
    assert.equal(state?.type, "StreamState");
    const told = rest.flatMap((message) => (message.type === "StreamEvents" ? message.events : []));
    assert.deepEqual(
      told.map(({ sequence }) => sequence),
      expected,
    );
    assert.equal(rest.length, expected.length === 0 ? 0 : 1);
  }
});

test("Subscription: a subscriber that does not read holds nothing up and gets a gap later", () => {
  const scene = new Scene();
  scene.subscription.start();
  scene.types();
  scene.queuedBytes = 300 * 1024;
  scene.emit(50);
  scene.change();
  scene.clock.pass(2000);
  assert.deepEqual(scene.types(), []);
  scene.queuedBytes = 0;
  scene.clock.pass(500);
  assert.deepEqual(scene.types(), ["StreamEvents", "StreamDelta"]);

  scene.queuedBytes = 300 * 1024;
  scene.emit(130);
  scene.clock.pass(1000);
  scene.queuedBytes = 0;
  scene.clock.pass(500);
  const [gap, ...rest] = scene.sent.splice(0);
  assert.ok(gap?.type === "StreamGap");
  assert.equal(gap.lost, 30);
  assert.deepEqual(
    rest.map(({ type }) => type),
    ["StreamState", "StreamEvents"],
  );
});

test("Subscription: a sign of life every half second, and nothing after its end", () => {
  const scene = new Scene();
  scene.subscription.start();
  scene.types();
  scene.clock.pass(1600);
  assert.deepEqual(scene.types(), ["StreamTick", "StreamTick", "StreamTick"]);
  scene.subscription.end();
  scene.emit(1);
  scene.change();
  scene.clock.pass(2000);
  assert.deepEqual(scene.types(), []);
});

test("EventRing: numbers from 1, keeps the newest, counts what it lost", () => {
  const ring = new EventRing(4);
  for (let made = 0; made < 10; made += 1) ring.append(EVENT);
  const sequencesOf = (sequence: number, count: number): number[] =>
    ring.since(sequence, count).events.map((event) => event.sequence);
  assert.deepEqual(sequencesOf(8, 9), [9, 10]);
  assert.deepEqual(sequencesOf(10, 9), []);
  assert.deepEqual(sequencesOf(0, 2), [7, 8]);
  assert.equal(ring.since(0, 9).lost, 6);
  assert.equal(ring.since(6, 9).lost, 0);
});

test("LatencyWindow: nearest-rank percentiles of the newest, null before the first", () => {
  const window = new LatencyWindow(100);
  assert.deepEqual(window.percentiles([50, 99]), [null, null]);
  for (let at = 1; at <= 200; at += 1) window.add(at);
  assert.deepEqual(window.percentiles([50, 99, 100]), [150, 199, 200]);
});
