import type { EntryId, LogEntry, LogIndex } from "@quorate/wire";
import type { RaftCore, RaftView } from "../../src/raft/index.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { configurationText } from "./message-text.ts";

/** Equal terms in a row from here on are told as `term x count`. */
const RUN_MIN = 5;
/** Of a longer log only the ends are told. */
const PARTS_MAX = 20;

/**
 * One server's state as one line: what it does, then the terms of its log. The bar stands behind
 * what it knows to be committed; what is not on its disk yet is in parentheses.
 */
export function serverText(id: string, core: RaftCore): string {
  const view = core.view();
  const { voteFloor, snapshotIndex, configurationIndex } = view;
  const parts = [
    `${id} ${roleText(view)}`,
    logText(core, view),
    configurationIndex > 0 ? configurationText(view.configuration) : null,
    snapshotIndex > 0 ? `snapshot ${snapshotIndex}` : null,
    voteFloor === null ? null : `vote floor ${placeText(voteFloor)}`,
    view.isStalled ? "disk stalls" : null,
    view.transferTarget === null ? null : `hands over to ${view.transferTarget}`,
  ];
  return parts.filter((part) => part !== null).join(", ");
}

/** What a server that is down has on its disk. */
export function diskText(id: string, disk: SimDisk): string {
  const { currentTerm, votedFor } = disk.hardState;
  const vote = votedFor === null ? "" : `, voted ${votedFor}`;
  const log = runs(disk.entries.map(termText));
  const first = disk.lastIndex - disk.entries.length;
  const from = first === 0 ? "" : ` from ${first + 1}:`;
  const { lastIncludedIndex } = disk.snapshot;
  const snapshot = lastIncludedIndex === 0 ? "" : `, snapshot ${lastIncludedIndex}`;
  const shown = log === "" ? "empty" : log;
  return `${id} is down, on its disk: term ${currentTerm}${vote}, log${from} ${shown}${snapshot}`;
}

function placeText({ index, term }: EntryId): string {
  return `${index}@${term}`;
}

function roleText(view: RaftView): string {
  const { role, currentTerm, leaderId, votedFor, votesGranted } = view;
  switch (role) {
    case "leader":
      return `leads term ${currentTerm}`;
    case "candidate":
      return `campaigns in term ${currentTerm} (${votesGranted ?? 0} granted)`;
    case "preCandidate":
      return `asks for pre-votes in term ${currentTerm} (${votesGranted ?? 0} granted)`;
    case "follower": {
      const vote = votedFor === null || votedFor === leaderId ? "" : `, voted ${votedFor}`;
      return `follows ${leaderId ?? "nobody"} in term ${currentTerm}${vote}`;
    }
  }
}

function logText(core: RaftCore, view: RaftView): string {
  const { firstLogIndex, lastLogIndex, commitIndex, durableIndex } = view;
  const split = Math.max(commitIndex, durableIndex);
  const unsaved = runs(terms(core, split + 1, lastLogIndex));
  const from = firstLogIndex === 1 ? "" : `from ${firstLogIndex}:`;
  const parts = [
    "log",
    from,
    runs(terms(core, firstLogIndex, commitIndex)),
    "|",
    runs(terms(core, Math.max(firstLogIndex, commitIndex + 1), split)),
    unsaved === "" ? "" : `(${unsaved})`,
    durableIndex < commitIndex ? `(on its disk up to ${durableIndex})` : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function terms(core: RaftCore, from: LogIndex, to: LogIndex): string[] {
  const shown: string[] = [];
  for (let index = from; index <= to; index += 1) {
    const entry = core.entryAt(index);
    if (entry !== null) shown.push(termText(entry));
  }
  return shown;
}

function termText({ term, kind }: LogEntry): string {
  return `${term}${kind === "configuration" ? "c" : ""}`;
}

function runs(shown: readonly string[]): string {
  const parts: string[] = [];
  let at = 0;
  while (at < shown.length) {
    let end = at + 1;
    while (end < shown.length && shown[end] === shown[at]) end += 1;
    if (end - at >= RUN_MIN) parts.push(`${shown[at] ?? ""}x${end - at}`);
    else parts.push(...shown.slice(at, end));
    at = end;
  }
  if (parts.length <= PARTS_MAX) return parts.join(" ");
  return [...parts.slice(0, 4), "..", ...parts.slice(-4)].join(" ");
}
