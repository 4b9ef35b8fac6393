import { readFileSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_SIZE_AT = 8;
const SALTS_AT = 16;
/** In a frame's header: pages of the database after the commit; 0: the transaction goes on. */
const COMMIT_AT = 4;
const FRAME_SALTS_AT = 8;

/**
 * Where the last committed transaction of a write-ahead log begins (sqlite.org/fileformat2.html
 * §4.1); null where there are fewer than two of them, or no log.
 */
export function committedBeforeLast(path: string): number | null {
  let wal: Buffer;
  try {
    wal = readFileSync(path);
  } catch {
    return null;
  }
  if (wal.length < HEADER_BYTES) return null;
  const frameBytes = FRAME_HEADER_BYTES + wal.readUInt32BE(PAGE_SIZE_AT);
  const salts = wal.readBigUInt64BE(SALTS_AT);
  const commitEnds: number[] = [];
  for (let at = HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    if (wal.readBigUInt64BE(at + FRAME_SALTS_AT) !== salts) break;
    if (wal.readUInt32BE(at + COMMIT_AT) !== 0) commitEnds.push(at + frameBytes);
  }
  return commitEnds.at(-2) ?? null;
}
