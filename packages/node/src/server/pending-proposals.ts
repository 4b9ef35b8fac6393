import type { EntryId, LogIndex, NodeId, Term } from "@quorate/wire";
import type { ProposalOutcome } from "./driver-outcomes.ts";

type Done<Result> = (outcome: ProposalOutcome<Result>) => void;

interface PendingProposal<Result> {
  readonly term: Term;
  readonly done: Done<Result>;
  /** Null while this node leads in `term`; then the tick at which waiting ends. */
  deadlineTick: number | null;
}

/**
 * Accepted proposals by their index. One is decided by the entry that is applied there: its own
 * term means applied, another's means that it lost its place for ever (State Machine Safety,
 * Raft §5.4.3). When leadership is lost first, it waits a bounded time for that decision.
 */
export class PendingProposals<Result> {
  readonly #byIndex = new Map<LogIndex, PendingProposal<Result>>();
  readonly #patienceTicks: number;
  /** The term of all proposals without a deadline; null where there are none. */
  #ledTerm: Term | null = null;
  #firstDeadlineTick = Number.POSITIVE_INFINITY;

  /** Proposals wait at most `patienceTicks` for their decision after leadership was lost. */
  constructor(patienceTicks: number) {
    this.#patienceTicks = patienceTicks;
  }

  get size(): number {
    return this.#byIndex.size;
  }

  /** `done` is called once, by one of the other methods. */
  add(index: LogIndex, term: Term, nowTick: number, done: Done<Result>): void {
    this.noteLeadership(term, nowTick);
    const displaced = this.#byIndex.get(index);
    this.#byIndex.set(index, { term, done, deadlineTick: null });
    this.#ledTerm = term;
    // Its entry left this log, but another server may still hold it and commit it.
    displaced?.done({ kind: "unknown", code: "leadershipLost", leaderId: null });
  }

  /** Starts the wait of every proposal that was not made in `leaderTerm` (null: not leader). */
  noteLeadership(leaderTerm: Term | null, nowTick: number): void {
    if (this.#ledTerm === null || this.#ledTerm === leaderTerm) return;
    this.#ledTerm = null;
    const deadlineTick = nowTick + this.#patienceTicks;
    for (const pending of this.#byIndex.values()) pending.deadlineTick ??= deadlineTick;
    this.#firstDeadlineTick = Math.min(this.#firstDeadlineTick, deadlineTick);
  }

  /** The command at `entry` was applied: answers the proposal at its index, if there is one. */
  applied(entry: EntryId, result: Result, leaderId: NodeId | null): void {
    const pending = this.#take(entry.index);
    if (pending === undefined) return;
    if (pending.term === entry.term) {
      pending.done({ kind: "applied", index: entry.index, term: entry.term, result });
    } else {
      pending.done({ kind: "notApplied", code: "proposalDropped", leaderId });
    }
  }

  /** An entry that nobody proposed took the place for ever: the proposal there is dropped. */
  dropped(index: LogIndex, leaderId: NodeId | null): void {
    this.#take(index)?.done({ kind: "notApplied", code: "proposalDropped", leaderId });
  }

  /** A snapshot took the place of the log up to `index`: what became of proposals there is unknown. */
  overtaken(index: LogIndex, leaderId: NodeId | null): void {
    const overtaken = [...this.#byIndex].filter(([at]) => at <= index);
    for (const [at] of overtaken) this.#byIndex.delete(at);
    for (const [, { done }] of overtaken)
      done({ kind: "unknown", code: "leadershipLost", leaderId });
  }

  /** Gives up those whose wait is over. */
  expire(nowTick: number, leaderId: NodeId | null): void {
    if (nowTick < this.#firstDeadlineTick) return;
    this.#firstDeadlineTick = Number.POSITIVE_INFINITY;
    const expired: PendingProposal<Result>[] = [];
    for (const [index, pending] of this.#byIndex) {
      if (pending.deadlineTick === null) continue;
      if (pending.deadlineTick <= nowTick) {
        this.#byIndex.delete(index);
        expired.push(pending);
      } else {
        this.#firstDeadlineTick = Math.min(this.#firstDeadlineTick, pending.deadlineTick);
      }
    }
    for (const { done } of expired) done({ kind: "unknown", code: "leadershipLost", leaderId });
  }

  /** Answers all: the node stops, and whether others commit them is not known here. */
  stop(leaderId: NodeId | null): void {
    const all = [...this.#byIndex.values()];
    this.#byIndex.clear();
    for (const { done } of all) done({ kind: "unknown", code: "stopping", leaderId });
  }

  #take(index: LogIndex): PendingProposal<Result> | undefined {
    const pending = this.#byIndex.get(index);
    if (pending !== undefined) this.#byIndex.delete(index);
    return pending;
  }
}
