import { formatDuration } from "../durations.ts";
import type { FaultRecord } from "../verify/nemesis.ts";
import type { VerifyReport } from "../verify/verify-run.ts";
import type { Painter } from "./colors.ts";
import type { JsonValue } from "./json.ts";
import { jsonCount } from "./json.ts";

/** One line for people when a fault shows, and one when it is over. */
export function faultLine(record: FaultRecord, stage: "tried" | "healed"): string {
  const { event, kind } = record;
  const sinceMs = record.atMs + (stage === "healed" ? (record.heldMs ?? 0) : 0);
  const at = `${(sinceMs / 1_000).toFixed(1)} s`.padStart(7);
  if (event.kind === "missed") return `${at}  ${kind} (${event.shape}) missed: ${event.why}`;
  if (stage === "tried") return `${at}  ${event.text} (${event.proof})`;
  const held = formatDuration(record.heldMs ?? 0);
  const level =
    record.levelAfterMs === null
      ? "NOT level again"
      : `level ${formatDuration(record.levelAfterMs)} later`;
  const served = record.servedAfterMs;
  const wrote = served === null ? "no write yet" : `writes went on after ${formatDuration(served)}`;
  return `${at}  … healed after ${held}: ${wrote}, ${level}`;
}

interface KindFigures {
  readonly kind: string;
  readonly happened: number;
  readonly missed: number;
  readonly shapes: readonly string[];
  readonly servedMaxMs: number | null;
  readonly levelMaxMs: number | null;
}

function largest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function figuresByKind(faults: readonly FaultRecord[]): KindFigures[] {
  return [...new Set(faults.map(({ kind }) => kind))].toSorted().map((kind) => {
    const records = faults.filter((record) => record.kind === kind);
    const happened = records.filter(({ event }) => event.kind === "happened");
    return {
      kind,
      happened: happened.length,
      missed: records.length - happened.length,
      shapes: [...new Set(happened.map(({ event }) => event.shape))].toSorted(),
      servedMaxMs: largest(happened.map(({ servedAfterMs }) => servedAfterMs)),
      levelMaxMs: largest(happened.map(({ levelAfterMs }) => levelAfterMs)),
    };
  });
}

/** The figures and what was found, for people. */
export function verifyLines(report: VerifyReport, paint: Painter): string[] {
  const { counts, workloadMs, verdict, comparison } = report;
  const perSecond = Math.round((counts.ok * 1_000) / workloadMs);
  const lines = [
    `operations  ${counts.operations} in ${formatDuration(workloadMs)}: ${counts.ok} ok ` +
      `(${perSecond}/s), ${counts.failed} failed, ${counts.unknown} unknown`,
    `writes      ${report.writes} acknowledged on ${report.keys} keys; ` +
      `longest time without one ${formatDuration(report.longestGapMs)}`,
    ...figuresByKind(report.faults).map(kindLine),
  ];
  const good = paint("good", "✓");
  if (verdict.kind === "linearizable") {
    const took = formatDuration(report.checkMs);
    const what = `${verdict.counts.completed} answers, ${verdict.counts.indeterminate} unknown`;
    lines.push(`${good} linearizable: ${what}, by ${verdict.tier} in ${took}`);
  }
  if (comparison.kind === "equal") {
    const { lastApplied, revision } = comparison;
    lines.push(
      `${good} all nodes have the same state at entry ${lastApplied}, revision ${revision}`,
    );
  }
  if (report.readBack.losses.length + report.readBack.unread.length === 0) {
    lines.push(`${good} nothing that was acknowledged is lost`);
  }
  const bad = paint("bad", "✗");
  return [...lines, ...report.problems.map(({ text }) => `${bad} ${text}`)];
}

function kindLine({ kind, happened, shapes, servedMaxMs, levelMaxMs }: KindFigures): string {
  const time = (value: number | null): string => (value === null ? "-" : formatDuration(value));
  const names = shapes.length === 0 ? "" : ` (${shapes.join(", ")})`;
  return (
    `${kind.padEnd(10)}  ${happened} times${names}; at worst a write after ${time(servedMaxMs)}, ` +
    `level ${time(levelMaxMs)} after healing`
  );
}

function microseconds(valueMs: number | null): number | null {
  return valueMs === null ? null : Math.round(valueMs * 1_000);
}

function faultFields(record: FaultRecord): JsonValue {
  const { event, kind } = record;
  return {
    kind,
    shape: event.shape,
    happened: event.kind === "happened",
    text: event.kind === "happened" ? event.text : event.why,
    proof: event.kind === "happened" ? event.proof : null,
    nodes: event.kind === "happened" ? event.nodes : [],
    atUs: microseconds(record.atMs),
    heldUs: microseconds(record.heldMs),
    servedAfterUs: microseconds(record.servedAfterMs),
    levelAfterUs: microseconds(record.levelAfterMs),
  };
}

/** The same as one JSON document. */
export function verifyFields(report: VerifyReport): Record<string, JsonValue> {
  const { counts, verdict, comparison } = report;
  return {
    passed: report.problems.length === 0,
    problems: report.problems.map(({ code, text }) => ({ code, text })),
    verdict: {
      kind: verdict.kind,
      tier: verdict.kind === "linearizable" || verdict.kind === "violation" ? verdict.tier : null,
      durationUs: microseconds(report.checkMs),
    },
    operations: { ...counts },
    durationUs: microseconds(report.workloadMs),
    acknowledgedWrites: report.writes,
    keys: report.keys,
    lost: report.readBack.losses.map(({ key, explanation }) => ({ key, explanation })),
    longestGapUs: microseconds(report.longestGapMs),
    state: {
      kind: comparison.kind,
      lastApplied: comparison.kind === "equal" ? jsonCount(comparison.lastApplied) : null,
      revision: comparison.kind === "equal" ? jsonCount(comparison.revision) : null,
    },
    faults: report.faults.map(faultFields),
  };
}
