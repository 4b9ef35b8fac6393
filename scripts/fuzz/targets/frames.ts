import { FrameDecoder, FrameError } from "@quorate/wire";
import { SeededRandom } from "@quorate/node/testing";
import { crc32 } from "node:zlib";
import { allocatedBytes } from "../allocations.ts";
import { joined } from "../mutations.ts";
import type { Mutation, Target } from "../target.ts";
import { hold } from "../target.ts";

/** Small, so that inputs can be over it. */
const BODY_MAX_BYTES = 16 * 1024;
const CHUNKINGS = 3;
/** What a decoder may ask for beside the bytes that came: see {@link FrameDecoder}. */
const ROOM_BYTES = 8 * 1024;

/** What {@link FrameDecoder} is to everybody else: a planted bug is one that is none. */
export interface Decoder {
  push(chunk: Uint8Array, onBody: (body: Uint8Array) => void): void;
}

/** A stream cut into frames: the bodies, and how it ended. */
interface Cut {
  readonly bodies: readonly Uint8Array[];
  readonly error: string | null;
}

/** Byte streams in any chunks: the same frames, at no more memory than was sent. */
export function framesTarget(
  streams: readonly (readonly Uint8Array[])[],
  create: () => Decoder = () => new FrameDecoder(BODY_MAX_BYTES),
): Target {
  return {
    name: "frames",
    seeds: streams.map((frames) => joined(frames)),
    mutations: [lieAboutLength, swapFrames],
    limitMs: 200,
    partsOf: framesOf,
    check: (input) => {
      const expected = cutByHand(input);
      const dice = new SeededRandom(`chunks of ${crc32(input)}`);
      const sizes = [() => input.length, () => 1];
      for (let more = 0; more < CHUNKINGS; more++) sizes.push(() => 1 + dice.exponential(40));
      for (const size of sizes) compare(cut(input, create(), size), expected);
      const { bodies, error } = expected;
      return `${error === null ? "ok" : `refused ${error}`} ${Math.min(bodies.length, 20)} frames`;
    },
  };
}

function cut(input: Uint8Array, decoder: Decoder, size: () => number): Cut {
  const bodies: Uint8Array[] = [];
  const before = allocatedBytes();
  let copied = 0;
  let error: string | null = null;
  try {
    for (let at = 0; at < input.length;) {
      const chunk = input.slice(at, at + Math.max(1, size()));
      copied += chunk.length;
      at += chunk.length;
      decoder.push(chunk, (body) => {
        bodies.push(body.slice());
        copied += body.length;
      });
      // Whoever owns the chunk may use it for something else now.
      chunk.fill(0xee);
    }
  } catch (thrown) {
    if (!(thrown instanceof FrameError)) throw thrown;
    error = thrown.code;
  }
  const asked = allocatedBytes() - before - copied;
  const allowed = 8 * input.length + ROOM_BYTES * (bodies.length + 1);
  hold(asked <= allowed, () => `asks for ${asked} bytes where ${input.length} came`);
  return { bodies, error };
}

/** What the protocol says of a stream, in the plainest way. */
function cutByHand(input: Uint8Array): Cut {
  const bodies: Uint8Array[] = [];
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  for (let at = 0; at + 4 <= input.length;) {
    const length = view.getUint32(at);
    if (length === 0) return { bodies, error: "bodyEmpty" };
    if (length > BODY_MAX_BYTES) return { bodies, error: "bodyTooLarge" };
    at += 4;
    if (at + length > input.length) break;
    bodies.push(input.slice(at, at + length));
    at += length;
  }
  return { bodies, error: null };
}

function compare(found: Cut, expected: Cut): void {
  hold(
    found.bodies.length === expected.bodies.length && found.error === expected.error,
    () =>
      `gives ${found.bodies.length} frames and ${found.error ?? "no error"}, ` +
      `not ${expected.bodies.length} and ${expected.error ?? "none"}`,
  );
  for (const [at, body] of found.bodies.entries()) {
    const other = expected.bodies[at] ?? new Uint8Array(0);
    hold(Buffer.compare(body, other) === 0, () => `frame ${at} has other bytes than were sent`);
  }
}

const lieAboutLength: Mutation = (input, dice) => {
  const frames = framesOf(input);
  if (frames.length === 0) return input;
  const at = dice.below(frames.length);
  const lie = frames[at]?.slice() ?? input;
  const length = dice.pick([0, 1, lie.length - 5, lie.length - 3, BODY_MAX_BYTES, 0xffff_ffff]);
  new DataView(lie.buffer).setUint32(0, Math.max(0, length));
  return joined(frames.with(at, lie));
};

const swapFrames: Mutation = (input, dice) => joined(dice.shuffle(framesOf(input)).slice(0, 12));

/** As they lie in the stream; what is no frame is one part at the end. */
function framesOf(input: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let at = 0;
  for (const body of cutByHand(input).bodies) {
    frames.push(input.slice(at, at + 4 + body.length));
    at += 4 + body.length;
  }
  if (at + 4 <= input.length) frames.push(input.slice(at));
  return frames;
}
