import type { ChaosEvidence } from "./verdict.ts";
import { checkedOperations, judge } from "./verdict.ts";

/** One row of the table of faults. */
interface FaultRow {
  readonly kind: string;
  readonly shape: string;
  readonly fired: number;
  /** Done, and nothing was seen of them. */
  readonly idle: number;
  /** From the onset until something asked for after it was acknowledged, in ms. */
  readonly servedAfterMs: { readonly median: number; readonly max: number } | null;
  /** Until its nodes were back, in ms: with the time that it was held. */
  readonly lastedMaxMs: number | null;
  /** What was seen of the last one; or why there is none. */
  readonly note: string;
}

/** The result for people. */
export function formatReport(evidence: ChaosEvidence): string {
  const problems = judge(evidence);
  const rows = faultRows(evidence);
  const { counts, workedMs, final } = evidence;
  const checked = checkedOperations(evidence);
  const lines = [
    `chaos: seed ${evidence.seed}, ${evidence.nodes} nodes, ${seconds(workedMs)} of load, ` +
      `links cut by ${evidence.network}`,
    "",
    ...formatTable(rows),
    "",
    `operations  ${checked} checked in ${evidence.segments.length} histories; of ` +
      `${counts.operations} tried: ${counts.ok} ok, ${counts.failed} failed, ` +
      `${counts.unknown} unknown`,
    `throughput  ${((counts.ok * 1000) / Math.max(1, workedMs)).toFixed(0)} a second; the longest ` +
      `time without an acknowledged write: ${seconds(evidence.longestGapMs)}`,
    `in the end  ${formatFinal(final)}`,
  ];
  for (const problem of problems) lines.push(`PROBLEM     ${problem}`);
  lines.push(
    problems.length === 0
      ? `all is well: ${fired(evidence)} faults took effect, every history is linearizable, ` +
          "nothing acknowledged was lost"
      : "FAILED",
  );
  return lines.join("\n");
}

/** The result for programs. */
export function reportOf(evidence: ChaosEvidence): Record<string, unknown> {
  const problems = judge(evidence);
  const verdicts = evidence.segments.map(({ verdict, checkMs, path }) => ({
    kind: verdict.kind,
    completed: verdict.counts.completed,
    indeterminate: verdict.counts.indeterminate,
    checkMs: Math.round(checkMs),
    path,
  }));
  return {
    ok: problems.length === 0,
    problems,
    seed: evidence.seed,
    nodes: evidence.nodes,
    network: evidence.network,
    workedMs: Math.round(evidence.workedMs),
    checkedOperations: checkedOperations(evidence),
    counts: evidence.counts,
    operationsPerSecond: Math.round((evidence.counts.ok * 1000) / Math.max(1, evidence.workedMs)),
    longestGapMs: Math.round(evidence.longestGapMs),
    faultsFired: fired(evidence),
    faults: faultRows(evidence),
    histories: verdicts,
    comparison: evidence.final?.comparison ?? null,
    lost: evidence.final?.losses.length ?? null,
  };
}

/** How many faults took effect. */
function fired({ records }: Pick<ChaosEvidence, "records">): number {
  return records.filter(({ outcome }) => outcome.kind === "fired").length;
}

function faultRows({ wanted, records }: ChaosEvidence): FaultRow[] {
  return wanted.map(({ fault: { kind, shape }, impossible }) => {
    const own = records.filter(({ fault }) => fault.kind === kind && fault.shape === shape);
    const effective = own.filter(({ outcome }) => outcome.kind === "fired");
    const served = effective.flatMap(({ recovery }) => recovery.servedAfterMs ?? []);
    return {
      kind,
      shape,
      fired: effective.length,
      idle: own.length - effective.length,
      servedAfterMs: spread(served),
      lastedMaxMs:
        spread(effective.map(({ onsetMs, endMs }) => Math.round(endMs - onsetMs)))?.max ?? null,
      note: impossible === null ? noteOf(own) : `not possible here: ${impossible}`,
    };
  });
}

function noteOf(records: ChaosEvidence["records"]): string {
  const last = records.findLast(({ outcome }) => outcome.kind === "fired") ?? records.at(-1);
  if (last === undefined) return "its turn never came";
  switch (last.outcome.kind) {
    case "fired":
      return last.outcome.effect;
    case "idle":
      return `without effect: ${last.outcome.why}`;
    case "postponed":
      return "";
  }
}

function spread(values: readonly number[]): { median: number; max: number } | null {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const max = sorted.at(-1);
  return median === undefined || max === undefined ? null : { median, max };
}

const NOTE_MAX = 60;

function formatTable(rows: readonly FaultRow[]): string[] {
  const head = ["fault", "fired", "idle", "served after, median", "max", "back after", "seen"];
  const cells = rows.map((row) => [
    `${row.kind} ${row.shape}`,
    String(row.fired),
    String(row.idle),
    row.servedAfterMs === null ? "-" : seconds(row.servedAfterMs.median),
    row.servedAfterMs === null ? "-" : seconds(row.servedAfterMs.max),
    row.lastedMaxMs === null ? "-" : seconds(row.lastedMaxMs),
    row.note.length > NOTE_MAX && row.fired > 0 ? `${row.note.slice(0, NOTE_MAX - 1)}…` : row.note,
  ]);
  const widths = head.map((title, at) =>
    Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  return [head, ...cells].map((row) =>
    row
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        const isText = at === 0 || at === row.length - 1;
        return isText ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

function formatFinal(final: ChaosEvidence["final"]): string {
  if (final === null) return "not reached";
  const { losses, unread, comparison } = final;
  const nodes =
    comparison.kind === "equal"
      ? `all nodes have the same state at entry ${comparison.lastApplied}`
      : comparison.kind;
  return `${losses.length} acknowledged writes lost, ${unread} keys not readable; ${nodes}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
