import type { LogIndex } from "@quorate/wire";
import { assert } from "./assert.ts";
import type { HardState, PersistBatch, SnapshotSwitch } from "./output.ts";
import type { RaftLog } from "./raft-log.ts";

/** The stored hint of the commit point may lag this far before it is written along. */
const COMMIT_HINT_LAG_ENTRIES = 1024;

interface InFlightBatch {
  readonly sequence: number;
  readonly hardState: HardState | null;
  /** Falls when the log is cut while the batch is on its way: what it stored above is replaced. */
  lastIndex: LogIndex;
}

/**
 * Keeps account of what is durable. One batch is in flight at most; all that changes meanwhile is
 * the next one (group commit). Batches are named by sequence, not by (term, index), so that an
 * entry that was cut and written again by another leader is never mistaken for the first.
 */
export class Persistence {
  /** The log up to here is durable as it stands in memory. */
  durableIndex: LogIndex;
  /** The newest hard state that is durable. */
  durable: HardState;
  #handedHardState: HardState;
  #firstUnhandedIndex: LogIndex;
  #inFlight: InFlightBatch | null = null;
  #inFlightTicks = 0;
  #nextSequence = 1;
  #snapshot: SnapshotSwitch | null = null;
  #clearsVoteFloor = false;

  constructor(hardState: HardState, lastIndex: LogIndex) {
    this.durable = hardState;
    this.durableIndex = lastIndex;
    this.#handedHardState = hardState;
    this.#firstUnhandedIndex = lastIndex + 1;
  }

  /** The newest batch that was handed out; 0 before the first. */
  get handedSequence(): number {
    return this.#nextSequence - 1;
  }

  /** One tick of waiting for the batch in flight, if there is one. */
  tick(): void {
    if (this.#inFlight !== null) this.#inFlightTicks += 1;
  }

  /** Ticks that the disk has been at the batch in flight. */
  get inFlightTicks(): number {
    return this.#inFlightTicks;
  }

  /** The next batch switches to a snapshot; a newer one replaces one that is not handed out. */
  switchTo(snapshot: SnapshotSwitch): void {
    const dropsLog = !snapshot.keepsLog || this.#snapshot?.keepsLog === false;
    this.#snapshot = { ...snapshot, keepsLog: !dropsLog };
  }

  /** The log went as a whole: what follows `lastIncludedIndex` is all new. */
  logStartedAfter(lastIncludedIndex: LogIndex): void {
    this.logChangedFrom(1);
    this.#firstUnhandedIndex = lastIncludedIndex + 1;
  }

  /** The next batch forgets the vote floor. */
  clearVoteFloor(): void {
    this.#clearsVoteFloor = true;
  }

  /** The log was changed from `index` on: what was durable there is not what it holds now. */
  logChangedFrom(index: LogIndex): void {
    this.durableIndex = Math.min(this.durableIndex, index - 1);
    this.#firstUnhandedIndex = Math.min(this.#firstUnhandedIndex, index);
    if (this.#inFlight !== null) {
      this.#inFlight.lastIndex = Math.min(this.#inFlight.lastIndex, index - 1);
    }
  }

  /**
   * The batch that must be durable before a message may leave that promises `hardState` and the
   * log up to `index`; 0: all of it is durable already.
   */
  sequenceFor(hardState: HardState, index: LogIndex): number {
    return Math.max(this.#sequenceForHardState(hardState), this.#sequenceForIndex(index));
  }

  /** Whether {@link take} would give a batch. */
  isReady(hardState: HardState, log: RaftLog): boolean {
    if (this.#inFlight !== null) return false;
    return (
      this.#firstUnhandedIndex <= log.lastIndex ||
      this.#snapshot !== null ||
      this.#clearsVoteFloor ||
      differ(hardState, this.#handedHardState)
    );
  }

  /** Hands out the next batch, or null while one is in flight or nothing changed. */
  take(hardState: HardState, log: RaftLog): PersistBatch | null {
    if (!this.isReady(hardState, log)) return null;
    const hintIsOld =
      hardState.commitIndex - this.#handedHardState.commitIndex >= COMMIT_HINT_LAG_ENTRIES;
    const writesHardState = differ(hardState, this.#handedHardState) || hintIsOld;
    const batch: PersistBatch = {
      sequence: this.#nextSequence,
      hardState: writesHardState ? hardState : null,
      entries: log.range(this.#firstUnhandedIndex, log.lastIndex),
      ...(this.#snapshot === null ? {} : { snapshot: this.#snapshot }),
      ...(this.#clearsVoteFloor ? { clearsVoteFloor: true } : {}),
    };
    this.#snapshot = null;
    this.#clearsVoteFloor = false;
    this.#inFlightTicks = 0;
    this.#nextSequence += 1;
    if (writesHardState) this.#handedHardState = hardState;
    this.#firstUnhandedIndex = log.lastIndex + 1;
    this.#inFlight = {
      sequence: batch.sequence,
      hardState: batch.hardState,
      lastIndex: log.lastIndex,
    };
    return batch;
  }

  /** The batch in flight is durable. */
  persisted(sequence: number): void {
    const batch = this.#inFlight;
    assert(batch !== null, `batch ${sequence} is durable, none is in flight`);
    assert(batch.sequence === sequence, `batch ${sequence} is durable, not ${batch.sequence}`);
    this.#inFlight = null;
    this.#inFlightTicks = 0;
    this.durableIndex = Math.max(this.durableIndex, batch.lastIndex);
    if (batch.hardState !== null) this.durable = batch.hardState;
  }

  #sequenceForHardState(hardState: HardState): number {
    if (!differ(hardState, this.durable)) return 0;
    if (this.#inFlight !== null && !differ(hardState, this.#handedHardState)) {
      return this.#inFlight.sequence;
    }
    return this.#nextSequence;
  }

  #sequenceForIndex(index: LogIndex): number {
    if (index <= this.durableIndex) return 0;
    if (this.#inFlight !== null && index <= this.#inFlight.lastIndex)
      return this.#inFlight.sequence;
    return this.#nextSequence;
  }
}

/** Whether a promise made on `a` is not covered by `b`. The commit point promises nothing. */
function differ(a: HardState, b: HardState): boolean {
  return a.currentTerm !== b.currentTerm || a.votedFor !== b.votedFor;
}
