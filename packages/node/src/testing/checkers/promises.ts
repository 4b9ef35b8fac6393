import type { LogIndex, NodeId, RaftMessage } from "@quorate/wire";
import type { HardState } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** What a disk is asked. */
export interface PromiseKeeper {
  readonly hardState: HardState;
  readonly lastIndex: LogIndex;
}

/**
 * Durability before promise: a vote asked or granted, and an acknowledged entry, leave a node
 * only when they would survive a power cut (Raft Figure 2: "Updated on stable storage before
 * responding to RPCs").
 */
export function checkPromise(
  node: NodeId,
  to: NodeId,
  message: RaftMessage,
  disk: PromiseKeeper,
): void {
  switch (message.type) {
    case "RequestVote":
      requireVote(node, message.term, node, disk);
      break;
    case "RequestVoteReply":
      if (message.voteGranted) requireVote(node, message.term, to, disk);
      break;
    case "AppendEntriesReply":
      if (!message.success) break;
      requireInvariant(
        disk.lastIndex >= message.matchIndex,
        "Durability Before Promise",
        () =>
          `${node} acknowledges entries up to ${message.matchIndex} to ${to}; on its disk are ` +
          `those up to ${disk.lastIndex}`,
      );
      requireTerm(node, message.term, disk);
      break;
    case "InstallSnapshotReply":
      if (!message.installed) break;
      requireInvariant(
        disk.lastIndex >= message.lastIncludedIndex,
        "Durability Before Promise",
        () =>
          `${node} tells ${to} that it has the snapshot at ${message.lastIncludedIndex}; its disk ` +
          `reaches ${disk.lastIndex}`,
      );
      requireTerm(node, message.term, disk);
      break;
    case "AppendEntries":
    case "InstallSnapshot":
    case "PreVote":
    case "PreVoteReply":
    case "TimeoutNow":
    case "ReadIndex":
    case "ReadIndexReply":
      break;
  }
}

/** Who leads counted its own vote: it must be on its disk (Raft §5.2, Diss. §3.8). */
export function checkOwnVote(leader: NodeId, term: number, disk: PromiseKeeper): void {
  requireVote(leader, term, leader, disk);
}

function requireVote(node: NodeId, term: number, candidate: NodeId, disk: PromiseKeeper): void {
  const { currentTerm, votedFor } = disk.hardState;
  requireTerm(node, term, disk);
  requireInvariant(
    currentTerm > term || votedFor === candidate,
    "Durability Before Promise",
    () => `${node} gives ${candidate} its vote of term ${term}, which is not on its disk`,
  );
}

function requireTerm(node: NodeId, term: number, disk: PromiseKeeper): void {
  requireInvariant(
    disk.hardState.currentTerm >= term,
    "Durability Before Promise",
    () => `${node} answers in term ${term}; on its disk is term ${disk.hardState.currentTerm}`,
  );
}
