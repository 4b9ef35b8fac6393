import assert from "node:assert/strict";
import test from "node:test";
import { crc32 } from "node:zlib";

import fc from "fast-check";

import type { LogEntry } from "../../src/index.ts";
import { decodeEntries, DecodeError, encodeEntries, EncodeError } from "../../src/index.ts";
import { ENTRY_DATA_MAX_BYTES } from "../../src/index.ts";
import { looseEntry } from "../arbitraries.ts";

const ENTRY: LogEntry = { index: 7, term: 3, kind: "command", data: Uint8Array.of(1, 2, 3) };

function isDecodeError(...codes: string[]): (error: unknown) => boolean {
  return (error) => error instanceof DecodeError && codes.includes(error.code);
}

/** ENTRY's record with bytes replaced at `at` and, unless `torn`, a checksum that fits again. */
function forged(at: number, bytes: readonly number[], torn = false): Uint8Array {
  const record = encodeEntries([ENTRY]);
  record.set(bytes, at);
  if (!torn) new DataView(record.buffer).setUint32(4, crc32(record.subarray(8)));
  return record;
}

test("entries: decode to what was encoded, whatever the fields", () => {
  fc.assert(
    fc.property(fc.array(looseEntry, { maxLength: 8 }), (entries) => {
      assert.deepEqual(decodeEntries(encodeEntries(entries)), entries);
    }),
  );
});

test("entries: a record has the documented layout", () => {
  const record = Buffer.from(encodeEntries([{ ...ENTRY, index: 2 ** 40 + 7 }]));
  assert.equal(record.readUInt32BE(0), 17 + 3);
  assert.equal(record.readUInt32BE(4), crc32(record.subarray(8)));
  assert.equal(record.readBigUInt64BE(8), 2n ** 40n + 7n);
  assert.equal(record.readBigUInt64BE(16), 3n);
  assert.equal(record[24], 1);
  assert.deepEqual([...record.subarray(25)], [1, 2, 3]);
});

test("entries: every change of one bit is refused", () => {
  const record = encodeEntries([ENTRY]);
  for (let bit = 0; bit < record.length * 8; bit += 1) {
    const damaged = record.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(
      () => decodeEntries(damaged),
      isDecodeError("badChecksum", "truncated", "badField"),
    );
  }
});

test("entries: damage behind the size is a bad checksum", () => {
  for (const at of [4, 8, 15, 16, 24, 25, 27]) {
    assert.throws(() => decodeEntries(forged(at, [0x5a], true)), isDecodeError("badChecksum"));
  }
});

test("entries: bytes that end anywhere inside a record are refused", () => {
  const records = encodeEntries([ENTRY, ENTRY]);
  const whole = records.length / 2;
  for (let length = 0; length <= records.length; length += 1) {
    const cut = records.subarray(0, length);
    if (length % whole === 0) assert.equal(decodeEntries(cut).length, length / whole);
    else assert.throws(() => decodeEntries(cut), isDecodeError("truncated"));
  }
});

test("entries: sizes that no record can have are refused before anything is read", () => {
  const tooLarge = new Uint8Array(4);
  new DataView(tooLarge.buffer).setUint32(0, 17 + ENTRY_DATA_MAX_BYTES + 1);
  for (const size of [[0, 0, 0, 0], [0, 0, 0, 16], [0xff, 0xff, 0xff, 0xff], [...tooLarge]]) {
    assert.throws(() => decodeEntries(forged(0, size, true)), isDecodeError("badField"));
  }
});

test("entries: index and term outside 1 to 2^53 - 1 and unknown kinds are refused", () => {
  const zero = [0, 0, 0, 0, 0, 0, 0, 0];
  const twoTo53 = [0, 0x20, 0, 0, 0, 0, 0, 0];
  const largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  for (const position of [zero, twoTo53, largest]) {
    assert.throws(() => decodeEntries(forged(8, position)), isDecodeError("badField"));
    assert.throws(() => decodeEntries(forged(16, position)), isDecodeError("badField"));
  }
  for (const kind of [3, 255]) {
    assert.throws(() => decodeEntries(forged(24, [kind])), isDecodeError("badField"));
  }
});

test("entries: data are views of the bytes they were decoded from", () => {
  const bytes = encodeEntries([ENTRY]);
  const [entry] = decodeEntries(bytes);
  assert.equal(entry?.data.buffer, bytes.buffer);
});

test("entries: an index or term that has no encoding is not written", () => {
  for (const value of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => encodeEntries([{ ...ENTRY, index: value }]), EncodeError);
    assert.throws(() => encodeEntries([{ ...ENTRY, term: value }]), EncodeError);
  }
  const largest = { ...ENTRY, data: new Uint8Array(ENTRY_DATA_MAX_BYTES) };
  assert.equal(decodeEntries(encodeEntries([largest])).length, 1);
  const tooLarge = { ...ENTRY, data: new Uint8Array(ENTRY_DATA_MAX_BYTES + 1) };
  assert.throws(() => encodeEntries([tooLarge]), EncodeError);
});

test("entries: any bytes decode or are refused with a DecodeError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        decodeEntries(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
