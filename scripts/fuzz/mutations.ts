import type { SeededRandom } from "@quorate/node/testing";
import type { Mutation } from "./target.ts";

/** No input grows beyond this. */
export const INPUT_MAX_BYTES: number = 64 * 1024;

const TELLING_BYTES = [0x00, 0x01, 0x7f, 0x80, 0xc0, 0xc1, 0xdc, 0xdd, 0xdf, 0xfe, 0xff] as const;
const TELLING_NUMBERS = [
  0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
] as const;

/** Changes that know nothing of the bytes but that they are bytes. */
export const BYTE_MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  insert,
  remove,
  duplicate,
  overwriteNumber,
  truncate,
  splice,
  fillRun,
];

function flipBit(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const bytes = input.slice();
  if (bytes.length === 0) return bytes;
  const at = dice.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
  return bytes;
}

function setByte(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const bytes = input.slice();
  if (bytes.length === 0) return bytes;
  bytes[dice.below(bytes.length)] = dice.chance(0.5) ? dice.below(256) : dice.pick(TELLING_BYTES);
  return bytes;
}

function insert(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const at = dice.below(input.length + 1);
  const piece = Uint8Array.from({ length: dice.between(1, 12) }, () => dice.below(256));
  return replaced(input, { at, removed: 0, piece });
}

function remove(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const { at, length } = drawRange(input, dice);
  return replaced(input, { at, removed: length, piece: new Uint8Array(0) });
}

function duplicate(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const { at, length } = drawRange(input, dice);
  const to = dice.below(input.length + 1);
  return replaced(input, { at: to, removed: 0, piece: input.slice(at, at + length) });
}

/** A length, a count or a number of another size: big-endian, as everything here is. */
function overwriteNumber(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const bytes = input.slice();
  const width = dice.pick([1, 2, 4, 8]);
  if (bytes.length < width) return bytes;
  const at = dice.below(bytes.length - width + 1);
  let number = BigInt(dice.pick(TELLING_NUMBERS)) << BigInt(dice.pick([0, 0, 0, 21, 32]));
  for (let offset = width - 1; offset >= 0; offset--) {
    bytes[at + offset] = Number(number & 0xffn);
    number >>= 8n;
  }
  return bytes;
}

function truncate(input: Uint8Array, dice: SeededRandom): Uint8Array {
  return input.slice(0, dice.below(input.length + 1));
}

function splice(input: Uint8Array, dice: SeededRandom, other: Uint8Array): Uint8Array {
  const { at, length } = drawRange(other, dice);
  const place = drawRange(input, dice);
  const removed = dice.chance(0.5) ? place.length : 0;
  return replaced(input, { at: place.at, removed, piece: other.slice(at, at + length) });
}

function fillRun(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const { at, length } = drawRange(input, dice);
  return input.slice().fill(dice.pick(TELLING_BYTES), at, at + length);
}

/** A part of `input`, mostly short. */
function drawRange(input: Uint8Array, dice: SeededRandom): { at: number; length: number } {
  if (input.length === 0) return { at: 0, length: 0 };
  const at = dice.below(input.length);
  const length = Math.min(input.length - at, 1 + dice.exponential(dice.pick([2, 10, 100])));
  return { at, length };
}

/** `input` with `piece` in the place of `removed` bytes at `at`. */
export function replaced(
  input: Uint8Array,
  { at, removed, piece }: { at: number; removed: number; piece: Uint8Array },
): Uint8Array {
  const bytes = new Uint8Array(input.length - removed + piece.length);
  bytes.set(input.subarray(0, at));
  bytes.set(piece, at);
  bytes.set(input.subarray(at + removed), at + piece.length);
  return bytes;
}

/** All of `parts`, one after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
