import type { NodeId } from "@quorate/wire";
import type { SnapshotName } from "../ports/snapshot-store.ts";
import type { SnapshotWork } from "./driver-outcomes.ts";
import type { EventDraft } from "./event-text.ts";
import { formatDuration } from "./event-text.ts";

/** `640 KiB`, `1.2 GiB`: two or three digits and a unit. */
export function formatBytes(bytes: number): string {
  let [size, unit] = [bytes / 1024, "KiB"];
  for (const next of ["MiB", "GiB", "TiB"]) {
    if (size < 1000) break;
    [size, unit] = [size / 1024, next];
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

export function snapshotTaken(name: SnapshotName, work: SnapshotWork): EventDraft {
  return {
    kind: "snapshotTaken",
    severity: "info",
    text: `took a snapshot at ${at(name)}, ${cost(work)}`,
    details: detailsOf(name, work),
  };
}

export function snapshotInstalled(name: SnapshotName, work: SnapshotWork): EventDraft {
  return {
    kind: "snapshotInstalled",
    severity: "good",
    text: `took over the leader's snapshot at ${at(name)}, ${cost(work)}`,
    details: detailsOf(name, work),
  };
}

export function snapshotSending(to: NodeId, name: SnapshotName, totalBytes: number): EventDraft {
  return {
    kind: "snapshotSending",
    severity: "info",
    text: `began to send ${to} the snapshot at ${at(name)}, ${formatBytes(totalBytes)}`,
    details: { to, index: name.lastIncludedIndex, term: name.lastIncludedTerm, bytes: totalBytes },
  };
}

export function snapshotDamaged(from: NodeId, name: SnapshotName): EventDraft {
  return {
    kind: "snapshotDamaged",
    severity: "bad",
    text: `received a damaged snapshot from ${from} at ${at(name)}; asked for it again`,
    details: { from, index: name.lastIncludedIndex, term: name.lastIncludedTerm },
  };
}

function at({ lastIncludedIndex, lastIncludedTerm }: SnapshotName): string {
  return `${lastIncludedIndex}@${lastIncludedTerm}`;
}

function cost({ bytes, durationMs }: SnapshotWork): string {
  return `${formatBytes(bytes)} in ${formatDuration(durationMs)}`;
}

function detailsOf(name: SnapshotName, { bytes, durationMs }: SnapshotWork): EventDraft["details"] {
  return {
    index: name.lastIncludedIndex,
    term: name.lastIncludedTerm,
    bytes,
    durationMs: Math.round(durationMs),
  };
}
