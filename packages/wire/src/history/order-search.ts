import { ExactMemo, HashMemo, MEMO_SLOTS_MAX } from "./memo.ts";
import type { PlacementProblem } from "./placement-problem.ts";
import { ValueDemand } from "./placement-problem.ts";
import { NO_ROOM, NO_STATE, StateSpace } from "./state-space.ts";
import { ANYTHING, TERM_EFFECT } from "./terms.ts";

/** `more`: the steps that were allowed are used up. `noRoom`: the search cannot go on. */
export type SearchOutcome = "order" | "none" | "more" | "noRoom";

interface OrderSearchOptions {
  readonly memo?: number | "exact";
  readonly looksAhead?: boolean;
}

/**
 * Looks for an order of all required rows that respects real time and that the state machine
 * allows: Wing & Gong's search, with Lowe's memo of what was tried. It can be continued.
 */
export class OrderSearch {
  readonly problem: PlacementProblem;
  readonly states: StateSpace;
  steps = 0;
  /**
   * The furthest event, a return, that the search could not get past; -1: none yet. Everything
   * before it has an order.
   */
  furthest = -1;
  readonly #looksAhead: boolean;
  readonly #exact: ExactMemo | null;
  readonly #hashed: HashMemo;
  readonly #demand: ValueDemand;
  readonly #zobristHigh: Int32Array;
  readonly #zobristLow: Int32Array;
  /** A doubly linked list of the events that are left; the head is after the last event. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  /** By place: its events. */
  readonly #callAt: Int32Array;
  readonly #returnAt: Int32Array;
  readonly #isPlaced: Uint8Array;
  readonly #stackPlace: Int32Array;
  readonly #stackState: Int32Array;
  readonly #stackForced: Uint8Array;
  /** The greatest place among the rows of the stack up to here. */
  readonly #stackLast: Int32Array;
  #depth = 0;
  #state = 0;
  #at: number;
  #left: number;
  #high = 0;
  #low = 0;
  /** The longest order so far, as places. */
  #best: Int32Array = new Int32Array(0);
  #bestState = 0;
  #bestFurthest = -1;

  /**
   * `memo`: `exact`, or how many slots of hashes there may be, a power of two. `looksAhead`: gives
   * up on an order as soon as a value is lost that is seen later on, rather than when it is seen.
   */
  constructor(
    problem: PlacementProblem,
    { memo = MEMO_SLOTS_MAX, looksAhead = true }: OrderSearchOptions = {},
  ) {
    this.problem = problem;
    this.#looksAhead = looksAhead;
    this.states = new StateSpace(problem);
    this.#exact = memo === "exact" ? new ExactMemo() : null;
    this.#hashed = new HashMemo(memo === "exact" ? MEMO_SLOTS_MAX : memo);
    this.#demand = new ValueDemand(problem);
    const { rows, events, required } = problem;
    const size = rows.length;
    this.#zobristHigh = randomWords(size, 0x2545f491);
    this.#zobristLow = randomWords(size, 0x6c078965);
    this.#head = events.length;
    this.#next = new Int32Array(events.length + 1);
    this.#previous = new Int32Array(events.length + 1);
    this.#callAt = new Int32Array(size);
    this.#returnAt = new Int32Array(size).fill(-1);
    for (let at = 0; at <= events.length; at++) {
      this.#next[at] = at === events.length ? 0 : at + 1;
      this.#previous[at] = at === 0 ? events.length : at - 1;
    }
    events.forEach((event, at) => {
      if (event >= 0) this.#callAt[event] = at;
      else this.#returnAt[~event] = at;
    });
    this.#isPlaced = new Uint8Array(size);
    this.#stackPlace = new Int32Array(size);
    this.#stackState = new Int32Array(size);
    this.#stackForced = new Uint8Array(size);
    this.#stackLast = new Int32Array(size);
    this.#left = required.reduce((sum, one) => sum + one, 0);
    this.#at = this.#next[this.#head] ?? 0;
  }

