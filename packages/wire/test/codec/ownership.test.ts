import assert from "node:assert/strict";
import { configurationOf } from "@quorate/wire";
import test from "node:test";

import fc from "fast-check";

import type { WireMessage } from "../../src/index.ts";
import { decodeBody, encodeFrame, EncodeError, FRAME_BODY_MAX_BYTES } from "../../src/index.ts";
import { encodeConfiguration, encodeEntries, HELLO_BODY_MAX_BYTES } from "../../src/index.ts";
import { wireMessage } from "../arbitraries.ts";

const PUT = {
  type: "Put",
  requestId: 1,
  key: Uint8Array.of(1),
  ifRevision: null,
  session: null,
} as const;

test("encodeFrame: no later frame changes one that the caller holds", () => {
  fc.assert(
    fc.property(wireMessage, wireMessage, (first, second) => {
      const held = encodeFrame(first);
      const expected = new Uint8Array(held);
      encodeFrame(second).fill(0xee);
      encodeConfiguration(configurationOf({ voters: ["n1"] })).fill(0xee);
      encodeFrame(second);
      assert.deepEqual(held, expected);
    }),
  );
});

test("encodeConfiguration: no later encoding changes bytes that the caller holds", () => {
  const held = encodeConfiguration(configurationOf({ voters: ["n1"] }));
  const expected = new Uint8Array(held);
  encodeConfiguration(configurationOf({ voters: ["n2"] }));
  encodeFrame({ ...PUT, value: Uint8Array.of(9) });
  assert.deepEqual(held, expected);
});

test("encodeEntries: its bytes fill an ArrayBuffer of their own", () => {
  const data = Uint8Array.of(1);
  const bytes = encodeEntries([{ index: 1, term: 1, kind: "command", data }]);
  assert.equal(bytes.buffer.byteLength, bytes.byteLength);
});

test("encodeFrame: changes nothing in the message", () => {
  fc.assert(
    fc.property(wireMessage, (message) => {
      const before = structuredClone(message);
      encodeFrame(message);
      assert.deepEqual(message, before);
    }),
  );
});

test("encodeFrame: a frame shares no memory with the message's bytes", () => {
  for (const size of [4, 255, 256, 0xffff, 0x1_0000, 70_000]) {
    const value = new Uint8Array(size).fill(1);
    const frame = encodeFrame({ ...PUT, value });
    value.fill(2);
    const decoded = decodeBody(frame.subarray(4));
    assert.ok(decoded.type === "Put");
    assert.deepEqual(decoded.value, new Uint8Array(size).fill(1));
  }
});

test("encodeFrame: a body may have the limit's size and not one byte more", () => {
  const overhead = encodeFrame({ ...PUT, value: new Uint8Array(70_000) }).length - 4 - 70_000;
  const largest = new Uint8Array(FRAME_BODY_MAX_BYTES - overhead);
  assert.equal(encodeFrame({ ...PUT, value: largest }).length, 4 + FRAME_BODY_MAX_BYTES);
  assert.throws(
    () => encodeFrame({ ...PUT, value: new Uint8Array(largest.length + 1) }),
    (error) => error instanceof EncodeError && error.code === "tooLarge",
  );
});

test("encodeFrame: a hello larger than the other side buffers is not sent", () => {
  const hello: WireMessage = {
    type: "Hello",
    protocolVersion: 1,
    clusterId: null,
    from: "n1",
    to: null,
    role: "client",
    incarnation: null,
    bootId: "b1",
    advertiseAddress: null,
    softwareVersion: "0.1.0",
    capabilities: Array.from({ length: 16 }, () => "x".repeat(300)),
    bootNumber: null,
    configurationIndex: null,
  };
  assert.throws(() => encodeFrame(hello), EncodeError);
});

test("encodeFrame: the longest refusal fits a first frame", () => {
  const text = "\u4e2d".repeat(600);
  const frame = encodeFrame({
    type: "HelloRefused",
    code: "tooManyConnections",
    message: text,
    remedy: text,
  });
  assert.ok(frame.length - 4 <= HELLO_BODY_MAX_BYTES, `${frame.length} bytes`);
});

test("decodeBody: keys and values are views of the body, whichever class holds it", () => {
  const frame = encodeFrame({ ...PUT, value: new Uint8Array(300) });
  for (const body of [frame.subarray(4), Buffer.from(frame.subarray(4))]) {
    const decoded = decodeBody(body);
    assert.ok(decoded.type === "Put");
    assert.equal(decoded.value.buffer, body.buffer);
    assert.equal(Object.getPrototypeOf(decoded.value), Uint8Array.prototype);
  }
});

test("decodeBody: entries do not hold on to the body", () => {
  const frame = encodeFrame({
    type: "AppendEntries",
    term: 1,
    leaderId: "n1",
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [{ index: 1, term: 1, kind: "command", data: Uint8Array.of(7) }],
    leaderCommit: 0,
    round: 0,
  });
  const decoded = decodeBody(frame.subarray(4));
  frame.fill(0xff);
  assert.ok(decoded.type === "AppendEntries");
  assert.deepEqual(decoded.entries[0]?.data, Uint8Array.of(7));
  assert.notEqual(decoded.entries[0]?.data.buffer, frame.buffer);
});
