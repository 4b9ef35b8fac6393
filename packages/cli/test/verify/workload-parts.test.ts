import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { parseHistory } from "@quorate/wire/history";

import { Availability } from "../../src/verify/availability.ts";
import { Dice } from "../../src/verify/dice.ts";
import { Rotation } from "../../src/verify/faults/rotation.ts";
import { HistoryFile } from "../../src/verify/history-file.ts";
import { OperationClock } from "../../src/verify/operation-clock.ts";
import { CHAIN_LENGTH_MAX, KeySpace } from "../../src/verify/key-space.ts";

test("dice: equal seeds give equal throws, another purpose gives others", () => {
  const throws = (dice: Dice): number[] => Array.from({ length: 8 }, () => dice.below(1_000));
  assert.deepEqual(throws(new Dice("7").fork("a")), throws(new Dice("7").fork("a")));
  assert.notDeepEqual(throws(new Dice("7").fork("a")), throws(new Dice("7").fork("b")));
  assert.notDeepEqual(throws(new Dice("7")), throws(new Dice("8")));
  const many = Array.from({ length: 10_000 }, (_unused, at) => new Dice(`s${at}`).unit());
  const mean = many.reduce((sum, value) => sum + value, 0) / many.length;
  assert.ok(mean > 0.48 && mean < 0.52, String(mean));
});

test("rotation: gives everything before anything twice, and what was put back in the same round", () => {
  const dice = new Dice("1");
  const rotation = new Rotation(["a", "b", "c"]);
  const first = rotation.next(dice);
  rotation.putBack(first);
  const round = [rotation.next(dice), rotation.next(dice), rotation.next(dice)];
  assert.deepEqual(round.toSorted(), ["a", "b", "c"]);
  assert.equal(round[2], first);
});

test("keys: contended ones are replaced by others, so that each stays checkable", () => {
  const keys = new KeySpace("p/");
  const dice = new Dice("1");
  for (let use = 0; use < 10_000; use += 1) keys.register(dice);
  const hot = [...keys.used].filter((key) => key.startsWith("p/hot-"));
  assert.ok(hot.length >= 12 && hot.length <= 24, String(hot.length));
  assert.ok([...keys.used].every((key) => key.startsWith("p/")));
  assert.ok(keys.used.size < 300);
  const chain = keys.chain(dice);
  keys.chainIsFull(chain);
  const later = Array.from({ length: 40 }, () => keys.chain(dice));
  assert.ok(!later.includes(chain), `${chain} goes on beyond ${CHAIN_LENGTH_MAX}`);
});

test("times: rounded outwards, but a client's operations never overlap by rounding", () => {
  const clock = new OperationClock();
  assert.deepEqual(clock.record({ callMs: 1.0005, returnMs: 1.0102 }), {
    call: 1000,
    return: 1011,
  });
  assert.deepEqual(clock.record({ callMs: 1.0104, returnMs: 1.0106 }), {
    call: 1011,
    return: 1011,
  });
  assert.deepEqual(clock.record({ callMs: 1.5009, returnMs: 2 }), { call: 1500, return: 2000 });
});

test("availability: the longest gap counts from the start and to the end; a wait ends with a write called after it", async () => {
  const availability = new Availability(0);
  assert.equal(availability.longestGapMs(500), 500);
  availability.acknowledged(10, 100);
  const { served } = availability.nextFrom(120);
  availability.acknowledged(110, 150);
  availability.acknowledged(130, 400);
  assert.equal(await served, 280);
  assert.equal(availability.longestGapMs(500), 250);
  assert.equal(availability.longestGapMs(900), 500);
});

test("history file: what is appended is read back as it was, whatever its size", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-history-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "history.ndjson");
  const file = new HistoryFile(path, "a note");
  const value = "v".repeat(1_000);
  for (let call = 0; call < 500; call += 1) {
    await file.room();
    file.append({
      client: "c1",
      call,
      return: call + 0.5,
      op: { kind: "put", key: "k", value },
      outcome: "ok",
      result: { revision: call + 1 },
      index: call + 1,
    });
  }
  await file.close();
  const { header, operations } = await parseHistory(readFileSync(path, "utf8").split("\n"));
  assert.equal(header.note, "a note");
  assert.equal(operations.length, 500);
});

test("history file: a place that cannot be written to is told to whoever records", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-history-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = new HistoryFile(join(folder, "no", "such", "folder"), "");
  await assert.rejects(file.close(), { code: "ENOENT" });
  await assert.rejects(file.room(), { code: "ENOENT" });
});
