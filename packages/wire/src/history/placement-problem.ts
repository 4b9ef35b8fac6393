import { isLeftOut } from "./bound-indeterminate.ts";
import type { CompiledHistory, Partition } from "./compile-history.ts";
import type { OperationTable } from "./terms.ts";
import { ABSENT, aboveRevision, ANYTHING, NO_REVISION, TERM_EFFECT, TERM_GUARD } from "./terms.ts";

/** Rows that need an order, or a part of them, and the state that the order begins with. */
export interface PlacementProblem {
  readonly compiled: CompiledHistory;
  readonly table: OperationTable;
  readonly partition: Partition;
  /** The rows, by call. Everything below is by their place in this list. */
  readonly rows: Int32Array;
  /** 1: it has to be placed, before its end. */
  readonly required: Uint8Array;
  /** Place whose row must not be placed as well; -1: none. */
  readonly twin: Int32Array;
  /** Place of a row that is as good and is to be taken first; -1: none. */
  readonly after: Int32Array;
  /** 1: it does nothing but end what was there: nobody sees what it writes. */
  readonly isSpare: Uint8Array;
  /** By value of the partition: 1 where what some row sees or asks for depends on it. */
  readonly isSeen: Uint8Array;
  /**
   * Calls and returns in the order of time, calls first where they coincide: `place` for a call,
   * `~place` for a return. Only required rows return.
   */
  readonly events: Int32Array;
  /** Whether the cells hold anything at the start, rather than what the history says. */
  readonly startsAnywhere: boolean;
}

/** One row of a problem that is made by hand. */
export interface ChosenRow {
  readonly row: number;
  readonly required: boolean;
}

/** The whole problem of a partition. */
export function partitionProblem(
  compiled: CompiledHistory,
  partition: Partition,
): PlacementProblem {
  const { table } = compiled;
  const chosen: ChosenRow[] = [];
  for (let row = partition.firstRow; row < partition.endRow; row++) {
    if (!isLeftOut(table, row)) chosen.push({ row, required: table.required[row] === 1 });
  }
  return problemOf(compiled, partition, chosen, false);
}

/** `chosen`: by call, that is, by row. */
export function problemOf(
  compiled: CompiledHistory,
  partition: Partition,
  chosen: readonly ChosenRow[],
  startsAnywhere: boolean,
): PlacementProblem {
  const { table } = compiled;
  const rows = Int32Array.from(chosen, ({ row }) => row);
  const required = Uint8Array.from(chosen, (choice) => (choice.required ? 1 : 0));
  const isSeen = seenValues(table, partition, rows);
  return {
    compiled,
    table,
    partition,
    rows,
    required,
    twin: twinsOf(table, rows),
    ...chainOf(table, { rows, required }, isSeen, partition.firstValue),
    isSeen,
    events: eventsOf(table, rows, required),
    startsAnywhere,
  };
}

/** What the cells of the partition hold before the first row. */
export function startOf(problem: PlacementProblem): {
  readonly values: Int32Array;
  readonly revisions: Int32Array;
} {
  const { compiled, partition, startsAnywhere } = problem;
  const { firstCell, endCell } = partition;
  if (startsAnywhere) {
    const width = endCell - firstCell;
    return {
      values: new Int32Array(width).fill(ANYTHING),
      revisions: new Int32Array(width).fill(aboveRevision(0)),
    };
  }
  return {
    values: compiled.initialValues.slice(firstCell, endCell),
    revisions: compiled.initialRevisions.slice(firstCell, endCell),
  };
}

function twinsOf(table: OperationTable, rows: Int32Array): Int32Array {
  const twins = new Int32Array(rows.length).fill(-1);
  // Twins are neighbours: they have the same call and the same source.
  for (let place = 1; place < rows.length; place++) {
    if (table.twin[rows[place] ?? 0] === rows[place - 1]) {
      twins[place] = place - 1;
      twins[place - 1] = place;
    }
  }
  return twins;
}

/**
 * Rows that need not be placed, ask for nothing and are as good as each other are taken in their
 * order: those that write the same, and those that write what no row sees, for all that they do is
 * to end what was there.
 */
