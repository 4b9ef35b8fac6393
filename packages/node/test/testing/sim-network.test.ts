import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage, SeededRandom, SimScheduler } from "@quorate/node/testing";
import type { NetworkFaults } from "../../src/testing/sim-network.ts";
import { CALM_NETWORK, SimNetwork } from "../../src/testing/sim-network.ts";
import { Trace } from "../../src/testing/trace.ts";

const MESSAGES = 400;

interface Run {
  readonly received: number[];
  readonly coverage: Coverage;
  readonly traceHash: string;
}

/** Sends numbered messages from n1 to n2 on one link. */
function run(faults: Partial<NetworkFaults>, prepare = (_network: SimNetwork) => {}): Run {
  const scheduler = new SimScheduler();
  const coverage = new Coverage();
  const trace = new Trace(scheduler, null);
  const network = new SimNetwork(
    scheduler,
    new SeededRandom("network"),
    { trace, coverage },
    { ...CALM_NETWORK, ...faults },
  );
  const received: number[] = [];
  network.attach("n2", (from, frame) => {
    assert.equal(from, "n1");
    received.push(Buffer.from(frame).readUInt16BE(0));
  });
  prepare(network);
  for (let number = 0; number < MESSAGES; number++) {
    const frame = Buffer.alloc(2);
    frame.writeUInt16BE(number);
    scheduler.schedule(number * 100, () => {
      network.send("n1", "n2", frame, number);
    });
  }
  while (scheduler.runNext());
  return { received, coverage, traceHash: trace.digest() };
}

const all = Array.from({ length: MESSAGES }, (_, number) => number);

test("SimNetwork: a calm link delivers everything once and in order", () => {
  assert.deepEqual(run({}).received, all);
});

test("SimNetwork: drops about as many as it should, and keeps the order of the rest", () => {
  const { received, coverage } = run({ dropChance: 0.25 });
  assert.equal(received.length, MESSAGES - coverage.count("drops"));
  assert.ok(coverage.count("drops") > 60 && coverage.count("drops") < 140);
  assert.deepEqual(
    received,
    received.toSorted((a, b) => a - b),
  );
});

test("SimNetwork: duplicates, reorders and replays only when told to", () => {
  const doubled = run({ duplicateChance: 0.5 });
  assert.equal(doubled.received.length, MESSAGES + doubled.coverage.count("duplicates"));
  assert.deepEqual([...new Set(doubled.received)], all);

  const reordered = run({ reorderChance: 0.5 });
  assert.ok(reordered.coverage.count("reorders") > 0);
  assert.notDeepEqual(reordered.received, all);
  assert.deepEqual(
    reordered.received.toSorted((a, b) => a - b),
    all,
  );

  const replayed = run({ replayChance: 0.2 });
  assert.equal(replayed.received.length, MESSAGES + replayed.coverage.count("replays"));
  assert.ok(replayed.coverage.count("replays") > 0);
});

test("SimNetwork: a cut is one way, and loses what is on its way", () => {
  assert.deepEqual(run({}, (network) => network.block("n1", "n2")).received, []);
  assert.deepEqual(run({}, (network) => network.block("n2", "n1")).received, all);
  const healed = run({}, (network) => {
    network.block("n1", "n2");
    network.unblockAll();
  });
  assert.deepEqual(healed.received, all);
});

test("SimNetwork: nobody receives for a node that is down", () => {
  assert.deepEqual(run({}, (network) => network.attach("n2", null)).received, []);
});

test("Trace: equal runs hash alike, and every event counts", () => {
  assert.equal(run({ dropChance: 0.25 }).traceHash, run({ dropChance: 0.25 }).traceHash);
  assert.notEqual(run({ dropChance: 0.25 }).traceHash, run({ dropChance: 0.26 }).traceHash);
});

test("Trace: the last 50 events stay readable, oldest first", () => {
  const trace = new Trace(new SimScheduler(), null);
  for (let number = 0; number < 120; number++) trace.record("event", "n1", number);
  const lines = trace.lastEvents();
  assert.equal(lines.length, 50);
  assert.match(lines[0] ?? "", /n1\s+event\s+70$/u);
  assert.match(lines.at(-1) ?? "", /n1\s+event\s+119$/u);
});
