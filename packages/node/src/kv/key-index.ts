import { assert } from "../raft/index.ts";

const SHARDS = 256;
/** An empty store has little to set up: every restart and every installed snapshot makes one. */
const SHARD_PLACES_MIN = 4;
/** Fuller than this a shard doubles. */
const LOAD_MAX = 0.7;

interface Shard {
  /** For each place the slot's number plus one, 0 for none, and the hash. */
  table: Int32Array;
  /** Places less one: the places are a power of two. */
  mask: number;
  count: number;
}

/**
 * Slots by key, outside the JavaScript heap: a million keys are no objects to the garbage
 * collector. The keys are shared out over 256 tables (open addressing, linear probing), which grow
 * one at a time: no growth pauses for long.
 */
export class KeyIndex {
  readonly #hasKey: (slot: number, key: Uint8Array) => boolean;
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => newShard(SHARD_PLACES_MIN));

  /** @param hasKey tells whether the record in a slot of the index has this key. */
  constructor(hasKey: (slot: number, key: Uint8Array) => boolean) {
    this.#hasKey = hasKey;
  }

  get reservedBytes(): number {
    return this.#shards.reduce((sum, { table }) => sum + table.byteLength, 0);
  }

  /** The slot of `key`, or -1. */
  find(key: Uint8Array, hash: number): number {
    const { table, mask } = this.#shardOf(hash);
    for (let at = (hash >>> 8) & mask; ; at = (at + 1) & mask) {
      const slot = (table[at * 2] ?? 0) - 1;
      if (slot < 0) return -1;
      if (table[at * 2 + 1] === (hash | 0) && this.#hasKey(slot, key)) return slot;
    }
  }

  /** Adds the slot of a key that is not there. */
  add(slot: number, hash: number): void {
    const shard = this.#shardOf(hash);
    if (shard.count + 1 > (shard.mask + 1) * LOAD_MAX) grow(shard);
    place(shard, slot + 1, hash);
  }

  /** Removes a slot that is there. */
  remove(slot: number, hash: number): void {
    const shard = this.#shardOf(hash);
    const { table, mask } = shard;
    let hole = (hash >>> 8) & mask;
    while (table[hole * 2] !== slot + 1) {
      assert(table[hole * 2] !== 0, "a key that is to be removed has no place");
      hole = (hole + 1) & mask;
    }
    shard.count -= 1;
    // What was pushed past the hole moves back into it: searches stop at the first empty place.
    for (let at = (hole + 1) & mask; table[at * 2] !== 0; at = (at + 1) & mask) {
      const home = ((table[at * 2 + 1] ?? 0) >>> 8) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table.copyWithin(hole * 2, at * 2, at * 2 + 2);
      hole = at;
    }
    table[hole * 2] = 0;
  }

  #shardOf(hash: number): Shard {
    const shard = this.#shards[hash & (SHARDS - 1)];
    assert(shard !== undefined, "a hash is a whole number");
    return shard;
  }
}

function newShard(places: number): Shard {
  return { table: new Int32Array(places * 2), mask: places - 1, count: 0 };
}

function grow(shard: Shard): void {
  const grown = newShard((shard.mask + 1) * 2);
  for (let at = 0; at < shard.table.length; at += 2) {
    const entry = shard.table[at] ?? 0;
    if (entry !== 0) place(grown, entry, shard.table[at + 1] ?? 0);
  }
  Object.assign(shard, grown);
}

function place(shard: Shard, entry: number, hash: number): void {
  const { table, mask } = shard;
  let at = (hash >>> 8) & mask;
  while (table[at * 2] !== 0) at = (at + 1) & mask;
  table[at * 2] = entry;
  table[at * 2 + 1] = hash | 0;
  shard.count += 1;
}
