import type { AppendEntriesReply, LogIndex, NodeId } from "@quorate/wire";
import { assert } from "./assert.ts";
import { continueTransfer, tickTransfer } from "./leadership-transfer.ts";
import type { Progress } from "./progress.ts";
import { hasQuorum, quorumReached } from "./quorum.ts";
import { entrySizeBytes } from "./raft-log.ts";
import type { LeaderState, RaftState } from "./raft-state.ts";
import { becomeFollower } from "./raft-state.ts";
import { confirmReads, tickWaitingReads } from "./read-index.ts";
import { sendAppend, sendHeartbeat } from "./replication.ts";

/** One tick of a leader: heartbeats, the check of its quorum, and what has a time limit. */
export function tickLeader(state: RaftState, leader: LeaderState): void {
  for (const progress of leader.progress.values()) progress.silentTicks += 1;
  if (!hearsQuorum(state, leader)) {
    becomeFollower(state, null);
    return;
  }
  tickTransfer(state, leader);
  tickWaitingReads(state, leader);
  leader.heartbeatElapsedTicks += 1;
  const isHeartbeatDue = leader.heartbeatElapsedTicks >= state.config.heartbeatTicks;
  if (isHeartbeatDue) leader.heartbeatElapsedTicks = 0;
  for (const progress of leader.progress.values()) {
    if (isHeartbeatDue) sendHeartbeat(state, leader, progress);
    // A commit that no append carried reaches the followers within a tick.
    else if (progress.sentCommit < state.commitIndex) sendAppend(state, leader, progress, []);
  }
}

/**
 * A follower's process is gone, and what was on the way to it with it. Without a majority that may
 * still answer the leader stops at once, instead of taking proposals that it cannot commit.
 */
export function loseFollower(state: RaftState, leader: LeaderState, id: NodeId): void {
  const progress = leader.progress.get(id);
  if (progress === undefined) return;
  progress.probeFrom(progress.matchIndex + 1);
  progress.silentTicks = state.config.electionTicks;
  if (!hearsQuorum(state, leader)) becomeFollower(state, null);
}

/** Leader side of AppendEntries: moves nextIndex and matchIndex, and what is committed. */
export function handleAppendEntriesReply(
  state: RaftState,
  from: NodeId,
  reply: AppendEntriesReply,
): void {
  const { leader } = state;
  assert(leader !== null, "a leader without its state");
  const progress = leader.progress.get(from);
  if (progress === undefined || !isPossible(state, leader, reply)) return;
  progress.silentTicks = 0;
  progress.ackedRound = Math.max(progress.ackedRound, reply.round);
  if (reply.success) {
    progress.matched(reply.matchIndex, reply.prevLogIndex);
    advanceCommitIndex(state);
    continueTransfer(state, leader);
  } else if (!isStaleRejection(progress, reply)) {
    progress.probeFrom(nextIndexAfterRejection(state, reply));
  }
  confirmReads(state, leader);
}

/**
 * Commits up to the highest entry of the current term that a quorum holds durably, this server
 * only as far as its own disk. Entries of earlier terms are committed with it, never by being
 * counted (Raft §5.4.2).
 */
export function advanceCommitIndex(state: RaftState): void {
  const { leader } = state;
  if (leader === null) return;
  const reached = quorumReached(state.configuration, (id) => matchIndexOf(state, leader, id));
  if (reached <= state.commitIndex || state.log.termAt(reached) !== state.currentTerm) return;
  for (const entry of state.log.range(state.commitIndex + 1, reached)) {
    if (entry.index > leader.noopIndex) leader.uncommittedBytes -= entrySizeBytes(entry);
  }
  state.commitIndex = reached;
}

function matchIndexOf(state: RaftState, leader: LeaderState, id: NodeId): LogIndex {
  if (id === state.nodeId) return state.persistence.durableIndex;
  return leader.progress.get(id)?.matchIndex ?? 0;
}

/** Whether a quorum answered within an election timeout: without it, others may lead (Diss. §6.2). */
function hearsQuorum(state: RaftState, leader: LeaderState): boolean {
  const { configuration, config, nodeId } = state;
  return hasQuorum(
    configuration,
    (id) => id === nodeId || leader.progress.get(id)?.wasHeardWithin(config.electionTicks) === true,
  );
}

/** Whether an answer can be one to what this leader sent. */
function isPossible(state: RaftState, leader: LeaderState, reply: AppendEntriesReply): boolean {
  const { lastIndex } = state.log;
  return (
    reply.matchIndex <= lastIndex && reply.prevLogIndex <= lastIndex && reply.round <= leader.round
  );
}

/** A rejection of something older than what is known, or than what was sent last. */
function isStaleRejection(progress: Progress, reply: AppendEntriesReply): boolean {
  if (reply.prevLogIndex <= progress.matchIndex) return true;
  return progress.state === "probe" && reply.prevLogIndex !== progress.nextIndex - 1;
}

/**
 * Where to look next (Raft §5.3). Where the leader has the follower's term, behind its last entry
 * of it; otherwise before the follower's first. Each answer skips a term of one or the other.
 */
function nextIndexAfterRejection(state: RaftState, reply: AppendEntriesReply): LogIndex {
  const { conflictTerm, conflictIndex, prevLogIndex } = reply;
  const ownTerm = state.log.termAt(prevLogIndex) ?? 0;
  const lastOfTerm =
    conflictTerm !== null && conflictTerm < ownTerm
      ? state.log.lastIndexOfTerm(conflictTerm)
      : null;
  return Math.max(1, Math.min(lastOfTerm === null ? conflictIndex : lastOfTerm + 1, prevLogIndex));
}
