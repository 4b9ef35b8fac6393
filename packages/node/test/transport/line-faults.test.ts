import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkFault } from "@quorate/wire";
import { systemRandom } from "../../src/server/system-random.ts";
import { LineFaults } from "../../src/transport/line-faults.ts";
import { SimClock } from "../server/sim-clock.ts";

function slow(delayMs: number, peer = "n2"): LinkFault {
  return { peer, direction: "to", dropRate: 0, delayMs };
}

const CUT: LinkFault = { ...slow(0), dropRate: 1 };

/** A node's lines, and what has passed on them. */
function rig() {
  const clock = new SimClock();
  const faults = new LineFaults(clock, systemRandom);
  const passed: string[] = [];
  const send = (name: string, peer = "n2"): void => {
    faults.apply(peer, "to", () => passed.push(name));
  };
  const change = (...rules: LinkFault[]): void => {
    faults.set(rules);
    faults.release();
  };
  return { clock, faults, passed, send, change };
}

test("LineFaults: a slow line keeps each message for its delay, and the order", () => {
  const { clock, passed, send, change } = rig();
  change(slow(50));
  send("a");
  clock.pass(20);
  send("b");
  send("other", "n3");
  clock.pass(29);
  assert.deepEqual(passed, ["other"]);
  clock.pass(2);
  assert.deepEqual(passed, ["other", "a"]);
  clock.pass(20);
  assert.deepEqual(passed, ["other", "a", "b"]);
});

test("LineFaults: what waits passes in order when the rules change, before what is sent then", () => {
  const { clock, faults, passed, send, change } = rig();
  change(slow(50));
  send("a");
  send("b");
  assert.equal(faults.areNone, false);
  faults.set([]);
  assert.equal(faults.areNone, false, "something waits");
  send("c");
  faults.release();
  assert.deepEqual(passed, ["a", "b", "c"]);
  assert.equal(faults.areNone, true);
  clock.pass(100);
  assert.deepEqual(passed, ["a", "b", "c"]);
});

test("LineFaults: what waits on a line that is cut then never passes", () => {
  const { clock, passed, send, change } = rig();
  change(slow(50), slow(50, "n3"));
  send("lost");
  send("kept", "n3");
  change(CUT, slow(80, "n3"));
  change();
  clock.pass(100);
  assert.deepEqual(passed, ["kept"]);
});

test("LineFaults: what is sent by what passes queues behind it", () => {
  const { clock, faults, passed, send, change } = rig();
  change(slow(50));
  faults.apply("n2", "to", () => {
    passed.push("a");
    send("c");
  });
  send("b");
  change(slow(10));
  assert.deepEqual(passed, ["a", "b"]);
  clock.pass(11);
  assert.deepEqual(passed, ["a", "b", "c"]);
});

test("LineFaults: forgets what waits when it is stopped", () => {
  const { clock, faults, passed, send, change } = rig();
  change(slow(50));
  send("a");
  faults.stop();
  clock.pass(100);
  assert.deepEqual(passed, []);
});
