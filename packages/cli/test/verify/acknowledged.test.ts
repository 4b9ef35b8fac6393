import assert from "node:assert/strict";
import { test } from "node:test";

import type { KeyValue } from "@quorate/wire";

import { Acknowledged } from "../../src/verify/acknowledged.ts";

function found(text: string, modRevision: number): KeyValue {
  return { value: Buffer.from(text), createRevision: 1, modRevision, version: 1 };
}

test("acknowledged: the newest write counts, in whatever order the answers came", () => {
  const acknowledged = new Acknowledged();
  acknowledged.acknowledged("k", "b", 5);
  acknowledged.acknowledged("k", "a", 3);
  assert.equal(acknowledged.writes, 2);
  assert.equal(acknowledged.lossAt("k", found("b", 5)), null);
  assert.match(acknowledged.lossAt("k", found("a", 3))?.explanation ?? "", /"b" was acknowledged/u);
  assert.match(acknowledged.lossAt("k", null)?.explanation ?? "", /the key is gone/u);
});

test("acknowledged: a write with another value under the same revision is a loss", () => {
  const acknowledged = new Acknowledged();
  acknowledged.acknowledged("k", "a", 3);
  assert.notEqual(acknowledged.lossAt("k", found("z", 3)), null);
});

test("acknowledged: what nobody acknowledged may be there only where its outcome is unknown", () => {
  const acknowledged = new Acknowledged();
  acknowledged.acknowledged("k", "a", 3);
  assert.notEqual(acknowledged.lossAt("k", found("b", 4)), null);
  acknowledged.unknown("k", "b");
  assert.equal(acknowledged.lossAt("k", found("b", 4)), null);
  assert.notEqual(acknowledged.lossAt("k", null), null);
  acknowledged.unknown("k", null);
  assert.equal(acknowledged.lossAt("k", null), null);
});

test("acknowledged: a deleted key stays deleted", () => {
  const acknowledged = new Acknowledged();
  acknowledged.acknowledged("k", "a", 3);
  acknowledged.acknowledged("k", null, 4);
  assert.equal(acknowledged.lossAt("k", null), null);
  assert.match(acknowledged.lossAt("k", found("a", 3))?.explanation ?? "", /a delete was/u);
  assert.equal(acknowledged.lossAt("another", null), null);
});
