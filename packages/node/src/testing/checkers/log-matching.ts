import type { LogIndex, NodeId, Term } from "@quorate/wire";
import { requireInvariant } from "../invariant-violation.ts";

/** Far above the terms that a simulation reaches: (index, term) fits one exact number. */
const TERMS_MAX = 2 ** 20;

/**
 * Log Matching (Raft §5.3): logs that hold an entry of the same index and term are equal up to
 * it. With a chain hash for each entry, one look-up compares whole logs.
 */
export class LogMatching {
  readonly #chainHashes = new Map<number, number>();

  /** A log holds an entry of this index and term, with this chain hash. */
  entrySeen(index: LogIndex, term: Term, chainHash: number, node: NodeId): void {
    const key = index * TERMS_MAX + term;
    const known = this.#chainHashes.get(key);
    if (known === undefined) this.#chainHashes.set(key, chainHash);
    requireInvariant(
      known === undefined || known === chainHash,
      "Log Matching",
      () => `${node} holds another log up to entry ${index} of term ${term} than was seen before`,
    );
  }
}
