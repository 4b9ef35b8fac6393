import type { SeededRandom } from "@quorate/node/testing";
import { joined, replaced } from "./mutations.ts";
import type { Mutation } from "./target.ts";

/** Where a value lies in a MessagePack body. */
interface Span {
  readonly at: number;
  readonly end: number;
}

const TEXT = new TextEncoder();

const HOSTILE_HEX: readonly string[] = [
  "c0 c2 c3 c1 00 7f ff e0 80 90 a0 c400 cc80 ccff cd0100 cdffff ce00010000 ceffffffff d080",
  "d3ffffffffffffffff",
  // 2^53 - 1, 2^53, 2^64 - 1, -2^63
  "cf001fffffffffffff cf0020000000000000 cfffffffffffffffff d38000000000000000",
  // NaN, infinity, -0, 0.5, 1e308, 2^53 - 1 and 2^53 + 2 as a double
  "cb7ff8000000000000 cb7ff0000000000000 cb8000000000000000 cb3fe0000000000000",
  "cb7fe1ccf385ebc8a0 cb433fffffffffffff cb4340000000000001 ca7fc00000 ca80000000",
  // lengths that lie: bin, text, array and map
  "c6ffffffff c5ffff c4ff dbffffffff db7fffffff daffff d9ff",
  "ddffffffff dd7fffffff dcffff dfffffffff deffff 9f 8f",
  // text that is no UTF-8, a lone surrogate, a byte order mark, NUL
  "a2c328 a3eda080 a3efbbbf a100 a4f0288cbc",
  // extensions: a record definition of msgpackr, a timestamp, others
  "d47241 d6ff00000000 c70c7200 d40000 c9ffffffff00",
].flatMap((line) => line.split(" "));

/** Values that a sender should not send, and some that are only seldom sent. */
const HOSTILE_VALUES: readonly Uint8Array[] = [
  ...HOSTILE_HEX.map((hex) => new Uint8Array(Buffer.from(hex, "hex"))),
  new Uint8Array(24).fill(0x91),
  joined([new Uint8Array(24).fill(0x81), TEXT.encode("\u00a1a")]),
  mapOf("__proto__"),
  mapOf("constructor"),
  textOf("n1"),
  textOf("x".repeat(64)),
  textOf("x".repeat(65)),
  textOf("127.0.0.1:7001"),
  textOf("[::1]:0"),
  textOf("\u{1f600}".repeat(300)),
  joined([Uint8Array.of(0xc5, 0x10, 0x01), new Uint8Array(4097)]),
];

/** Changes of a body that keep it MessagePack, or nearly so. */
export const MESSAGE_PACK_MUTATIONS: readonly Mutation[] = [
  (body, dice) => replaceValue(body, dice, dice.pick(HOSTILE_VALUES)),
  (body, dice) => replaceValue(body, dice, dice.pick(HOSTILE_VALUES)),
  (body, dice, other) => replaceValue(body, dice, valueOf(other, dice)),
  (body, dice) => replaceValue(body, dice, valueOf(body, dice)),
  appendValue,
  dropLastValue,
  changeType,
];

function replaceValue(body: Uint8Array, dice: SeededRandom, piece: Uint8Array): Uint8Array {
  const spans = spansOf(body);
  if (spans.length === 0) return body;
  const { at, end } = dice.pick(spans);
  return replaced(body, { at, removed: end - at, piece });
}

function valueOf(body: Uint8Array, dice: SeededRandom): Uint8Array {
  const spans = spansOf(body);
  if (spans.length === 0) return Uint8Array.of(0xc0);
  const { at, end } = dice.pick(spans);
  return body.slice(at, end);
}

/** One more field: a message of a later version. */
function appendValue(body: Uint8Array, dice: SeededRandom): Uint8Array {
  const count = shortArrayCount(body);
  if (count === null || count === 15) return body;
  const bytes = joined([body, dice.pick(HOSTILE_VALUES)]);
  bytes[0] = 0x90 | (count + 1);
  return bytes;
}

/** One field less: a message of an earlier version. */
function dropLastValue(body: Uint8Array): Uint8Array {
  const count = shortArrayCount(body);
  if (count === null || count === 0) return body;
  const last = spansOf(body)
    .filter(({ end }) => end === body.length)
    .findLast(({ at }) => at > 0);
  if (last === undefined) return body;
  const bytes = body.slice(0, spanAtTop(body, count - 1)?.at ?? last.at);
  bytes[0] = 0x90 | (count - 1);
  return bytes;
}

