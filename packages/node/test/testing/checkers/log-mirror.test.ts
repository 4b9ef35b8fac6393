import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "@quorate/wire";
import type { LogChange } from "../../../src/testing/checkers/log-mirror.ts";
import { LogMirror } from "../../../src/testing/checkers/log-mirror.ts";
import { entryOf } from "./view-of.ts";
import { assertViolates } from "./violates.ts";

function follow(mirror: LogMirror, log: readonly LogEntry[]): LogChange {
  return mirror.follow(log.length, (index) => log[index - 1] ?? null);
}

test("LogMirror: sees what was appended, replaced and cut", () => {
  const mirror = new LogMirror();
  const log = [entryOf(1, 1, "a"), entryOf(2, 1, "b"), entryOf(3, 1, "c")];
  assert.deepEqual(follow(mirror, log), { truncatedFrom: null, newFrom: 1 });
  assert.deepEqual(follow(mirror, log), { truncatedFrom: null, newFrom: 4 });
  const replaced = [...log.slice(0, 1), entryOf(2, 2, "x"), entryOf(3, 2, "y")];
  assert.deepEqual(follow(mirror, replaced), { truncatedFrom: 2, newFrom: 2 });
  assert.deepEqual(follow(mirror, replaced.slice(0, 2)), { truncatedFrom: 3, newFrom: 3 });
  assert.equal(mirror.lastIndex, 2);
});

test("LogMirror: an entry that was only copied is no truncation", () => {
  const mirror = new LogMirror();
  follow(mirror, [entryOf(1, 1, "a"), entryOf(2, 1, "b")]);
  const before = mirror.chainHashAt(2);
  const copied = [entryOf(1, 1, "a"), entryOf(2, 1, "b"), entryOf(3, 1, "c")];
  assert.equal(follow(mirror, copied).truncatedFrom, null);
  assert.equal(mirror.chainHashAt(2), before);
});

test("LogMirror: a chain hash covers everything before its entry", () => {
  const [one, other] = [new LogMirror(), new LogMirror()];
  follow(one, [entryOf(1, 1, "a"), entryOf(2, 1, "b")]);
  follow(other, [entryOf(1, 1, "x"), entryOf(2, 1, "b")]);
  assert.notEqual(one.chainHashAt(2), other.chainHashAt(2));
  assert.equal(one.chainHashAt(0), other.chainHashAt(0));
  assert.equal(one.chainHashAt(3), null);
});

test("LogMirror: a hole and a misplaced entry are caught (§5.3)", () => {
  for (const log of [[entryOf(1, 1)], [entryOf(1, 1), entryOf(3, 1)]]) {
    assertViolates("Log Matching", () => {
      new LogMirror().follow(2, (index) => log[index - 1] ?? null);
    });
  }
});

test("LogMirror: follows a log whose start a snapshot took the place of (§7)", () => {
  const whole = new LogMirror();
  const mirror = new LogMirror((index) => whole.chainHashAt(index));
  const log = [entryOf(1, 1, "a"), entryOf(2, 1, "b"), entryOf(3, 1, "c"), entryOf(4, 1, "d")];
  follow(whole, log);
  const from = (firstIndex: number, last: number): LogChange =>
    mirror.follow(last, (index) => log[index - 1] ?? null, firstIndex);
  from(1, 3);
  assert.deepEqual(from(3, 4), { truncatedFrom: null, newFrom: 4 });
  assert.equal(mirror.entryAt(2), null);
  assert.equal(mirror.chainHashAt(1), whole.chainHashAt(1));
  assert.equal(mirror.chainHashAt(4), whole.chainHashAt(4));
  assert.equal(from(5, 4).truncatedFrom, null);
  assert.equal(mirror.lastIndex, 4);
  assert.equal(mirror.chainHashAt(4), whole.chainHashAt(4));
});
