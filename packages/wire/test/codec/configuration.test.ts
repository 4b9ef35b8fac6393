import assert from "node:assert/strict";
import { configurationOf } from "@quorate/wire";
import test from "node:test";

import fc from "fast-check";
import { Packr } from "msgpackr";

import { decodeConfiguration, DecodeError, encodeConfiguration } from "../../src/index.ts";
import { configuration } from "../arbitraries.ts";

const packr = new Packr({ useRecords: false });

function assertRefused(value: unknown): void {
  assert.throws(() => decodeConfiguration(packr.pack(value)), DecodeError);
}

test("configuration: decodes to what was encoded", () => {
  fc.assert(
    fc.property(configuration, (members) => {
      assert.deepEqual(decodeConfiguration(encodeConfiguration(members)), members);
    }),
  );
});

test("configuration: fields of a newer version are ignored", () => {
  const members = decodeConfiguration(packr.pack([["n1", "n2"], [], ["n3"], 7, "later"]));
  assert.deepEqual(
    members,
    configurationOf({ voters: ["n1", "n2"], votersOutgoing: [], learners: ["n3"] }),
  );
});

test("configuration: one without voters, unsorted or with a duplicate is refused", () => {
  assertRefused([[], [], []]);
  assertRefused([["n2", "n1"], [], []]);
  assertRefused([["n1", "n1"], [], []]);
  assertRefused([["n1"], ["n3", "n2"], []]);
  assertRefused([["n1"], [], ["n2", "n2"]]);
});

test("configuration: a learner that votes is refused", () => {
  assertRefused([["n1", "n2"], [], ["n2"]]);
  assertRefused([["n1"], ["n2"], ["n2"]]);
});

test("configuration: anything that is no such array is refused", () => {
  for (const value of [null, 1, "n1", {}, [], [["n1"], []], [["n1"], [], null]]) {
    assertRefused(value);
  }
  assertRefused([["n 1"], [], []]);
  assertRefused([[1], [], []]);
  assert.throws(() => decodeConfiguration(new Uint8Array(0)), DecodeError);
});
