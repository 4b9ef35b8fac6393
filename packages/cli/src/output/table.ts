import { stripVTControlCharacters } from "node:util";

/** Rows of cells under headings; numbers are told by their column, not by their looks. */
export interface Table {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly string[])[];
}

export interface TableColumn {
  readonly heading: string;
  readonly align?: "left" | "right";
}

/**
 * Columns that a cell takes. Cells are names, numbers and plain words, and the last column alone
 * may hold a path: what knows every script's widths takes longer to load than a status to ask for.
 */
function widthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}

function pad(text: string, width: number, column: TableColumn): string {
  const fill = " ".repeat(Math.max(0, width - widthOf(text)));
  return column.align === "right" ? fill + text : text + fill;
}

function columnWidths(table: Table): number[] {
  return table.columns.map((column, offset) =>
    Math.max(widthOf(column.heading), ...table.rows.map((row) => widthOf(row[offset] ?? ""))),
  );
}

function joinRow(table: Table, widths: readonly number[], cells: readonly string[]): string[] {
  return table.columns.map((column, offset) =>
    pad(cells[offset] ?? "", widths[offset] ?? 0, column),
  );
}

/** For a terminal: a heading, then columns two spaces apart. */
export function alignedTable(table: Table): string[] {
  const widths = columnWidths(table);
  const headings = table.columns.map((column) => column.heading);
  return [headings, ...table.rows].map((cells) =>
    joinRow(table, widths, cells).join("  ").trimEnd(),
  );
}

/** For pipes: no heading, one tab between cells, nothing cut. */
export function tabSeparated(table: Table): string[] {
  return table.rows.map((cells) => cells.join("\t"));
}

/** For documents and mails: boxes of ASCII signs. */
export function boxedTable(table: Table): string[] {
  const widths = columnWidths(table);
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+`;
  const headings = table.columns.map((column) => column.heading);
  const line = (cells: readonly string[]): string =>
    `| ${joinRow(table, widths, cells).join(" | ")} |`;
  return [rule, line(headings), rule, ...table.rows.map(line), rule];
}
