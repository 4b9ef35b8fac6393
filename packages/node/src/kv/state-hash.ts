import { crc32 } from "node:zlib";

/** What of a record the hash covers. */
export interface HashedRecord {
  /** One character a byte. */
  readonly key: string;
  readonly valueCrc: number;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

/**
 * A hash of a set of records that follows each change in constant time and does not depend on
 * the order of changes: two sums, modulo 2^32, of a hash of each record. It finds damage and
 * divergence; it is no defence against someone who forges records.
 */
export class StateHash {
  #low = 0;
  #high = 0;

  add(record: HashedRecord): void {
    const [low, high] = lanes(record);
    this.#low = (this.#low + low) >>> 0;
    this.#high = (this.#high + high) >>> 0;
  }

  remove(record: HashedRecord): void {
    const [low, high] = lanes(record);
    this.#low = (this.#low - low) >>> 0;
    this.#high = (this.#high - high) >>> 0;
  }

  /** 16 hexadecimal digits, of the records and the store's `revision`. */
  digest(revision: number): string {
    const low = mixNumber(this.#low, revision);
    const high = mixNumber(this.#high, revision);
    return hex(high) + hex(low);
  }
}

const LANE_SEEDS = [0x9e3779b9, 0x85ebca6b] as const;

function lanes(record: HashedRecord): [number, number] {
  const keyCrc = crc32(Buffer.from(record.key, "latin1"));
  return [lane(record, keyCrc, LANE_SEEDS[0]), lane(record, keyCrc, LANE_SEEDS[1])];
}

function lane(record: HashedRecord, keyCrc: number, seed: number): number {
  let hash = mix(seed, keyCrc);
  hash = mix(hash, record.key.length);
  hash = mix(hash, record.valueCrc);
  hash = mixNumber(hash, record.createRevision);
  hash = mixNumber(hash, record.modRevision);
  return mixNumber(hash, record.version);
}

function mixNumber(hash: number, value: number): number {
  return mix(mix(hash, value >>> 0), Math.floor(value / 2 ** 32));
}

/** One round and the finish of MurmurHash3 (32 bits). */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  let h = hash ^ k;
  h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex(lane32: number): string {
  return lane32.toString(16).padStart(8, "0");
}
