import { boundIndeterminate } from "./bound-indeterminate.ts";
import { KeyGroups } from "./key-groups.ts";
import type { GetAnswer, History, HistoryBytes, Operation, WriteAnswer } from "./operation.ts";
import { RowBuilder } from "./row-builder.ts";
import { ABSENT, aboveRevision, OperationTable } from "./terms.ts";
import type { HistoryCounts } from "./verdict.ts";

/** Keys that have to be checked together, and all that happened to them. */
export interface Partition {
  readonly firstRow: number;
  readonly endRow: number;
  readonly firstCell: number;
  readonly endCell: number;
  /** The values of its keys, by number. */
  readonly firstValue: number;
  readonly endValue: number;
}

/** A history as searches need it. */
export interface CompiledHistory {
  readonly operations: readonly Operation[];
  readonly table: OperationTable;
  readonly partitions: readonly Partition[];
  /** By cell. */
  readonly keys: readonly HistoryBytes[];
  /** What the cells held at the start. */
  readonly initialValues: Int32Array;
  readonly initialRevisions: Int32Array;
  readonly values: number;
  /** Operations in the order of their calls, all of them. */
  readonly byCall: readonly number[];
  readonly counts: HistoryCounts;
  rankOf(revision: number): number;
}

/** Whether a checked order has to do with it: watches are held against revisions instead. */
function isPlaced(operation: Operation): boolean {
  const { op, outcome } = operation;
  if (op.kind === "watch" || outcome === "fail") return false;
  return outcome === "ok" || (op.kind !== "get" && op.kind !== "range");
}

export function compileHistory({ header, operations }: History): CompiledHistory {
  const byCall = orderByCall(operations);
  const groups = new KeyGroups();
  const initial = header.initial ?? [];
  for (const { key } of initial) groups.addKey(key);
  for (const operation of operations) if (isPlaced(operation)) groups.add(operation);
  groups.settle();
  const rankOf = rankRevisions(operations, initial);
  const table = new OperationTable();
  const builder = new RowBuilder(table, groups, rankOf);
  const initialValues = new Int32Array(groups.keys.length).fill(ABSENT);
  const initialRevisions = new Int32Array(groups.keys.length).fill(aboveRevision(0));
  const initialOfCell = new Map(initial.map((entry) => [groups.cellOf(entry.key), entry]));
  const partitions: Partition[] = [];
  const buckets = bucketsOf(operations, byCall, groups);
  buckets.forEach((bucket, group) => {
    const firstRow = table.rows;
    const firstValue = builder.values;
    const firstCell = groups.firstCell[group] ?? 0;
    const endCell = groups.firstCell[group + 1] ?? 0;
    for (let cell = firstCell; cell < endCell && initialOfCell.size > 0; cell++) {
      const entry = initialOfCell.get(cell);
      if (entry === undefined) continue;
      initialValues[cell] = builder.valueOf(cell, entry.value);
      if (entry.revision !== undefined) initialRevisions[cell] = rankOf(entry.revision);
    }
    for (const source of bucket) {
      const operation = operations[source];
      if (operation !== undefined) builder.add(operation, source);
    }
    const ends = { endRow: table.rows, endCell, endValue: builder.values };
    partitions.push({ firstRow, firstCell, firstValue, ...ends });
  });
  const compiled: CompiledHistory = {
    operations,
    table,
    partitions,
    keys: groups.keys,
    initialValues,
    initialRevisions,
    values: builder.values,
    byCall,
    counts: countsOf(operations, groups, partitions),
    rankOf,
  };
  for (const partition of partitions) boundIndeterminate(compiled, partition);
  return compiled;
}

function orderByCall(operations: readonly Operation[]): number[] {
  const order = operations.map((_, source) => source);
  let isSorted = true;
  let last = -Infinity;
  for (const { call } of operations) {
    if (call < last) isSorted = false;
    last = call;
  }
  if (isSorted) return order;
  const calls = Float64Array.from(operations, (operation) => operation.call);
  // Sorting is stable: of equal calls the first in the history comes first.
  return order.sort((a, b) => (calls[a] ?? 0) - (calls[b] ?? 0));
}

/** The operations of each group of keys, in the order of their calls. */
function bucketsOf(
  operations: readonly Operation[],
  byCall: readonly number[],
  groups: KeyGroups,
): number[][] {
  const buckets: number[][] = groups.firstCell.slice(1).map(() => []);
  for (const source of byCall) {
    const operation = operations[source];
    if (operation === undefined || !isPlaced(operation)) continue;
    const cell = cellOfOperation(operation, groups);
    if (cell !== -1) buckets[groups.groupOfCell[cell] ?? 0]?.push(source);
  }
  return buckets;
}

/** One of its cells; -1: it is about no key at all. */
function cellOfOperation({ op, ...rest }: Operation, groups: KeyGroups): number {
  switch (op.kind) {
    case "get":
    case "put":
    case "delete":
    case "cas":
      return groups.cellOf(op.key);
    case "txn": {
      const [first] = [...op.compares, ...op.success, ...op.failure];
      return first === undefined ? -1 : groups.cellOf(first.key);
    }
    case "range": {
      const cells = groups.cellsOf(op.from, op.to);
      if (cells !== null) return cells.from;
      const entries = rest.outcome === "ok" && "entries" in rest.result ? rest.result.entries : [];
      const [entry] = entries;
      return entry === undefined ? -1 : groups.cellOf(entry.key);
    }
    case "watch":
      return -1;
  }
}

const REVISION_MAX: number = 2 ** 31 - 2;

/** Revisions as they are, or, where they are too great for 32 bits, by their rank. */
function rankRevisions(
  operations: readonly Operation[],
  initial: readonly { readonly revision?: number }[],
): (revision: number) => number {
  const all: number[] = [];
  let greatest = 0;
  const see = (revision: number | undefined): void => {
    if (revision === undefined) return;
    all.push(revision);
    greatest = Math.max(greatest, revision);
  };
  for (const { revision } of initial) see(revision);
  for (const operation of operations) forEachRevision(operation, see);
  if (greatest <= REVISION_MAX) return (revision) => revision;
  const sorted = Float64Array.from([0, ...all]).sort();
  return (revision) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? 0) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function forEachRevision(operation: Operation, see: (revision?: number) => void): void {
  const { op } = operation;
  if (op.kind === "put" || op.kind === "delete") see(op.ifRevision);
  if (op.kind === "txn") {
    for (const compare of op.compares) if ("revision" in compare) see(compare.revision);
  }
  if (operation.outcome !== "ok") return;
  const { result } = operation;
  if ("revision" in result) see(result.revision);
  if ("results" in result) {
    for (const told of result.results as readonly (GetAnswer | WriteAnswer)[]) see(told.revision);
  }
  if ("entries" in result) for (const entry of result.entries) see(entry.revision);
  if ("events" in result) for (const event of result.events) see(event.revision);
}

function countsOf(
  operations: readonly Operation[],
  groups: KeyGroups,
  partitions: readonly Partition[],
): HistoryCounts {
  const counts = { ok: 0, fail: 0, info: 0 };
  let watches = 0;
  for (const { op, outcome } of operations) {
    counts[outcome]++;
    if (op.kind === "watch") watches++;
  }
  return {
    operations: operations.length,
    completed: counts.ok,
    failed: counts.fail,
    indeterminate: counts.info,
    watches,
    keys: groups.keys.length,
    partitions: partitions.length,
  };
}
