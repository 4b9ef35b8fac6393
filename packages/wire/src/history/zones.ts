import { isLeftOut } from "./bound-indeterminate.ts";
import type { CompiledHistory, Partition } from "./compile-history.ts";
import type { OperationTable } from "./terms.ts";
import { ABSENT, NO_REVISION, TERM_EFFECT, TERM_GUARD } from "./terms.ts";

/** `order`: proven to have one. `none`: `rows` alone have none. */
export type ZonesOutcome =
  | { readonly kind: "order" }
  | { readonly kind: "none"; readonly rows: readonly number[] }
  | { readonly kind: "notApplicable" };

/** All that happened to one value: from when it was surely there, and until when. */
interface Zone {
  /** The earliest end of the write and the reads of it. */
  firstEnd: number;
  firstEndRow: number;
  /** The latest call among them. */
  lastCall: number;
  lastCallRow: number;
  writer: number;
}

/** Marks the writer of what the key held at the start. */
const FROM_THE_START = -2;
const NOBODY = -1;

/**
 * Decides a key that knows only reads and unconditional puts of values that no two of them share
 * (Gibbons & Korach, "Testing shared memories", 1997). Every value has a zone, from the first end
 * to the last call of its operations: forward, or, where it would be negative, backward. The
 * history is linearizable exactly if no read ends before its write begins, no two forward zones
 * overlap, and no backward zone lies within a forward one.
 */
export function checkZones(compiled: CompiledHistory, partition: Partition): ZonesOutcome {
  const zones = zonesOf(compiled, partition);
  if (zones === null) return { kind: "notApplicable" };
  const { table } = compiled;
  for (const { writer, firstEnd, firstEndRow, lastCallRow } of zones) {
    if (writer === NOBODY) return { kind: "none", rows: [lastCallRow] };
    if (writer === FROM_THE_START || firstEnd >= (table.call[writer] ?? 0)) continue;
    return { kind: "none", rows: [writer, firstEndRow] };
  }
  const clash = clashOf(zones);
  if (clash === null) return { kind: tellsRevisions(table, partition) ? "notApplicable" : "order" };
  return { kind: "none", rows: clash.flatMap((zone) => rowsOf(zone)) };
}

function rowsOf({ writer, firstEndRow, lastCallRow }: Zone): number[] {
  return [writer, firstEndRow, lastCallRow].filter((row) => row >= 0);
}

/** Two values of which each would have to be there before the other. */
function clashOf(zones: readonly Zone[]): readonly [Zone, Zone] | null {
  const forward = zones.filter((zone) => zone.firstEnd < zone.lastCall);
  forward.sort((a, b) => a.firstEnd - b.firstEnd);
  for (let at = 1; at < forward.length; at++) {
    const [before, after] = [forward[at - 1], forward[at]];
    if (before === undefined || after === undefined) break;
    if (after.firstEnd < before.lastCall) return [before, after];
  }
  for (const zone of zones) {
    if (zone.firstEnd < zone.lastCall) continue;
    const around = lastBefore(forward, zone.lastCall);
    if (around !== undefined && zone.firstEnd < around.lastCall) return [around, zone];
  }
  return null;
}

/** The forward zone that begins last before a time: the only one that can be around it. */
function lastBefore(forward: readonly Zone[], time: number): Zone | undefined {
  let low = 0;
  let high = forward.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((forward[middle]?.firstEnd ?? Infinity) < time) low = middle + 1;
    else high = middle;
  }
  return forward[low - 1];
}

/** Null: the key knows something else than reads and puts of values of their own. */
function zonesOf(compiled: CompiledHistory, partition: Partition): Zone[] | null {
  const { table, initialValues } = compiled;
  const { firstRow, endRow, firstValue, endValue, firstCell, endCell } = partition;
  if (endCell - firstCell !== 1) return null;
  const zones: (Zone | undefined)[] = [];
  const absent = endValue - firstValue;
  const initial = initialValues[firstCell] ?? ABSENT;
  zones[initial === ABSENT ? absent : initial - firstValue] = {
    ...newZone(),
    firstEnd: -Infinity,
    writer: FROM_THE_START,
  };
  for (let row = firstRow; row < endRow; row++) {
    if (isLeftOut(table, row)) continue;
    if (!isPlain(table, row)) return null;
    const value = table.termValue[table.firstTerm[row] ?? 0] ?? 0;
    const zone = (zones[value === ABSENT ? absent : value - firstValue] ??= newZone());
    if (!extend(zone, table, row)) return null;
  }
  return zones.filter((zone) => zone !== undefined);
}

function newZone(): Zone {
  const rows = { firstEndRow: NOBODY, lastCallRow: NOBODY, writer: NOBODY };
  return { firstEnd: Infinity, lastCall: -Infinity, ...rows };
}

/** False: the value has a second writer, or it is a delete. */
function extend(zone: Zone, table: OperationTable, row: number): boolean {
  const term = table.firstTerm[row] ?? 0;
  if (table.termKind[term] === TERM_EFFECT) {
    if (zone.writer !== NOBODY || (table.termValue[term] ?? 0) < 0) return false;
    zone.writer = row;
  }
  const end = table.end[row] ?? 0;
  const call = table.call[row] ?? 0;
  // Where both end at once, the read: a write that only a read shows to have happened ends so.
  if (end < zone.firstEnd || (end === zone.firstEnd && table.readOnly[row] === 1)) {
    zone.firstEnd = end;
    zone.firstEndRow = row;
  }
  if (call > zone.lastCall) {
    zone.lastCall = call;
    zone.lastCallRow = row;
  }
  return true;
}

/** Zones know nothing of revisions: they may show that there is no order, never that there is. */
function tellsRevisions(table: OperationTable, { firstRow, endRow }: Partition): boolean {
  const end = table.firstTerm[endRow] ?? 0;
  for (let term = table.firstTerm[firstRow] ?? 0; term < end; term++) {
    if (table.termRevision[term] !== NO_REVISION) return true;
  }
  return false;
}

/** One term, of a value, in a row that has to be placed. */
function isPlain(table: OperationTable, row: number): boolean {
  const term = table.firstTerm[row] ?? 0;
  if ((table.firstTerm[row + 1] ?? 0) !== term + 1 || table.required[row] !== 1) return false;
  if (table.rangeFrom[row] !== -1) return false;
  const kind = table.termKind[term];
  return (kind === TERM_GUARD || kind === TERM_EFFECT) && (table.termValue[term] ?? 0) >= ABSENT;
}
