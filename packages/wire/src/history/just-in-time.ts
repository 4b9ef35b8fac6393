import type { PlacementProblem } from "./placement-problem.ts";
import type { SearchOutcome } from "./order-search.ts";
import { NO_ROOM, NO_STATE, StateSpace } from "./state-space.ts";
import { TERM_EFFECT, TERM_GUARD } from "./terms.ts";

/** Open rows that one return may have to choose among. */
const OPEN_MAX = 62;
/** Ways to have placed the rows so far that may be kept at a time. */
const WAYS_MAX = 400_000;

/** A state, and which of the open rows were placed on the way to it: bits of two words. */
interface Way {
  readonly state: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Goes along the returns and keeps every way to have placed the rows that have returned (Lowe's
 * just-in-time linearization): what it holds depends on how many rows are open at a time, not on
 * how many there are. It can be continued.
 */
export class JustInTimeSearch {
  readonly problem: PlacementProblem;
  readonly states: StateSpace;
  steps = 0;
  /** The return that no way gets past, once the outcome is `none`. */
  furthest = -1;
  #ways: Way[] = [{ state: 0, low: 0, high: 0 }];
  #at = 0;
  /** The place in each of the {@link OPEN_MAX} bits; -1: free. */
  readonly #open: Int32Array = new Int32Array(OPEN_MAX).fill(-1);
  readonly #bitOf: Int32Array;
  /** By value: rows that are not called yet and have to see it, or may write it. */
  readonly #seersToCome: Int32Array;
  readonly #writersToCome: Int32Array;
  /** By value: rows that write it. */
  readonly #writers: Int32Array;
  /** The expansion at a return, kept while it is not finished. */
  #pending: Way[] | null = null;
  #reached: Way[] = [];
  #seen = new Set<string>();

  constructor(problem: PlacementProblem) {
    this.problem = problem;
    this.states = new StateSpace(problem);
    this.#bitOf = new Int32Array(problem.rows.length).fill(-1);
    const { firstValue, endValue } = problem.partition;
    this.#seersToCome = new Int32Array(endValue - firstValue);
    this.#writersToCome = new Int32Array(endValue - firstValue);
    for (let place = 0; place < problem.rows.length; place++) this.#countToCome(place, 1);
    this.#writers = this.#writersToCome.slice();
  }

