import type { PersistBatch, RecoveredState } from "../raft/index.ts";

/**
 * Stable storage for Raft Figure 2's persistent state.
 *
 * To ensure correctness an implementation
 * 1. makes a batch durable as a whole or not at all: it would survive a power cut when `done` is called;
 * 2. makes batches durable in the order of their calls;
 * 3. replaces the log from `entries[0].index` on by `entries`, in the same atomic step;
 * 4. calls `done` exactly once, never before `persist` returned;
 * 5. after a failed write or sync calls `done` of no batch again: it reports the error once to the
 *    `onFailure` it was opened with, and whoever owns it ends the process. A sync is never retried.
 *    Having no room is no failure where nothing of the batch was written: it waits for some.
 */
export interface Storage {
  /** What the disk held when it was opened. */
  readonly recovered: RecoveredState;
  /** `batch` belongs to the storage from now on and is not changed by the caller. */
  persist(batch: PersistBatch, done: () => void): void;
  /** Bytes that the stored state takes. */
  sizeBytes(): number;
  /** Makes earlier batches durable, then releases the directory. Nothing is called afterwards. */
  close(): Promise<void>;
}
