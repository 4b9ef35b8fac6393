import type {
  Configuration,
  InstallSnapshot,
  LogIndex,
  NodeId,
  RaftMessage,
  Term,
} from "@quorate/wire";
import type { RaftConfig, RaftView } from "../../../raft/index.ts";
import { requireInvariant } from "../../invariant-violation.ts";

/** What a core is told, and nothing else changes it. */
export type StepInput =
  | { readonly kind: "message"; readonly from: NodeId; readonly message: RaftMessage }
  | { readonly kind: "tick" }
  | { readonly kind: "persisted" }
  | { readonly kind: "peerDown"; readonly peer: NodeId }
  | { readonly kind: "snapshotTaken"; readonly index: LogIndex }
  | { readonly kind: "snapshotReceived"; readonly message: InstallSnapshot }
  /** Of the disk, of a client or of an operator, where nothing is asked of the step alone. */
  | { readonly kind: "other" };

/** One input of a core whose effect is not seen yet. */
export interface StepBegun {
  readonly node: NodeId;
  readonly config: RaftConfig;
  readonly input: StepInput;
  readonly before: RaftView;
  /** Term of the entry that the input names, in the log of before; null: not there. */
  readonly termNamed: Term | null;
}

/** One input of a core, and what became of it. */
export interface Step extends StepBegun {
  readonly after: RaftView;
}

/** Term of an entry of the core's log; null: it is not there, or not any more. */
export type TermAt = (index: LogIndex) => Term | null;

/** What the world knows and no server does. */
export interface StepWorld {
  /** The latest configuration up to `index`, which is committed. */
  committedAt(index: LogIndex): Configuration;
  /** Whether entries were ever taken from the disk of `node`. */
  hasLostEntries(node: NodeId): boolean;
  /** Whom `voter` was ever heard to vote for in `term`, a candidate for itself; null: nobody. */
  voteOf(term: Term, voter: NodeId): NodeId | null;
}

/** Ends the run unless a step did what the paper prescribes. */
export function requireRule(condition: boolean, message: () => string): asserts condition {
  requireInvariant(condition, "Rules Of A Step", message);
}
