import { crc32 } from "node:zlib";

import type { EntryKind, LogEntry } from "@quorate/wire";

const KIND_CODES: Readonly<Record<EntryKind, number>> = { noop: 0, command: 1, configuration: 2 };

const HEADER_BYTES = 17;
const TWO_TO_32 = 2 ** 32;

/**
 * CRC-32 over the entry's index and term (u64, big-endian), kind (u8: 0 noop, 1 command,
 * 2 configuration) and data, so that a row whose bytes or place changed on the disk is found.
 */
export function entryChecksum(entry: LogEntry): number {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  setUint64(header, 0, entry.index);
  setUint64(header, 8, entry.term);
  header.setUint8(16, KIND_CODES[entry.kind]);
  return crc32(entry.data, crc32(header));
}

/** CRC-32 over the columns of a small row: of their JSON array, in the order of the table. */
export function rowChecksum(...columns: readonly (string | number | null)[]): number {
  return crc32(JSON.stringify(columns));
}

function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / TWO_TO_32));
  view.setUint32(offset + 4, value % TWO_TO_32);
}
