import { isLeftOut } from "./bound-indeterminate.ts";
import type { CompiledHistory, Partition } from "./compile-history.ts";
import { OrderSearch } from "./order-search.ts";
import type { ChosenRow } from "./placement-problem.ts";
import { problemOf } from "./placement-problem.ts";
import type { OperationTable } from "./terms.ts";
import { ABSENT, PRESENT, TERM_EFFECT, TERM_UNLESS } from "./terms.ts";

/** A contradiction as small as it was found. */
export interface Window {
  /** What has to be placed and cannot be, by call. */
  readonly rows: readonly number[];
  /** Of {@link rows}: the one that the search could not place. */
  readonly culprit: number;
  /** The longest order of {@link rows} that fits: what comes before the contradiction. */
  readonly best: readonly number[];
  /** Whether the contradiction holds whatever the keys held at the start of the window. */
  readonly startsAnywhere: boolean;
}

/** Steps for one question, and for all of them. */
const STEPS_A_QUESTION = 100_000;
const STEPS_FIRST_QUESTION = 5_000_000;
const STEPS_OF_ALL = 15_000_000;
const QUESTIONS_MAX = 2_000;
/** How far back from a suspect a contradiction is looked for. */
const SUSPECT_ROWS_MAX = 4_096;
const STEPS_A_SUSPICION = 20_000;

/**
 * Where a contradiction is: the time that everything before has an order until, rows that have
 * none, or a row near which there may be a contradiction, or not.
 */
export type WindowHint =
  | { readonly furthest: number }
  | { readonly rows: readonly number[] }
  | { readonly suspect: number };

/**
 * Shrinks rows of a partition that have no order to few that have none, by questions that are all
 * asked of the exact search. What is left out is never assumed away: rows that ended before the
 * window are covered by a start in which every key may hold anything, reads are dropped, and
 * writes become such as may be placed or not. So a window without an order proves that the whole
 * has none. Null: the search found an order, or no answer in time.
 */
export function smallestWindow(
  compiled: CompiledHistory,
  partition: Partition,
  hint: WindowHint,
): Window | null {
  return new Shrinking(compiled, partition).run(hint);
}

class Shrinking {
  readonly #compiled: CompiledHistory;
  readonly #partition: Partition;
  #steps = 0;
  #questions = 0;
  #startsAnywhere = false;

  constructor(compiled: CompiledHistory, partition: Partition) {
    this.#compiled = compiled;
    this.#partition = partition;
  }

  run(hint: WindowHint): Window | null {
    const found = this.#find(hint);
    if (found === null) return null;
    return this.#finish(this.#dropOneByOne(this.#dropHalves(found)));
  }

