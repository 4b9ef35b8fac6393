import { assert } from "../raft/index.ts";

const SHARDS = 256;
const SHARD_SLOTS_MIN = 64;
/** Fuller than this a shard doubles. */
const LOAD_MAX = 0.7;

/** What the index asks of the records it points to. */
export interface IndexedRecords {
  hashOf(slot: number): number;
  hasKey(slot: number, key: Uint8Array): boolean;
}

interface Shard {
  /** Slot numbers plus one; 0: nothing. A power of two long. */
  table: Int32Array;
  count: number;
}

/**
 * Slots by key, outside the JavaScript heap: a million keys are no objects to the garbage
 * collector. The keys are shared out over 256 tables (open addressing, linear probing), which grow
 * one at a time: no growth pauses for long.
 */
export class KeyIndex {
  readonly #records: IndexedRecords;
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => {
    return { table: new Int32Array(SHARD_SLOTS_MIN), count: 0 };
  });

  constructor(records: IndexedRecords) {
    this.#records = records;
  }

  get reservedBytes(): number {
    return this.#shards.reduce((sum, { table }) => sum + table.byteLength, 0);
  }

  /** The slot of `key`, or -1. */
  find(key: Uint8Array, hash: number): number {
    const { table } = this.#shardOf(hash);
    const mask = table.length - 1;
    for (let at = (hash >>> 8) & mask; ; at = (at + 1) & mask) {
      const slot = (table[at] ?? 0) - 1;
      if (slot < 0) return -1;
      if (this.#records.hashOf(slot) === hash && this.#records.hasKey(slot, key)) return slot;
    }
  }

  /** Adds the slot of a key that is not there. */
  add(slot: number, hash: number): void {
    const shard = this.#shardOf(hash);
    shard.count += 1;
    if (shard.count > shard.table.length * LOAD_MAX) this.#grow(shard);
    place(shard.table, slot, hash);
  }

  /** Removes a slot that is there, while its record still has its hash. */
  remove(slot: number, hash: number): void {
    const shard = this.#shardOf(hash);
    const { table } = shard;
    const mask = table.length - 1;
    let hole = (hash >>> 8) & mask;
    while (table[hole] !== slot + 1) {
      assert(table[hole] !== 0, "a key that is to be removed has no place");
      hole = (hole + 1) & mask;
    }
    shard.count -= 1;
    // What was pushed past the hole moves back into it: searches stop at the first empty place.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const entry = table[at] ?? 0;
      if (entry === 0) break;
      const home = (this.#records.hashOf(entry - 1) >>> 8) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table[hole] = entry;
      hole = at;
    }
    table[hole] = 0;
  }

  #grow(shard: Shard): void {
    const grown = new Int32Array(shard.table.length * 2);
    for (const entry of shard.table) {
      if (entry !== 0) place(grown, entry - 1, this.#records.hashOf(entry - 1));
    }
    shard.table = grown;
  }

  #shardOf(hash: number): Shard {
    const shard = this.#shards[hash & (SHARDS - 1)];
    assert(shard !== undefined, "a hash is a whole number");
    return shard;
  }
}

function place(table: Int32Array, slot: number, hash: number): void {
  const mask = table.length - 1;
  let at = (hash >>> 8) & mask;
  while (table[at] !== 0) at = (at + 1) & mask;
  table[at] = slot + 1;
}