  /** Goes on for at most so many steps. */
  run(stepsMax: number): SearchOutcome {
    const until = this.steps + stepsMax;
    while (this.#left > 0) {
      if (this.steps >= until) return "more";
      this.steps++;
      const event = this.#at === this.#head ? -1 : (this.problem.events[this.#at] ?? -1);
      if (event < 0) {
        this.#noteStuck(this.#at);
        if (!this.#backtrack()) return "none";
      } else if (!this.#advance(event)) return "noRoom";
    }
    return "order";
  }

  /** Places the row that is called here, or passes it by. False: there is no room to go on. */
  #advance(place: number): boolean {
    const state = this.#stepTo(place);
    if (state === NO_ROOM || (this.#exact ?? this.#hashed).isFull) return false;
    if (state !== NO_STATE && this.#tryPlace(place, state)) {
      this.#at = this.#next[this.#head] ?? 0;
    } else {
      this.#at = this.#next[this.#at] ?? 0;
    }
    return true;
  }

  /** The rows of the longest order that was found, and the state after it. */
  best(): { readonly rows: readonly number[]; readonly state: number } {
    const rows = Array.from(this.#best, (place) => this.problem.rows[place] ?? 0);
    return { rows, state: this.#bestState };
  }

  /** The place of the row whose return was the furthest that stood in the way; -1: none. */
  culprit(): number {
    const event = this.problem.events[this.furthest];
    return event === undefined ? -1 : ~event;
  }

  #stepTo(place: number): number {
    const { rows, required } = this.problem;
    if (required[place] === 0 && !this.#mayTake(place)) return NO_STATE;
    const state = this.states.step(this.#state, rows[place] ?? 0);
    // What need not be placed and changes nothing can as well be left out.
    return state === this.#state && required[place] === 0 ? NO_STATE : state;
  }

  /** Whether a row that need not be placed is worth it. */
  #mayTake(place: number): boolean {
    const { rows, after, twin, startsAnywhere } = this.problem;
    if (startsAnywhere && this.#isOnAnything(rows[place] ?? 0)) return false;
    const first = after[place] ?? -1;
    const other = twin[place] ?? -1;
    if (first !== -1 && this.#isPlaced[first] === 0) return false;
    if (other !== -1 && this.#isPlaced[other] === 1) return false;
    return !this.#isSpareOnSpare(place);
  }

  /** What nobody sees need not be ended by what nobody sees, if no more is known of it. */
  #isSpareOnSpare(place: number): boolean {
    const { rows, table, partition, isSpare, isSeen } = this.problem;
    if (isSpare[place] === 0) return false;
    const cell = table.termCell[table.firstTerm[rows[place] ?? 0] ?? 0] ?? 0;
    const held = this.states.valueAt(this.#state, cell);
    if (held < 0 || isSeen[held - partition.firstValue] === 1) return false;
    return this.states.revisionAt(this.#state, cell) < 0;
  }

  /** Whether a row would only narrow down what may be anything: that helps no other row. */
  #isOnAnything(row: number): boolean {
    const { table } = this.problem;
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      const held = this.states.valueAt(this.#state, table.termCell[term] ?? 0);
      if (table.termKind[term] === TERM_EFFECT && held !== ANYTHING) return false;
    }
    return true;
  }

  #tryPlace(place: number, state: number): boolean {
    const { rows, required, table } = this.problem;
    const row = rows[place] ?? 0;
    const isRequired = required[place] === 1;
    // A read that is right now stays right: everything else can go on without it.
    const isForced = isRequired && table.readOnly[row] === 1 && state === this.#state;
    this.#demand.take(row, isRequired);
    if (!isForced) {
      this.#toggle(place);
      if (!this.#losesNothing(row) || !this.#isNew(place, state)) {
        this.#toggle(place);
        this.#demand.giveBack(row, isRequired);
        return false;
      }
      this.#toggle(place);
    }
    this.#toggle(place);
    this.#unlink(place);
    this.#isPlaced[place] = 1;
    this.#stackPlace[this.#depth] = place;
    this.#stackState[this.#depth] = this.#state;
    this.#stackForced[this.#depth] = isForced ? 1 : 0;
    this.#stackLast[this.#depth] = Math.max(place, this.#lastPlaced());
    this.#depth++;
    this.#state = state;
    if (isRequired) this.#left--;
    return true;
  }

  /** Whether no value is overwritten that a row has yet to see and nobody writes again. */
  #losesNothing(row: number): boolean {
    if (!this.#looksAhead) return true;
    const { table } = this.problem;
    const end = table.firstTerm[row + 1] ?? 0;
    for (let term = table.firstTerm[row] ?? 0; term < end; term++) {
      if (table.termKind[term] !== TERM_EFFECT) continue;
      const held = this.states.valueAt(this.#state, table.termCell[term] ?? 0);
      if (held !== table.termValue[term] && !this.#demand.allowsLoss(held)) return false;
    }
    return true;
  }

  #isNew(place: number, state: number): boolean {
    if (this.#exact === null) return this.#hashed.add(state, this.#high, this.#low);
    return this.#exact.add(state, this.#describePlaced(place));
  }

  /** The last row that is placed, and those before it that are not: few, for they are open. */
  #describePlaced(place: number): string {
    const { events } = this.problem;
    const last = Math.max(place, this.#lastPlaced());
    let text = `${last}`;
    for (let at = this.#next[this.#head] ?? 0; at !== this.#head; at = this.#next[at] ?? 0) {
      const event = events[at] ?? 0;
      if (event > last) break;
      if (event >= 0 && event !== place) text += `,${event}`;
    }
    return text;
  }

  #lastPlaced(): number {
    return this.#depth === 0 ? -1 : (this.#stackLast[this.#depth - 1] ?? -1);
  }

  #noteStuck(at: number): void {
    if (at !== this.#head && at > this.furthest) this.furthest = at;
    const reach = at === this.#head ? this.problem.events.length : at;
    if (reach < this.#bestFurthest) return;
    if (reach === this.#bestFurthest && this.#depth <= this.#best.length) return;
    // Copying every longer order of a long search would take longer than the search.
    if (this.problem.rows.length > 4096) return;
    this.#bestFurthest = reach;
    this.#best = this.#stackPlace.slice(0, this.#depth);
    this.#bestState = this.#state;
  }

  /** Takes back the last row that may be taken back. False: there is none. */
  #backtrack(): boolean {
    while (this.#depth > 0) {
      this.#depth--;
      const place = this.#stackPlace[this.#depth] ?? 0;
      const isRequired = this.problem.required[place] === 1;
      this.#state = this.#stackState[this.#depth] ?? 0;
      this.#toggle(place);
      this.#isPlaced[place] = 0;
      this.#demand.giveBack(this.problem.rows[place] ?? 0, isRequired);
      if (isRequired) this.#left++;
      this.#relink(place);
      if (this.#stackForced[this.#depth] === 1) continue;
      this.#at = this.#next[this.#callAt[place] ?? 0] ?? 0;
      return true;
    }
    return false;
  }

  #toggle(place: number): void {
    this.#high ^= this.#zobristHigh[place] ?? 0;
    this.#low ^= this.#zobristLow[place] ?? 0;
  }

  #unlink(place: number): void {
    this.#drop(this.#callAt[place] ?? 0);
    const at = this.#returnAt[place] ?? -1;
    if (at !== -1) this.#drop(at);
  }

  #relink(place: number): void {
    const at = this.#returnAt[place] ?? -1;
    if (at !== -1) this.#putBack(at);
    this.#putBack(this.#callAt[place] ?? 0);
  }

  #drop(at: number): void {
    const next = this.#next[at] ?? 0;
    const previous = this.#previous[at] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #putBack(at: number): void {
    this.#next[this.#previous[at] ?? 0] = at;
    this.#previous[this.#next[at] ?? 0] = at;
  }
}

/** The same words for the same seed: equal histories are searched in equal steps. */
function randomWords(count: number, seed: number): Int32Array {
  const words = new Int32Array(count);
  let state = seed;
  for (let at = 0; at < count; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return words;
}
