import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { formatDuration, parseDuration } from "../src/durations.ts";

test("parseDuration: reads a number with a unit", () => {
  assert.equal(parseDuration("500ms"), 500);
  assert.equal(parseDuration("5s"), 5_000);
  assert.equal(parseDuration("1.5m"), 90_000);
  assert.equal(parseDuration("24h"), 86_400_000);
  assert.equal(parseDuration("0s"), 0);
});

test("parseDuration: refuses a bare number, signs, unknown units and more than a day", () => {
  for (const text of ["", "5", "-5s", "5 s", "5d", "s", "1e3s", "Infinitys", "25h", "5s5s"]) {
    assert.equal(parseDuration(text), null, text);
  }
});

test("parseDuration: reads back every whole number of milliseconds of a day", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_400_000 }), (durationMs) => {
      assert.equal(parseDuration(`${durationMs}ms`), durationMs);
    }),
  );
});

test("formatDuration: takes the unit that fits, and never rounds up into the wrong one", () => {
  assert.equal(formatDuration(0.42), "0.4 ms");
  assert.equal(formatDuration(9.96), "10 ms");
  assert.equal(formatDuration(83.4), "83 ms");
  assert.equal(formatDuration(999.7), "1 s");
  assert.equal(formatDuration(1_249), "1.2 s");
  assert.equal(formatDuration(5_000), "5 s");
  assert.equal(formatDuration(59_990), "1 min 0 s");
  assert.equal(formatDuration(182_000), "3 min 2 s");
  assert.equal(formatDuration(7_500_000), "2 h 5 min");
});
