import { isLeftOut } from "./bound-indeterminate.ts";
import type { CompiledHistory, Partition } from "./compile-history.ts";
import { Replay } from "./replay.ts";
import type { OperationTable } from "./terms.ts";
import { NO_REVISION } from "./terms.ts";

/** Where a row stands in an order that somebody told; -1: nobody did. */
export type PositionOf = (row: number) => number;

/**
 * `order`: a proof, for the order was exhibited. `none`: no proof of the opposite; `suspect` is the
 * row at which the order ceased to make sense. `untold`: too few positions to say anything.
 */
export type WitnessOutcome =
  | { readonly kind: "order" }
  | { readonly kind: "none"; readonly suspect: number }
  | { readonly kind: "untold" };

/**
 * Replays the order that positions tell, a write before the reads of its state, and says whether
 * it respects real time and explains every answer. Rows without a position find their place where they can: reads in the
 * first gap that suits them, writes right before a row that makes no sense without them.
 */
export function checkWitness(
  compiled: CompiledHistory,
  partition: Partition,
  positionOf: PositionOf,
): WitnessOutcome {
  const { table } = compiled;
  const placed: number[] = [];
  const reads: number[] = [];
  const writes: number[] = [];
  for (let row = partition.firstRow; row < partition.endRow; row++) {
    if (isLeftOut(table, row)) continue;
    if (positionOf(row) !== -1) placed.push(row);
    else if (table.readOnly[row] === 1) reads.push(row);
    else writes.push(row);
  }
  // Without the positions of most writes it would be a blind guess.
  if (writes.length > placed.length) return { kind: "untold" };
  const order = orderByPosition(table, placed, positionOf);
  const replay = new Replay(compiled, partition, { placed: order, reads, writes });
  return replay.run() ? { kind: "order" } : { kind: "none", suspect: replay.stuckAt };
}

/** Rows by position, then writes before reads, then by call: the order that positions tell. */
export function orderByPosition(
  table: OperationTable,
  rows: readonly number[],
  positionOf: PositionOf,
): readonly number[] {
  let greatest = 0;
  let last = -1;
  let isSorted = true;
  const keys = Float64Array.from(rows, (row) => {
    const key = positionOf(row) * 2 + (table.readOnly[row] ?? 0);
    if (key < last) isSorted = false;
    greatest = Math.max(greatest, key);
    return (last = key);
  });
  if (isSorted) return rows;
  // Numbers sort much faster than rows by a function: the place goes into the key.
  const { length } = rows;
  if ((greatest + 1) * length > Number.MAX_SAFE_INTEGER) {
    const places = Array.from(keys, (_, place) => place);
    places.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
    return places.map((place) => rows[place] ?? 0);
  }
  const packed = keys.map((key, place) => key * length + place).sort();
  return Array.from(packed, (key) => rows[key % length] ?? 0);
}

/** The revision that a row made or saw, as a position. */
export function revisionPosition(table: OperationTable): PositionOf {
  return (row) => table.revision[row] ?? NO_REVISION;
}

/** The log position of a row. */
export function logPosition(table: OperationTable): PositionOf {
  return (row) => table.position[row] ?? -1;
}
