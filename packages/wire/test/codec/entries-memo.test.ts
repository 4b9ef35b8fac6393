import assert from "node:assert/strict";
import test from "node:test";

import { recordsOf } from "../../src/codec/entries-memo.ts";
import type { AppendEntries, LogEntry } from "../../src/index.ts";
import { decodeBody, encodeEntries, encodeFrame } from "../../src/index.ts";

function entry(index: number, byte = 1): LogEntry {
  return { index, term: 1, kind: "command", data: new Uint8Array(300).fill(byte) };
}

function appendEntries(entries: readonly LogEntry[]): AppendEntries {
  return {
    type: "AppendEntries",
    term: 1,
    leaderId: "n1",
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries,
    leaderCommit: 0,
    round: 0,
  };
}

test("memo: one run for several followers is encoded once, heartbeats between them or not", () => {
  const run = [entry(1), entry(2)];
  const first = recordsOf(run);
  assert.equal(recordsOf(run), first);
  assert.equal(recordsOf([...run]), first);
  assert.equal(recordsOf([]).length, 0);
  assert.equal(recordsOf(run), first);
  assert.deepEqual(first, encodeEntries(run));
});

test("memo: runs that differ in any entry are told apart", () => {
  const run = [entry(1), entry(2), entry(3)];
  recordsOf(run);
  for (const offset of run.keys()) {
    const other = run.with(offset, entry(offset + 1, 9));
    assert.deepEqual(recordsOf(other), encodeEntries(other));
    assert.deepEqual(recordsOf(run), encodeEntries(run));
  }
  assert.deepEqual(recordsOf(run.slice(0, 2)), encodeEntries(run.slice(0, 2)));
});

test("memo: a caller that changes its array afterwards gets the records of what it holds now", () => {
  const run = [entry(1), entry(2)];
  recordsOf(run);
  run.push(entry(3));
  assert.deepEqual(recordsOf(run), encodeEntries(run));
});

test("memo: frames of one run share no memory with each other", () => {
  const message = appendEntries([entry(1), entry(2)]);
  const [first, second] = [encodeFrame(message), encodeFrame(message)];
  const expected = new Uint8Array(first);
  second.fill(0xff);
  assert.deepEqual(first, expected);
  assert.deepEqual(decodeBody(encodeFrame(message).subarray(4)), message);
});

test("memo: a run that has no encoding leaves the last one in place", () => {
  const run = [entry(1)];
  const records = recordsOf(run);
  assert.throws(() => recordsOf([entry(0)]));
  assert.equal(recordsOf(run), records);
});
