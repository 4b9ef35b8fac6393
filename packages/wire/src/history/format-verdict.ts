import { describeBytes } from "./describe-operation.ts";
import { drawWindow } from "./draw-window.ts";
import type { HistoryCounts, Tier, Verdict, Violation } from "./verdict.ts";

const KEYS_SHOWN = 5;

const TIER_NAMES: Readonly<Record<Tier, string>> = {
  witness: "the log's own order",
  zones: "the lifetimes of its values",
  search: "the search for an order",
  justInTime: "the search along the returns",
  watch: "the streams' revisions",
};

/** A verdict in lines for people, with the window drawn where there is one. */
export function formatVerdict(verdict: Verdict): string {
  switch (verdict.kind) {
    case "linearizable":
      return [
        `linearizable: ${describeCounts(verdict.counts)}`,
        `decided by ${describeTiers(verdict.decidedBy)}`,
      ].join("\n");
    case "violation":
      return formatViolation(verdict);
    case "unknown":
      return [
        `unknown: ${verdict.explanation}`,
        `checked: ${describeCounts(verdict.counts)}`,
        `undecided keys: ${describeKeys(verdict.keys)}`,
      ].join("\n");
    case "void":
      return [
        `void: ${verdict.explanation}`,
        ...(verdict.operations.length === 0 ? [] : ["", ...drawWindow(verdict.operations)]),
      ].join("\n");
  }
}

function formatViolation(verdict: Violation): string {
  const { window, writers, culprit } = verdict;
  const what = verdict.problem === "notLinearizable" ? "not linearizable" : verdict.problem;
  const legend = "· wrote what is read here: it may stand anywhere in time's order, or nowhere";
  return [
    `${what}: ${describeKeys(verdict.keys)} (shown by ${TIER_NAMES[verdict.tier]})`,
    verdict.explanation,
    "",
    ...drawWindow(window, culprit, writers),
    ...(writers.length === 0 ? [] : [legend]),
  ].join("\n");
}

function describeKeys(keys: Violation["keys"]): string {
  const shown = keys.slice(0, KEYS_SHOWN).map((key) => describeBytes(key));
  const left = keys.length - shown.length;
  const more = left === 0 ? "" : ` and ${left} more`;
  return `${keys.length === 1 ? "key" : "keys"} ${shown.join(", ")}${more}`;
}

function describeCounts(counts: HistoryCounts): string {
  const { operations, completed, failed, indeterminate, watches, keys } = counts;
  const parts = [`${count(completed)} completed`];
  if (failed > 0) parts.push(`${count(failed)} failed`);
  if (indeterminate > 0) parts.push(`${count(indeterminate)} of unknown end`);
  if (watches > 0) parts.push(plural(watches, "watch stream"));
  return `${plural(operations, "operation")} on ${plural(keys, "key")} (${parts.join(", ")})`;
}

function describeTiers(decidedBy: Readonly<Partial<Record<Tier, number>>>): string {
  const tiers: readonly Tier[] = ["witness", "zones", "search", "justInTime", "watch"];
  const parts = tiers.flatMap((tier) => {
    const groups = decidedBy[tier] ?? 0;
    if (groups === 0) return [];
    const noun = tier === "watch" ? "stream" : "group of keys";
    return [`${TIER_NAMES[tier]} (${plural(groups, noun)})`];
  });
  return parts.length === 0 ? "nothing: no key was touched" : parts.join(", ");
}

function plural(number: number, noun: string): string {
  if (number === 1) return `1 ${noun}`;
  return `${count(number)} ${noun === "group of keys" ? "groups of keys" : `${noun}s`}`;
}

/** With a comma every three digits, wherever it runs. */
function count(number: number): string {
  return String(number).replace(/\B(?=(?:\d{3})+$)/gu, ",");
}
