import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from "@quorate/wire";

/** A change of the store, as an entry of the log carries it. */
export type KvCommand =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: Uint8Array };

/** A command, or why the bytes are none: the same words on every node. */
export type DecodedCommand = KvCommand | { readonly kind: "invalid"; readonly reason: string };

/*
 * Layout, version 1: u8 version | u8 kind | u16 big-endian key length | key | value (put only).
 * It is a promise: every log on a disk holds it. A new kind of command needs a new number, and
 * may be proposed only once every member knows it.
 */
const VERSION = 1;
const KIND_PUT = 1;
const KIND_DELETE = 2;
const HEADER_BYTES = 4;

/** Encodes a command whose sizes were checked ({@link isKeySize}, {@link isValueSize}). */
export function encodeCommand(command: KvCommand): Uint8Array {
  const { key } = command;
  const valueBytes = command.kind === "put" ? command.value.length : 0;
  const data = new Uint8Array(HEADER_BYTES + key.length + valueBytes);
  data[0] = VERSION;
  data[1] = command.kind === "put" ? KIND_PUT : KIND_DELETE;
  data[2] = key.length >> 8;
  data[3] = key.length & 0xff;
  data.set(key, HEADER_BYTES);
  if (command.kind === "put") data.set(command.value, HEADER_BYTES + key.length);
  return data;
}

/** Reads a command; never throws. Key and value are views of `data`. */
export function decodeCommand(data: Uint8Array): DecodedCommand {
  const [version, kind, high, low] = data;
  if (version === undefined || kind === undefined || high === undefined || low === undefined) {
    return invalid(`${data.length} bytes are no command`);
  }
  if (version !== VERSION) return invalid(`command version ${version} is unknown`);
  const keyBytes = (high << 8) | low;
  const valueBytes = data.length - HEADER_BYTES - keyBytes;
  if (!isKeySize(keyBytes)) return invalid(`a key of ${keyBytes} bytes`);
  if (valueBytes < 0) return invalid(`a key of ${keyBytes} bytes in ${data.length} bytes`);
  const key = data.subarray(HEADER_BYTES, HEADER_BYTES + keyBytes);
  switch (kind) {
    case KIND_PUT:
      return isValueSize(valueBytes)
        ? { kind: "put", key, value: data.subarray(HEADER_BYTES + keyBytes) }
        : invalid(`a value of ${valueBytes} bytes`);
    case KIND_DELETE:
      return valueBytes === 0
        ? { kind: "delete", key }
        : invalid(`${valueBytes} bytes after the key of a delete`);
    default:
      return invalid(`command kind ${kind} is unknown`);
  }
}

/** Whether a key may have this many bytes: 1 to {@link KEY_MAX_BYTES}. */
export function isKeySize(sizeBytes: number): boolean {
  return sizeBytes >= 1 && sizeBytes <= KEY_MAX_BYTES;
}

/** Whether a value may have this many bytes: 0 to {@link VALUE_MAX_BYTES}. */
export function isValueSize(sizeBytes: number): boolean {
  return sizeBytes <= VALUE_MAX_BYTES;
}

function invalid(reason: string): DecodedCommand {
  return { kind: "invalid", reason };
}
