import assert from "node:assert/strict";
import test from "node:test";

import { Packr } from "msgpackr";

import type { DecodeErrorCode } from "../../src/index.ts";
import { BODY_VALUES_MAX, decodeBody, DecodeError, NESTING_MAX_DEPTH } from "../../src/index.ts";

const packr = new Packr({ useRecords: false });

function assertRefused(body: Uint8Array, code: DecodeErrorCode): void {
  assert.throws(
    () => decodeBody(body),
    (error) => error instanceof DecodeError && error.code === code,
    `${Buffer.from(body.subarray(0, 20)).toString("hex")} is not refused as ${code}`,
  );
}

/** A Ping (type code 3, nonce 1) with one more field, which its codec ignores. */
function pingWith(...field: readonly number[]): Uint8Array {
  return Uint8Array.of(0x93, 0x03, 0x01, ...field);
}

test("body: every MessagePack format but extensions may stand in a field", () => {
  const fields: readonly (readonly number[])[] = [
    [0x7f],
    [0xe0],
    [0xc0],
    [0xc2],
    [0xc3],
    [0xcc, 1],
    [0xcd, 1, 2],
    [0xce, 1, 2, 3, 4],
    [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0xd0, 1],
    [0xd1, 1, 2],
    [0xd2, 1, 2, 3, 4],
    [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
    [0xca, 1, 2, 3, 4],
    [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
    [0xa2, 0x61, 0x62],
    [0xd9, 1, 0x61],
    [0xda, 0, 1, 0x61],
    [0xdb, 0, 0, 0, 1, 0x61],
    [0xc4, 1, 0],
    [0xc5, 0, 1, 0],
    [0xc6, 0, 0, 0, 1, 0],
    [0x91, 0xc0],
    [0xdc, 0, 1, 0xc0],
    [0xdd, 0, 0, 0, 1, 0xc0],
    [0x81, 0xa1, 0x61, 0xc0],
    [0xde, 0, 1, 0xa1, 0x61, 0xc0],
    [0xdf, 0, 0, 0, 1, 0xa1, 0x61, 0xc0],
  ];
  for (const field of fields) {
    assert.deepEqual(decodeBody(pingWith(...field)), { type: "Ping", nonce: 1 });
    for (let cut = 0; cut < field.length; cut += 1) {
      assertRefused(pingWith(...field.slice(0, cut)), "truncated");
    }
    assertRefused(pingWith(...field, 0xc0), "trailingBytes");
  }
});

test("body: every extension format is refused, whatever its type", () => {
  const extensions: readonly (readonly number[])[] = [
    [0xd4, 0x72, 0x40],
    [0xd5, 0x72, 0x40, 0],
    [0xd6, 0xff, 0, 0, 0, 0],
    [0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0],
    [0xd8, 1, ...new Uint8Array(16)],
    [0xc7, 0, 1],
    [0xc8, 0, 0, 1],
    [0xc9, 0, 0, 0, 0, 1],
  ];
  for (const extension of extensions) assertRefused(pingWith(...extension), "extension");
  assertRefused(packr.pack([3, 1, new Date(0)]), "extension");
  assertRefused(packr.pack([3, 1, [undefined]]), "extension");
});

test("body: a record definition of msgpackr is refused and leaves nothing behind", () => {
  const records = new Packr({ useRecords: true });
  assertRefused(records.pack([3, { nonce: 1 }, { nonce: 2 }]), "extension");
  assert.deepEqual(decodeBody(Uint8Array.of(0x92, 0x03, 0x40)), { type: "Ping", nonce: 0x40 });
});

test("body: the byte that MessagePack never uses is refused", () => {
  assertRefused(pingWith(0xc1), "badFormat");
});

test("body: map keys are text", () => {
  assertRefused(pingWith(0x81, 0x01, 0xc0), "badFormat");
  assertRefused(pingWith(0x81, 0x91, 0xc0, 0xc0), "badFormat");
  assertRefused(pingWith(0x81), "truncated");
});

test("body: nothing, a scalar and a map are no message", () => {
  assertRefused(new Uint8Array(0), "truncated");
  assertRefused(Uint8Array.of(0x03), "badFormat");
  assertRefused(Uint8Array.of(0x80), "badFormat");
  assertRefused(Uint8Array.of(0x90), "unknownType");
});

test("body: nests to its limit and no deeper", () => {
  const nested = (depth: number): Uint8Array =>
    pingWith(...new Uint8Array(depth - 1).fill(0x91), 0xc0);
  assert.deepEqual(decodeBody(nested(NESTING_MAX_DEPTH)), { type: "Ping", nonce: 1 });
  assertRefused(nested(NESTING_MAX_DEPTH + 1), "tooDeep");
  const nestedMaps = Array.from({ length: NESTING_MAX_DEPTH }, () => [0x81, 0xa0]).flat();
  assertRefused(pingWith(...nestedMaps, 0xc0), "tooDeep");
});

test("body: eight million opened arrays are refused without a stack overflow", () => {
  assertRefused(new Uint8Array(8 * 1024 * 1024).fill(0x91), "tooDeep");
});

test("body: four billion announced elements cost nothing", () => {
  for (const format of [0xdd, 0xdf]) {
    assertRefused(Uint8Array.of(format, 0xff, 0xff, 0xff, 0xff), "truncated");
  }
  for (const format of [0xdb, 0xc6]) {
    assertRefused(pingWith(format, 0xff, 0xff, 0xff, 0xff, 1), "truncated");
  }
});

test("body: holds a limited number of values", () => {
  // The body itself, its type code, the nonce and the inner array are values too.
  const inner = (count: number): Uint8Array =>
    packr.pack([3, 1, Array.from({ length: count }, () => 0)]);
  assert.deepEqual(decodeBody(inner(BODY_VALUES_MAX - 4)), { type: "Ping", nonce: 1 });
  assertRefused(inner(BODY_VALUES_MAX - 3), "tooManyValues");
});
