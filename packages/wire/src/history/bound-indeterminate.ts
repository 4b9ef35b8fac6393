import type { CompiledHistory, Partition } from "./compile-history.ts";
import type { OperationTable } from "./terms.ts";
import { ABSENT, PRESENT, TERM_EFFECT, TERM_GUARD, TERM_UNLESS } from "./terms.ts";

/** Who writes and who sees the values of a partition. */
interface ValueUse {
  /** By value: how many rows write it, one more where it was there at the start. */
  readonly writers: Int32Array;
  /** By value: the earliest end of a completed row that saw it; Infinity: none did. */
  readonly seenBy: Float64Array;
  /** By cell: whether an answer depends on a value not being there, or on some value being there. */
  readonly isDelicate: Uint8Array;
  /** By cell: whether a completed row saw that the key is absent. */
  readonly isSeenAbsent: Uint8Array;
}

/**
 * Indeterminate writes are what makes a search explode: each may be anywhere or nowhere. Most can
 * be bounded without a change of the verdict. One whose value nobody else writes and a completed
 * operation saw did take effect, before that operation returned. One whose value nobody saw, of a
 * key of which nobody learnt anything else that it could explain, may be left out.
 */
export function boundIndeterminate(compiled: CompiledHistory, partition: Partition): void {
  const { table } = compiled;
  const open: number[] = [];
  for (let row = partition.firstRow; row < partition.endRow; row++) {
    if (table.required[row] === 0) open.push(row);
  }
  if (open.length === 0) return;
  const use = valueUseOf(compiled, partition);
  for (const row of open) {
    const end = seenBefore(table, row, partition, use);
    if (end === Infinity || !isOnlyBranch(table, row, partition, use)) continue;
    table.required[row] = 1;
    table.end[row] = Math.max(end, table.call[row] ?? 0);
  }
  for (const row of open) {
    const twin = table.twin[row] ?? -1;
    const isTwinPlaced = twin !== -1 && table.required[twin] === 1;
    if (table.required[row] === 0 && (isTwinPlaced || isUseless(table, row, partition, use))) {
      // Never placed: no partition's searches take up a row that ends before it begins.
      table.end[row] = -Infinity;
    }
  }
}

/** Whether the row is left out of every search. */
export function isLeftOut(table: OperationTable, row: number): boolean {
  return table.end[row] === -Infinity;
}

function valueUseOf({ table, initialValues }: CompiledHistory, partition: Partition): ValueUse {
  const { firstValue, endValue, firstCell, endCell } = partition;
  const use: ValueUse = {
    writers: new Int32Array(endValue - firstValue),
    seenBy: new Float64Array(endValue - firstValue).fill(Infinity),
    isDelicate: new Uint8Array(endCell - firstCell),
    isSeenAbsent: new Uint8Array(endCell - firstCell),
  };
  for (let cell = firstCell; cell < endCell; cell++) {
    const value = initialValues[cell] ?? ABSENT;
    if (value >= 0) use.writers[value - firstValue] = 1;
  }
  for (let row = partition.firstRow; row < partition.endRow; row++) {
    noteRange(table, row, use, firstCell);
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      noteTerm(table, row, term, { use, partition });
    }
  }
  return use;
}

function noteRange(table: OperationTable, row: number, use: ValueUse, firstCell: number): void {
  const from = table.rangeFrom[row] ?? -1;
  if (from === -1) return;
  for (let cell = from; cell < (table.rangeTo[row] ?? 0); cell++) {
    use.isSeenAbsent[cell - firstCell] = 1;
  }
}

function noteTerm(
  table: OperationTable,
  row: number,
  term: number,
  { use, partition }: { readonly use: ValueUse; readonly partition: Partition },
): void {
  const cell = (table.termCell[term] ?? 0) - partition.firstCell;
  const value = table.termValue[term] ?? 0;
  const at = value - partition.firstValue;
  switch (table.termKind[term]) {
    case TERM_EFFECT:
      if (value >= 0) use.writers[at] = (use.writers[at] ?? 0) + 1;
      break;
    case TERM_UNLESS:
      use.isDelicate[cell] = 1;
      break;
    case TERM_GUARD:
      if (value === PRESENT) use.isDelicate[cell] = 1;
      if (value === ABSENT) use.isSeenAbsent[cell] = 1;
      // What an indeterminate operation saw is no more certain than that it happened.
      if (value >= 0 && table.required[row] === 0) use.isDelicate[cell] = 1;
      if (value >= 0 && table.required[row] === 1) {
        use.seenBy[at] = Math.min(use.seenBy[at] ?? Infinity, table.end[row] ?? Infinity);
      }
      break;
    default:
      break;
  }
}

/** Before when the row has taken effect for sure; Infinity: that is not sure. */
function seenBefore(
  table: OperationTable,
  row: number,
  partition: Partition,
  use: ValueUse,
): number {
  let before = Infinity;
  const end = table.firstTerm[row + 1] ?? 0;
  for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
    const value = table.termValue[term] ?? 0;
    const at = value - partition.firstValue;
    if (table.termKind[term] !== TERM_EFFECT || value < 0 || use.writers[at] !== 1) continue;
    before = Math.min(before, use.seenBy[at] ?? Infinity);
  }
  return before;
}

/** A transaction's other branch writes the value too where it has a second writer. */
function isOnlyBranch(
  table: OperationTable,
  row: number,
  partition: Partition,
  use: ValueUse,
): boolean {
  const twin = table.twin[row] ?? -1;
  return twin === -1 || seenBefore(table, twin, partition, use) === Infinity;
}

function isUseless(
  table: OperationTable,
  row: number,
  partition: Partition,
  use: ValueUse,
): boolean {
  const end = table.firstTerm[row + 1] ?? 0;
  for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
    if (table.termKind[term] !== TERM_EFFECT) continue;
    const value = table.termValue[term] ?? 0;
    const at = value - partition.firstValue;
    const cell = (table.termCell[term] ?? 0) - partition.firstCell;
    if (use.isDelicate[cell] === 1) return false;
    const isSeen = value === ABSENT ? use.isSeenAbsent[cell] === 1 : use.seenBy[at] !== Infinity;
    if (isSeen) return false;
  }
  return true;
}
