import type { Dashboard } from "./dashboard.ts";
import { canStillFold, type FeedLine } from "./event-feed.ts";
import { printable, timeOfDay } from "./format.ts";
import { sentences } from "./screens/sentences.ts";
import { toAscii } from "./widgets/ascii.ts";
import { severityGlyph } from "./widgets/event-lines.ts";

/** How {@link PlainLog} writes. */
export interface PlainLogOptions {
  readonly dashboard: Dashboard;
  readonly ascii: boolean;
  readonly write: (line: string) => void;
  readonly nowMs: () => number;
}

/**
 * The dashboard as lines of text, for pipes, files and screen readers: every event once, when
 * nothing can fold into it any more, and the state of the cluster whenever it changes.
 */
export class PlainLog {
  readonly #options: PlainLogOptions;
  #written = 0;
  #summary = "";

  constructor(options: PlainLogOptions) {
    this.#options = options;
  }

  /** Writes what became certain since the last call. */
  update(): void {
    const nowMs = this.#options.nowMs();
    for (const line of this.#options.dashboard.cluster.feed) {
      if (line.number > this.#written && canStillFold(line, nowMs)) {
        break;
      }
      if (line.number > this.#written) {
        this.#written = line.number;
        this.#write(feedText(line));
      }
    }
    this.#summarize(nowMs);
  }

  #summarize(nowMs: number): void {
    const { view } = this.#options.dashboard.model();
    const conditions = view.rows.map((row) => `${row.id} ${row.condition}`).join(" ");
    const summary = `${view.health} ${view.term} ${view.up}/${view.voters} ${conditions}`;
    if (summary !== this.#summary && view.isSettled) {
      this.#summary = summary;
      this.#write(`${timeOfDay(nowMs, "ms")} = all ${sentences(view).join(" ")}`);
    }
  }

  #write(line: string): void {
    this.#options.write(this.#options.ascii ? toAscii(line) : line);
  }
}

function feedText(line: FeedLine): string {
  const times = line.times > 1 ? ` ×${line.times}` : "";
  const glyph = severityGlyph(line.severity);
  const subject = printable(line.subject ?? "all");
  return `${timeOfDay(line.atMs, "ms")} ${glyph} ${subject} ${printable(line.text)}${times}`;
}