/** The same fields under another type code. */
function changeType(body: Uint8Array, dice: SeededRandom): Uint8Array {
  if (shortArrayCount(body) === null || body.length < 2) return body;
  const bytes = body.slice();
  bytes[1] = dice.below(0x50);
  return bytes;
}

function shortArrayCount(body: Uint8Array): number | null {
  const [format] = body;
  return format !== undefined && format >= 0x90 && format < 0xa0 ? format & 0x0f : null;
}

/** The element of the outermost array. */
function spanAtTop(body: Uint8Array, position: number): Span | null {
  let at = 1;
  for (let element = 0; element <= position; element++) {
    const end = skip(body, at, []);
    if (end === null) return null;
    if (element === position) return { at, end };
    at = end;
  }
  return null;
}

/** All values of a body, as far as it can be read; outer ones first. */
function spansOf(body: Uint8Array): Span[] {
  const spans: Span[] = [];
  skip(body, 0, spans);
  return spans;
}

/** The offset after the value at `at`, or null where it cannot be read; collects what it passes. */
function skip(body: Uint8Array, at: number, spans: Span[], depth = 0): number | null {
  const format = body[at];
  if (format === undefined || depth > 40 || spans.length > 2000) return null;
  const own = spans.length;
  spans.push({ at, end: body.length });
  const { bytes, values } = sizeOf(body, at, format);
  let end: number | null = at + bytes;
  for (let left = values; left > 0 && end !== null; left--) end = skip(body, end, spans, depth + 1);
  if (end === null || end > body.length) {
    spans.splice(own, 1);
    return null;
  }
  spans[own] = { at, end };
  return end;
}

/** Bytes of a value's head and of its own content, and how many values follow inside it. */
function sizeOf(body: Uint8Array, at: number, format: number): { bytes: number; values: number } {
  if (format < 0x80 || format >= 0xe0) return { bytes: 1, values: 0 };
  if (format < 0x90) return { bytes: 1, values: 2 * (format & 0x0f) };
  if (format < 0xa0) return { bytes: 1, values: format & 0x0f };
  if (format < 0xc0) return { bytes: 1 + (format & 0x1f), values: 0 };
  const head = LONG_FORMATS.get(format);
  if (head === undefined) return { bytes: 1, values: 0 };
  const [lengthBytes, fixedBytes, valuesEach] = head;
  const length = numberAt(body, at + 1, lengthBytes);
  if (valuesEach > 0) return { bytes: 1 + lengthBytes, values: Math.min(length * valuesEach, 1e6) };
  return { bytes: 1 + lengthBytes + fixedBytes + length, values: 0 };
}

/** By format: bytes of the length, bytes beside it, values for each of it. */
const LONG_FORMATS: ReadonlyMap<number, readonly [number, number, number]> = new Map([
  [0xc4, [1, 0, 0]],
  [0xc5, [2, 0, 0]],
  [0xc6, [4, 0, 0]],
  [0xc7, [1, 1, 0]],
  [0xca, [0, 4, 0]],
  [0xcb, [0, 8, 0]],
  [0xcc, [0, 1, 0]],
  [0xcd, [0, 2, 0]],
  [0xce, [0, 4, 0]],
  [0xcf, [0, 8, 0]],
  [0xd0, [0, 1, 0]],
  [0xd1, [0, 2, 0]],
  [0xd2, [0, 4, 0]],
  [0xd3, [0, 8, 0]],
  [0xd4, [0, 2, 0]],
  [0xd9, [1, 0, 0]],
  [0xda, [2, 0, 0]],
  [0xdb, [4, 0, 0]],
  [0xdc, [2, 0, 1]],
  [0xdd, [4, 0, 1]],
  [0xde, [2, 0, 2]],
  [0xdf, [4, 0, 2]],
]);

function numberAt(body: Uint8Array, at: number, width: number): number {
  let number = 0;
  for (let offset = 0; offset < width; offset++) number = number * 256 + (body[at + offset] ?? 0);
  return number;
}

function textOf(text: string): Uint8Array {
  const bytes = TEXT.encode(text);
  return joined([Uint8Array.of(0xda, bytes.length >> 8, bytes.length & 0xff), bytes]);
}

function mapOf(key: string): Uint8Array {
  return joined([
    Uint8Array.of(0x81),
    textOf(key),
    Uint8Array.of(0x81),
    textOf(key),
    Uint8Array.of(1),
  ]);
}
