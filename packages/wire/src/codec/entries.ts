/*
 * Log entries as bytes, in an AppendEntries and wherever else a run of entries is kept: records
 * one after the other, nothing before, between or behind them. All integers are big-endian.
 *
 *   offset  bytes  field
 *        0      4  size      bytes of the record behind this field and the next: 17 + data
 *        4      4  checksum  CRC-32 (IEEE 802.3, as zlib's) of those bytes
 *        8      8  index     1 to 2^53 - 1
 *       16      8  term      1 to 2^53 - 1
 *       24      1  kind      0 noop, 1 command, 2 configuration
 *       25      …  data
 */
import { crc32 } from "node:zlib";

import { DecodeError, EncodeError } from "../errors.ts";
import { ENTRY_DATA_MAX_BYTES } from "../limits.ts";
import type { EntryKind, LogEntry } from "../log-entry.ts";

const HEADER_BYTES = 25;
const CHECKSUM_AT = 4;
const CHECKED_FROM = 8;
const INDEX_AT = 8;
const TERM_AT = 16;
const KIND_AT = 24;
const CHECKED_HEADER_BYTES = HEADER_BYTES - CHECKED_FROM;

const KINDS: readonly EntryKind[] = ["noop", "command", "configuration"];

/** Size of one entry's record, in bytes. */
function entryRecordBytes(entry: LogEntry): number {
  return HEADER_BYTES + entry.data.byteLength;
}

/**
 * The records of `entries` in their order, owned by the caller: they fill an ArrayBuffer of their
 * own, which may be transferred to another thread.
 *
 * @throws EncodeError where an index or term is not an integer from 1 to 2^53 - 1, or data is
 * larger than `ENTRY_DATA_MAX_BYTES`.
 */
export function encodeEntries(entries: readonly LogEntry[]): Uint8Array {
  let sizeBytes = 0;
  for (const entry of entries) sizeBytes += entryRecordBytes(entry);
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) at = writeRecord(bytes, view, at, entry);
  return bytes;
}

/**
 * The entries whose records `bytes` holds. Their data are views of `bytes`: copy what outlives it.
 *
 * @throws DecodeError where a record is cut off or has a field out of range (`badField`,
 * `truncated`), or its checksum does not fit (`badChecksum`).
 */
export function decodeEntries(bytes: Uint8Array): LogEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: LogEntry[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const entry = readRecord(bytes, view, at);
    entries.push(entry);
    at += entryRecordBytes(entry);
  }
  return entries;
}

function writeRecord(bytes: Uint8Array, view: DataView, at: number, entry: LogEntry): number {
  if (!isPosition(entry.index) || !isPosition(entry.term)) {
    throw new EncodeError("badField", `entry ${entry.index} of term ${entry.term} has no encoding`);
  }
  if (entry.data.byteLength > ENTRY_DATA_MAX_BYTES) {
    throw new EncodeError("tooLarge", `entry ${entry.index} has ${entry.data.byteLength} bytes`);
  }
  const end = at + entryRecordBytes(entry);
  view.setUint32(at, end - at - CHECKED_FROM);
  writeUint64(view, at + INDEX_AT, entry.index);
  writeUint64(view, at + TERM_AT, entry.term);
  bytes[at + KIND_AT] = KINDS.indexOf(entry.kind);
  bytes.set(entry.data, at + HEADER_BYTES);
  view.setUint32(at + CHECKSUM_AT, crc32(bytes.subarray(at + CHECKED_FROM, end)));
  return end;
}

function readRecord(bytes: Uint8Array, view: DataView, at: number): LogEntry {
  const left = bytes.byteLength - at;
  if (left < HEADER_BYTES) throw new DecodeError("truncated", "the bytes end inside an entry");
  const size = view.getUint32(at);
  if (size < CHECKED_HEADER_BYTES || size > CHECKED_HEADER_BYTES + ENTRY_DATA_MAX_BYTES) {
    throw badEntry("size", `of ${size} bytes`);
  }
  if (CHECKED_FROM + size > left) {
    throw new DecodeError("truncated", "the bytes end inside an entry");
  }
  const end = at + CHECKED_FROM + size;
  const checksum = crc32(bytes.subarray(at + CHECKED_FROM, end));
  const index = readUint64(view, at + INDEX_AT);
  const term = readUint64(view, at + TERM_AT);
  if (checksum !== view.getUint32(at + CHECKSUM_AT)) {
    throw new DecodeError("badChecksum", `entry ${index} of term ${term}: checksum does not fit`);
  }
  const kind = KINDS[view.getUint8(at + KIND_AT)];
  if (kind === undefined) throw badEntry("kind", "of an unknown kind");
  if (!isPosition(index)) throw badEntry("index", "with an index outside 1 to 2^53 - 1");
  if (!isPosition(term)) throw badEntry("term", "with a term outside 1 to 2^53 - 1");
  return { index, term, kind, data: bytes.subarray(at + HEADER_BYTES, end) };
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function badEntry(field: string, what: string): DecodeError {
  return new DecodeError("badField", `an entry ${what}`, { field: `LogEntry.${field}` });
}

function writeUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}

/** Exact up to 2^53 - 1; above that some number that is not a safe integer. */
function readUint64(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
