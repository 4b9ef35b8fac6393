import type { EventSeverity } from "@quorate/wire";
import type { FeedLine } from "../event-feed.ts";
import { fit, printable, timeOfDay, truncate } from "../format.ts";
import type { Paint, Tone } from "./paint.ts";

/** The newest events that fit in `rows`, oldest first. */
export function eventLines(
  feed: readonly FeedLine[],
  size: { readonly columns: number; readonly rows: number },
  paint: Paint,
): readonly string[] {
  const shown = size.rows <= 0 ? [] : feed.slice(-size.rows);
  return shown.map((line) => eventLine(line, size.columns, paint));
}

/** One event: time, glyph of its severity, node, sentence. */
function eventLine(line: FeedLine, columns: number, paint: Paint): string {
  const time = timeOfDay(line.atMs, "ms");
  const glyph = severityGlyph(line.severity);
  const times = line.times > 1 ? ` ×${line.times}` : "";
  const subject = fit(printable(line.subject ?? "all"), subjectColumns(line));
  const room = columns - 1 - time.length - 3 - subject.length - 1;
  const text = truncate(printable(line.text) + times, Math.max(0, room));
  return ` ${paint.tone("dim", time)} ${paint.tone(severityTone(line.severity), glyph)} ${subject} ${text}`;
}

function subjectColumns(line: FeedLine): number {
  return Math.min(12, Math.max(3, (line.subject ?? "all").length));
}

/** A severity that is readable without colour. */
export function severityGlyph(severity: EventSeverity): string {
  return { info: "·", good: "✓", warning: "!", bad: "✗" }[severity];
}

/** The tone that goes with {@link severityGlyph}. */
export function severityTone(severity: EventSeverity): Tone {
  return severity === "info" ? "dim" : severity;
}
