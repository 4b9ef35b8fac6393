import type { CompiledHistory } from "./compile-history.ts";
import { describeOperation } from "./describe-operation.ts";
import { NO_REVISION } from "./terms.ts";
import type { Tier, Violation, ViolationProblem } from "./verdict.ts";
import { violationOf } from "./violations.ts";
import type { PositionOf } from "./witness.ts";
import { logPosition, orderByPosition } from "./witness.ts";

/**
 * Whether log positions contradict real time, over all keys: an operation that stands behind
 * another one, and had ended before that one began. Null: they do not.
 */
export function findPositionAgainstTime(compiled: CompiledHistory): Violation | null {
  const rows: number[] = [];
  const { table } = compiled;
  for (let row = 0; row < table.rows; row++) {
    if ((table.position[row] ?? -1) !== -1) rows.push(row);
  }
  return findAgainstTime(compiled, rows, {
    positionOf: logPosition(table),
    problem: "positionAgainstTime",
    tier: "witness",
    noun: "log position",
  });
}

/** The same of the store's revisions, which number its changes: of writes alone. */
export function findRevisionAgainstTime(compiled: CompiledHistory): Violation | null {
  const rows: number[] = [];
  const { table } = compiled;
  for (let row = 0; row < table.rows; row++) {
    const isWrite = table.readOnly[row] === 0 && table.required[row] === 1;
    if (isWrite && table.revision[row] !== NO_REVISION) rows.push(row);
  }
  return findAgainstTime(compiled, rows, {
    positionOf: (row) => table.revision[row] ?? NO_REVISION,
    problem: "revisionAgainstTime",
    tier: "witness",
    noun: "revision",
  });
}

interface Numbering {
  readonly positionOf: PositionOf;
  readonly problem: ViolationProblem;
  readonly tier: Tier;
  readonly noun: string;
}

function findAgainstTime(
  compiled: CompiledHistory,
  rows: readonly number[],
  { positionOf, problem, tier, noun }: Numbering,
): Violation | null {
  const { table, operations } = compiled;
  let latest = -1;
  let latestCall = -Infinity;
  for (const row of orderByPosition(table, byCall(compiled, rows), positionOf)) {
    if ((table.end[row] ?? Infinity) < latestCall) {
      const tell = (one: number): string => {
        const operation = operations[table.source[one] ?? -1];
        if (operation === undefined) return "";
        return `${operation.client}'s "${describeOperation(operation)}"`;
      };
      const explanation =
        `${tell(row)} had ended at ${table.end[row]}, before ${tell(latest)} began at` +
        ` ${table.call[latest]}; yet its ${noun} is ${numberOf(compiled, row, noun)}, behind` +
        ` ${numberOf(compiled, latest, noun)}.`;
      return violationOf(compiled, {
        tier,
        problem,
        rows: [row, latest],
        culprit: row,
        explanation,
      });
    }
    if ((table.call[row] ?? 0) > latestCall) {
      latestCall = table.call[row] ?? 0;
      latest = row;
    }
  }
  return null;
}

/** Rows of one position come in the order of their calls, whichever keys they are about. */
function byCall({ table }: CompiledHistory, rows: readonly number[]): readonly number[] {
  const isSorted = rows.every(
    (row, at) => at === 0 || (table.call[rows[at - 1] ?? 0] ?? 0) <= (table.call[row] ?? 0),
  );
  return isSorted ? rows : rows.toSorted((a, b) => (table.call[a] ?? 0) - (table.call[b] ?? 0));
}

function numberOf({ table, operations }: CompiledHistory, row: number, noun: string): number {
  if (noun === "log position") return table.position[row] ?? 0;
  const operation = operations[table.source[row] ?? -1];
  const result = operation?.outcome === "ok" ? operation.result : {};
  return "revision" in result ? (result.revision ?? 0) : 0;
}
