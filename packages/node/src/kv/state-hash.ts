/**
 * A hash of a set that follows each change in constant time and does not depend on the order of
 * changes: two sums, modulo 2^32, of a hash of each member. It finds damage and divergence; it is
 * no defence against someone who forges members.
 */
export class StateHash {
  #low = 0;
  #high = 0;

  /** Adds the member that these numbers describe: safe integers from 0 on. */
  add(...member: readonly number[]): void {
    this.#low = (this.#low + lane(LOW_SEED, member)) >>> 0;
    this.#high = (this.#high + lane(HIGH_SEED, member)) >>> 0;
  }

  /** Takes out a member that was added. */
  remove(...member: readonly number[]): void {
    this.#low = (this.#low - lane(LOW_SEED, member)) >>> 0;
    this.#high = (this.#high - lane(HIGH_SEED, member)) >>> 0;
  }

  /** 16 hexadecimal digits, of the members and of what else is known of the state. */
  digest(...rest: readonly number[]): string {
    return hex(lane(this.#high, rest)) + hex(lane(this.#low, rest));
  }
}

const LOW_SEED = 0x9e3779b9;
const HIGH_SEED = 0x85ebca6b;

function lane(seed: number, member: readonly number[]): number {
  let hash = seed;
  for (const value of member) {
    hash = mix(hash, value >>> 0);
    hash = mix(hash, Math.floor(value / 2 ** 32));
  }
  return hash >>> 0;
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
