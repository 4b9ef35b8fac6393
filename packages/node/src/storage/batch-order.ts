import type { LogIndex } from "@quorate/wire";

import { assert } from "../raft/index.ts";
import type { HardState, PersistBatch, RecoveredState } from "../raft/index.ts";

interface LogStart {
  readonly beforeFirstIndex: LogIndex;
  readonly lastIncludedIndex: LogIndex;
  readonly lastIndex: LogIndex;
}

/**
 * What every batch keeps, checked before anything of it is stored: the log has no gap and its
 * terms never fall (§5.3), nothing committed is replaced (§5.4), the term never falls and a vote
 * is not changed within one (§5.2), an entry's term and a commit index X */
export class BatchOrder {
  #hardState: HardState;
  #beforeFirstIndex: LogIndex;
  #lastIncludedIndex: LogIndex;
  #lastIndex: LogIndex;
  #sequence = 0;

  constructor(recovered: RecoveredState) {
    this.#hardState = recovered.hardState;
    this.#beforeFirstIndex = recovered.beforeFirst.index;
    this.#lastIncludedIndex = recovered.snapshot.lastIncludedIndex;
    this.#lastIndex = recovered.beforeFirst.index + recovered.entries.length;
  }

  /** @throws InvariantError where `batch` may not follow the ones before it. */
  check(batch: PersistBatch): void {
    const { sequence, hardState } = batch;
    assert(Number.isSafeInteger(sequence) && sequence > this.#sequence, `sequence ${sequence}`);
    const start = this.#checkSwitch(batch);
    const lastIndex = this.#checkEntries(batch, start);
    assert(
      lastIndex >= start.lastIncludedIndex,
      `the log ends at ${lastIndex}, before its snapshot at ${start.lastIncludedIndex}`,
    );
    const next = hardState ?? this.#hardState;
    this.#checkHardState(next, lastIndex);
    const lastTerm = batch.entries.at(-1)?.term ?? 0;
    assert(lastTerm <= next.currentTerm, `entry of term ${lastTerm} in term ${next.currentTerm}`);
    this.#sequence = sequence;
    this.#hardState = next;
    this.#beforeFirstIndex = start.beforeFirstIndex;
    this.#lastIncludedIndex = start.lastIncludedIndex;
    this.#lastIndex = lastIndex;
  }

  /** Returns what the log is after the batch's switch, before its entries. */
  #checkSwitch(batch: PersistBatch): LogStart {
    const beforeFirstIndex = this.#beforeFirstIndex;
    const lastIncludedIndex = this.#lastIncludedIndex;
    const lastIndex = this.#lastIndex;
    if (batch.snapshot === undefined) return { beforeFirstIndex, lastIncludedIndex, lastIndex };
    const { point, beforeFirst, keepsLog } = batch.snapshot;
    const { index } = beforeFirst;
    assert(
      point.lastIncludedIndex > lastIncludedIndex,
      `a snapshot at ${point.lastIncludedIndex} after one at ${lastIncludedIndex}`,
    );
    assert(index >= beforeFirstIndex, `the log's start falls to ${index}`);
    assert(index <= point.lastIncludedIndex, `the log begins after its snapshot, at ${index}`);
    assert(!keepsLog || index <= lastIndex, `the log begins after ${index}, beyond its end`);
    return {
      beforeFirstIndex: index,
      lastIncludedIndex: point.lastIncludedIndex,
      lastIndex: keepsLog ? lastIndex : index,
    };
  }

  /** Returns the last index of the log after `batch`. */
  #checkEntries(batch: PersistBatch, start: LogStart): LogIndex {
    const [first] = batch.entries;
    if (first === undefined) return start.lastIndex;
    const { index } = first;
    assert(index > start.beforeFirstIndex, `entry ${index} is before the log's first`);
    assert(index <= start.lastIndex + 1, `entry ${index} leaves a gap after ${start.lastIndex}`);
    const committed = Math.max(this.#hardState.commitIndex, this.#lastIncludedIndex);
    assert(index > committed, `entry ${index} is committed already`);
    let previous = { index: index - 1, term: 1 };
    for (const entry of batch.entries) {
      assert(Number.isSafeInteger(entry.index), `entry index ${entry.index}`);
      assert(Number.isSafeInteger(entry.term), `entry term ${entry.term}`);
      assert(entry.index === previous.index + 1, `entry ${entry.index} after ${previous.index}`);
      assert(entry.term >= previous.term, `term ${entry.term} after ${previous.term}`);
      previous = entry;
    }
    return previous.index;
  }

  #checkHardState(next: HardState, lastIndex: LogIndex): void {
    const { currentTerm, votedFor, commitIndex } = next;
    const before = this.#hardState;
    assert(Number.isSafeInteger(currentTerm), `currentTerm ${currentTerm}`);
    assert(Number.isSafeInteger(commitIndex), `commitIndex ${commitIndex}`);
    assert(currentTerm >= before.currentTerm, `currentTerm falls to ${currentTerm}`);
    assert(commitIndex >= before.commitIndex, `commitIndex falls to ${commitIndex}`);
    assert(commitIndex <= lastIndex, `commitIndex ${commitIndex} is beyond the log's end`);
    const keepsVote = before.votedFor === null || before.votedFor === votedFor;
    assert(currentTerm > before.currentTerm || keepsVote, `second vote in term ${currentTerm}`);
  }
}
