import type { LogEntry } from "@quorate/wire";

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
}
