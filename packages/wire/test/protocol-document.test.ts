import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { TYPE_CODES } from "../src/codec/type-codes.ts";
import type { WireMessage } from "../src/index.ts";
import {
  BODY_VALUES_MAX,
  decodeBody,
  encodeFrame,
  ENTRY_DATA_MAX_BYTES,
  FRAME_BODY_MAX_BYTES,
  FrameDecoder,
  HELLO_BODY_MAX_BYTES,
  HELLO_REFUSAL_CODES,
  KEY_MAX_BYTES,
  NODE_EVENT_KINDS,
  REQUEST_ERROR_CODES,
  VALUE_MAX_BYTES,
} from "../src/index.ts";
import { nodeStatusNames } from "./arbitraries.ts";

const DOCUMENT = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");

/** The bytes of every `hex` block, in order; each line is bytes, three blanks, words. */
function exampleBytes(): Uint8Array {
  const blocks = DOCUMENT.matchAll(/```hex\n(?<lines>[^`]*)```/gu);
  const lines = [...blocks].flatMap((block) => block.groups?.["lines"]?.split("\n") ?? []);
  return Buffer.from(lines.map((line) => line.slice(0, 26).replaceAll(" ", "")).join(""), "hex");
}

/** A number as the document writes it: 1,048,576. */
function written(value: number): string {
  return value.toLocaleString("en-US");
}

test("docs/protocol.md: the bytes of its example decode to its messages and are ours", () => {
  const messages: WireMessage[] = [];
  const bytes = exampleBytes();
  new FrameDecoder(FRAME_BODY_MAX_BYTES).push(bytes, (body) => messages.push(decodeBody(body)));
  const types = messages.map(({ type }) => type);
  assert.deepEqual(types, ["Hello", "Hello", "Ping", "Pong", "Put", "PutReply"]);
  assert.deepEqual(new Uint8Array(Buffer.concat(messages.map(encodeFrame))), new Uint8Array(bytes));
});

test("docs/protocol.md: gives each message type its code, in its table and where it is described", () => {
  for (const [type, code] of Object.entries(TYPE_CODES)) {
    const hex = `0x${code.toString(16).padStart(2, "0")}`;
    assert.match(DOCUMENT, new RegExp(`\\| ${hex} +\\| ${type} +\\|`, "u"));
    const described = new RegExp(`\`${type}\` +(?:\\(${hex}|\\| ${hex} )`, "u");
    assert.match(DOCUMENT, described);
  }
});

test("docs/protocol.md: names every refusal, error code, kind of event and status field", () => {
  for (const word of [...HELLO_REFUSAL_CODES, ...REQUEST_ERROR_CODES]) {
    assert.ok(DOCUMENT.includes(`| \`${word}\` `), `${word} has no row`);
  }
  for (const kind of NODE_EVENT_KINDS) assert.ok(DOCUMENT.includes(`\`${kind}\``), kind);
  const status = DOCUMENT.slice(DOCUMENT.indexOf("## Status"), DOCUMENT.indexOf("## Streams"));
  for (const name of nodeStatusNames) assert.match(status, new RegExp(`[| ]${name}[, ]`, "u"));
});

test("docs/protocol.md: states the limits that the code has", () => {
  const limits = DOCUMENT.slice(DOCUMENT.indexOf("## Limits"));
  const values = [HELLO_BODY_MAX_BYTES, FRAME_BODY_MAX_BYTES, BODY_VALUES_MAX, KEY_MAX_BYTES];
  for (const limit of [...values, VALUE_MAX_BYTES, ENTRY_DATA_MAX_BYTES]) {
    assert.ok(limits.includes(written(limit)), `${written(limit)} is not stated`);
  }
});