  #find(hint: WindowHint): readonly ChosenRow[] | null {
    if ("rows" in hint) return this.#fromRows(hint.rows);
    return "suspect" in hint ? this.#around(hint.suspect) : this.#fromPrefix(hint.furthest);
  }

  /** The rows shortly before a row ended, whatever was before them. */
  #around(suspect: number): readonly ChosenRow[] | null {
    const prefix = this.#rowsUntil(this.#compiled.table.end[suspect] ?? 0);
    const shortest = this.#shortestEnd(prefix, SUSPECT_ROWS_MAX, STEPS_A_SUSPICION);
    return shortest === prefix ? null : shortest;
  }

  /** The rows as they are: what else there was may be placed or not. */
  #fromRows(rows: readonly number[]): readonly ChosenRow[] | null {
    const wanted = new Set(rows);
    const chosen = this.#rowsUntil(Infinity).filter(
      ({ row }) => wanted.has(row) || this.#compiled.table.readOnly[row] === 0,
    );
    const relaxed = chosen.map(({ row, required }) => ({
      row,
      required: required && wanted.has(row),
    }));
    if (this.#hasNoOrder(relaxed, false)) return this.#useful(relaxed);
    return this.#fromPrefix(-1);
  }

  /** The shortest beginning of the history without an order, then its shortest end. */
  #fromPrefix(furthest: number): readonly ChosenRow[] | null {
    const ends = this.#endsFrom(furthest);
    let low = 0;
    let high = 0;
    // Grows fast at first, for the answer is mostly the first one.
    while (high < ends.length - 1 && !this.#hasNoOrderUntil(ends[high] ?? 0)) {
      low = high + 1;
      high = Math.min(ends.length - 1, high * 2 + 1);
    }
    if (!this.#hasNoOrderUntil(ends[high] ?? Infinity)) return null;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#hasNoOrderUntil(ends[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return this.#shortestEnd(this.#rowsUntil(ends[high] ?? Infinity));
  }

  /** The ends of required rows, from a time on, ascending. */
  #endsFrom(time: number): number[] {
    const ends: number[] = [];
    for (const { row, required } of this.#rowsUntil(Infinity)) {
      const end = this.#compiled.table.end[row] ?? Infinity;
      if (required && end >= time) ends.push(end);
    }
    return ends.sort((a, b) => a - b);
  }

  #hasNoOrderUntil(time: number): boolean {
    return this.#hasNoOrder(this.#rowsUntil(time), false, STEPS_FIRST_QUESTION);
  }

  /** What was known at a time: what had not ended then may be placed or not. */
  #rowsUntil(time: number): ChosenRow[] {
    const { table } = this.#compiled;
    const chosen: ChosenRow[] = [];
    for (let row = this.#partition.firstRow; row < this.#partition.endRow; row++) {
      if (isLeftOut(table, row) || (table.call[row] ?? 0) > time) continue;
      const required = this.#isCompleted(row) && (table.end[row] ?? Infinity) <= time;
      if (required || table.readOnly[row] === 0) chosen.push({ row, required });
    }
    return chosen;
  }

  /** What must have happened only because somebody saw it proves nothing without who saw it. */
  #isCompleted(row: number): boolean {
    const { operations, table } = this.#compiled;
    return operations[table.source[row] ?? -1]?.outcome === "ok";
  }

  /** Leaves out what ended long before, if the rest has no order whatever the keys held. */
  #shortestEnd(
    prefix: readonly ChosenRow[],
    rowsMax = Infinity,
    stepsMax = STEPS_A_QUESTION,
  ): readonly ChosenRow[] {
    for (let count = 2; count < Math.min(prefix.length, rowsMax); count *= 2) {
      const from = this.#compiled.table.call[prefix.at(-count)?.row ?? 0] ?? 0;
      const suffix = this.#rowsFrom(prefix, from);
      if (!this.#hasNoOrder(suffix, true, stepsMax)) continue;
      this.#startsAnywhere = true;
      return this.#useful(suffix);
    }
    return prefix;
  }

  #rowsFrom(rows: readonly ChosenRow[], time: number): ChosenRow[] {
    const { table } = this.#compiled;
    const chosen: ChosenRow[] = [];
    for (const { row, required } of rows) {
      if (required && (table.end[row] ?? 0) < time) continue;
      const isInside = (table.call[row] ?? 0) >= time;
      // What was open at that time may have been placed before it.
      if (isInside) chosen.push({ row, required });
      else if (table.readOnly[row] === 0) chosen.push({ row, required: false });
    }
    return chosen;
  }

  #dropHalves(rows: readonly ChosenRow[]): readonly ChosenRow[] {
    let kept = rows;
    for (let size = requiredOf(kept).length >>> 1; size >= 2; size >>>= 1) {
      const required = requiredOf(kept);
      for (let from = 0; from < required.length; from += size) {
        kept = this.#without(kept, new Set(required.slice(from, from + size))) ?? kept;
      }
    }
    return kept;
  }

  #dropOneByOne(rows: readonly ChosenRow[]): readonly ChosenRow[] {
    let kept = rows;
    for (const row of requiredOf(kept)) kept = this.#without(kept, new Set([row])) ?? kept;
    return kept;
  }

  /** The rows with some of them left out, if there is still no order. */
  #without(rows: readonly ChosenRow[], left: ReadonlySet<number>): readonly ChosenRow[] | null {
    const { table } = this.#compiled;
    const fewer: ChosenRow[] = [];
    for (const { row, required } of rows) {
      if (!left.has(row)) fewer.push({ row, required });
      else if (table.readOnly[row] === 0) fewer.push({ row, required: false });
    }
    return this.#hasNoOrder(fewer, this.#startsAnywhere) ? this.#useful(fewer) : null;
  }

  #hasNoOrder(
    rows: readonly ChosenRow[],
    startsAnywhere: boolean,
    stepsMax = STEPS_A_QUESTION,
  ): boolean {
    if (this.#steps > STEPS_OF_ALL || this.#questions++ > QUESTIONS_MAX) return false;
    const search = this.#search(rows, startsAnywhere);
    const outcome = search.run(stepsMax);
    this.#steps += search.steps;
    return outcome === "none";
  }

  #search(rows: readonly ChosenRow[], startsAnywhere: boolean, looksAhead = true): OrderSearch {
    const useful = this.#useful(rows);
    const problem = problemOf(this.#compiled, this.#partition, useful, startsAnywhere);
    return new OrderSearch(problem, { memo: "exact", looksAhead });
  }

  #useful(rows: readonly ChosenRow[]): readonly ChosenRow[] {
    return usefulRows(this.#compiled, this.#partition, rows);
  }

  #finish(rows: readonly ChosenRow[]): Window | null {
    // Without looking ahead it gets stuck where the contradiction comes to light.
    const search = this.#search(rows, this.#startsAnywhere, false);
    if (search.run(STEPS_FIRST_QUESTION) !== "none") return null;
    const required = requiredOf(rows);
    const culprit = search.problem.rows[search.culprit()] ?? required.at(-1) ?? 0;
    const best = search.best().rows;
    return { rows: required, culprit, best, startsAnywhere: this.#startsAnywhere };
  }
}

