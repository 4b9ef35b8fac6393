import type { LogIndex } from "@quorate/wire";

import { assert } from "../raft/index.ts";
import type { HardState, PersistBatch, RecoveredState } from "../raft/index.ts";

/**
 * What every batch keeps, checked before anything of it is stored: the log has no gap and its
 * terms never fall (§5.3), nothing committed is replaced (§5.4), the term never falls and a vote
 * is not changed within one (§5.2), an entry's term and a commit index are never durable ahead of
 * `currentTerm` and of the entries.
 */
export class BatchOrder {
  #hardState: HardState;
  #firstIndex: LogIndex;
  #lastIndex: LogIndex;
  #sequence = 0;

  constructor(recovered: RecoveredState) {
    this.#hardState = recovered.hardState;
    this.#firstIndex = recovered.snapshot.lastIncludedIndex + 1;
    this.#lastIndex = recovered.snapshot.lastIncludedIndex + recovered.entries.length;
  }

  /** @throws InvariantError where `batch` may not follow the ones before it. */
  check(batch: PersistBatch): void {
    const { sequence, hardState } = batch;
    assert(Number.isSafeInteger(sequence) && sequence > this.#sequence, `sequence ${sequence}`);
    const lastIndex = this.#checkEntries(batch);
    const next = hardState ?? this.#hardState;
    this.#checkHardState(next, lastIndex);
    const lastTerm = batch.entries.at(-1)?.term ?? 0;
    assert(lastTerm <= next.currentTerm, `entry of term ${lastTerm} in term ${next.currentTerm}`);
    this.#sequence = sequence;
    this.#hardState = next;
    this.#lastIndex = lastIndex;
  }

  /** Returns the last index of the log after `batch`. */
  #checkEntries(batch: PersistBatch): LogIndex {
    const [first] = batch.entries;
    if (first === undefined) return this.#lastIndex;
    const { index } = first;
    assert(index >= this.#firstIndex, `entry ${index} is before the log's first`);
    assert(index <= this.#lastIndex + 1, `entry ${index} leaves a gap after ${this.#lastIndex}`);
    assert(index > this.#hardState.commitIndex, `entry ${index} is committed already`);
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
