import type { LogEntry } from "@quorate/wire";

/** The state as it was at one moment, to be read in pieces while newer entries are applied. */
export interface StateSnapshot {
  /**
   * The next piece of about `maxBytes`, or null at the end. Bounded work. The piece is of the
   * snapshot's memory, and holds until the next one is read.
   */
  read(maxBytes: number): Uint8Array | null;
  /** Ends the snapshot, read to its end or not: changes need no longer be kept apart from it. */
  release(): void;
}

/** Takes in a snapshot in pieces; the state of before stays in force until {@link finish}. */
export interface StateRestorer {
  /** The next piece, cut anywhere. Bounded work for a piece of bounded size. Keeps no view of it. */
  write(chunk: Uint8Array): void;
  /**
   * Makes the new state the state, in one step.
   *
   * @throws where the pieces are not a whole snapshot: the state is as before.
   */
  finish(): void;
}

/**
 * What the log drives. `apply` is synchronous, total and deterministic (Raft §2, §5.3): no clock,
 * no dice, no locale, no map order, no I/O; bad input is part of the result and never an exception.
 * An exception ends the process.
 */
export interface StateMachine<Result> {
  /**
   * Applies a committed `command` entry. Called once for each, in the order of their indexes.
   * `entry.data` may share memory with a frame or a disk page: copy what is kept.
   */
  apply(entry: LogEntry): Result;
  /** Everything that `apply` depends on, as of the last applied entry. At most one at a time; O(1). */
  snapshot(): StateSnapshot;
  /** Begins to take in a snapshot of another server of this state machine, or an earlier one. */
  restore(): StateRestorer;
}
