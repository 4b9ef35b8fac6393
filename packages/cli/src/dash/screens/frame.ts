import { timeOfDay, truncate } from "../format.ts";
import type { NodeLink } from "../node-link.ts";
import { toAscii } from "../widgets/ascii.ts";
import { eventLines } from "../widgets/event-lines.ts";
import { type ColourDepth, createPaint, type Paint } from "../widgets/paint.ts";
import { rule } from "../widgets/rule.ts";
import { helpLines } from "./help.ts";
import {
  blanks,
  bottomLines,
  header,
  overviewLines,
  type ScreenModel,
  type ScreenSize,
} from "./overview.ts";
import { sentences, wrapWords } from "./sentences.ts";

/** How lines are drawn on this terminal. */
export interface DrawingStyle {
  readonly colours: ColourDepth;
  /** Only ASCII characters. */
  readonly ascii: boolean;
}

/** Smallest screen with a table of nodes. */
const TABLE_MIN: ScreenSize = { columns: 60, rows: 16 };

/**
 * One picture of the dashboard: at most `size.rows` lines of at most `size.columns` columns,
 * painted. Without colours and with ASCII alone it says the same.
 */
export function frameLines(
  model: ScreenModel,
  size: ScreenSize,
  style: DrawingStyle,
): readonly string[] {
  const paint = createPaint(style.colours);
  const lines = screenLines(model, size, paint).slice(0, size.rows);
  return style.ascii ? lines.map(toAscii) : lines;
}

function screenLines(model: ScreenModel, size: ScreenSize, paint: Paint): readonly string[] {
  if (size.columns < TABLE_MIN.columns || size.rows < TABLE_MIN.rows) {
    return smallScreen(model, size, paint);
  }
  if (model.ui.mode === "help") {
    return withChrome(model, size, paint, helpLines);
  }
  const nothingKnown = model.view.health === "unreachable" && model.view.rows.length === 0;
  return nothingKnown || (model.view.health === "unreachable" && !hasStatus(model))
    ? withChrome(model, size, paint, (room) => unreachableCard(model, room, paint))
    : overviewLines(model, size, paint);
}

function hasStatus(model: ScreenModel): boolean {
  return model.view.rows.some((row) => row.status !== null || row.local !== null);
}

function withChrome(
  model: ScreenModel,
  size: ScreenSize,
  paint: Paint,
  content: (room: ScreenSize, paint: Paint) => readonly string[],
): readonly string[] {
  const bottom = bottomLines(model, size, paint);
  const rows = size.rows - 1 - bottom.length;
  const lines = content({ columns: size.columns, rows }, paint).slice(0, rows);
  return [header(model, size, paint), ...lines, ...blanks(rows - lines.length), ...bottom];
}

/** Which addresses were tried, and what came of it. */
function unreachableCard(model: ScreenModel, room: ScreenSize, paint: Paint): readonly string[] {
  const { view } = model;
  const attempts = view.attempts.map((link) => ` ✗ ${attemptText(link, view.nowMs)}`);
  const events = Math.max(0, room.rows - attempts.length - 6);
  return [
    rule("No node answers", "", room.columns, paint),
    ...attempts.map((line) => truncate(line, room.columns)),
    "",
    truncate(" Is the cluster up? quorate up starts one; quorate ps -a lists them.", room.columns),
    "",
    rule("Events", "", room.columns, paint),
    ...eventLines(view.feed, { columns: room.columns, rows: events }, paint),
  ];
}

function attemptText(link: NodeLink, nowMs: number): string {
  const retryMs = (link.retryAtMs ?? nowMs) - nowMs;
  const retry = retryMs > 0 ? `; next try in ${(retryMs / 1000).toFixed(1)} s` : "";
  return `${link.address}  ${link.problem ?? "no answer yet"}${retry}`;
}

function smallScreen(model: ScreenModel, size: ScreenSize, paint: Paint): readonly string[] {
  const { ui, view } = model;
  const isAsking = ui.mode === "confirm" || ui.mode === "write" || ui.message !== null;
  const status = isAsking ? bottomLines(model, size, paint).slice(0, 1) : [];
  const rows = size.rows - status.length;
  const { columns } = size;
  const hint = `enlarge to ${TABLE_MIN.columns}x${TABLE_MIN.rows} for the table; q quits`;
  const clock = ui.frozen === null ? "" : `frozen at ${timeOfDay(ui.frozen.atMs, "s")}.`;
  const texts = [...sentences(view), ...(clock === "" ? [] : [clock]), hint];
  const lines = wrapWords(texts, { columns, rows });
  return [...lines, ...blanks(rows - lines.length), ...status];
}
