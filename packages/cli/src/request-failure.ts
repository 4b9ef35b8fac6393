import type { RequestError } from "@quorate/wire/client";
import { ConnectionError } from "@quorate/wire/net";

import type { ClusterReport } from "./cluster-report.ts";
import { reportCluster } from "./cluster-report.ts";
import { describeMissing, repairCommands } from "./cluster-wording.ts";
import type { Target } from "./context.ts";
import { formatDuration } from "./durations.ts";
import { CommandError } from "./errors.ts";
import type { ExitReason } from "./exit-codes.ts";
import { observeCluster } from "./observe.ts";

/** A request to the cluster that failed, and what it was. */
interface FailedRequest {
  readonly error: RequestError;
  readonly target: Target;
  /** From the sending to the failure. */
  readonly tookMs: number;
  readonly isWrite: boolean;
}

const DIAGNOSIS_TIMEOUT_MS = 300;

/** Codes of refusals that another attempt, or another node, would only repeat. */
const REFUSED_FOR_GOOD: ReadonlySet<string> = new Set([
  "tooLarge",
  "invalid",
  "transferFailed",
  "changeInProgress",
  "notReady",
  "quorumAtRisk",
  "storageFull",
  "notMember",
  "faultsNotAllowed",
]);

/** Codes of conditions that the sender set and that do not hold. */
const CONDITIONS: ReadonlySet<string> = new Set(["conditionFailed", "conflict"]);

/** What to do about a refusal, by its code. */
const REMEDIES: Readonly<Record<string, readonly string[]>> = {
  conditionFailed: ["quorate get <key> -o json"],
  conflict: ["quorate member list"],
  changeInProgress: ["quorate member list", "quorate status"],
  notReady: ["quorate status --wait leader"],
  quorumAtRisk: ["quorate status", "repeat with --force"],
  tooStale: ["quorate get <key>   (linearizable)"],
  storageFull: ["quorate status", "df -h"],
  faultsNotAllowed: ["start the nodes with --allow-faults", "quorate up (a local cluster)"],
};

/** Which row of the exit codes a failed request belongs to. */
export function exitReasonOf(error: RequestError, isWrite: boolean): ExitReason {
  // A process that takes connections and says nothing is there: paused, or stuck.
  if (error.code === "unreachable") return hasSilentNode(error) ? "notApplied" : "unreachable";
  if (CONDITIONS.has(error.code)) return "conditionFalse";
  if (REFUSED_FOR_GOOD.has(error.code)) return "failed";
  return isWrite && error.outcome === "unknown" ? "outcomeUnknown" : "notApplied";
}

function hasSilentNode(error: RequestError): boolean {
  return error.attempts.some(
    ({ error: cause }) => cause instanceof ConnectionError && cause.accepted,
  );
}

/** Facts for the `why:` of an unreachable cluster: one sentence an endpoint. */
function attemptFacts(error: RequestError): string[] {
  const facts = new Map<string, string>();
  for (const attempt of error.attempts) {
    const { endpoint, error: cause } = attempt;
    const text = cause instanceof ConnectionError ? cause.message : `${endpoint}: ${cause.message}`;
    facts.set(endpoint, text);
  }
  return [...facts.values()];
}

function whatHappened(reason: ExitReason, failed: FailedRequest, report: ClusterReport): string {
  const waited = `waited ${formatDuration(failed.tookMs)}`;
  const { up, size, quorum } = report;
  switch (reason) {
    case "unreachable":
      return `no node can be reached at ${failed.target.endpoints.join(", ")}`;
    case "outcomeUnknown":
      return `the outcome is unknown: the request was sent and not confirmed (${waited})`;
    case "notApplied":
      return up < quorum
        ? `no leader: ${up} of ${size} nodes answer, ${quorum} are needed to commit (${waited})`
        : `no leader accepted the request (${waited}): ${failed.error.message}`;
    default:
      return failed.error.message;
  }
}

/**
 * Explains a failed request: which nodes are missing, and how to get them back. Asks the nodes
 * once more for that, because an explanation must come from what is, not from what was planned.
 */
export async function explainFailure(failed: FailedRequest): Promise<CommandError> {
  const { error, target } = failed;
  const reason = exitReasonOf(error, failed.isWrite);
  const report = reportCluster(await observeCluster(target, DIAGNOSIS_TIMEOUT_MS));
  const missing = describeMissing(report.nodes);
  const isUnreachable = reason === "unreachable";
  const facts = [
    ...(missing === null ? [] : [missing]),
    ...(error.code === "unreachable" && target.cluster === null ? attemptFacts(error) : []),
    ...(isUnreachable ? [`endpoints: ${target.rule}`] : []),
    ...(reason === "outcomeUnknown"
      ? ["the write may still be applied: read before repeating"]
      : []),
  ];
  const repairs = [...(REMEDIES[error.code] ?? []), ...repairCommands(report.nodes)];
  const waits = reason === "notApplied" ? ["quorate status --wait healthy"] : ["quorate status"];
  const isForGood = error.code === "tooLarge" || error.code === "invalid";
  return new CommandError(reason, whatHappened(reason, failed, report), {
    why: facts,
    try: isForGood ? [] : [...repairs, ...waits],
    cause: error,
  });
}
