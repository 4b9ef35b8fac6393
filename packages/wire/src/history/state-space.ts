import type { PlacementProblem } from "./placement-problem.ts";
import { startOf } from "./placement-problem.ts";
import type { OperationTable } from "./terms.ts";

/** Integers of states that one search may hold: 256 MB. */
const POOL_MAX: number = 2 ** 26;

/** A state that is not allowed, and: there is no room for one more. */
export const NO_STATE = -1;
export const NO_ROOM = -2;

/** The states that a search came through, each once: a number stands for it. */
export class StateSpace {
  readonly #table: OperationTable;
  readonly #base: number;
  readonly #width: number;
  #pool: Int32Array;
  #states = 0;
  /** Open addressing: the number of the state + 1; 0: free. */
  #slots = new Int32Array(64);
  readonly #values: Int32Array;
  readonly #revisions: Int32Array;

  constructor(problem: PlacementProblem) {
    this.#table = problem.table;
    this.#base = problem.partition.firstCell;
    const { values, revisions } = startOf(problem);
    this.#width = values.length;
    this.#values = values;
    this.#revisions = revisions;
    this.#pool = new Int32Array(this.#width * 2 * 16);
    this.#intern();
  }

  /** The state after a row; the same number where it changes nothing. */
  step(state: number, row: number): number {
    this.#load(state);
    if (!this.#table.apply(row, this.#values, this.#revisions, this.#base)) return NO_STATE;
    return this.#isState(state) ? state : this.#intern();
  }

  valueAt(state: number, cell: number): number {
    return this.#pool[state * this.#width * 2 + (cell - this.#base)] ?? 0;
  }

  revisionAt(state: number, cell: number): number {
    return this.#pool[(state * 2 + 1) * this.#width + (cell - this.#base)] ?? 0;
  }

  #load(state: number): void {
    const from = state * this.#width * 2;
    for (let cell = 0; cell < this.#width; cell++) {
      this.#values[cell] = this.#pool[from + cell] ?? 0;
      this.#revisions[cell] = this.#pool[from + this.#width + cell] ?? 0;
    }
  }

  #isState(state: number): boolean {
    const from = state * this.#width * 2;
    for (let cell = 0; cell < this.#width; cell++) {
      if (this.#pool[from + cell] !== this.#values[cell]) return false;
      if (this.#pool[from + this.#width + cell] !== this.#revisions[cell]) return false;
    }
    return true;
  }

  #intern(): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash() & mask;
    for (;;) {
      const known = (this.#slots[slot] ?? 0) - 1;
      if (known === -1) break;
      if (this.#isState(known)) return known;
      slot = (slot + 1) & mask;
    }
    const size = this.#width * 2;
    const from = this.#states * size;
    if (from + size > POOL_MAX) return NO_ROOM;
    if (from + size > this.#pool.length) {
      const bigger = new Int32Array(this.#pool.length * 2);
      bigger.set(this.#pool);
      this.#pool = bigger;
    }
    this.#pool.set(this.#values, from);
    this.#pool.set(this.#revisions, from + this.#width);
    this.#slots[slot] = ++this.#states;
    if (this.#states * 2 > this.#slots.length) this.#rehash();
    return this.#states - 1;
  }

  #hash(): number {
    let hash = 0;
    for (let cell = 0; cell < this.#width; cell++) {
      hash = Math.imul(hash ^ (this.#values[cell] ?? 0), 0x9e3779b1);
      hash = Math.imul((hash >>> 15) ^ hash ^ (this.#revisions[cell] ?? 0), 0x85ebca6b);
    }
    return hash ^ (hash >>> 13);
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let state = 0; state < this.#states; state++) {
      this.#load(state);
      let slot = this.#hash() & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = state + 1;
    }
  }
}
