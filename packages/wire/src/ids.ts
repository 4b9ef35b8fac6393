/**
 * Name of one server: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, starting with a letter or digit.
 * Unique in its cluster for ever: a replaced server gets a new one, because a fresh server under
 * an old identity could vote twice in a term (Raft §5.2, Diss. §3.8).
 */
export type NodeId = string;

/** Name of one cluster, minted when it is bootstrapped: the same alphabet as {@link NodeId}. */
export type ClusterId = string;

/** Minted once for each data directory, so that a wiped or copied directory can be told apart. */
export type Incarnation = string;

/** Number of an election period (Raft §5.1): 0 before the first election, at most 2^53 - 1. */
export type Term = number;

/** Position in the replicated log: 1-based, 0 before the first entry, at most 2^53 - 1. */
export type LogIndex = number;

/** Names one request or stream on a connection; chosen by the sender, at most 2^53 - 1. */
export type RequestId = number;

const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u;

/** Whether `text` can be a {@link NodeId}, {@link ClusterId} or {@link Incarnation}. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}
