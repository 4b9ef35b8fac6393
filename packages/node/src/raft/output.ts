import type {
  Configuration,
  EntryId,
  InstallSnapshot,
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
  /** The newest snapshot; index and term 0 where there is none, with the bootstrap's members. */
  readonly snapshot: SnapshotPoint;
  /** The last entry that was compacted. Invariant: its index <= `snapshot.lastIncludedIndex`. */
  readonly beforeFirst: EntryId;
  /**
   * The log, contiguous from `beforeFirst.index + 1`. It reaches `snapshot.lastIncludedIndex` at
   * least: where damage cut it before that, it starts after the snapshot.
   */
  readonly entries: readonly LogEntry[];
  /**
   * The end of the log before damage cut it; null: it is whole. Until the log is at least as up to
   * date again this server may have forgotten what it acknowledged, so it votes only for logs that
   * are, and does not campaign (Raft §5.4.1 speaks of the log that it had).
   */
  readonly voteFloor: EntryId | null;
}

/** The last entry that a snapshot replaces, and the members at that point (Raft §7). */
export interface SnapshotPoint {
  readonly lastIncludedIndex: LogIndex;
  readonly lastIncludedTerm: Term;
  readonly configuration: Configuration;
  /** Index of the entry that brought `configuration`; 0: it is the one of the bootstrap. */
  readonly configurationIndex: LogIndex;
}

/** A snapshot takes the place of the start of the log, in the same atomic step as a batch. */
export interface SnapshotSwitch {
  /** Its file is complete and durable. */
  readonly point: SnapshotPoint;
  /** Entries up to here leave the log; those after it stay, as a window for slow followers. */
  readonly beforeFirst: EntryId;
  /** False: the log disagrees with the snapshot or ends before it, and goes as a whole. */
  readonly keepsLog: boolean;
}

/** One atomic, durable write: first the snapshot's switch, then hard state and entries. */
export interface PersistBatch {
  /** 1, 2, 3, … within a process. At most one batch is in flight. */
  readonly sequence: number;
  /** Null: unchanged. */
  readonly hardState: HardState | null;
  /** Replace whatever the log holds from `entries[0].index` on. Empty: the log is unchanged. */
  readonly entries: readonly LogEntry[];
  /** Absent: no snapshot was taken or received. */
  readonly snapshot?: SnapshotSwitch;
  /** The log is as up to date as the vote floor: forget the floor. */
  readonly clearsVoteFloor?: true;
}

/** A piece of a snapshot that this follower takes: store it, then say so. */
export interface SnapshotChunk {
  readonly from: NodeId;
  readonly message: InstallSnapshot;
}

/** How far a follower has stored the snapshot that is sent to it. */
export interface SnapshotAck {
  readonly from: NodeId;
  readonly snapshotId: string;
  readonly nextOffset: number;
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
  /** Make the received snapshot the state machine's state before anything else is applied. */
  readonly installed: SnapshotPoint | null;
  /** Pieces to store; then `snapshotChunkStored`, or `snapshotReceived` for the last. */
  readonly snapshotChunks: readonly SnapshotChunk[];
  /** Followers that need entries which the log has no more: stream them the newest snapshot. */
  readonly snapshotsToSend: readonly NodeId[];
  /** What followers have stored of it. */
  readonly snapshotAcks: readonly SnapshotAck[];
}
