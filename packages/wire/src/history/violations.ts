import type { CompiledHistory, Partition } from "./compile-history.ts";
import { describeBytes, describeOperation } from "./describe-operation.ts";
import type { Operation } from "./operation.ts";
import type { Window } from "./smallest-window.ts";
import { ABSENT, ANYTHING, aboveRevision, TERM_EFFECT, TERM_GUARD, TERM_UNLESS } from "./terms.ts";
import type { Tier, Violation, ViolationProblem } from "./verdict.ts";
import { findRefused } from "./void-history.ts";

/** A violation about some rows. */
export function violationOf(
  compiled: CompiledHistory,
  parts: {
    readonly tier: Tier;
    readonly problem: ViolationProblem;
    readonly rows: readonly number[];
    readonly culprit: number | null;
    readonly explanation: string;
  },
): Violation {
  const { tier, problem, rows, culprit, explanation } = parts;
  const { table, operations, counts } = compiled;
  const operationOf = (row: number): Operation[] => {
    const operation = operations[table.source[row] ?? -1];
    return operation === undefined ? [] : [operation];
  };
  const cells = new Set(rows.flatMap((row) => cellsOf(compiled, row)));
  const keys = [...cells].sort((a, b) => a - b).map((cell) => compiled.keys[cell] ?? "");
  return {
    kind: "violation",
    tier,
    problem,
    keys,
    window: rows.flatMap(operationOf),
    writers: writersOf(compiled, rows).flatMap(operationOf),
    culprit: culprit === null ? null : (operationOf(culprit)[0] ?? null),
    explanation,
    counts,
  };
}

/** A window without an order, as a violation. */
export function windowViolation(
  compiled: CompiledHistory,
  partition: Partition,
  window: Window,
  tier: Tier,
): Violation {
  const { rows, culprit } = window;
  return violationOf(compiled, {
    tier,
    problem: "notLinearizable",
    rows,
    culprit,
    explanation: explainWindow(compiled, partition, window),
  });
}

function cellsOf({ table }: CompiledHistory, row: number): number[] {
  const kinds = [TERM_GUARD, TERM_UNLESS, TERM_EFFECT];
  return kinds.flatMap((kind) => table.termsOf(row, kind)).map((term) => table.termCell[term] ?? 0);
}

/** Rows outside that wrote what is seen inside, by call. */
function writersOf(compiled: CompiledHistory, rows: readonly number[]): number[] {
  const { table, partitions } = compiled;
  const valueOf = (term: number): number => table.termValue[term] ?? ABSENT;
  const guards = rows.flatMap((row) => table.termsOf(row, TERM_GUARD));
  const seen = new Set(guards.map(valueOf).filter((value) => value >= 0));
  const inside = new Set(rows);
  const first = rows[0] ?? 0;
  const partition = partitions.find(({ firstRow, endRow }) => first >= firstRow && first < endRow);
  const found: number[] = [];
  for (let row = partition?.firstRow ?? 0; row < (partition?.endRow ?? 0); row++) {
    if (inside.has(row) || table.readOnly[row] === 1) continue;
    if (table.termsOf(row, TERM_EFFECT).some((term) => seen.has(valueOf(term)))) found.push(row);
  }
  return found;
}

function describeRow({ operations, table }: CompiledHistory, row: number): string {
  const operation = operations[table.source[row] ?? -1];
  return operation === undefined ? "" : describeOperation(operation);
}

function explainWindow(compiled: CompiledHistory, partition: Partition, window: Window): string {
  const { operations, table } = compiled;
  const { culprit, rows, best } = window;
  const operation = operations[table.source[culprit] ?? -1];
  const who = operation?.client ?? "";
  const shown = describeRow(compiled, culprit);
  if (rows.length === 1) {
    return `${who}'s ${shown} is impossible by itself: ${whyAlone(compiled, partition, culprit)}.`;
  }
  const inWindow = best.filter((row) => rows.includes(row));
  const order = inWindow.map((row) => describeRow(compiled, row));
  const before =
    order.length === 0 ? "nothing can come first" : `this order fits: ${order.join("; ")}`;
  const then = stateAfter(compiled, partition, window);
  return [
    `No order of these ${rows.length} operations respects real time and explains every answer.`,
    `As far as ${before}${then === "" ? "" : `; then ${then}`};`,
    `${who}'s ${shown} has no place.`,
  ].join(" ");
}

/** What the keys of the operation in question hold after the longest order that fits. */
function stateAfter(compiled: CompiledHistory, partition: Partition, window: Window): string {
  const { table, keys } = compiled;
  const { firstCell, endCell } = partition;
  const values = window.startsAnywhere
    ? new Int32Array(endCell - firstCell).fill(ANYTHING)
    : compiled.initialValues.slice(firstCell, endCell);
  const revisions = window.startsAnywhere
    ? new Int32Array(endCell - firstCell).fill(aboveRevision(0))
    : compiled.initialRevisions.slice(firstCell, endCell);
  for (const row of window.best) if (!table.apply(row, values, revisions, firstCell)) return "";
  const cells = [...new Set(cellsOf(compiled, window.culprit))].slice(0, 3);
  const held = cells.flatMap((cell) => {
    const value = values[cell - firstCell] ?? ANYTHING;
    if (value === ANYTHING) return [];
    return `${describeBytes(keys[cell] ?? "")} holds ${describeValue(compiled, partition, value)}`;
  });
  return held.join(", ");
}

/** A value in words: from an operation that wrote it. */
function describeValue(
  { table, operations }: CompiledHistory,
  { firstRow, endRow }: Partition,
  value: number,
): string {
  if (value === ABSENT) return "nothing";
  for (let row = firstRow; row < endRow; row++) {
    const effects = table.termsOf(row, TERM_EFFECT);
    const operation = operations[table.source[row] ?? -1];
    if (operation === undefined || !effects.some((term) => table.termValue[term] === value)) {
      continue;
    }
    const { op } = operation;
    if (op.kind === "put" || op.kind === "cas") return describeBytes(op.value);
    return `what ${operation.client}'s transaction wrote`;
  }
  return "what it held at the start";
}

function whyAlone(compiled: CompiledHistory, partition: Partition, row: number): string {
  const { table, operations } = compiled;
  const operation = operations[table.source[row] ?? -1];
  const isRead = operation?.op.kind === "get" && operation.outcome === "ok";
  if (!isRead) return "no state of its keys gives this answer";
  const failed = findRefused(compiled, operation);
  if (failed !== null) {
    return `only ${failed.client} wrote that value, and was told that it had no effect`;
  }
  if (!isWritten(compiled, partition, row)) return "nobody wrote that value";
  return "it ended before that could have been written, or the revision cannot be that one";
}

function isWritten({ table }: CompiledHistory, partition: Partition, row: number): boolean {
  const value = table.termValue[table.firstTerm[row] ?? 0] ?? ABSENT;
  const end = table.firstTerm[partition.endRow] ?? 0;
  for (let term = table.firstTerm[partition.firstRow] ?? 0; term < end; term++) {
    if (table.termKind[term] === TERM_EFFECT && table.termValue[term] === value) return true;
  }
  return false;
}
