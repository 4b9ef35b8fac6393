import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";

import type { WireMessage } from "../src/index.ts";
import { decodeBody, encodeFrame, FRAME_BODY_MAX_BYTES, FrameDecoder } from "../src/index.ts";
import { FrameError } from "../src/index.ts";
import { wireMessage } from "./arbitraries.ts";

const PING: WireMessage = { type: "Ping", nonce: 7 };
const READ_INDEX: WireMessage = { type: "ReadIndex", term: 3, requestId: 2 ** 40 };
const PUT: WireMessage = {
  type: "Put",
  requestId: 9,
  key: Uint8Array.of(1, 2, 3),
  value: Uint8Array.of(4, 5),
  ifRevision: null,
  session: null,
};

function decodeChunks(chunks: readonly Uint8Array[]): WireMessage[] {
  const decoder = new FrameDecoder(FRAME_BODY_MAX_BYTES);
  const messages: WireMessage[] = [];
  for (const chunk of chunks) decoder.push(chunk, (body) => messages.push(decodeBody(body)));
  return messages;
}

function prefix(bodyBytes: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, bodyBytes);
  return bytes;
}

function isFrameError(code: string, bodyBytes: number): (error: unknown) => boolean {
  return (error) =>
    error instanceof FrameError && error.code === code && error.bodyBytes === bodyBytes;
}

test("FrameDecoder: gives the same messages at every pair of split points", () => {
  const messages = [PING, READ_INDEX, PUT];
  const stream = Buffer.concat(messages.map(encodeFrame));
  for (let first = 0; first <= stream.length; first += 1) {
    for (let second = first; second <= stream.length; second += 1) {
      const chunks = [stream.subarray(0, first), stream.subarray(first, second)];
      assert.deepEqual(decodeChunks([...chunks, stream.subarray(second)]), messages);
    }
  }
});

test("FrameDecoder: gives the same messages one byte at a time and all at once", () => {
  const messages = [PUT, PING, PUT, READ_INDEX];
  const stream = Buffer.concat(messages.map(encodeFrame));
  const bytes = Array.from(stream, (byte) => Uint8Array.of(byte));
  assert.deepEqual(decodeChunks(bytes), messages);
  assert.deepEqual(decodeChunks([stream]), messages);
});

test("FrameDecoder: gives the same messages for any messages in any chunking", () => {
  const chunked = fc.record({
    messages: fc.array(wireMessage, { minLength: 1, maxLength: 5 }),
    sizes: fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
  });
  fc.assert(
    fc.property(chunked, ({ messages, sizes }) => {
      const stream = Buffer.concat(messages.map(encodeFrame));
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < stream.length;) {
        const size = sizes[chunks.length % sizes.length] ?? 1;
        chunks.push(stream.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual(decodeChunks(chunks), messages);
    }),
    { numRuns: 200 },
  );
});

test("FrameDecoder: a body within one chunk is a view of the chunk, without a copy", () => {
  const chunk = encodeFrame(PUT);
  new FrameDecoder(FRAME_BODY_MAX_BYTES).push(chunk, (body) => {
    assert.equal(body.buffer, chunk.buffer);
    assert.equal(body.byteOffset, chunk.byteOffset + 4);
  });
});

test("FrameDecoder: a body over several chunks survives the reuse of the chunks' memory", () => {
  const frame = encodeFrame({ ...PUT, value: new Uint8Array(20_000).fill(8) });
  const readBuffer = new Uint8Array(700);
  const decoder = new FrameDecoder(FRAME_BODY_MAX_BYTES);
  const bodies: Uint8Array[] = [];
  for (let at = 0; at < frame.length; at += readBuffer.length) {
    const piece = frame.subarray(at, at + readBuffer.length);
    readBuffer.set(piece);
    decoder.push(readBuffer.subarray(0, piece.length), (body) => bodies.push(body));
    readBuffer.fill(0xff);
  }
  assert.deepEqual(bodies, [new Uint8Array(frame.subarray(4))]);
});

test("FrameDecoder: refuses 4 GiB by the prefix alone, and everything after it", () => {
  const decoder = new FrameDecoder(FRAME_BODY_MAX_BYTES);
  const refused = isFrameError("bodyTooLarge", 0xff_ff_ff_ff);
  const bodies: Uint8Array[] = [];
  const push = (chunk: Uint8Array): void => decoder.push(chunk, (body) => bodies.push(body));
  push(Uint8Array.of(0xff, 0xff, 0xff));
  assert.throws(() => push(Uint8Array.of(0xff)), refused);
  assert.throws(() => push(encodeFrame(PING)), refused);
  assert.deepEqual(bodies, []);
});

test("FrameDecoder: takes a body of exactly the limit and refuses one byte more", () => {
  const decoder = new FrameDecoder(10);
  const sizes: number[] = [];
  decoder.push(Buffer.concat([prefix(10), new Uint8Array(10)]), (body) => sizes.push(body.length));
  assert.deepEqual(sizes, [10]);
  assert.throws(() => decoder.push(prefix(11), () => {}), isFrameError("bodyTooLarge", 11));
});

test("FrameDecoder: refuses an empty body", () => {
  const decoder = new FrameDecoder(10);
  assert.throws(() => decoder.push(prefix(0), () => {}), isFrameError("bodyEmpty", 0));
});

test("FrameDecoder: gives the bodies before a refused prefix of the same chunk", () => {
  const decoder = new FrameDecoder(FRAME_BODY_MAX_BYTES);
  const messages: WireMessage[] = [];
  const chunk = Buffer.concat([encodeFrame(PING), prefix(FRAME_BODY_MAX_BYTES + 1)]);
  assert.throws(
    () => decoder.push(chunk, (body) => messages.push(decodeBody(body))),
    isFrameError("bodyTooLarge", FRAME_BODY_MAX_BYTES + 1),
  );
  assert.deepEqual(messages, [PING]);
});

test("FrameDecoder: a limit raised while a body is handled holds for the next frame", () => {
  const decoder = new FrameDecoder(20);
  const large = encodeFrame({ ...PUT, value: new Uint8Array(1000) });
  const chunk = Buffer.concat([encodeFrame(PING), large]);
  const sizes: number[] = [];
  decoder.push(chunk, (body) => {
    decoder.bodyMaxBytes = 2000;
    sizes.push(body.length);
  });
  assert.deepEqual(sizes, [encodeFrame(PING).length - 4, large.length - 4]);
});

test("FrameDecoder: 1,000 announced bodies of 8 MiB cost less than 8 MiB until they arrive", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 1000 }, () => new FrameDecoder(FRAME_BODY_MAX_BYTES));
  for (const decoder of decoders) {
    decoder.push(prefix(FRAME_BODY_MAX_BYTES), () => {});
    decoder.push(Uint8Array.of(0x91), () => {});
  }
  const grownBytes = process.memoryUsage().arrayBuffers - before;
  assert.ok(grownBytes < 8 * 1024 * 1024, `${grownBytes} bytes`);
});

test("FrameDecoder: any bytes in any chunking end in bodies within the limit or a FrameError", () => {
  const bodyMaxBytes = 64;
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 10 });
  const zeroPrefixed = chunks.map((rest) => [Uint8Array.of(0, 0, 0), ...rest]);
  fc.assert(
    fc.property(fc.oneof(chunks, zeroPrefixed), (stream) => {
      const decoder = new FrameDecoder(bodyMaxBytes);
      try {
        for (const chunk of stream) {
          decoder.push(chunk, (body) => assert.ok(body.length >= 1 && body.length <= bodyMaxBytes));
        }
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
