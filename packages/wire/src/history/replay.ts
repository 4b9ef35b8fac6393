import type { CompiledHistory, Partition } from "./compile-history.ts";
import type { OperationTable } from "./terms.ts";
import { TERM_EFFECT, TERM_GUARD, TERM_UNLESS } from "./terms.ts";

export interface ReplayRows {
  /** In the order that the positions tell. */
  readonly placed: readonly number[];
  /** Reads without a position, by call. */
  readonly reads: readonly number[];
  /** Writes without a position, by call. */
  readonly writes: readonly number[];
}

/** Rows that are put in before one that needs them, one needing the other, at most. */
const CHAIN_MAX = 3;
/** Rows that are tried for that, alone and with others before them. */
const TRIES_MAX = 4096;
const CHAIN_TRIES_MAX = 16;

interface CellState {
  readonly values: Int32Array;
  readonly revisions: Int32Array;
}

/** Goes through an order, and finds a place in it for the rows whose place nobody told. */
export class Replay {
  /** The row at which an order that is none was given up. */
  stuckAt = -1;
  readonly #table: OperationTable;
  readonly #base: number;
  readonly #state: CellState;
  readonly #rows: ReplayRows;
  /** By place in the order: the earliest end from there on. */
  readonly #endsAfter: Float64Array;
  /** The latest call so far: nothing that ended before it may come now. */
  #latestCall = -Infinity;
  #nextRead = 0;
  #waiting: number[] = [];
  /** By cell: writes without a position that are not placed yet, by call. */
  readonly #unplaced = new Map<number, number[]>();
  readonly #isPlaced = new Set<number>();

