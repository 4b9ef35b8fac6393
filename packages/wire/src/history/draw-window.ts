import { describeOperation } from "./describe-operation.ts";
import type { Operation } from "./operation.ts";

const BAR_WIDTH = 36;
const OPERATION_WIDTH = 56;
const LINES_MAX = 60;

/** One line of the drawing. */
interface Line {
  readonly operation: Operation;
  readonly mark: string;
}

/**
 * Operations as a table with a bar for each, from its call to its return: what overlaps in time
 * may have happened in either order. `✗` marks the culprit, `·` the `beside`, which are shown for
 * what they wrote. Bars keep the order of all calls and returns, not their distances; `▸` never
 * returned. Times are µs from the first call.
 */
export function drawWindow(
  operations: readonly Operation[],
  culprit: Operation | null = null,
  beside: readonly Operation[] = [],
): string[] {
  const lines = operations.slice(0, LINES_MAX).map((operation, at) => {
    return { operation, mark: `${operation === culprit ? "✗" : " "} ${letterOf(at)}` };
  });
  for (const operation of beside.slice(0, LINES_MAX)) lines.push({ operation, mark: "  ·" });
  lines.sort((a, b) => a.operation.call - b.operation.call);
  const drawn = drawLines(lines);
  const left = operations.length + beside.length - lines.length;
  return left === 0 ? drawn : [...drawn, `  and ${left} more operations`];
}

function letterOf(at: number): string {
  const letter = String.fromCodePoint(65 + (at % 26));
  return at < 26 ? letter : `${letter}${Math.floor(at / 26)}`;
}

function drawLines(lines: readonly Line[]): string[] {
  const columnOf = timeColumns(lines.map(({ operation }) => operation));
  const origin = Math.min(...lines.map(({ operation }) => operation.call));
  const table = lines.map(({ mark, operation }) => {
    const end = endOf(operation);
    const times = [operation.call - origin, end === Infinity ? null : end - origin];
    return [mark, operation.client, describeShort(operation), ...times.map(formatTime)];
  });
  const heading = ["", "client", "operation", "call", "return"];
  const widths = heading.map((name, column) =>
    Math.max(name.length, ...table.map((cells) => cells[column]?.length ?? 0)),
  );
  const layOut = (cells: readonly string[], bar: string): string => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column >= 3 ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${padded.join("  ")}  ${bar}`.trimEnd();
  };
  const rows = lines.map(({ operation }, at) =>
    layOut(table[at] ?? [], drawBar(operation, columnOf)),
  );
  return [layOut(heading, ""), ...rows];
}

function describeShort(operation: Operation): string {
  const text = describeOperation(operation);
  return text.length <= OPERATION_WIDTH ? text : `${text.slice(0, OPERATION_WIDTH - 1)}…`;
}

function endOf(operation: Operation): number {
  return operation.outcome === "info" ? Infinity : operation.return;
}

function formatTime(time: number | null): string {
  if (time === null) return "?";
  return Number.isInteger(time) ? `${time}` : time.toFixed(1);
}

/** Where each moment is drawn: in order, evenly. */
function timeColumns(operations: readonly Operation[]): (time: number) => number {
  const times = operations.flatMap((operation) => [operation.call, endOf(operation)]);
  const moments = [...new Set(times.filter((time) => time !== Infinity))].sort((a, b) => a - b);
  const last = Math.max(1, moments.length - 1);
  const columns = new Map(
    moments.map((time, at) => [time, Math.round((at * (BAR_WIDTH - 1)) / last)]),
  );
  return (time) => columns.get(time) ?? BAR_WIDTH;
}

function drawBar(operation: Operation, columnOf: (time: number) => number): string {
  const from = columnOf(operation.call);
  const end = endOf(operation);
  const to = columnOf(end);
  if (end !== Infinity && to <= from) return `${" ".repeat(from)}│`;
  const line = "─".repeat(Math.max(0, to - from - 1));
  return `${" ".repeat(from)}├${line}${end === Infinity ? "▸" : "┤"}`;
}
