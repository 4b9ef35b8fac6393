/** 128 MB. */
export const MEMO_SLOTS_MAX: number = 2 ** 24;

/**
 * What was tried already, each (rows placed, state) only once: as 53 bits of a hash of the rows
 * (Zobrist: one random word for each) and of the state. Two different entries may be taken for
 * one: a search then misses orders, so its failure needs a second look.
 */
export class HashMemo {
  readonly #slotsMax: number;
  #slots = new Float64Array(64);
  #entries = 0;

  /** `slotsMax`: a power of two; half of them are used. */
  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
  }

  get isFull(): boolean {
    return this.#entries * 2 >= this.#slotsMax;
  }

  /** Adds it. False: it was there already. */
  add(state: number, high: number, low: number): boolean {
    const mixed = Math.imul(state + 1, 0x9e3779b1);
    const upper = (high ^ Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b)) >>> 11;
    // Never 0, which marks a free slot.
    const lower = (low ^ mixed ^ (mixed >>> 13)) >>> 0;
    const key = Math.max(1, upper * 4_294_967_296 + lower);
    if (!this.#insert(this.#slots, key)) return false;
    this.#entries++;
    if (this.#entries * 2 > this.#slots.length && this.#slots.length < this.#slotsMax) this.#grow();
    return true;
  }

  #insert(slots: Float64Array, key: number): boolean {
    const mask = slots.length - 1;
    let slot = Math.imul(key ^ (key / 4_294_967_296), 0x9e3779b1) & mask;
    for (;;) {
      const found = slots[slot];
      if (found === key) return false;
      if (found === 0) break;
      slot = (slot + 1) & mask;
    }
    slots[slot] = key;
    return true;
  }

  #grow(): void {
    const bigger = new Float64Array(this.#slots.length * 2);
    for (const key of this.#slots) if (key !== 0) this.#insert(bigger, key);
    this.#slots = bigger;
  }
}

const EXACT_ENTRIES_MAX = 1_000_000;

/** The same with everything kept: no two entries are ever taken for one. */
export class ExactMemo {
  readonly #entries = new Set<string>();

  get isFull(): boolean {
    return this.#entries.size >= EXACT_ENTRIES_MAX;
  }

  /** Adds it. False: it was there already. `placed`: the same text for the same rows. */
  add(state: number, placed: string): boolean {
    const entry = `${state} ${placed}`;
    if (this.#entries.has(entry)) return false;
    this.#entries.add(entry);
    return true;
  }
}