  constructor(compiled: CompiledHistory, partition: Partition, rows: ReplayRows) {
    const { table } = compiled;
    const { firstCell, endCell } = partition;
    this.#table = table;
    this.#base = firstCell;
    this.#state = {
      values: compiled.initialValues.slice(firstCell, endCell),
      revisions: compiled.initialRevisions.slice(firstCell, endCell),
    };
    this.#rows = rows;
    const { placed, writes } = rows;
    this.#endsAfter = new Float64Array(placed.length + 1).fill(Infinity);
    for (let at = placed.length - 1; at >= 0; at--) {
      const end = table.end[placed[at] ?? 0] ?? Infinity;
      this.#endsAfter[at] = Math.min(end, this.#endsAfter[at + 1] ?? Infinity);
    }
    for (const row of writes) {
      for (const cell of this.#cellsOf(row, TERM_EFFECT)) {
        const list = this.#unplaced.get(cell);
        if (list === undefined) this.#unplaced.set(cell, [row]);
        else list.push(row);
      }
    }
  }

  /** Whether every row that has to be placed found its place. */
  run(): boolean {
    const table = this.#table;
    const { placed, reads, writes } = this.#rows;
    for (let at = 0; at < placed.length; at++) {
      const row = placed[at] ?? 0;
      this.stuckAt = row;
      if (!this.#placeReads(at, table.call[row] ?? 0)) return false;
      if (!this.#place(row, at)) return false;
    }
    if (!this.#placeReads(placed.length, Infinity)) return false;
    const isDone = this.#waiting.length === 0 && this.#nextRead === reads.length;
    return isDone && writes.every((row) => table.required[row] === 0 || this.#isPlaced.has(row));
  }

  /** Places a row after everything so far, and before it what it needs. */
  #place(row: number, at: number): boolean {
    const table = this.#table;
    if ((table.end[row] ?? 0) < this.#latestCall) return false;
    const needed = this.#unplaced.size === 0 ? [] : this.#neededBy(row, this.#state, at, CHAIN_MAX);
    if (needed === null) return false;
    for (const one of needed) if (!this.#append(one)) return false;
    if (!this.#append(row)) return false;
    for (const one of needed) this.#take(one);
    return true;
  }

  #append(row: number): boolean {
    const table = this.#table;
    if ((table.end[row] ?? 0) < this.#latestCall) return false;
    this.#latestCall = Math.max(this.#latestCall, table.call[row] ?? 0);
    return table.apply(row, this.#state.values, this.#state.revisions, this.#base);
  }

  #take(row: number): void {
    this.#isPlaced.add(row);
    for (const cell of this.#cellsOf(row, TERM_EFFECT)) {
      const left = (this.#unplaced.get(cell) ?? []).filter((other) => other !== row);
      if (left.length === 0) this.#unplaced.delete(cell);
      else this.#unplaced.set(cell, left);
    }
  }

  /** The rows to put in before a row, so that the state suits it; null: none that help. */
  #neededBy(row: number, state: CellState, at: number, chainMax: number): number[] | null {
    if (this.#after(state, [row]) !== null) return [];
    if (chainMax === 0) return null;
    const candidates = this.#candidatesFor(row, at);
    for (const candidate of candidates) {
      if (this.#after(state, [candidate, row]) !== null) return [candidate];
    }
    for (const candidate of candidates.slice(0, CHAIN_TRIES_MAX)) {
      const before = this.#neededBy(candidate, state, at, chainMax - 1);
      const next = before === null ? null : this.#after(state, [...before, candidate]);
      if (before === null || next === null) continue;
      if (before.length > 0 || this.#isWanted(candidate, row)) {
        const others = this.#neededBy(row, next, at, chainMax - 1);
        const all = [...before, candidate, ...(others ?? [])];
        if (others !== null && new Set(all).size === all.length) return all;
      }
    }
    return null;
  }

  /** The state after rows; null: it does not allow them. */
  #after({ values, revisions }: CellState, rows: readonly number[]): CellState | null {
    const next = { values: values.slice(), revisions: revisions.slice() };
    for (const row of rows) {
      if (!this.#table.apply(row, next.values, next.revisions, this.#base)) return null;
    }
    return next;
  }

  /** Writes without a position that may come before the rest, and are about what a row sees. */
  #candidatesFor(row: number, at: number): number[] {
    const table = this.#table;
    const latest = this.#endsAfter[at] ?? Infinity;
    const found = new Set<number>();
    for (const cell of this.#seenCells(row)) {
      for (const candidate of this.#unplaced.get(cell) ?? []) {
        if ((table.call[candidate] ?? 0) > latest) break;
        const isOver = (table.end[candidate] ?? 0) < this.#latestCall;
        if (isOver || this.#isPlaced.has(table.twin[candidate] ?? -1)) continue;
        found.add(candidate);
      }
    }
    const rows = [...found];
    const wanted = rows.filter((one) => this.#isWanted(one, row));
    const others = rows.filter((one) => !this.#isWanted(one, row));
    // What somebody sees later on is best left for that.
    const free = others.filter((one) => table.required[one] === 0);
    const seen = others.filter((one) => table.required[one] === 1);
    return [...wanted, ...free, ...seen].slice(0, TRIES_MAX);
  }

  /** Whether it writes a value that the row sees. */
  #isWanted(candidate: number, row: number): boolean {
    const table = this.#table;
    const guards = this.#table.termsOf(row, TERM_GUARD);
    const seen = new Set(guards.map((term) => table.termValue[term] ?? -1));
    const effects = this.#table.termsOf(candidate, TERM_EFFECT);
    return effects.some((term) => seen.has(table.termValue[term] ?? -1));
  }

  #cellsOf(row: number, kind: number): number[] {
    return this.#table.termsOf(row, kind).map((term) => this.#table.termCell[term] ?? 0);
  }

  #seenCells(row: number): number[] {
    const cells = [...this.#cellsOf(row, TERM_GUARD), ...this.#cellsOf(row, TERM_UNLESS)];
    const from = this.#table.rangeFrom[row] ?? -1;
    const to = from === -1 ? -1 : (this.#table.rangeTo[row] ?? 0);
    for (let cell = from; cell < to; cell++) if (this.#unplaced.has(cell)) cells.push(cell);
    return cells;
  }

  /** Before the row at `at`, called at `nextCall`: the reads that may come here and are right. */
  #placeReads(at: number, nextCall: number): boolean {
    this.#awaitReads(this.#endsAfter[at] ?? Infinity);
    if (this.#waiting.length === 0) return true;
    const table = this.#table;
    const left: number[] = [];
    let leftEnds = Infinity;
    for (const read of this.#waiting) {
      const end = table.end[read] ?? 0;
      if (end < this.#latestCall) return false;
      const mayCome = leftEnds >= (table.call[read] ?? 0);
      // Writes are put in for it only at its last chance.
      const isLast = end < Math.max(this.#latestCall, nextCall);
      const isRight = mayCome && (isLast || this.#after(this.#state, [read]) !== null);
      if (isRight && this.#place(read, at)) continue;
      left.push(read);
      leftEnds = Math.min(leftEnds, end);
    }
    this.#waiting = left;
    return true;
  }

  /** The reads that may come before what ends at a time, or later, wait for their place. */
  #awaitReads(endsAfter: number): void {
    const { reads } = this.#rows;
    for (; this.#nextRead < reads.length; this.#nextRead++) {
      const read = reads[this.#nextRead] ?? 0;
      if ((this.#table.call[read] ?? 0) > endsAfter) break;
      this.#waiting.push(read);
    }
  }
}
