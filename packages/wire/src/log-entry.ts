import type { LogIndex, NodeId, Term } from "./ids.ts";

/**
 * What an entry does when it is applied: `noop` nothing (a leader's first entry of its term,
 * Diss. §6.4), `command` a change of the state machine, `configuration` a change of members.
 */
export type EntryKind = "noop" | "command" | "configuration";

/** Position and term of an entry: together they name it for ever (Raft §5.3, Log Matching). */
export interface EntryId {
  readonly index: LogIndex;
  readonly term: Term;
}

/** One entry of the replicated log. Nobody changes `data` after the entry was made. */
export interface LogEntry extends EntryId {
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

/**
 * Who votes and who only listens. While a change is under way (joint consensus, Raft §6)
 * `votersOutgoing` holds C_old and `voters` C_new; otherwise `votersOutgoing` is empty.
 * Each list is sorted and free of duplicates; no learner is a voter.
 */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
}
