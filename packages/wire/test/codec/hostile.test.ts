import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";

import { decodeBody, DecodeError, encodeFrame } from "../../src/index.ts";
import { wireMessage } from "../arbitraries.ts";

/** Decodes to a message that can be sent on, or throws a DecodeError: nothing else. */
function assertDecodesOrRefuses(body: Uint8Array): void {
  try {
    encodeFrame(decodeBody(body));
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
  }
}

/** What a bad cable, a bad program or a bad person does to a body. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("insert" as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("delete" as const), at: fc.nat(), byte: fc.nat(8) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), byte: fc.constant(0) }),
);

function damaged(
  body: Uint8Array,
  { kind, at, byte }: { kind: "flip" | "insert" | "delete" | "cut"; at: number; byte: number },
): Uint8Array {
  const bytes = [...body];
  const offset = bytes.length === 0 ? 0 : at % bytes.length;
  if (kind === "flip") bytes[offset] = byte;
  else if (kind === "insert") bytes.splice(offset, 0, byte);
  else if (kind === "delete") bytes.splice(offset, byte);
  else bytes.length = offset;
  return Uint8Array.from(bytes);
}

test("decodeBody: any bytes decode or are refused with a DecodeError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), assertDecodesOrRefuses), {
    numRuns: 2000,
  });
});

test("decodeBody: any bytes that begin like a message decode or are refused", () => {
  const begun = fc
    .record({
      length: fc.integer({ min: 1, max: 12 }),
      code: fc.integer({ min: 1, max: 0x44 }),
      rest: fc.uint8Array({ maxLength: 60 }),
    })
    .map(({ length, code, rest }) => Uint8Array.of(0x90 | length, code, ...rest));
  fc.assert(fc.property(begun, assertDecodesOrRefuses), { numRuns: 3000 });
});

test("decodeBody: damaged messages decode or are refused", () => {
  const hostile = fc.tuple(wireMessage, fc.array(damage, { minLength: 1, maxLength: 4 }));
  fc.assert(
    fc.property(hostile, ([message, damages]) => {
      let body: Uint8Array = encodeFrame(message).slice(4);
      for (const one of damages) body = damaged(body, one);
      assertDecodesOrRefuses(body);
    }),
    { numRuns: 1000 },
  );
});

test("decodeBody: every shorter piece of a message is refused", () => {
  fc.assert(
    fc.property(wireMessage, (message) => {
      const body = encodeFrame(message).subarray(4);
      const step = Math.max(1, Math.floor(body.length / 50));
      for (let length = 0; length < body.length; length += step) {
        assert.throws(() => decodeBody(body.subarray(0, length)), DecodeError);
      }
    }),
    { numRuns: 150 },
  );
});

test("decodeBody: refused bodies leave nothing behind for the next one", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), wireMessage, (rubbish, message) => {
      assertDecodesOrRefuses(rubbish);
      assert.deepEqual(decodeBody(encodeFrame(message).subarray(4)), message);
    }),
    { numRuns: 300 },
  );
});
