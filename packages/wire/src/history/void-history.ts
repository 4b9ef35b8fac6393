import type { CompiledHistory, Partition } from "./compile-history.ts";
import { describeOperation } from "./describe-operation.ts";
import type { Operation } from "./operation.ts";
import { TERM_EFFECT, TERM_GUARD } from "./terms.ts";
import type { Void, VoidReason } from "./verdict.ts";

/** Why a history proves nothing; null: it can be checked. */
export function findVoid(compiled: CompiledHistory, usePositions: boolean): Void | null {
  const { counts, operations } = compiled;
  if (counts.completed === 0) {
    const explanation = `Of ${operations.length} operations none completed: nothing is shown.`;
    return voidOf(compiled, "empty", explanation, []);
  }
  return findOverlap(compiled) ?? (usePositions ? findSharedPosition(compiled) : null);
}

function voidOf(
  compiled: CompiledHistory,
  reason: VoidReason,
  explanation: string,
  operations: readonly Operation[],
): Void {
  return { kind: "void", reason, explanation, operations, counts: compiled.counts };
}

/** A client with two operations under way. One that it gave up, and a watch, go on beside others. */
function findOverlap(compiled: CompiledHistory): Void | null {
  const last = new Map<string, Operation>();
  for (const source of compiled.byCall) {
    const operation = compiled.operations[source];
    if (operation === undefined || operation.op.kind === "watch") continue;
    const before = last.get(operation.client);
    if (before?.outcome !== undefined && before.outcome !== "info") {
      if (before.return > operation.call) {
        const explanation =
          `Client ${operation.client} called "${describeOperation(operation)}" at ${operation.call}` +
          ` while its "${describeOperation(before)}" was under way until ${before.return}:` +
          " a client does one thing at a time, so what was recorded is not what happened.";
        return voidOf(compiled, "overlap", explanation, [before, operation]);
      }
    }
    if (operation.outcome !== "info") last.set(operation.client, operation);
  }
  return null;
}

/** Two writes under one log position: one of them was done twice, or recorded twice. */
function findSharedPosition(compiled: CompiledHistory): Void | null {
  const { table, operations } = compiled;
  const writers = new Map<number, number>();
  if (table.rows > 2 ** 23) return null;
  for (let row = 0; row < table.rows; row++) {
    const position = table.position[row] ?? -1;
    if (position === -1 || table.readOnly[row] === 1) continue;
    const other = writers.get(position);
    writers.set(position, row);
    if (other === undefined) continue;
    const both = [other, row].flatMap((one) => operations[table.source[one] ?? -1] ?? []);
    const shown = both.map((one) => `${one.client}'s "${describeOperation(one)}"`).join(" and ");
    const explanation = `Two writes have the log position ${position}: ${shown}.`;
    return voidOf(compiled, "duplicate", explanation, both);
  }
  return null;
}

/**
 * The first read, by call, of a value that nobody wrote; -1: there is none. A search would find
 * out, too, after trying everything.
 */
export function findPhantom(compiled: CompiledHistory, partition: Partition): number {
  const { table, operations } = compiled;
  const { firstRow, endRow, firstValue } = partition;
  const isWritten = writtenValues(compiled, partition);
  const endTerm = table.firstTerm[endRow] ?? 0;
  let row = firstRow;
  for (let term = table.firstTerm[firstRow] ?? 0; term < endTerm; term++) {
    const value = table.termValue[term] ?? -1;
    if (table.termKind[term] !== TERM_GUARD || value < 0) continue;
    if (isWritten[value - firstValue] === 1) continue;
    while ((table.firstTerm[row + 1] ?? 0) <= term) row++;
    if (operations[table.source[row] ?? -1]?.outcome === "ok") return row;
  }
  return -1;
}

/** By value of the partition: 1 where it may have been written, or was there at the start. */
function writtenValues(compiled: CompiledHistory, partition: Partition): Uint8Array {
  const { table, initialValues } = compiled;
  const { firstRow, endRow, firstCell, endCell, firstValue, endValue } = partition;
  const isWritten = new Uint8Array(endValue - firstValue);
  for (const value of initialValues.subarray(firstCell, endCell)) {
    if (value >= 0) isWritten[value - firstValue] = 1;
  }
  const endTerm = table.firstTerm[endRow] ?? 0;
  for (let term = table.firstTerm[firstRow] ?? 0; term < endTerm; term++) {
    const value = table.termValue[term] ?? -1;
    if (table.termKind[term] === TERM_EFFECT && value >= 0) isWritten[value - firstValue] = 1;
  }
  return isWritten;
}

/**
 * A value that nobody wrote, read before anything had surely been written there: the store was
 * not empty at the start, and the history does not tell what it held. Null: that is no excuse.
 */
export function findDirtyStart(
  compiled: CompiledHistory,
  partition: Partition,
  phantom: number,
): Void | null {
  const { table, operations } = compiled;
  const operation = operations[table.source[phantom] ?? -1];
  if (operation === undefined || operation.op.kind !== "get") return null;
  const cell = table.termCell[table.firstTerm[phantom] ?? 0];
  for (let row = partition.firstRow; row < partition.endRow; row++) {
    if ((table.end[row] ?? Infinity) >= (table.call[phantom] ?? 0)) continue;
    const effects = table.termsOf(row, TERM_EFFECT);
    if (effects.some((term) => table.termCell[term] === cell)) return null;
  }
  if (findRefused(compiled, operation) !== null) return null;
  const explanation =
    `${operation.client} read "${describeOperation(operation)}" before anything was written there:` +
    " the store was not empty at the start. Tell what it held in the header's `initial`.";
  return voidOf(compiled, "dirtyStart", explanation, [operation]);
}

/** Who tried to write what was read, and was told that it had no effect; null: nobody. */
export function findRefused({ operations }: CompiledHistory, read: Operation): Operation | null {
  if (read.op.kind !== "get" || read.outcome !== "ok" || !("value" in read.result)) return null;
  const wanted = JSON.stringify([read.op.key, read.result.value]);
  const refused = operations.find(
    ({ outcome, op }) =>
      outcome === "fail" &&
      (op.kind === "put" || op.kind === "cas") &&
      JSON.stringify([op.key, op.value]) === wanted,
  );
  return refused ?? null;
}
