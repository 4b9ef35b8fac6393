import { CheckBudget } from "./check-budget.ts";
import type { CompiledHistory, Partition } from "./compile-history.ts";
import { compileHistory } from "./compile-history.ts";
import { searchInTurns } from "./contest.ts";
import type { History } from "./operation.ts";
import { smallestWindow } from "./smallest-window.ts";
import { findPositionAgainstTime, findRevisionAgainstTime } from "./time-order.ts";
import type { CheckOptions, Tier, Unknown, UnknownWhy, Verdict, Violation } from "./verdict.ts";
import { violationOf, windowViolation } from "./violations.ts";
import { findDirtyStart, findPhantom, findVoid } from "./void-history.ts";
import { findWatchFault } from "./watch-streams.ts";
import { isWitnessed, logPosition, revisionPosition } from "./witness.ts";
import { checkZones } from "./zones.ts";

/** Cheapest first. */
const TIERS: readonly Tier[] = ["witness", "zones", "search", "justInTime", "watch"];
const KEYS_TOLD_MAX = 100;

/**
 * Tells whether a linearizable store can have given these answers. Every key, or group of keys
 * that one operation ties together, is decided by the cheapest tier that can; the first that is
 * impossible ends the check. Deterministic, unless `budgetMs` ends it.
 *
 * Without a budget it may search for a very long time: histories without log positions are
 * exponential in the number of operations that are open at a time.
 */
export function checkHistory(history: History, options: CheckOptions = {}): Verdict {
  const compiled = compileHistory(history);
  const usePositions = options.usePositions ?? true;
  const isVoid = findVoid(compiled, usePositions);
  if (isVoid !== null) return isVoid;
  return new Check(history, compiled, options).run(usePositions);
}

class Check {
  readonly #history: History;
  readonly #compiled: CompiledHistory;
  readonly #budget: CheckBudget;
  readonly #decidedBy: Partial<Record<Tier, number>> = {};

  constructor(history: History, compiled: CompiledHistory, options: CheckOptions) {
    this.#history = history;
    this.#compiled = compiled;
    this.#budget = new CheckBudget(options, compiled.partitions.length);
  }

  run(usePositions: boolean): Verdict {
    const compiled = this.#compiled;
    for (const partition of compiled.partitions) {
      const wrong = this.#findPhantom(partition);
      if (wrong !== null) return wrong;
    }
    const lie = usePositions ? findPositionAgainstTime(compiled) : null;
    if (lie !== null) return lie;
    const open: Partition[] = [];
    for (const partition of compiled.partitions) {
      const verdict = this.#decideCheaply(partition, usePositions);
      if (verdict === null) open.push(partition);
      else if (verdict !== "order") return verdict;
    }
    const searched = searchInTurns(compiled, open, this.#budget);
    if (searched.violation !== null) return searched.violation;
    const rest = findRevisionAgainstTime(compiled) ?? this.#checkWatches();
    if (rest !== null) return rest;
    if (searched.undecided.length > 0) return this.#unknown(searched.why, searched.undecided);
    for (const tier of TIERS) this.#count(tier, searched.decidedBy[tier] ?? 0);
    return this.#linearizable();
  }

  #count(tier: Tier, partitions: number): void {
    if (partitions === 0) return;
    this.#decidedBy[tier] = (this.#decidedBy[tier] ?? 0) + partitions;
  }

  #findPhantom(partition: Partition): Verdict | null {
    const compiled = this.#compiled;
    const phantom = findPhantom(compiled, partition);
    if (phantom === -1) return null;
    const isDirty = findDirtyStart(compiled, partition, phantom);
    if (isDirty !== null) return isDirty;
    const window = { rows: [phantom], culprit: phantom, best: [], startsAnywhere: false };
    return windowViolation(compiled, partition, window, "zones");
  }

  /** By witness or zones. Null: neither could tell. */
  #decideCheaply(partition: Partition, usePositions: boolean): Violation | "order" | null {
    const compiled = this.#compiled;
    const { table } = compiled;
    const isShown =
      (usePositions && isWitnessed(compiled, partition, logPosition(table))) ||
      isWitnessed(compiled, partition, revisionPosition(table));
    if (isShown) {
      this.#count("witness", 1);
      this.#budget.decided();
      return "order";
    }
    const zones = checkZones(compiled, partition);
    if (zones.kind === "order") {
      this.#count("zones", 1);
      this.#budget.decided();
      return "order";
    }
    if (zones.kind === "notApplicable") return null;
    const { rows } = zones;
    const window = smallestWindow(compiled, partition, { rows });
    if (window !== null) return windowViolation(compiled, partition, window, "zones");
    return null;
  }

  #checkWatches(): Violation | null {
    if (this.#compiled.counts.watches === 0) return null;
    const fault = findWatchFault(this.#history);
    if (fault === null) {
      this.#decidedBy.watch = this.#compiled.counts.watches;
      return null;
    }
    const { problem, explanation, keys, operations } = fault;
    const base = { tier: "watch" as const, problem, explanation, rows: [], culprit: null };
    const violation = violationOf(this.#compiled, base);
    const culprit = operations.at(-1) ?? null;
    return { ...violation, keys, window: operations, culprit };
  }

  #linearizable(): Verdict {
    const decidedBy = this.#decidedBy;
    const tier = TIERS.findLast((one) => one !== "watch" && (decidedBy[one] ?? 0) > 0);
    return {
      kind: "linearizable",
      tier: tier ?? "watch",
      counts: this.#compiled.counts,
      decidedBy,
      steps: this.#budget.steps,
    };
  }

  #unknown(why: UnknownWhy, undecided: readonly Partition[]): Unknown {
    const { keys, counts } = this.#compiled;
    const cells = undecided.flatMap(({ firstCell, endCell }) => keys.slice(firstCell, endCell));
    const reasons: Readonly<Record<UnknownWhy, string>> = {
      time: "the time was used up",
      steps: "the steps were used up",
      memory: "the searches would need more memory than they may take",
      unconfirmed: "a contradiction was found that the exact search did not confirm in time",
    };
    return {
      kind: "unknown",
      why,
      explanation: `${undecided.length} of ${counts.partitions} groups of keys are undecided: ${reasons[why]}.`,
      keys: cells.slice(0, KEYS_TOLD_MAX),
      counts,
    };
  }
}
