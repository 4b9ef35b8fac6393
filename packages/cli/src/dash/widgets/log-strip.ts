import type { NodeStatus, Term } from "@quorate/wire";
import type { LogScale, LogTail } from "../select.ts";
import type { Paint } from "./paint.ts";

/** The indexes that a strip shows, one a column. */
export interface LogWindow {
  readonly from: number;
  readonly to: number;
  readonly columns: number;
}

/** A log and where it is looked at. */
export interface LogPicture {
  readonly status: NodeStatus;
  readonly scale: LogScale;
  readonly window: LogWindow;
}

const SUPERSCRIPTS = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"] as const;

/** The newest entries of any log, as many as fit. */
export function logWindow(scale: LogScale, columns: number): LogWindow {
  const to = scale.lastIndex;
  return { from: Math.max(1, to - columns + 1), to, columns };
}

/**
 * One node's log, a column an entry: the last digit of its term, on the term's colour where the
 * node knows it committed, as a superscript where not; `·` missing, `░` before what is reported,
 * `!` another term than the leader's entry there (it will be truncated, Raft §5.3). A stale strip
 * is from before contact was lost, and is dim.
 */
export function logStrip(
  { status, scale, window }: LogPicture,
  isStale: boolean,
  paint: Paint,
): string {
  const own = termsIn({ lastIndex: status.lastLogIndex, runs: status.logTail }, window);
  const leader = scale.leaderLog === null ? null : termsIn(scale.leaderLog, window);
  const runs: Cell[] = [];
  for (let index = window.from; index <= window.to; index += 1) {
    const term = own.get(index) ?? null;
    const cell = cellOf(index, term, leader?.get(index) ?? null, status);
    const last = runs.at(-1);
    if (last !== undefined && last.term === cell.term && last.fill === cell.fill) {
      runs[runs.length - 1] = { ...last, text: last.text + cell.text };
    } else {
      runs.push(cell);
    }
  }
  const painted = isStale
    ? paint.tone("dim", runs.map((run) => run.text).join(""))
    : runs.map((run) => paintCell(run, paint)).join("");
  return painted + " ".repeat(Math.max(0, window.columns - (window.to - window.from + 1)));
}

interface Cell {
  readonly text: string;
  /** Null: no entry of the log. */
  readonly term: Term | null;
  readonly fill: "solid" | "open" | "conflict";
}

function cellOf(
  index: number,
  term: Term | null,
  leaderTerm: Term | null,
  status: NodeStatus,
): Cell {
  if (term === null) {
    return { text: index > status.lastLogIndex ? "·" : "░", term: null, fill: "open" };
  }
  const digit = term % 10;
  if (index <= status.commitIndex) {
    return { text: String(digit), term, fill: "solid" };
  }
  if (leaderTerm !== null && leaderTerm !== term) {
    return { text: "!", term: null, fill: "conflict" };
  }
  return { text: SUPERSCRIPTS[digit] ?? "?", term, fill: "open" };
}

function paintCell(cell: Cell, paint: Paint): string {
  if (cell.fill === "conflict") {
    return paint.tone("bad", cell.text);
  }
  return cell.term === null
    ? paint.tone("dim", cell.text)
    : paint.term(cell.term, cell.text, cell.fill);
}

/** The terms of the reported entries that the window shows. */
function termsIn(tail: LogTail, window: LogWindow): ReadonlyMap<number, Term> {
  const terms = new Map<number, Term>();
  let endExclusive = tail.lastIndex + 1;
  for (const run of tail.runs.toReversed()) {
    const start = endExclusive - run.count;
    const last = Math.min(endExclusive - 1, window.to);
    for (let index = Math.max(start, window.from); index <= last; index += 1) {
      terms.set(index, run.term);
    }
    endExclusive = start;
    if (start <= window.from) {
      break;
    }
  }
  return terms;
}

/** Below a strip: `c` the node's commitIndex, `m` match and `n` next as the leader has them. */
export function logMarks(
  status: NodeStatus,
  progress: { readonly matchIndex: number; readonly nextIndex: number } | null,
  window: LogWindow,
): string {
  const cells = Array.from({ length: window.columns }, () => " ");
  const mark = (index: number, letter: string) => {
    const at = index - window.from;
    if (at >= 0 && at < cells.length) {
      cells[at] = cells[at] === " " ? letter : "*";
    }
  };
  mark(status.commitIndex, "c");
  if (progress !== null) {
    mark(progress.matchIndex, "m");
    mark(progress.nextIndex, "n");
  }
  return cells.join("");
}
