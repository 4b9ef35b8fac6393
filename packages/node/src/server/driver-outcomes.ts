import type { LogEntry, LogIndex, NodeId, RaftMessage, Term } from "@quorate/wire";
import type { SnapshotName } from "../ports/snapshot-store.ts";
import type { ChangeRefusal, PersistBatch, RaftView } from "../raft/index.ts";

/**
 * How a proposal ended. `applied`: committed and applied here, with the state machine's result.
 * `notApplied`: it is in no log that can ever commit it, so it may be retried blindly. `unknown`:
 * it may or may not be applied later.
 */
export type ProposalOutcome<Result> =
  | {
      readonly kind: "applied";
      readonly index: LogIndex;
      readonly term: Term;
      readonly result: Result;
    }
  | {
      readonly kind: "notApplied";
      readonly code:
        | "notLeader"
        | "noLeader"
        | "transferring"
        | "overloaded"
        | "proposalDropped"
        | "stopping";
      readonly leaderId: NodeId | null;
    }
  | {
      readonly kind: "unknown";
      readonly code: "leadershipLost" | "stopping";
      readonly leaderId: NodeId | null;
    };

/**
 * How a change of members ended. `applied`: its entry is committed; a joint one is left by itself,
 * whoever leads (Raft §6). `refused`: nothing has happened.
 */
export type ChangeOutcome = ProposalOutcome<null> | ChangeRefusal;

/**
 * `ready`: the state machine holds every write that was acknowledged before the read was asked
 * for (Diss. §6.4); it has applied `appliedIndex` >= `readIndex`. Read it before returning.
 */
export type ReadOutcome =
  | { readonly kind: "ready"; readonly readIndex: LogIndex; readonly appliedIndex: LogIndex }
  | {
      readonly kind: "failed";
      readonly code: "noLeader" | "leadershipLost" | "stopping";
      readonly leaderId: NodeId | null;
    };

/** `moved`: this node knows a leader other than itself in a later term (Diss. §3.10). */
export type TransferOutcome =
  | { readonly kind: "moved"; readonly leaderId: NodeId; readonly term: Term }
  | {
      readonly kind: "failed";
      readonly code: "notLeader" | "noLeader" | "transferFailed" | "stopping";
      readonly leaderId: NodeId | null;
      readonly reason: string;
    };

/** What a snapshot took. */
export interface SnapshotWork {
  readonly bytes: number;
  readonly durationMs: number;
}

/** Progress of something that takes a while, in bytes. */
export interface ByteProgress {
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Where a node is with its snapshots. */
export interface SnapshotStatus {
  /** Last index and size of the durable one; 0: there is none. */
  readonly index: LogIndex;
  readonly bytes: number;
  /** Index of the one that is being written; null: none is. */
  readonly takingIndex: LogIndex | null;
  /** How much of a snapshot each follower has stored that is being sent one. */
  readonly sending: ReadonlyMap<NodeId, ByteProgress>;
  readonly receiving: (ByteProgress & { readonly from: NodeId; readonly index: LogIndex }) | null;
  /** A snapshot is being made the state: of a leader, or at start. */
  readonly installing: (ByteProgress & { readonly index: LogIndex }) | null;
}

/** What a driver tells whoever derives events and measures. Called in the driver's turn: be quick. */
export interface DriverObserver<Result = unknown> {
  /** Once for each turn with output: the core after the turn before, and after this one. */
  onStep(before: RaftView, after: RaftView): void;
  onMessageReceived?(from: NodeId, message: RaftMessage): void;
  /** Called before the message is handed to the transport. */
  onMessageSent?(to: NodeId, message: RaftMessage): void;
  /** `batch` is durable, `durationMs` after it was handed to the storage. */
  onPersisted?(batch: PersistBatch, durationMs: number): void;
  /** `entry` has been applied; the result is null for a noop or configuration. */
  onApplied?(entry: LogEntry, result: Result | null): void;
  /** This node's own state is in a durable file, and the log up to there may go (Raft §7). */
  onSnapshotTaken?(name: SnapshotName, work: SnapshotWork): void;
  /** A leader's snapshot has become this node's state. */
  onSnapshotInstalled?(name: SnapshotName, work: SnapshotWork): void;
  /** A follower begins to be sent a snapshot of `totalBytes`. */
  onSnapshotSending?(to: NodeId, name: SnapshotName, totalBytes: number): void;
  /** What `from` sent is not what it announced: it is sent again. */
  onSnapshotDamaged?(from: NodeId, name: SnapshotName): void;
  onPeerConnected?(peer: NodeId): void;
  onPeerDown?(peer: NodeId, refused: boolean): void;
}
