import type { EventSeverity, NodeEvent, NodeId } from "@quorate/wire";

/** Lines kept: more than any screen shows. */
const FEED_MAX = 500;

/** Commits and repeats fold into one line within this time. */
const FOLD_MS = 1_000;

/** Older events are not told: a line shows the time of the day only. */
const PAST_MAX_MS = 12 * 3_600_000;

/** A sentence about a node. */
export interface FeedNote {
  /** Null: about the whole cluster. */
  readonly subject: NodeId | null;
  readonly severity: EventSeverity;
  readonly text: string;
}

/** One line of the feed. */
export interface FeedLine extends FeedNote {
  /** Counts up with each new line; a fold keeps its line's number, past events change them. */
  readonly number: number;
  /** When the dashboard heard of it first; of what was before that, when the node says it was. */
  readonly atMs: number;
  /** How often it came within {@link FOLD_MS}. */
  readonly times: number;
  /** The range of a folded commit, or null. */
  readonly committed: { readonly from: number; readonly to: number } | null;
}

/** Whether later events can still change the line. */
export function canStillFold(line: FeedLine, atMs: number): boolean {
  return atMs - line.atMs < FOLD_MS;
}

/** The feed with a node's event, folded into an earlier line where it repeats one. */
export function appendNodeEvent(
  feed: readonly FeedLine[],
  node: NodeId,
  event: NodeEvent,
  atMs: number,
): readonly FeedLine[] {
  if (event.kind === "committed") {
    const range = committedRange(event);
    return range === null ? feed : appendCommitted(feed, range, atMs);
  }
  return appendNote(feed, { subject: node, severity: event.severity, text: event.text }, atMs);
}

/**
 * The feed with what a node did before the dashboard listened to it, in the order of the clocks of
 * the nodes. Commits are left out: the table tells how far they are.
 */
export function insertPastEvents(
  feed: readonly FeedLine[],
  node: NodeId,
  events: readonly NodeEvent[],
  nowMs: number,
): readonly FeedLine[] {
  const isTold = ({ kind, wallMs }: NodeEvent): boolean =>
    kind !== "committed" && nowMs - wallMs < PAST_MAX_MS;
  const past = events.filter(isTold).reduce((lines: readonly FeedLine[], event) => {
    const { severity, text, wallMs } = event;
    return appendNote(lines, { subject: node, severity, text }, Math.min(wallMs, nowMs));
  }, []);
  return [...past, ...feed]
    .toSorted((a, b) => a.atMs - b.atMs)
    .slice(-FEED_MAX)
    .map((line, offset) => ({ ...line, number: offset + 1 }));
}

/** The feed with a sentence, folded to "×n" where the same one is less than a second old. */
export function appendNote(
  feed: readonly FeedLine[],
  note: FeedNote,
  atMs: number,
): readonly FeedLine[] {
  const { subject, severity, text } = note;
  const at = findFold(feed, atMs, (line) => line.subject === subject && line.text === text);
  const found = feed[at];
  if (found !== undefined) {
    return feed.with(at, { ...found, times: found.times + 1 });
  }
  return push(feed, { atMs, subject, severity, text, times: 1, committed: null });
}

/** Every node commits every entry: one line for all of them, and one a second. */
function appendCommitted(
  feed: readonly FeedLine[],
  range: { readonly from: number; readonly to: number },
  atMs: number,
): readonly FeedLine[] {
  const known = feed.findLast((line) => line.committed !== null)?.committed ?? null;
  if (known !== null && range.to <= known.to) {
    return feed;
  }
  const at = findFold(feed, atMs, (line) => line.committed !== null);
  const found = feed[at];
  const open = found?.committed ?? null;
  if (found !== undefined && open !== null) {
    // A node that is behind tells again what another one told: the line's start stays.
    const committed = { from: open.from, to: range.to };
    return feed.with(at, { ...found, committed, text: committedText(committed) });
  }
  const from = known === null ? range.from : Math.max(range.from, known.to + 1);
  const committed = { from, to: range.to };
  const text = committedText(committed);
  return push(feed, { atMs, subject: null, severity: "info", text, times: 1, committed });
}

function committedText({ from, to }: { readonly from: number; readonly to: number }): string {
  return from === to ? `committed ${to}` : `committed ${from}–${to} (${to - from + 1} entries)`;
}

function committedRange(event: NodeEvent): { readonly from: number; readonly to: number } | null {
  const { details } = event;
  const from = details["firstIndex"];
  const to = details["lastIndex"];
  return typeof to === "number" && typeof from === "number" ? { from, to } : null;
}

/** Position of the newest line that `matches` and is young enough to fold into; -1 if none. */
function findFold(
  feed: readonly FeedLine[],
  atMs: number,
  matches: (line: FeedLine) => boolean,
): number {
  for (let at = feed.length - 1; at >= 0; at -= 1) {
    const line = feed[at];
    if (line === undefined || !canStillFold(line, atMs)) {
      return -1;
    }
    if (matches(line)) {
      return at;
    }
  }
  return -1;
}

function push(feed: readonly FeedLine[], line: Omit<FeedLine, "number">): readonly FeedLine[] {
  const number = (feed.at(-1)?.number ?? 0) + 1;
  return [...feed.slice(1 - FEED_MAX), { ...line, number }];
}
