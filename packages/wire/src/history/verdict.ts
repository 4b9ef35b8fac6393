import type { HistoryBytes, Operation } from "./operation.ts";

/**
 * Which method decided, cheapest first: `witness` replays the log's own order, `zones` compares
 * the lifetimes of values (Gibbons & Korach), `search` looks for an order (Wing & Gong, Lowe),
 * `justInTime` does so along the returns (Lowe), `watch` holds streams against the revisions.
 */
export type Tier = "witness" | "zones" | "search" | "justInTime" | "watch";

export interface HistoryCounts {
  readonly operations: number;
  /** Those whose outcome is `ok`: what the verdict is about. */
  readonly completed: number;
  readonly failed: number;
  readonly indeterminate: number;
  readonly watches: number;
  readonly keys: number;
  /** Groups of keys that were checked each by itself (locality). */
  readonly partitions: number;
}

/** There is an order of all operations that respects real time and explains every answer. */
export interface Linearizable {
  readonly kind: "linearizable";
  /** The most expensive tier that was needed. */
  readonly tier: Tier;
  readonly counts: HistoryCounts;
  /** How many partitions each tier decided. */
  readonly decidedBy: Readonly<Partial<Record<Tier, number>>>;
  readonly steps: number;
}

/**
 * - `notLinearizable`: no order of the operations explains the answers.
 * - `positionAgainstTime`: the log positions contradict real time: an operation that had ended
 *   stands behind one that had not begun. Either they lie or the order is broken.
 * - `revisionAgainstTime`: the same, of the store's revisions.
 * - `watchOrder`, `watchGap`, `watchDuplicate`, `watchPhantom`: a stream delivered changes out of
 *   order, left one out, told one twice, or told of one that never was.
 */
export type ViolationProblem =
  | "notLinearizable"
  | "positionAgainstTime"
  | "revisionAgainstTime"
  | "watchOrder"
  | "watchGap"
  | "watchDuplicate"
  | "watchPhantom";

/** The history is impossible for a store that is what it claims to be. */
export interface Violation {
  readonly kind: "violation";
  readonly tier: Tier;
  readonly problem: ViolationProblem;
  /** The keys that it is about. */
  readonly keys: readonly HistoryBytes[];
  /**
   * The smallest contradiction that was found, by call time. None of these operations can be left
   * out, whatever the keys held before the first of them.
   */
  readonly window: readonly Operation[];
  /** Operations outside of the window that wrote what was read in it. */
  readonly writers: readonly Operation[];
  /** The operation of the window that has no place; null where no single one is to blame. */
  readonly culprit: Operation | null;
  /** Why, in sentences for people. */
  readonly explanation: string;
  readonly counts: HistoryCounts;
}

/** `time`, `steps`, `memory`: what ran out. `unconfirmed`: a contradiction was not confirmed. */
export type UnknownWhy = "time" | "steps" | "memory" | "unconfirmed";

/** The budget ended first. This is no success. */
export interface Unknown {
  readonly kind: "unknown";
  readonly why: UnknownWhy;
  /** In a sentence for people. */
  readonly explanation: string;
  /** The keys that were left undecided, at most 100. */
  readonly keys: readonly HistoryBytes[];
  readonly counts: HistoryCounts;
}

/**
 * - `empty`: no operation completed, so nothing is shown.
 * - `overlap`: a client had two operations under way: what it recorded is not what happened.
 * - `duplicate`: two operations wrote under one log position.
 * - `dirtyStart`: a key was read, before anything had written it, with a value that the header
 *   does not tell of.
 */
export type VoidReason = "empty" | "overlap" | "duplicate" | "dirtyStart";

/** The history proves nothing, whichever way. This is no success. */
export interface Void {
  readonly kind: "void";
  readonly reason: VoidReason;
  readonly explanation: string;
  /** The operations at fault. */
  readonly operations: readonly Operation[];
  readonly counts: HistoryCounts;
}

export type Verdict = Linearizable | Violation | Unknown | Void;

/** How far a check is. */
export interface CheckProgress {
  readonly partitions: number;
  readonly decided: number;
  readonly steps: number;
}

export interface CheckOptions {
  /** Ends with `unknown` after so many ms of the clock. Default: no such limit. */
  readonly budgetMs?: number;
  /** The clock of `budgetMs`, in ms. Default: the process's monotonic clock. */
  readonly now?: () => number;
  /** Ends with `unknown` after so many steps of the searches: the same everywhere. */
  readonly stepsMax?: number;
  /** False: log positions are left aside, as if none had been recorded. Default true. */
  readonly usePositions?: boolean;
  /** Called now and then. */
  readonly onProgress?: (progress: CheckProgress) => void;
}
