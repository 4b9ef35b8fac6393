import type { LogIndex, NodeId, RaftMessage } from "@quorate/wire";
import type { RaftView } from "../raft/index.ts";

/** The age of a state of which nothing is known. */
export const UNKNOWN_AGE_MS: number = Number.MAX_SAFE_INTEGER;

/**
 * How old a node's state may be at most, for reads that need not be linearizable.
 *
 * When a message of the leader comes in, everything that this leader had committed when it sent it
 * is known; the state is as fresh as that once it is applied. A leader may have been replaced
 * without knowing, and then says nothing of what its successor commits; but it steps down when no
 * majority has answered it for an election timeout (check-quorum, Diss. §6.2). So whatever was
 * acknowledged an election timeout before that message is in the state. The time that the message
 * took on its way comes on top of it, and is small beside that.
 */
export class ReadFreshness {
  readonly #electionTimeoutMs: number;
  readonly #nowMs: () => number;
  #freshAtMs: number | null = null;
  /** The oldest message whose commits are not all applied yet. */
  #awaited: { readonly index: LogIndex; readonly atMs: number } | null = null;

  constructor(electionTimeoutMs: number, nowMs: () => number) {
    this.#electionTimeoutMs = electionTimeoutMs;
    this.#nowMs = nowMs;
  }

  /** A message came in at a node that is as `view` says and has applied `lastApplied`. */
  received(from: NodeId, message: RaftMessage, view: RaftView, lastApplied: LogIndex): void {
    if (message.type !== "AppendEntries" || message.term < view.currentTerm) return;
    if (message.leaderId !== from) return;
    const atMs = this.#nowMs();
    if (lastApplied >= message.leaderCommit) this.#freshAtMs = atMs;
    else this.#awaited ??= { index: message.leaderCommit, atMs };
  }

  /** Everything up to `lastApplied` is in the state. */
  applied(lastApplied: LogIndex): void {
    if (this.#awaited === null || lastApplied < this.#awaited.index) return;
    this.#freshAtMs = Math.max(this.#freshAtMs ?? 0, this.#awaited.atMs);
    this.#awaited = null;
  }

  /** Of the state of a node as `view` says, in ms. */
  ageMs(view: RaftView, lastApplied: LogIndex): number {
    const isLeading = view.role === "leader" && lastApplied >= view.commitIndex;
    if (isLeading && view.confirmedRound > 0) return this.#electionTimeoutMs;
    if (this.#freshAtMs === null) return UNKNOWN_AGE_MS;
    return Math.ceil(this.#nowMs() - this.#freshAtMs + this.#electionTimeoutMs);
  }
}
