import { readFileSync } from "node:fs";

/** A disk writes so many bytes whole or not at all. */
const SECTOR_BYTES = 512;
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_SIZE_AT = 8;
const SALTS_AT = 16;
/** In a frame's header: pages of the database after the commit; 0: the transaction goes on. */
const COMMIT_AT = 4;
const FRAME_SALTS_AT = 8;

/**
 * How far damage to a write-ahead log is told from a crash (docs/data-directory.md): to where its
 * last committed transaction begins (sqlite.org/fileformat2.html §4.1), or to the last frame before
 * that where a sector ends between its commit and its salts. Null where there are fewer than two
 * transactions, or no log.
 */
export function endOfWhatIsTold(path: string): number | null {
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
  const end = commitEnds.at(-2);
  if (end === undefined) return null;
  const commit = end - frameBytes;
  return (commit + FRAME_SALTS_AT) % SECTOR_BYTES === 0 ? commit : end;
}
