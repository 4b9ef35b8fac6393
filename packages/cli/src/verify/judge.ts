import type { Verdict } from "@quorate/wire/history";

import type { Comparison, ReadBack } from "./final-state.ts";
import type { FaultRecord } from "./nemesis.ts";
import type { WorkloadCounts } from "./workload.ts";

/** All that a run has shown. */
export interface Evidence {
  readonly verdict: Verdict;
  readonly readBack: ReadBack;
  readonly comparison: Comparison;
  /** Names of the kinds of fault that were asked for. */
  readonly faultsWanted: readonly string[];
  readonly faults: readonly FaultRecord[];
  readonly counts: WorkloadCounts;
  /** How long the workload ran. */
  readonly workloadMs: number;
  /** Fewer operations a second with a known outcome, and the run shows too little. */
  readonly okPerSecondMin: number;
}

/**
 * - `notLinearizable`, `undecided`: what the checker found, or did not.
 * - `lost`: an acknowledged write is gone. `diverged`: two nodes have applied the same, and differ.
 * - `notServing`, `notLevel`: after all faults were undone.
 * - `faultMissing`: a fault that was asked for never took effect. `tooFew`: operations.
 */
export type ProblemCode =
  | "notLinearizable"
  | "undecided"
  | "lost"
  | "diverged"
  | "notServing"
  | "notLevel"
  | "faultMissing"
  | "tooFew";

/** Why a run is not passed. */
export interface Problem {
  readonly code: ProblemCode;
  readonly text: string;
}

const LOSSES_TOLD = 5;

/** Everything that speaks against the cluster, or against the run; nothing: it is passed. */
export function judge(evidence: Evidence): Problem[] {
  return [
    ...problemsOfHistory(evidence.verdict),
    ...problemsOfState(evidence),
    ...problemsOfFaults(evidence),
    ...problemsOfThroughput(evidence),
  ];
}

function problemsOfHistory(verdict: Verdict): Problem[] {
  switch (verdict.kind) {
    case "linearizable":
      return [];
    case "violation":
      return [{ code: "notLinearizable", text: verdict.explanation }];
    case "unknown":
    case "void":
      return [{ code: "undecided", text: verdict.explanation }];
  }
}

function problemsOfState({ readBack, comparison }: Evidence): Problem[] {
  const problems = readBack.losses
    .slice(0, LOSSES_TOLD)
    .map(({ key, explanation }): Problem => ({ code: "lost", text: `${key}: ${explanation}` }));
  const more = readBack.losses.length - LOSSES_TOLD;
  if (more > 0) problems.push({ code: "lost", text: `the same of ${more} more keys` });
  const { unread } = readBack;
  if (unread.length > 0) {
    problems.push({
      code: "notServing",
      text: `${unread.length} keys could not be read at the end`,
    });
  }
  if (comparison.kind === "diverged") {
    problems.push({ code: "diverged", text: comparison.explanation });
  } else if (comparison.kind === "unsettled") {
    problems.push({ code: "notLevel", text: `not level at the end: ${comparison.explanation}` });
  }
  return problems;
}

function problemsOfFaults({ faultsWanted, faults }: Evidence): Problem[] {
  const missing = faultsWanted.flatMap((kind): Problem[] => {
    const tried = faults.filter((record) => record.kind === kind);
    if (tried.some(({ event }) => event.kind === "happened")) return [];
    const why = tried.map(({ event }) => (event.kind === "missed" ? event.why : "")).at(-1);
    const text = `${kind} never happened: ${why ?? "the run was over before"}`;
    return [{ code: "faultMissing", text }];
  });
  const stuck = faults.flatMap(({ event, heldMs, levelAfterMs }): Problem[] =>
    event.kind === "happened" && heldMs !== null && levelAfterMs === null
      ? [{ code: "notLevel", text: `not level again after it was healed: ${event.text}` }]
      : [],
  );
  return [...missing, ...stuck];
}

function problemsOfThroughput({ counts, workloadMs, okPerSecondMin }: Evidence): Problem[] {
  const perSecond = (counts.ok * 1_000) / workloadMs;
  if (perSecond >= okPerSecondMin) return [];
  const text = `${perSecond.toFixed(1)} operations a second are too few to show anything`;
  return [{ code: "tooFew", text: `${text}: at least ${okPerSecondMin} are needed` }];
}
