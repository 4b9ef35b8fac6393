import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterClock } from "../../src/kv/cluster-clock.ts";
import { SimClock } from "../server/sim-clock.ts";

test("ClusterClock: goes on from the log's time at the pace of its own clock (Diss. §6.3)", () => {
  const clock = new SimClock();
  clock.pass(777);
  const clusterClock = new ClusterClock(clock);
  assert.equal(clusterClock.stampMs(5000), 5000);
  clock.pass(100);
  assert.equal(clusterClock.stampMs(5000), 5100);
  assert.equal(clusterClock.stampMs(5100), 5100);
  clock.pass(10.5);
  assert.equal(clusterClock.stampMs(5040), 5110);
});

test("ClusterClock: never falls, and takes over what a faster leader wrote", () => {
  const clock = new SimClock();
  const clusterClock = new ClusterClock(clock);
  clock.pass(1000);
  assert.equal(clusterClock.stampMs(20), 1000);
  assert.equal(clusterClock.stampMs(60_000), 60_000);
  clock.pass(1);
  assert.equal(clusterClock.stampMs(0), 60_001);
});
