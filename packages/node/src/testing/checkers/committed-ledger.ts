import type { LogEntry, LogIndex, NodeId, Term } from "@quorate/wire";
import { EMPTY_CHAIN } from "../chain-hash.ts";
import { requireInvariant } from "../invariant-violation.ts";

interface CommittedEntry {
  readonly entry: LogEntry;
  readonly chainHash: number;
  /** Term of whoever called it committed first: the leader that did it. */
  readonly committedInTerm: Term;
  /** Hash of the state after it, of whoever applied it first; null before. */
  stateHash: string | null;
}

/**
 * The one log that the cluster has committed, as anybody ever said it: Leader Completeness (Raft
 * §5.4), State Machine Safety (§5.4.3), committed entries never change, and equal entries make
 * equal states. It outlives every process.
 */
export class CommittedLedger {
  readonly #entries: CommittedEntry[] = [];
  readonly #onCommitted: (entry: LogEntry) => void;

  /** `onCommitted` is told each entry once, in order. */
  constructor(onCommitted: (entry: LogEntry) => void) {
    this.#onCommitted = onCommitted;
  }

  /** Highest index that any node has called committed. */
  get lastIndex(): LogIndex {
    return this.#entries.length;
  }

  /** Hash of the committed log up to `index`, or null: it does not reach so far. */
  chainHashAt(index: LogIndex): number | null {
    return index === 0 ? EMPTY_CHAIN : (this.#entries[index - 1]?.chainHash ?? null);
  }

  entryAt(index: LogIndex): LogEntry | null {
    return this.#entries[index - 1]?.entry ?? null;
  }

  /** `node` says in `term` that `entry` is committed; says whether nobody did before. */
  committed(node: NodeId, term: Term, entry: LogEntry, chainHash: number): boolean {
    const known = this.#entries[entry.index - 1];
    requireInvariant(
      known === undefined || known.chainHash === chainHash,
      "Committed Immutable",
      () =>
        `${node} committed entry ${entry.index} of term ${entry.term}, but another was committed ` +
        `there before, of term ${known?.entry.term ?? 0}, or before that index`,
    );
    if (known !== undefined) return false;
    requireInvariant(
      entry.index === this.#entries.length + 1,
      "Committed Immutable",
      () => `${node} committed entry ${entry.index} before the entries under it`,
    );
    this.#entries.push({ entry, chainHash, committedInTerm: term, stateHash: null });
    this.#onCommitted(entry);
    return true;
  }

  /**
   * `node` has won the election of `term`: its log, whose hash at an index is `chainHashAt`, must
   * hold all that was committed in earlier terms. Votes may reach it so late that later terms
   * have committed more; that it need not hold, and can never commit against.
   */
  leaderElected(node: NodeId, term: Term, chainHashAt: (index: LogIndex) => number | null): void {
    const last = this.#entries.findLast(({ committedInTerm }) => committedInTerm < term);
    if (last === undefined) return;
    requireInvariant(
      chainHashAt(last.entry.index) === last.chainHash,
      "Leader Completeness",
      () =>
        `${node} leads in term ${term} without the log up to entry ${last.entry.index}, which ` +
        `was committed in term ${last.committedInTerm}`,
    );
  }

  /** `node` has applied `entry`; `stateHash` is of its state machine afterwards. */
  applied(node: NodeId, entry: LogEntry, stateHash: string): void {
    const known = this.#entries[entry.index - 1];
    requireInvariant(
      known !== undefined && isSame(known.entry, entry),
      "State Machine Safety",
      () => `${node} applied an entry at ${entry.index} that is not the committed one`,
    );
    known.stateHash ??= stateHash;
    requireInvariant(
      known.stateHash === stateHash,
      "Determinism",
      () => `${node} has another state after entry ${entry.index} than the first to apply it`,
    );
  }

  /** A snapshot became the state of `node`: it must be what the entries up to `index` make. */
  restored(node: NodeId, index: LogIndex, stateHash: string): void {
    const known = this.#entries[index - 1];
    requireInvariant(
      known !== undefined && known.stateHash === stateHash,
      "Snapshot Equals Replay",
      () => `${node} has another state by a snapshot at ${index} than by the entries up to there`,
    );
  }
}

function isSame(left: LogEntry, right: LogEntry): boolean {
  return (
    left.term === right.term &&
    left.kind === right.kind &&
    left.data.length === right.data.length &&
    left.data.every((byte, offset) => byte === right.data[offset])
  );
}
