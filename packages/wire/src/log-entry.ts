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

/** Where a member is reached. */
export interface MemberAddress {
  readonly id: NodeId;
  /** `host:port`. */
  readonly address: string;
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
  /** Learners that whoever leads makes voters as soon as they have caught up (Diss. §4.2.1). */
  readonly staging: readonly NodeId[];
  /** Where members are reached, sorted by id; a member whose address is not known has none. */
  readonly addresses: readonly MemberAddress[];
  /** Every id that was ever a member and is not any more: none of them may come back. */
  readonly retired: readonly NodeId[];
}

/** A configuration from the parts that are not empty. */
export function configurationOf(
  parts: Partial<Configuration> & Pick<Configuration, "voters">,
): Configuration {
  return {
    votersOutgoing: [],
    learners: [],
    staging: [],
    addresses: [],
    retired: [],
    ...parts,
  };
}
