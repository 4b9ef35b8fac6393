import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReadOutcome } from "../../src/server/driver-outcomes.ts";
import { ReadBatcher } from "../../src/server/read-batcher.ts";
import { SimClock } from "./sim-clock.ts";

const READY: ReadOutcome = { kind: "ready", readIndex: 1, appliedIndex: 1 };

test("ReadBatcher: reads of a turn share a read index, a later read gets its own (Diss. §6.4)", () => {
  const clock = new SimClock();
  const rounds: ((outcome: ReadOutcome) => void)[] = [];
  const answered: string[] = [];
  const batcher = new ReadBatcher((done) => {
    rounds.push(done);
  }, clock);
  const read = (name: string): void => {
    batcher.add(() => {
      answered.push(name);
    });
  };
  read("a");
  read("b");
  clock.pass(1);
  assert.equal(rounds.length, 1);
  // The first round is under way: its index may be older than a write that c must see.
  read("c");
  clock.pass(1);
  assert.equal(rounds.length, 2);
  rounds[0]?.(READY);
  assert.deepEqual(answered, ["a", "b"]);
  rounds[1]?.(READY);
  assert.deepEqual(answered, ["a", "b", "c"]);
});
