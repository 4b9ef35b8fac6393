import type { Comparison, Loss, WorkloadCounts } from "@quorate/cli/verify";
import type { FaultRecord } from "./fault-log.ts";
import type { Fault } from "./faults/fault.ts";
import type { CheckedSegment } from "./segmented-load.ts";
import { silentFaults } from "./silent-faults.ts";

/** A fault that was asked for, and why it cannot be done here; null: it can. */
export interface WantedFault {
  readonly fault: Pick<Fault, "kind" | "shape">;
  readonly impossible: string | null;
}

/** All that a run has shown. */
export interface ChaosEvidence {
  readonly seed: number;
  readonly nodes: number;
  readonly network: string;
  readonly wanted: readonly WantedFault[];
  readonly records: readonly FaultRecord[];
  /** What the cluster must have done and did not; processes that ended without being meant to. */
  readonly problems: readonly string[];
  readonly segments: readonly CheckedSegment[];
  readonly counts: WorkloadCounts;
  /** Null: the run did not come so far. */
  readonly final: {
    readonly losses: readonly Loss[];
    readonly unread: number;
    readonly comparison: Comparison;
  } | null;
  /** How long the clients worked, in ms. */
  readonly workedMs: number;
  /** The longest time without an acknowledged write, in ms. */
  readonly longestGapMs: number;
}

/** Fewer checked operations a second than this show too little. */
const OPERATIONS_PER_SECOND_MIN = 10;
const LOSSES_TOLD = 5;

/** Everything that speaks against the cluster, or against the run; nothing: all is well. */
export function judge(evidence: ChaosEvidence): string[] {
  return [
    ...evidence.problems,
    ...historyProblems(evidence),
    ...finalProblems(evidence),
    ...vacuity(evidence),
  ];
}

/** How many operations the checker has looked at and found their outcome to be right. */
export function checkedOperations({ segments }: Pick<ChaosEvidence, "segments">): number {
  return segments.reduce(
    (sum, { verdict }) => sum + (verdict.kind === "linearizable" ? verdict.counts.completed : 0),
    0,
  );
}

function historyProblems({ segments }: ChaosEvidence): string[] {
  return segments.flatMap(({ number, verdict, path }) => {
    if (verdict.kind === "linearizable") return [];
    return [`${verdict.kind} history in minute ${number}: ${verdict.explanation} (${path})`];
  });
}

function finalProblems({ final }: ChaosEvidence): string[] {
  if (final === null) return ["the run ended before the nodes could be compared"];
  const { losses, unread, comparison } = final;
  const lost = losses
    .slice(0, LOSSES_TOLD)
    .map(({ key, explanation }) => `lost: ${key}: ${explanation}`);
  if (losses.length > LOSSES_TOLD) lost.push(`lost: ${losses.length - LOSSES_TOLD} keys more`);
  if (unread > 0) lost.push(`${unread} keys could not be read after the final heal`);
  if (comparison.kind !== "equal") {
    lost.push(`nodes are ${comparison.kind} after the final heal: ${comparison.explanation}`);
  }
  return lost;
}

/** A run that shows nothing is no success. */
function vacuity(evidence: ChaosEvidence): string[] {
  const possible = evidence.wanted.flatMap(({ fault, impossible }) =>
    impossible === null ? fault : [],
  );
  const { ofSilentKinds, shapes } = silentFaults(possible, evidence.records);
  const silent = new Set(ofSilentKinds.map(({ kind }): string => kind));
  for (const { kind, shape } of shapes) silent.add(`${kind} ${shape}`);
  const vacuous = [...silent].map((name) => `vacuous: ${name} never took effect`);
  if (evidence.records.every(({ outcome }) => outcome.kind !== "fired")) {
    vacuous.push("vacuous: no fault took effect");
  }
  const perSecond = (checkedOperations(evidence) * 1000) / Math.max(1, evidence.workedMs);
  if (perSecond < OPERATIONS_PER_SECOND_MIN) {
    vacuous.push(`vacuous: only ${perSecond.toFixed(1)} checked operations a second`);
  }
  return vacuous;
}
