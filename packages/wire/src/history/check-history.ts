import { CheckBudget } from "./check-budget.ts";
import type { CompiledHistory, Partition } from "./compile-history.ts";
import { compileHistory } from "./compile-history.ts";
import { searchInTurns } from "./contest.ts";
import { describeOperation } from "./describe-operation.ts";
import type { History } from "./operation.ts";
import { smallestWindow } from "./smallest-window.ts";
import { findPositionAgainstTime, findRevisionAgainstTime } from "./time-order.ts";
import type { CheckOptions, Tier, Unknown, UnknownWhy, Verdict, Violation } from "./verdict.ts";
import { violationOf, windowViolation } from "./violations.ts";
import { findDirtyStart, findPhantom, findVoid } from "./void-history.ts";
import { findWatchFault } from "./watch-streams.ts";
import { checkWitness, logPosition, revisionPosition } from "./witness.ts";
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
  /** Where the order of positions ceased to make sense, by the first row of the partition. */
  readonly #suspects = new Map<number, number>();

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
    let suspect = -1;
    for (const positionOf of [logPosition(table), revisionPosition(table)].slice(
      usePositions ? 0 : 1,
    )) {
      const witness = checkWitness(compiled, partition, positionOf);
      if (witness.kind === "order") return this.#decided("witness");
      if (witness.kind === "none" && suspect === -1) suspect = witness.suspect;
    }
    const zones = checkZones(compiled, partition);
    if (zones.kind === "order") return this.#decided("zones");
    if (zones.kind === "none") {
      const window = smallestWindow(compiled, partition, { rows: zones.rows });
      if (window !== null) return windowViolation(compiled, partition, window, "zones");
    }
    if (suspect !== -1) this.#suspects.set(partition.firstRow, suspect);
    const window = suspect === -1 ? null : smallestWindow(compiled, partition, { suspect });
    return window === null ? null : windowViolation(compiled, partition, window, "witness");
  }

  #decided(tier: Tier): "order" {
    this.#count(tier, 1);
    this.#budget.decided();
    return "order";
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
    const groups = `${undecided.length} of ${counts.partitions} groups of keys`;
    return {
      kind: "unknown",
      why,
      explanation: `${groups} are undecided: ${reasons[why]}.${this.#tellSuspect(undecided)}`,
      keys: cells.slice(0, KEYS_TOLD_MAX),
      counts,
    };
  }

  /** What is worth a look where nothing was proven. */
  #tellSuspect(undecided: readonly Partition[]): string {
    const { operations, table } = this.#compiled;
    for (const { firstRow } of undecided) {
      const suspect = this.#suspects.get(firstRow);
      const operation = operations[table.source[suspect ?? -1] ?? -1];
      if (operation === undefined) continue;
      const what = `${operation.client}'s "${describeOperation(operation)}" at ${operation.call}`;
      return ` The order that the positions tell makes no sense from ${what} on.`;
    }
    return "";
  }
}
