/** Throws that follow from a seed, so that a run can be asked for again. */
export class Dice {
  readonly #origin: string;
  #state: number;

  /** Equal origins (a seed, and what it is for) give equal throws. */
  constructor(origin: string) {
    this.#origin = origin;
    // FNV-1a, 32 bits.
    let hash = 0x811c9dc5;
    for (const unit of Buffer.from(origin)) hash = Math.imul(hash ^ unit, 0x01000193);
    this.#state = hash >>> 0;
  }

  /** Dice for `purpose`, independent of how often these were thrown. */
  fork(purpose: string): Dice {
    return new Dice(`${this.#origin}/${purpose}`);
  }

  /** A number from 0 to below 1 (mulberry32). */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to below `exclusiveMax`. */
  below(exclusiveMax: number): number {
    return Math.floor(this.unit() * exclusiveMax);
  }

  /** A number from `min` to below `max`. */
  between(min: number, max: number): number {
    return min + this.unit() * (max - min);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** One of `items`; undefined where there is none. */
  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.below(items.length)];
  }

  /** The same items in another order. */
  shuffle<Item>(items: readonly Item[]): Item[] {
    return items
      .map((item) => ({ item, place: this.unit() }))
      .toSorted((left, right) => left.place - right.place)
      .map(({ item }) => item);
  }
}
