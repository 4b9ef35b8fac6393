import type { LogEntry, LogIndex, NodeId, RaftMessage, Term } from "@quorate/wire";
import type { PersistBatch, RaftView } from "../raft/index.ts";

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
  onPeerConnected?(peer: NodeId): void;
  onPeerDown?(peer: NodeId, refused: boolean): void;
}
