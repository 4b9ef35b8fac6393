import assert from "node:assert/strict";
import { test } from "node:test";
import { SimProcess, SimScheduler } from "@quorate/node/testing";
import { TickSource } from "../../src/server/tick-source.ts";

interface Bench {
  readonly scheduler: SimScheduler;
  readonly process: SimProcess;
  readonly source: TickSource;
  /** Simulated milliseconds at which ticks came, and words that a test adds. */
  readonly log: (number | string)[];
  ticksUntilElection: number | null;
}

const INTERVAL_MS = 10;
const BURST_MAX_TICKS = 3;

function benchOf(): Bench {
  const scheduler = new SimScheduler();
  const process = new SimProcess(scheduler, 1, () => {});
  const log: (number | string)[] = [];
  const bench: Bench = {
    scheduler,
    process,
    log,
    ticksUntilElection: null,
    source: new TickSource({
      clock: process,
      intervalMs: INTERVAL_MS,
      burstMaxTicks: BURST_MAX_TICKS,
      ticksUntilElection: () => bench.ticksUntilElection,
      tick: () => {
        log.push(process.nowMs());
      },
    }),
  };
  return bench;
}

/** Runs for so long after which nothing is left but the next tick. */
function run({ scheduler }: Bench, forMs: number): void {
  const end = { isReached: false };
  scheduler.schedule(forMs * 1000, () => {
    end.isReached = true;
  });
  while (!end.isReached) scheduler.runNext();
}

test("TickSource: ticks at its interval and does not drift", () => {
  const bench = benchOf();
  bench.source.start();
  run(bench, 45);
  assert.deepEqual(bench.log, [10, 20, 30, 40]);
});

test("TickSource: a late tick lets the messages of the stall be read first", () => {
  const bench = benchOf();
  bench.source.start();
  run(bench, 15);
  bench.process.pause();
  bench.scheduler.schedule(1_000, () => {
    bench.process.deliver(() => bench.log.push("heartbeat"));
  });
  run(bench, 20);
  bench.process.resume();
  run(bench, 1);
  assert.deepEqual(bench.log, [10, "heartbeat", 35, 35]);
  run(bench, 10);
  assert.deepEqual(bench.log.slice(4), [40], "the ticks go on in their old rhythm");
});

test("TickSource: a long pause gives a few ticks and is forgotten", () => {
  const bench = benchOf();
  bench.source.start();
  bench.process.pause();
  run(bench, 5_000);
  bench.process.resume();
  run(bench, 9);
  assert.deepEqual(bench.log, [5_000, 5_000, 5_000]);
  run(bench, 12);
  assert.deepEqual(bench.log.slice(BURST_MAX_TICKS), [5_010, 5_020]);
});

test("TickSource: before a tick that starts an election the sockets are read once more", () => {
  const bench = benchOf();
  bench.source.start();
  bench.ticksUntilElection = 1;
  bench.process.pause();
  bench.scheduler.schedule(10_001, () => {
    bench.process.deliver(() => bench.log.push("heartbeat"));
  });
  run(bench, 11);
  bench.process.resume();
  run(bench, 1);
  assert.deepEqual(bench.log, ["heartbeat", 11]);
});

test("TickSource: a tick that starts no election is given at once", () => {
  const bench = benchOf();
  bench.source.start();
  bench.ticksUntilElection = 2;
  bench.process.pause();
  bench.scheduler.schedule(10_001, () => {
    bench.process.deliver(() => bench.log.push("heartbeat"));
  });
  run(bench, 11);
  bench.process.resume();
  run(bench, 1);
  assert.deepEqual(bench.log, [11, "heartbeat"]);
});

test("TickSource: stopped, it gives no tick any more, not even a late one", () => {
  const bench = benchOf();
  bench.source.start();
  bench.process.pause();
  run(bench, 100);
  bench.process.resume();
  bench.process.deliver(() => {
    bench.source.stop();
  });
  run(bench, 100);
  assert.deepEqual(bench.log, []);
});
