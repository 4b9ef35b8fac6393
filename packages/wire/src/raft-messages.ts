import type { LogIndex, NodeId, RequestId, Term } from "./ids.ts";
import type { Configuration, LogEntry } from "./log-entry.ts";

/** Raft Figure 2, RequestVote RPC. */
export interface RequestVote {
  readonly type: "RequestVote";
  readonly term: Term;
  readonly candidateId: NodeId;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  /** The leader itself asked for this election: voters do not wait for its silence (Diss. §4.2.3). */
  readonly leadershipTransfer: boolean;
}

export interface RequestVoteReply {
  readonly type: "RequestVoteReply";
  /** The voter's `currentTerm`. */
  readonly term: Term;
  readonly voteGranted: boolean;
}

/** Asks whether a vote would be granted; changes no state on either side (Diss. §9.6). */
export interface PreVote {
  readonly type: "PreVote";
  /** The term that the sender would campaign in: its `currentTerm` + 1. */
  readonly term: Term;
  readonly candidateId: NodeId;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
}

export interface PreVoteReply {
  readonly type: "PreVoteReply";
  /** The voter's `currentTerm`. */
  readonly term: Term;
  /** `term` of the {@link PreVote} that this answers. */
  readonly preVoteTerm: Term;
  readonly voteGranted: boolean;
}

/** Raft Figure 2, AppendEntries RPC; without entries it is the heartbeat. */
export interface AppendEntries {
  readonly type: "AppendEntries";
  readonly term: Term;
  readonly leaderId: NodeId;
  readonly prevLogIndex: LogIndex;
  readonly prevLogTerm: Term;
  readonly entries: readonly LogEntry[];
  readonly leaderCommit: LogIndex;
  /** Number of the leader's newest confirmation round; echoed at once, so that a majority of
   *  echoes proves that it still led after the round began (Diss. §6.4). */
  readonly round: number;
}

export interface AppendEntriesReply {
  readonly type: "AppendEntriesReply";
  readonly term: Term;
  /** Whether the log holds an entry `prevLogTerm` at `prevLogIndex` (Raft §5.3). */
  readonly success: boolean;
  /** `prevLogIndex` of the request that this answers. */
  readonly prevLogIndex: LogIndex;
  /** On success: the log up to here is the leader's and is durable. 0 on failure. */
  readonly matchIndex: LogIndex;
  /** On failure: the term of the conflicting entry, or null where the log is too short. */
  readonly conflictTerm: Term | null;
  /**
   * On failure: the first index of that term, or the last index + 1 where the log is too short.
   * 0 where the request was of an earlier term: this tells of the term, and nothing of the log.
   */
  readonly conflictIndex: LogIndex;
  readonly round: number;
}

/** The leader asks a caught-up follower to campaign at once (Diss. §3.10). */
export interface TimeoutNow {
  readonly type: "TimeoutNow";
  readonly term: Term;
  readonly leaderId: NodeId;
}

/** A follower asks the leader for a read index (Diss. §6.4). */
export interface ReadIndex {
  readonly type: "ReadIndex";
  readonly term: Term;
  /** Unique for each attempt, also across restarts of the sender. */
  readonly requestId: RequestId;
}

export interface ReadIndexReply {
  readonly type: "ReadIndexReply";
  readonly term: Term;
  readonly requestId: RequestId;
  /** What the reader must have applied before it answers, or null: not the leader, ask again. */
  readonly readIndex: LogIndex | null;
}

/**
 * Raft Figure 13, InstallSnapshot RPC: one piece of a snapshot, whose first piece has offset 0. It
 * also is a heartbeat.
 */
export interface InstallSnapshot {
  readonly type: "InstallSnapshot";
  readonly term: Term;
  readonly leaderId: NodeId;
  readonly lastIncludedIndex: LogIndex;
  readonly lastIncludedTerm: Term;
  /** The members at `lastIncludedIndex`. */
  readonly configuration: Configuration;
  /** Index of the entry that brought `configuration`; 0: it is the one of the bootstrap. */
  readonly configurationIndex: LogIndex;
  /** Tells the sender's file from another of the same index: only the same bytes can be resumed. */
  readonly snapshotId: string;
  readonly totalBytes: number;
  readonly offset: number;
  readonly data: Uint8Array;
  /** This is the last piece. */
  readonly done: boolean;
}

export interface InstallSnapshotReply {
  readonly type: "InstallSnapshotReply";
  readonly term: Term;
  /** Of the piece that this answers; 0 where that was of an earlier term: it tells nothing more. */
  readonly lastIncludedIndex: LogIndex;
  readonly snapshotId: string;
  /** Where the next piece starts: what came before is stored. */
  readonly nextOffset: number;
  /** The log up to `lastIncludedIndex` is there and durable: by this snapshot, or anyway. */
  readonly installed: boolean;
}

/** What servers say to each other. */
export type RaftMessage =
  | RequestVote
  | RequestVoteReply
  | PreVote
  | PreVoteReply
  | AppendEntries
  | AppendEntriesReply
  | TimeoutNow
  | ReadIndex
  | ReadIndexReply
  | InstallSnapshot
  | InstallSnapshotReply;
