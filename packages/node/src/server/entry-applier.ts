import type { LogEntry, LogIndex, NodeId } from "@quorate/wire";
import type { StateMachine } from "../ports/state-machine.ts";
import { assert } from "../raft/index.ts";
import type { DriverObserver } from "./driver-outcomes.ts";
import type { PendingProposals } from "./pending-proposals.ts";
import type { PendingReads } from "./pending-reads.ts";

export interface EntryApplierOptions<Result> {
  readonly stateMachine: StateMachine<Result>;
  readonly observer: DriverObserver<Result>;
  /** Commands that wait to be applied. */
  readonly proposals: PendingProposals<Result>;
  /** Changes of members that wait to be committed. */
  readonly changes: PendingProposals<null>;
  readonly reads: PendingReads;
}

/** Gives committed entries to the state machine, and their outcomes to those who wait for them. */
export class EntryApplier<Result> {
  readonly #options: EntryApplierOptions<Result>;
  #lastApplied: LogIndex;

  /** The state machine's state is, or is about to be, that of `lastApplied`. */
  constructor(options: EntryApplierOptions<Result>, lastApplied: LogIndex) {
    this.#options = options;
    this.#lastApplied = lastApplied;
  }

  /** Highest index that the state machine has applied. */
  get lastApplied(): LogIndex {
    return this.#lastApplied;
  }

  /** Applies the entry that follows the last one. */
  apply(entry: LogEntry, leaderId: NodeId | null): void {
    assert(entry.index === this.#lastApplied + 1, `applying ${entry.index} out of order`);
    this.#lastApplied = entry.index;
    if (entry.kind === "command") this.#applyCommand(entry, leaderId);
    else this.#passOver(entry, leaderId);
  }

  /** A snapshot up to `index` is to take the place of the state and of what was to be applied. */
  overtaken(index: LogIndex, leaderId: NodeId | null): void {
    this.#options.proposals.overtaken(index, leaderId);
    this.#options.changes.overtaken(index, leaderId);
  }

  /** The state machine's state is that of `index`. */
  restored(index: LogIndex): void {
    this.#lastApplied = index;
    this.answerReads();
  }

  /** Answers the reads whose index is applied. */
  answerReads(): void {
    this.#options.reads.answer(this.#lastApplied);
  }

  #applyCommand(entry: LogEntry, leaderId: NodeId | null): void {
    const { stateMachine, observer, proposals, changes } = this.#options;
    const result = stateMachine.apply(entry);
    observer.onApplied?.(entry, result);
    proposals.applied(entry, result, leaderId);
    changes.dropped(entry.index, leaderId);
  }

  /** Nothing of the state machine's: the core has long taken in what a configuration says. */
  #passOver(entry: LogEntry, leaderId: NodeId | null): void {
    const { observer, proposals, changes } = this.#options;
    observer.onApplied?.(entry, null);
    proposals.dropped(entry.index, leaderId);
    if (entry.kind === "configuration") changes.applied(entry, null, leaderId);
    else changes.dropped(entry.index, leaderId);
  }
}