  run(stepsMax: number): SearchOutcome {
    const until = this.steps + stepsMax;
    const { events } = this.problem;
    while (this.#at < events.length) {
      const event = events[this.#at] ?? 0;
      if (event >= 0) {
        if (!this.#openRow(event)) return "noRoom";
      } else {
        const outcome = this.#return(~event, until);
        if (outcome !== "order") return outcome;
      }
      this.#at++;
    }
    return "order";
  }

  #openRow(place: number): boolean {
    const bit = this.#open.indexOf(-1);
    if (bit === -1) return false;
    this.#open[bit] = place;
    this.#bitOf[place] = bit;
    this.#countToCome(place, -1);
    return true;
  }

  /** Keeps the ways that place a row, now that it has returned. */
  #return(place: number, until: number): SearchOutcome {
    const bit = this.#bitOf[place] ?? 0;
    if (this.#pending === null) {
      this.#pending = this.#ways;
      this.#reached = [];
      this.#seen = new Set();
    }
    const pending = this.#pending;
    for (let way = pending.pop(); way !== undefined; way = pending.pop()) {
      if (hasBit(way, bit)) {
        this.#reached.push(way);
        continue;
      }
      if (!this.#expand(way, pending)) return "noRoom";
      if (this.steps >= until) return "more";
    }
    if (this.#reached.length === 0) {
      this.furthest = this.#at;
      return "none";
    }
    this.#ways = distinct(this.#reached.map((way) => without(way, bit)));
    this.#pending = null;
    this.#open[bit] = -1;
    return "order";
  }

  /** Adds the ways that are one row longer. */
  #expand(way: Way, pending: Way[]): boolean {
    for (let bit = 0; bit < OPEN_MAX; bit++) {
      const place = this.#open[bit] ?? -1;
      if (place === -1 || hasBit(way, bit) || !this.#mayTake(way, place)) continue;
      const state = this.#stepTo(way, place);
      if (state === NO_ROOM) return false;
      if (state === NO_STATE) continue;
      const longer = withBit(way, bit, state);
      if (!this.#isSeen(longer)) pending.push(longer);
      // A read that is right now is placed now: no other way is needed.
      const { rows, table } = this.problem;
      if (state === way.state && table.readOnly[rows[place] ?? 0] === 1) return true;
      if (this.#seen.size > WAYS_MAX) return false;
    }
    return true;
  }

  #stepTo(way: Way, place: number): number {
    this.steps++;
    const row = this.problem.rows[place] ?? 0;
    const state = this.states.step(way.state, row);
    if (state === NO_ROOM || state === NO_STATE) return state;
    if (!this.#losesNothing(way.state, row)) return NO_STATE;
    // What need not be placed and changes nothing can as well be left out.
    return state === way.state && this.problem.required[place] === 0 ? NO_STATE : state;
  }

  #isSeen({ state, low, high }: Way): boolean {
    const key = `${state} ${low} ${high}`;
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }

  #mayTake(way: Way, place: number): boolean {
    const { required, after, twin } = this.problem;
    if (required[place] === 1) return true;
    const first = after[place] ?? -1;
    const other = twin[place] ?? -1;
    if (first !== -1 && !this.#isPlaced(way, first)) return false;
    return other === -1 || !this.#isPlaced(way, other);
  }

  #isPlaced(way: Way, place: number): boolean {
    const bit = this.#bitOf[place] ?? -1;
    return bit !== -1 && hasBit(way, bit);
  }

  #losesNothing(state: number, row: number): boolean {
    const { table, partition } = this.problem;
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      if (table.termKind[term] !== TERM_EFFECT) continue;
      const held = this.states.valueAt(state, table.termCell[term] ?? 0);
      if (held < 0 || held === table.termValue[term]) continue;
      const at = held - partition.firstValue;
      const isWanted = (this.#seersToCome[at] ?? 0) > 0;
      // Where it has one writer, that one was placed already: the state holds its value.
      const isLast = (this.#writersToCome[at] ?? 0) === 0 && (this.#writers[at] ?? 0) <= 1;
      if (isWanted && isLast) return false;
    }
    return true;
  }

  #countToCome(place: number, by: number): void {
    const { rows, required, table, partition } = this.problem;
    const row = rows[place] ?? 0;
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      const at = (table.termValue[term] ?? -1) - partition.firstValue;
      if ((table.termValue[term] ?? -1) < 0) continue;
      const kind = table.termKind[term];
      if (kind === TERM_EFFECT) this.#writersToCome[at] = (this.#writersToCome[at] ?? 0) + by;
      else if (kind === TERM_GUARD && required[place] === 1) {
        this.#seersToCome[at] = (this.#seersToCome[at] ?? 0) + by;
      }
    }
  }
}

function hasBit(way: Way, bit: number): boolean {
  return bit < 31 ? (way.low & (1 << bit)) !== 0 : (way.high & (1 << (bit - 31))) !== 0;
}

function withBit({ low, high }: Way, bit: number, state: number): Way {
  if (bit < 31) return { state, low: low | (1 << bit), high };
  return { state, low, high: high | (1 << (bit - 31)) };
}

function without({ state, low, high }: Way, bit: number): Way {
  if (bit < 31) return { state, low: low & ~(1 << bit), high };
  return { state, low, high: high & ~(1 << (bit - 31)) };
}

function distinct(ways: readonly Way[]): Way[] {
  return [...new Map(ways.map((way) => [`${way.state} ${way.low} ${way.high}`, way])).values()];
}