function requiredOf(rows: readonly ChosenRow[]): number[] {
  return rows.filter(({ required }) => required).map(({ row }) => row);
}

/** What the rows of a problem depend on. */
interface Wishes {
  readonly seen: ReadonlySet<number>;
  /** By cell of the partition. */
  readonly isDelicate: Uint8Array;
  readonly isSeenAbsent: Uint8Array;
}

/**
 * Leaves out the writes that need not be placed and that no other row could want: their value is
 * seen by none, and none depends on some value being there or not.
 */
function usefulRows(
  { table }: CompiledHistory,
  partition: Partition,
  rows: readonly ChosenRow[],
): readonly ChosenRow[] {
  const { seen, isDelicate, isSeenAbsent } = wishesOf(table, partition, rows);
  const isWanted = (term: number): boolean => {
    if (table.termKind[term] !== TERM_EFFECT) return false;
    const cell = (table.termCell[term] ?? 0) - partition.firstCell;
    const value = table.termValue[term] ?? 0;
    if (isDelicate[cell] === 1 || seen.has(value)) return true;
    return value === ABSENT && isSeenAbsent[cell] === 1;
  };
  return rows.filter(({ row, required }) => {
    if (required) return true;
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) if (isWanted(term)) return true;
    return false;
  });
}

function wishesOf(
  table: OperationTable,
  { firstCell, endCell }: Partition,
  rows: readonly ChosenRow[],
): Wishes {
  const seen = new Set<number>();
  const isDelicate = new Uint8Array(endCell - firstCell);
  const isSeenAbsent = new Uint8Array(endCell - firstCell);
  for (const { row } of rows) {
    const from = table.rangeFrom[row] ?? -1;
    if (from !== -1) isSeenAbsent.fill(1, from - firstCell, (table.rangeTo[row] ?? 0) - firstCell);
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      const kind = table.termKind[term];
      const cell = (table.termCell[term] ?? 0) - firstCell;
      const value = table.termValue[term] ?? 0;
      if (kind === TERM_EFFECT) continue;
      if (kind === TERM_UNLESS || value === PRESENT) isDelicate[cell] = 1;
      else if (value === ABSENT) isSeenAbsent[cell] = 1;
      else seen.add(value);
    }
  }
  return { seen, isDelicate, isSeenAbsent };
}
