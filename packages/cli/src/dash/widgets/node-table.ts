import type { NodeStatus } from "@quorate/wire";
import { bytes, count, fit, milliseconds, span, widthOf } from "../format.ts";
import type { ClusterView, NodeCondition, NodeRow } from "../select.ts";
import { logStrip, logWindow } from "./log-strip.ts";
import type { Paint, Tone } from "./paint.ts";
import { gauge } from "./sparkline.ts";

/** How much of a row there is room for. */
export type TableDetail = "compact" | "standard" | "wide";

interface Column {
  readonly title: string;
  readonly columns: number;
  readonly align: "left" | "right";
  /** Plain text; it is fitted to the column and painted by the row. */
  readonly text: (row: NodeRow) => string;
}

/** Rows to show, the leader first where they do not all fit and else sorted, and the selected. */
export interface TableRows {
  readonly rows: readonly NodeRow[];
  readonly selectedId: string | null;
}

/** The table of nodes: a line of titles and a line a node. */
export function nodeTable(
  view: ClusterView,
  { rows, selectedId }: TableRows,
  layout: { readonly columns: number; readonly detail: TableDetail },
  paint: Paint,
): readonly string[] {
  const table = columnsThatFit(tableColumns(view.rows, layout.detail), layout.columns);
  const used = usedColumns(table);
  const logColumns = layout.detail === "standard" ? Math.max(0, layout.columns - used) : 0;
  const titles = table.map(({ title, columns, align }) => fit(title, columns, align));
  const legend = logColumns === 0 ? "" : fit("LOG (⁷ uncommitted)", logColumns);
  return [
    paint.tone("dim", fit(`  ${titles.join(" ")} ${legend}`, layout.columns)),
    ...rows.map((row) => {
      const marker = row.id === selectedId ? "▸ " : "  ";
      const cells = table.map(({ title, text, columns, align }) =>
        paint.tone(
          title === "ROLE" ? conditionTone(row) : rowTone(row),
          fit(text(row), columns, align),
        ),
      );
      return `${marker}${cells.join(" ")} ${logCell(view, row, logColumns, paint)}`.trimEnd();
    }),
  ];
}

/** Long names push the rightmost columns out. */
function columnsThatFit(table: readonly Column[], columns: number): readonly Column[] {
  const least = table.findLastIndex((_, at) => usedColumns(table.slice(0, at + 1)) <= columns);
  return table.slice(0, least + 1);
}

function usedColumns(table: readonly Column[]): number {
  return table.reduce((sum, { columns }) => sum + columns + 1, 2);
}

function logCell(view: ClusterView, row: NodeRow, columns: number, paint: Paint): string {
  if (columns === 0) {
    return "";
  }
  if (row.status === null || row.condition === "lost") {
    return paint.tone("dim", fit(row.note ?? "", columns));
  }
  const strip = { status: row.status, scale: view.scale, window: logWindow(view.scale, columns) };
  return logStrip(strip, row.isStale, paint);
}

function tableColumns(rows: readonly NodeRow[], detail: TableDetail): readonly Column[] {
  const long = detail === "wide";
  const node = column(
    "NODE",
    clampedWidth(
      rows.map((row) => row.id),
      4,
      12,
    ),
    (row) => row.id,
  );
  const roles = rows.map((row) => conditionWords(row, long));
  const role = column("ROLE", clampedWidth(roles, 12, 19), (row) => conditionWords(row, long));
  const term = numeric("TERM", 5, (status) => status.currentTerm, false);
  const vote = column("VOTE", 5, (row) => known(row, row.status?.votedFor ?? "-"));
  const commit = numeric("COMMIT", 7, (status) => status.commitIndex);
  const lag = figure("LAG", 4, (row) => (row.lag === null ? "-" : count(row.lag, 4)));
  const trip = figure("RTT", 6, (row) =>
    row.roundTripMs === null ? "-" : `${milliseconds(row.roundTripMs)}ms`,
  );
  switch (detail) {
    case "compact":
      return [node, role, term, vote, commit, lag];
    case "standard":
      return [
        node,
        role,
        term,
        vote,
        commit,
        lag,
        trip,
        column("ELECT", 6, (row) => timer(row, 6)),
      ];
    case "wide":
      return [
        node,
        column(
          "ADDRESS",
          clampedWidth(
            rows.map((row) => row.address),
            14,
            21,
          ),
          (row) => row.address,
        ),
        role,
        term,
        vote,
        commit,
        numeric("APPLIED", 7, (status) => status.lastApplied),
        numeric("LAST", 7, (status) => status.lastLogIndex),
        lag,
        trip,
        column("ELECTION TIMER", 18, (row) => timer(row, 12)),
        figure("UP", 4, (row) => alive(row, (status) => span(status.uptimeMs))),
        figure("CONN", 4, (row) => alive(row, (status) => count(status.clientConnections, 4))),
        figure("RSS", 5, (row) => alive(row, (status) => bytes(status.residentBytes))),
      ];
  }
}

