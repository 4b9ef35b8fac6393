import type {
  Configuration,
  LogEntry,
  LogIndex,
  NodeId,
  RaftMessage,
  RequestId,
  Term,
} from "@quorate/wire";

/** Raft Figure 2's persistent state without the log, and a hint of the commit point. */
export interface HardState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
  /**
   * Known to be committed when this was written: never ahead of the entries stored with or before
   * it. It may lag; a change of it alone is not persisted.
   */
  readonly commitIndex: LogIndex;
}

/** What a node finds on its disk when it starts. */
export interface RecoveredState {
  readonly hardState: HardState;
  /** The log, contiguous from `snapshot.lastIncludedIndex + 1`. */
  readonly entries: readonly LogEntry[];
  /** What the log before it was replaced by; index and term 0 in a log that has all its entries. */
  readonly snapshot: SnapshotPoint;
}

/** The last entry that a snapshot replaces, and the members at that point (Raft §7). */
export interface SnapshotPoint {
  readonly lastIncludedIndex: LogIndex;
  readonly lastIncludedTerm: Term;
  readonly configuration: Configuration;
}

/** One atomic, durable write. */
export interface PersistBatch {
  /** 1, 2, 3, … within a process. At most one batch is in flight. */
  readonly sequence: number;
  /** Null: unchanged. */
  readonly hardState: HardState | null;
  /** Replace whatever the log holds from `entries[0].index` on. Empty: the log is unchanged. */
  readonly entries: readonly LogEntry[];
}

export interface Envelope {
  readonly to: NodeId;
  readonly message: RaftMessage;
}

/** A message that promises something which is not durable yet. */
export interface DeferredEnvelope extends Envelope {
  /** May leave only after the batch of this sequence is durable: in flight, or in this output. */
  readonly afterSequence: number;
}

/** A read that may be answered once the state machine has applied `readIndex` (Diss. §6.4). */
export interface ReadState {
  readonly requestId: RequestId;
  readonly readIndex: LogIndex;
}

/** Everything that a step of the core asks of its driver: see README.md for the duties. */
export interface Output {
  /** May leave at once, before anything in this output is persisted (Diss. §10.2.1). */
  readonly messages: readonly Envelope[];
  readonly messagesAfterPersist: readonly DeferredEnvelope[];
  /** Make this durable, then call `persisted(sequence)`. */
  readonly persist: PersistBatch | null;
  /** Apply in order, once. More may wait: see `hasOutput`. */
  readonly committedEntries: readonly LogEntry[];
  readonly readStates: readonly ReadState[];
  /** Reads that will get no answer: the leader changed, is not known or is stuck. Ask again. */
  readonly abortedReads: readonly RequestId[];
}
