import type { Random } from "../ports/random.ts";
import { assert } from "../raft/index.ts";
import { RunningHash } from "./running-hash.ts";

/**
 * Dice whose throws follow from a seed (xoshiro128**). Each purpose gets its own by
 * {@link SeededRandom.fork}, so that one more throw for one purpose shifts no other.
 */
export class SeededRandom implements Random {
  readonly #origin: string;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** Equal origins (a seed, and what it is for) give equal throws. */
  constructor(origin: string) {
    this.#origin = origin;
    const words: number[] = [];
    for (let salt = 0; salt < 2; salt++) {
      const hash = new RunningHash();
      hash.number(salt);
      hash.text(origin);
      const value = hash.value();
      words.push(value | 0, Math.floor(value / 2 ** 21) | 0);
    }
    [this.#a = 1, this.#b = 2, this.#c = 3, this.#d = 4] = words;
    for (let round = 0; round < 8; round++) this.#next();
  }

  /** Dice for `purpose`, independent of how often these were thrown. */
  fork(purpose: string): SeededRandom {
    return new SeededRandom(`${this.#origin}/${purpose}`);
  }

  below(exclusiveMax: number): number {
    assert(exclusiveMax >= 1 && exclusiveMax <= 2 ** 48, `dice with ${exclusiveMax} sides`);
    const unit = (this.#next() + (this.#next() >>> 11) / 2 ** 21) / 2 ** 32;
    return Math.floor(unit * exclusiveMax);
  }

  /** A whole number in [`min`, `max`]. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.below(2 ** 32) < probability * 2 ** 32;
  }

  /** A whole number, exponentially distributed with this mean: mostly small, at times large. */
  exponential(mean: number): number {
    return Math.round(-Math.log(1 - this.below(2 ** 32) / 2 ** 32) * mean);
  }

  /** One of `items`, which must not be empty. */
  pick<Item>(items: readonly Item[]): Item {
    const offset = this.below(items.length);
    for (const item of items.slice(offset, offset + 1)) return item;
    throw new RangeError("nothing to pick from");
  }

  /** All of `items` in a random order. */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const rest = [...items];
    const shuffled: Item[] = [];
    while (rest.length > 0) shuffled.push(...rest.splice(this.below(rest.length), 1));
    return shuffled;
  }

  /** The next 32 bits. */
  #next(): number {
    const scrambled = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return scrambled;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