function column(title: string, columns: number, text: (row: NodeRow) => string): Column {
  return { title, columns, align: "left", text };
}

function figure(title: string, columns: number, text: (row: NodeRow) => string): Column {
  return { title, columns, align: "right", text };
}

function numeric(
  title: string,
  columns: number,
  value: (status: NodeStatus) => number,
  marked = true,
): Column {
  return figure(title, columns, (row) => {
    if (row.status === null) {
      return "-";
    }
    const text = count(value(row.status), columns - 1);
    return marked ? known(row, text) : text;
  });
}

/** A figure from before contact was lost carries a question mark. */
function known(row: NodeRow, text: string): string {
  return row.isStale && text !== "-" ? `${text}?` : text;
}

function alive(row: NodeRow, text: (status: NodeStatus) => string): string {
  return row.status === null || row.isStale ? "-" : text(row.status);
}

function clampedWidth(texts: readonly string[], least: number, most: number): number {
  return Math.min(most, Math.max(least, ...texts.map(widthOf)));
}

function timer(row: NodeRow, columns: number): string {
  const { status } = row;
  if (status === null || row.isStale) {
    return columns > 6 && row.note !== null ? row.note : "-";
  }
  if (status.electionTimerLeft === null) {
    const every = `${status.heartbeatIntervalMs}ms`;
    return columns > 6 ? `♥ every ${every}` : `♥ ${every}`;
  }
  return gauge(status.electionTimerLeft, columns);
}

const GLYPHS: Readonly<Record<NodeCondition, string>> = {
  leader: "★",
  staleLeader: "★",
  follower: "●",
  learner: "◇",
  staging: "◇",
  leaving: "◌",
  retired: "◌",
  preCandidate: "◐",
  candidate: "◐",
  down: "✗",
  silent: "‖",
  paused: "‖",
  lost: "?",
  refused: "≠",
  connecting: "…",
};

const WORDS: Readonly<Record<NodeCondition, string>> = {
  leader: "LEADER",
  staleLeader: "leader (old term)",
  follower: "follower",
  learner: "learner",
  staging: "staging",
  leaving: "leaving",
  retired: "retired",
  preCandidate: "pre",
  candidate: "cand",
  down: "down",
  silent: "silent",
  paused: "paused",
  lost: "lost",
  refused: "refused",
  connecting: "connect",
};

/** A node's condition as a glyph and a word: "★ LEADER", "✗ down 12s", "◐ cand 2/3". */
function conditionWords(row: NodeRow, long: boolean): string {
  const glyph = GLYPHS[row.condition];
  if (row.votes !== null) {
    const word = long && row.condition === "candidate" ? "candidate" : WORDS[row.condition];
    return `${glyph} ${word} ${row.votes.granted}/${row.votes.needed}`;
  }
  const time = row.forMs === null || row.condition === "connecting" ? "" : ` ${span(row.forMs)}`;
  return `${glyph} ${WORDS[row.condition]}${time}`;
}

function conditionTone(row: NodeRow): Tone {
  switch (row.condition) {
    case "leader":
      return "leader";
    case "follower":
    case "learner":
    case "staging":
      return "plain";
    case "down":
    case "refused":
    case "lost":
      return "bad";
    case "connecting":
    case "retired":
      return "dim";
    default:
      return "warning";
  }
}

function rowTone(row: NodeRow): Tone {
  return row.isStale ? "dim" : "plain";
}
