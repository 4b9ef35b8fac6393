import type { Permissions } from "../actions.ts";
import { fit, printable } from "../format.ts";
import type { ClusterView, NodeRow } from "../select.ts";
import type { UiState } from "../ui-state.ts";
import { eventLines } from "../widgets/event-lines.ts";
import { footerLines, statusLine } from "../widgets/footer.ts";
import { headerLine } from "../widgets/header.ts";
import { logMarks, logStrip, logWindow } from "../widgets/log-strip.ts";
import { nodeTable, type TableDetail } from "../widgets/node-table.ts";
import type { Paint } from "../widgets/paint.ts";
import { rule } from "../widgets/rule.ts";
import { trafficLines } from "../widgets/traffic-lines.ts";

/** What a frame is drawn from. */
export interface ScreenModel {
  readonly view: ClusterView;
  readonly ui: UiState;
  readonly selected: NodeRow | null;
  readonly permissions: Permissions;
  readonly clusterName: string;
  /** Whether keys work: without them there is no footer. */
  readonly hasKeys: boolean;
}

/** Columns and rows of the terminal. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** Lines kept for events, before nodes scroll. */
const EVENTS_MIN = 3;

/** The overview: nodes, their logs, traffic and events. Exactly `size.rows` lines. */
export function overviewLines(
  model: ScreenModel,
  size: ScreenSize,
  paint: Paint,
): readonly string[] {
  const detail = detailOf(size);
  const top = [header(model, size, paint)];
  const traffic = detail === "compact" ? [] : trafficSection(model.view, size.columns, paint);
  const bottom = bottomLines(model, size, paint);
  const room = size.rows - top.length - traffic.length - bottom.length;
  const perNode = detail === "wide" ? 3 : 1;
  const fixed = detail === "wide" ? 4 : 2;
  const fits = Math.max(1, Math.floor((room - fixed - EVENTS_MIN - 1) / perNode));
  const rows = visibleRows(model, fits);
  const nodes = [
    nodesRule(model.view, detail, size.columns, paint),
    ...nodeTable(
      model.view,
      { rows, selectedId: model.hasKeys ? (model.selected?.id ?? null) : null },
      { columns: size.columns, detail },
      paint,
    ),
    ...(detail === "wide" ? logSection(model.view, rows, size.columns, paint) : []),
  ];
  const eventRows = Math.max(0, room - nodes.length - 1);
  const events = eventLines(model.view.feed, { columns: size.columns, rows: eventRows }, paint);
  const middle = detail === "wide" ? [...traffic, ...nodes] : [...nodes, ...traffic];
  const lines = [...top, ...middle, rule("Events", "", size.columns, paint), ...events];
  const padded = [...lines, ...blanks(size.rows - lines.length - bottom.length), ...bottom];
  return padded.slice(0, size.rows);
}

function detailOf({ columns, rows }: ScreenSize): TableDetail {
  if (columns >= 120 && rows >= 36) {
    return "wide";
  }
  return columns >= 80 && rows >= 24 ? "standard" : "compact";
}

/** The first line of every screen. */
export function header(model: ScreenModel, size: ScreenSize, paint: Paint): string {
  const facts = {
    clusterName: model.clusterName,
    frozenAtMs: model.ui.frozen?.atMs ?? null,
    readOnly: model.permissions.readOnly,
  };
  return headerLine(model.view, facts, size.columns, paint);
}

/** Status line and keys, as the last lines of every screen. */
export function bottomLines(model: ScreenModel, size: ScreenSize, paint: Paint): readonly string[] {
  if (!model.hasKeys) {
    return model.ui.message === null ? [] : [statusLine(model.ui, size.columns, paint)];
  }
  const rows = size.rows >= 24 ? 2 : 1;
  const keys = footerLines(model, { columns: size.columns, rows }, paint);
  return [
    statusLine(model.ui, size.columns, paint),
    rule("", "", size.columns, paint),
    ...keys,
    ...blanks(rows - keys.length),
  ];
}

function nodesRule(view: ClusterView, detail: TableDetail, columns: number, paint: Paint): string {
  const { from, to } = logWindow(view.scale, standardLogColumns(columns));
  const shown = detail === "standard" && to > 0 ? `log ${from} ─► ${to}` : "";
  return rule("Nodes", shown, columns, paint);
}

/** Roughly what the table leaves for the log: only for the title. */
function standardLogColumns(columns: number): number {
  return Math.max(1, columns - 59);
}

function trafficSection(view: ClusterView, columns: number, paint: Paint): readonly string[] {
  return [rule("Traffic", "last 30 s", columns, paint), ...trafficLines(view, columns, paint)];
}

/** Every log on one scale, with the leader's bookkeeping below each. */
function logSection(
  view: ClusterView,
  rows: readonly NodeRow[],
  columns: number,
  paint: Paint,
): readonly string[] {
  const nameColumns = Math.max(4, ...rows.map((row) => Math.min(12, row.id.length)));
  const window = logWindow(view.scale, columns - nameColumns - 4);
  const title = "Replicated log: a cell is a term, ⁷ not committed, c commit m match n next * both";
  return [
    rule(title, `${window.from}…${window.to}`, columns, paint),
    ...rows.flatMap((row) => {
      const name = fit(row.id, nameColumns);
      if (row.status === null) {
        return [`  ${name} ${paint.tone("dim", printable(row.note ?? "never heard"))}`, ""];
      }
      const marks = logMarks(row.status, row.progress, window).trimEnd();
      return [
        `  ${name} ${logStrip({ status: row.status, scale: view.scale, window }, row.isStale, paint)}`,
        `  ${" ".repeat(nameColumns)} ${paint.tone("dim", marks)}`,
      ];
    }),
  ];
}

/** As many rows as fit: the leader first, then a window around the selected one. */
function visibleRows(model: ScreenModel, fits: number): readonly NodeRow[] {
  const { rows } = model.view;
  if (rows.length <= fits) {
    return rows;
  }
  const leader = rows.find((row) => row.condition === "leader");
  const others = rows.filter((row) => row !== leader);
  const room = Math.max(0, fits - (leader === undefined ? 0 : 1));
  const at = others.findIndex((row) => row.id === model.selected?.id);
  const start = Math.max(0, Math.min(at - Math.floor(room / 2), others.length - room));
  return [...(leader === undefined ? [] : [leader]), ...others.slice(start, start + room)];
}

/** `count` empty lines; none where it is negative. */
export function blanks(count: number): readonly string[] {
  return Array.from({ length: Math.max(0, count) }, () => "");
}
