import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";

import { isIdentifier } from "@quorate/wire";

import type { SnapshotName } from "../ports/snapshot-store.ts";

/** The content of a snapshot file starts here. */
export const HEADER_BYTES = 128;

const MAGIC = "QrteSnap";
const VERSION = 1;
/** The header's checksum is of what follows it. */
const CHECKED_FROM = 16;
const ID_FROM = 41;
const ID_HEX_DIGITS = 32;

const CHECK_STEP_BYTES = 1024 * 1024;

/** What the header of a snapshot file says. */
export interface SnapshotHeader {
  readonly name: SnapshotName;
  /** Bytes of the content. */
  readonly totalBytes: number;
}

/**
 * Names a content by what it is: the first 128 bits of its SHA-256. So equal bytes of two servers
 * have one name, and whoever received them can check them.
 */
export class ContentHash {
  readonly #hash: Hash = createHash("sha256");

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  snapshotId(): string {
    return this.#hash.digest("hex").slice(0, ID_HEX_DIGITS);
  }
}

/** Where a snapshot's file is in its folder, once it is whole. */
export function snapshotFileName(lastIncludedIndex: number, lastIncludedTerm: number): string {
  return `${lastIncludedIndex}-${lastIncludedTerm}.snap`;
}

/**
 * 128 bytes: "QrteSnap"; version (u32, 1); CRC-32 of the bytes from 16 on; lastIncludedIndex,
 * lastIncludedTerm and totalBytes (u64 each); length (u8) and characters of the snapshot id; zeros.
 * Numbers are big-endian.
 */
export function encodeHeader(header: SnapshotHeader): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const { lastIncludedIndex, lastIncludedTerm, snapshotId } = header.name;
  bytes.write(MAGIC, "latin1");
  bytes.writeUInt32BE(VERSION, 8);
  bytes.writeBigUInt64BE(BigInt(lastIncludedIndex), 16);
  bytes.writeBigUInt64BE(BigInt(lastIncludedTerm), 24);
  bytes.writeBigUInt64BE(BigInt(header.totalBytes), 32);
  bytes.writeUInt8(snapshotId.length, ID_FROM - 1);
  bytes.write(snapshotId, ID_FROM, "latin1");
  bytes.writeUInt32BE(crc32(bytes.subarray(CHECKED_FROM)), 12);
  return bytes;
}

/** Reads the header; null: there is none that was written whole. */
export async function readHeader(handle: FileHandle): Promise<SnapshotHeader | null> {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const { bytesRead } = await handle.read(bytes, 0, HEADER_BYTES, 0);
  if (bytesRead < HEADER_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) return null;
  if (bytes.readUInt32BE(8) !== VERSION) return null;
  if (bytes.readUInt32BE(12) !== crc32(bytes.subarray(CHECKED_FROM))) return null;
  const idEnd = ID_FROM + bytes.readUInt8(ID_FROM - 1);
  const snapshotId = bytes.toString("latin1", ID_FROM, idEnd);
  const lastIncludedIndex = Number(bytes.readBigUInt64BE(16));
  const lastIncludedTerm = Number(bytes.readBigUInt64BE(24));
  const totalBytes = Number(bytes.readBigUInt64BE(32));
  const numbers = [lastIncludedIndex, lastIncludedTerm, totalBytes];
  if (!isIdentifier(snapshotId) || !numbers.every(Number.isSafeInteger)) return null;
  return { name: { lastIncludedIndex, lastIncludedTerm, snapshotId }, totalBytes };
}

/**
 * Whether the content is what the header names: nothing more, nothing less. Reads the file in
 * steps, off the loop.
 */
export async function isSoundContent(
  handle: FileHandle,
  { name, totalBytes }: SnapshotHeader,
): Promise<boolean> {
  const { size } = await handle.stat();
  if (size !== HEADER_BYTES + totalBytes) return false;
  const hash = new ContentHash();
  const readFrom = (offset: number, into: Uint8Array): Promise<number> => {
    const length = Math.min(into.length, totalBytes - offset);
    return handle.read(into, 0, length, HEADER_BYTES + offset).then(({ bytesRead }) => bytesRead);
  };
  // One step is read while the one before it is hashed: a large snapshot is checked at each start.
  let step = new Uint8Array(CHECK_STEP_BYTES);
  let nextStep = new Uint8Array(CHECK_STEP_BYTES);
  let bytes = await readFrom(0, step);
  for (let offset = 0; offset < totalBytes;) {
    if (bytes === 0) return false;
    offset += bytes;
    const reading = readFrom(offset, nextStep);
    hash.add(step.subarray(0, bytes));
    bytes = await reading;
    [step, nextStep] = [nextStep, step];
  }
  return hash.snapshotId() === name.snapshotId;
}
