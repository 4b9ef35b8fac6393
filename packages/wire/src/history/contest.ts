import type { CheckBudget } from "./check-budget.ts";
import type { CompiledHistory, Partition } from "./compile-history.ts";
import { JustInTimeSearch } from "./just-in-time.ts";
import { MEMO_SLOTS_MAX } from "./memo.ts";
import type { SearchOutcome } from "./order-search.ts";
import { OrderSearch } from "./order-search.ts";
import type { PlacementProblem } from "./placement-problem.ts";
import { partitionProblem } from "./placement-problem.ts";
import { smallestWindow } from "./smallest-window.ts";
import type { Tier, UnknownWhy, Violation } from "./verdict.ts";
import { windowViolation } from "./violations.ts";

const FIRST_SLICE_STEPS = 10_000;
const SLICE_STEPS_MAX = 4_000_000;
const MEMO_SLOTS_MIN: number = 2 ** 18;

/** What the searches found out. */
export interface ContestResult {
  readonly violation: Violation | null;
  /** How many partitions each tier decided. */
  readonly decidedBy: Readonly<Partial<Record<Tier, number>>>;
  /** Those that are left, and why. */
  readonly undecided: readonly Partition[];
  readonly why: UnknownWhy;
}

/**
 * Decides partitions by search: both kinds in turn, one slice for each partition after the other,
 * and every round longer than the last, so that a hard key hides no easy one.
 */
export function searchInTurns(
  compiled: CompiledHistory,
  partitions: readonly Partition[],
  budget: CheckBudget,
): ContestResult {
  const slots = memoSlots(partitions.length);
  let left = partitions.map((partition) => new Contender(compiled, partition, slots));
  const decidedBy: Partial<Record<Tier, number>> = {};
  const stuck: Contender[] = [];
  let slice = FIRST_SLICE_STEPS;
  while (left.length > 0 && budget.exhausted() === null) {
    const next: Contender[] = [];
    for (const contender of left) {
      const isOver = budget.exhausted() !== null;
      const tier = isOver ? null : contender.goOn(slice, budget);
      if (contender.violation !== null) {
        return { violation: contender.violation, decidedBy, undecided: [], why: "steps" };
      }
      if (tier !== null) {
        decidedBy[tier] = (decidedBy[tier] ?? 0) + 1;
        budget.decided();
      } else if (contender.stuck === null) next.push(contender);
      else stuck.push(contender);
    }
    left = next;
    slice = Math.min(SLICE_STEPS_MAX, slice * 2);
  }
  const undecided = [...stuck, ...left].map(({ partition }) => partition);
  const why = left.length > 0 ? budget.exhausted() : stuck[0]?.stuck;
  return { violation: null, decidedBy, undecided, why: why ?? "steps" };
}

/** All that search at a time share the memory of two. */
function memoSlots(partitions: number): number {
  let slots = MEMO_SLOTS_MAX;
  for (let share = partitions; share > 2 && slots > MEMO_SLOTS_MIN; share /= 2) slots /= 2;
  return slots;
}

/** One partition, and both searches on it. */
class Contender {
  readonly partition: Partition;
  violation: Violation | null = null;
  /** Why none of the searches can go on; null: one can. */
  stuck: UnknownWhy | null = null;
  readonly #compiled: CompiledHistory;
  readonly #slots: number;
  #search: OrderSearch | null = null;
  #justInTime: JustInTimeSearch | null = null;
  readonly #hasRoom = { search: true, justInTime: true };

  constructor(compiled: CompiledHistory, partition: Partition, slots: number) {
    this.#compiled = compiled;
    this.partition = partition;
    this.#slots = slots;
  }

  /** Searches on. The tier that found an order; null: none did. */
  goOn(slice: number, budget: CheckBudget): Tier | null {
    if (this.#hasRoom.search) {
      this.#search ??= new OrderSearch(this.#problem, { memo: this.#slots });
      const outcome = this.#run(this.#search, slice, budget);
      if (outcome === "order") return "search";
      this.#note(outcome, this.#search, "search");
    }
    if (this.#hasRoom.justInTime && this.violation === null && this.stuck === null) {
      this.#justInTime ??= new JustInTimeSearch(this.#problem);
      const outcome = this.#run(this.#justInTime, slice, budget);
      if (outcome === "order") return "justInTime";
      this.#note(outcome, this.#justInTime, "justInTime");
    }
    if (!this.#hasRoom.search && !this.#hasRoom.justInTime) this.stuck ??= "memory";
    return null;
  }

  #note(
    outcome: SearchOutcome,
    search: OrderSearch | JustInTimeSearch,
    tier: "search" | "justInTime",
  ): void {
    if (outcome === "none") this.#confirm(search, tier);
    if (outcome !== "noRoom") return;
    this.#hasRoom[tier] = false;
    if (tier === "search") this.#search = null;
    else this.#justInTime = null;
  }

  get #problem(): PlacementProblem {
    const known = this.#search?.problem ?? this.#justInTime?.problem;
    return known ?? partitionProblem(this.#compiled, this.partition);
  }

  #run(search: OrderSearch | JustInTimeSearch, slice: number, budget: CheckBudget): SearchOutcome {
    // Looks at the clock often enough to end in time.
    for (let left = slice; left > 0; left -= FIRST_SLICE_STEPS) {
      const before = search.steps;
      const outcome = search.run(budget.allow(Math.min(left, FIRST_SLICE_STEPS)));
      budget.spend(search.steps - before);
      if (outcome !== "more" || budget.exhausted() !== null) return outcome;
    }
    return "more";
  }

  /** A failed search is believed once a smaller contradiction is proven without any hash. */
  #confirm(search: OrderSearch | JustInTimeSearch, tier: Tier): void {
    const { table } = this.#compiled;
    const { events, rows } = search.problem;
    const place = ~(events[search.furthest] ?? -1);
    const furthest = table.end[rows[place] ?? 0] ?? -Infinity;
    const window = smallestWindow(this.#compiled, this.partition, { furthest });
    if (window === null) this.stuck = "unconfirmed";
    else this.violation = windowViolation(this.#compiled, this.partition, window, tier);
  }
}