function chainOf(
  table: OperationTable,
  { rows, required }: { readonly rows: Int32Array; readonly required: Uint8Array },
  isSeen: Uint8Array,
  firstValue: number,
): { readonly after: Int32Array; readonly isSpare: Uint8Array } {
  const after = new Int32Array(rows.length).fill(-1);
  const isSpare = new Uint8Array(rows.length);
  const last = new Map<string, number>();
  rows.forEach((row, place) => {
    const term = table.firstTerm[row] ?? 0;
    const isSingle = (table.firstTerm[row + 1] ?? 0) === term + 1;
    if (required[place] === 1 || !isSingle || table.termKind[term] !== TERM_EFFECT) return;
    const value = table.termValue[term] ?? ABSENT;
    const isUnseen = value >= 0 && isSeen[value - firstValue] === 0;
    if (isUnseen && table.termRevision[term] === NO_REVISION) isSpare[place] = 1;
    const what = isSpare[place] === 1 ? "spare" : `${value} ${table.termRevision[term]}`;
    const effect = `${table.termCell[term]} ${what}`;
    after[place] = last.get(effect) ?? -1;
    last.set(effect, place);
  });
  return { after, isSpare };
}

/** By value of the partition: 1 where what some row sees or asks for depends on it. */
function seenValues(
  table: OperationTable,
  { firstValue, endValue }: Partition,
  rows: Int32Array,
): Uint8Array {
  const isSeen = new Uint8Array(endValue - firstValue);
  for (const row of rows) {
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      const value = table.termValue[term] ?? ABSENT;
      if (table.termKind[term] !== TERM_EFFECT && value >= 0) isSeen[value - firstValue] = 1;
    }
  }
  return isSeen;
}

function eventsOf(table: OperationTable, rows: Int32Array, required: Uint8Array): Int32Array {
  const ends: number[] = [];
  for (let place = 0; place < rows.length; place++) if (required[place] === 1) ends.push(place);
  const endOf = (place: number): number => table.end[rows[place] ?? 0] ?? Infinity;
  ends.sort((a, b) => endOf(a) - endOf(b));
  const events = new Int32Array(rows.length + ends.length);
  let at = 0;
  let place = 0;
  for (const returning of ends) {
    const end = endOf(returning);
    while (place < rows.length && (table.call[rows[place] ?? 0] ?? 0) <= end) {
      events[at++] = place++;
    }
    events[at++] = ~returning;
  }
  while (place < rows.length) events[at++] = place++;
  return events;
}

/**
 * Counts, for each value of a partition, the rows not placed yet that have to see it, and those
 * that may still write it. A value that somebody has yet to see and nobody can write again must
 * not be overwritten.
 */
export class ValueDemand {
  readonly #table: OperationTable;
  readonly #firstValue: number;
  readonly #seers: Int32Array;
  readonly #writers: Int32Array;

  constructor(problem: PlacementProblem) {
    const { partition, rows, required, table } = problem;
    this.#table = table;
    this.#firstValue = partition.firstValue;
    this.#seers = new Int32Array(partition.endValue - partition.firstValue);
    this.#writers = new Int32Array(partition.endValue - partition.firstValue);
    rows.forEach((row, place) => this.#count(row, required[place] === 1, 1));
  }

  /** A row was placed. */
  take(row: number, isRequired: boolean): void {
    this.#count(row, isRequired, -1);
  }

  /** A row was taken back. */
  giveBack(row: number, isRequired: boolean): void {
    this.#count(row, isRequired, 1);
  }

  /** Whether a state's value, that a row which was taken has overwritten, is wanted no more. */
  allowsLoss(value: number): boolean {
    if (value < 0) return true;
    const at = value - this.#firstValue;
    return (this.#seers[at] ?? 0) === 0 || (this.#writers[at] ?? 0) > 0;
  }

  #count(row: number, isRequired: boolean, by: number): void {
    const table = this.#table;
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      const value = table.termValue[term] ?? ABSENT;
      if (value < 0) continue;
      const at = value - this.#firstValue;
      const kind = table.termKind[term];
      if (kind === TERM_EFFECT) this.#writers[at] = (this.#writers[at] ?? 0) + by;
      else if (kind === TERM_GUARD && isRequired) this.#seers[at] = (this.#seers[at] ?? 0) + by;
    }
  }
}
