import { Packr, RESERVE_START_SPACE, RESET_BUFFER_MODE } from "msgpackr/index-no-eval";

import { DecodeError, EncodeError } from "../errors.ts";
import { FRAME_PREFIX_BYTES } from "../limits.ts";
import type { Fields } from "./codec.ts";
import { checkBodyFormat } from "./body-format.ts";

/*
 * msgpackr, tamed. Its output is a slice of an arena that it reuses: RESET_BUFFER_MODE lets every
 * message start at the arena's beginning, and what leaves this file is a copy. The large bytes of a
 * message never enter the arena (it would keep their size for ever): they go into the copy. Its input
 * is walked first (body-format.ts).
 */
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  int64AsType: "auto",
  useToJSON: false,
});

/** From this size on, a field of bytes goes straight into the frame. */
const APPENDED_BYTES_MIN = 256;

/**
 * The frame of `fields`, length prefix included. The caller owns it: nothing else refers to its
 * bytes.
 *
 * @throws EncodeError where the body would have more than `bodyMaxBytes`.
 */
export function packFrame(fields: unknown[], bodyMaxBytes: number): Uint8Array {
  const at = fields.findLastIndex(isAppended);
  const bytes = fields[at];
  if (!isAppended(bytes)) return copyFrame(packReserved(fields), null, NO_BYTES, bodyMaxBytes);
  // Both counts fit a fixarray (at most 15), whose header is one byte.
  const tail = at + 1 === fields.length ? NO_BYTES : packValue(fields.slice(at + 1)).subarray(1);
  const packed = packReserved(fields.slice(0, at));
  packed[FRAME_PREFIX_BYTES] = 0x90 | fields.length;
  return copyFrame(packed, bytes, tail, bodyMaxBytes);
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

function isAppended(field: unknown): field is Uint8Array {
  return field instanceof Uint8Array && field.byteLength >= APPENDED_BYTES_MIN;
}

/** Decodes one body: a MessagePack array. Bytes in it are views of `body`. */
export function unpackFields(body: Uint8Array): Fields {
  checkBodyFormat(body);
  const fields = unpackValue(body);
  if (!Array.isArray(fields)) throw new DecodeError("badFormat", "the body is not an array");
  return fields;
}

/** MessagePack of `value` alone, owned by the caller. */
export function packValue(value: unknown): Uint8Array {
  return new Uint8Array(packr.pack(value, RESET_BUFFER_MODE));
}

function unpackValue(body: Uint8Array): unknown {
  try {
    // A view of our own: msgpackr leaves a property on what it reads, and a Buffer would come
    // back as Buffers.
    return packr.unpack(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  } catch (error) {
    throw new DecodeError("badFormat", "not MessagePack", { cause: error });
  }
}

function packReserved(fields: Fields): Buffer {
  return packr.pack(fields, RESERVE_START_SPACE | RESET_BUFFER_MODE | FRAME_PREFIX_BYTES);
}

function copyFrame(
  head: Buffer,
  bytes: Uint8Array | null,
  tail: Uint8Array,
  bodyMaxBytes: number,
): Uint8Array {
  const bytesLength = bytes === null ? 0 : bytes.byteLength;
  const headerLength = bytes === null ? 0 : bytesHeaderLength(bytesLength);
  const headBytes = head.length - FRAME_PREFIX_BYTES;
  const bodyBytes = headBytes + headerLength + bytesLength + tail.length;
  if (bodyBytes > bodyMaxBytes) {
    throw new EncodeError("tooLarge", `a body of ${bodyBytes} bytes, at most ${bodyMaxBytes}`);
  }
  const frame = Buffer.allocUnsafe(FRAME_PREFIX_BYTES + bodyBytes);
  head.copy(frame);
  frame.writeUInt32BE(bodyBytes, 0);
  if (bytes !== null) {
    writeBytesHeader(frame, head.length, bytesLength);
    frame.set(bytes, head.length + headerLength);
    frame.set(tail, head.length + headerLength + bytesLength);
  }
  // Not a Buffer, whose slice() would share memory where every other Uint8Array's copies.
  return new Uint8Array(frame.buffer, frame.byteOffset, frame.length);
}

function bytesHeaderLength(length: number): number {
  return length <= 0xffff ? 3 : 5;
}

/** MessagePack's `bin 16` or `bin 32` header. */
function writeBytesHeader(frame: Buffer, at: number, length: number): void {
  if (length <= 0xffff) {
    frame[at] = 0xc5;
    frame.writeUInt16BE(length, at + 1);
  } else {
    frame[at] = 0xc6;
    frame.writeUInt32BE(length, at + 1);
  }
}
