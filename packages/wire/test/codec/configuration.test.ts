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

test("configuration: one of before addresses, staging and retired ids has none of them", () => {
  const members = decodeConfiguration(packr.pack([["n1", "n2"], [], ["n3"]]));
  assert.deepEqual(members, configurationOf({ voters: ["n1", "n2"], learners: ["n3"] }));
});

test("configuration: fields of a newer version are ignored", () => {
  const fields = [["n1"], ["n2"], ["n3"], ["n3"], [["n1", "127.0.0.1:7001"]], ["n0"], 7, "later"];
  assert.deepEqual(
    decodeConfiguration(packr.pack(fields)),
    configurationOf({
      voters: ["n1"],
      votersOutgoing: ["n2"],
      learners: ["n3"],
      staging: ["n3"],
      addresses: [{ id: "n1", address: "127.0.0.1:7001" }],
      retired: ["n0"],
    }),
  );
});

test("configuration: a server that waits to be added has no voters", () => {
  const waiting = configurationOf({ voters: [] });
  assert.deepEqual(decodeConfiguration(encodeConfiguration(waiting)), waiting);
});

test("configuration: one that is unsorted or has a duplicate is refused", () => {
  assertRefused([["n2", "n1"], [], []]);
  assertRefused([["n1", "n1"], [], []]);
  assertRefused([["n1"], ["n3", "n2"], []]);
  assertRefused([["n1"], [], ["n2", "n2"]]);
  assertRefused([["n1"], [], ["n2", "n3"], ["n3", "n2"]]);
  assertRefused([["n1"], [], [], [], [], ["n3", "n2"]]);
  assertRefused([["n2"], [], [], [], [], ["n1", "n1"]]);
});

test("configuration: who catches up to become a voter is a learner, who was retired no member", () => {
  assertRefused([["n1"], [], ["n2"], ["n3"]]);
  assertRefused([["n1"], [], [], ["n1"]]);
  assertRefused([["n1"], [], [], [], [], ["n1"]]);
  assertRefused([["n1"], ["n2"], [], [], [], ["n2"]]);
  assertRefused([["n1"], [], ["n2"], [], [], ["n2"]]);
});

test("configuration: addresses are pairs of an id and a text, sorted by id", () => {
  const place = "127.0.0.1:7001";
  for (const addresses of [
    7,
    ["n1"],
    [["n1"]],
    [[1, place]],
    [["n1", "x".repeat(1000)]],
    [
      ["n1", place],
      ["n1", place],
    ],
    [
      ["n2", place],
      ["n1", place],
    ],
  ]) {
    assertRefused([["n1", "n2"], [], [], [], addresses]);
  }
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
