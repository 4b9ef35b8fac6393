import type { AppendEntriesReply, LogIndex, NodeId } from "@quorate/wire";
import { assert } from "./assert.ts";
import { continueTransfer, startTransfer, tickTransfer } from "./leadership-transfer.ts";
import { settleConfiguration, tickMembers } from "./membership.ts";
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
  if (state.isStalled && !yieldLeadership(state, leader)) return;
  tickTransfer(state, leader);
  tickMembers(state, leader);
  tickWaitingReads(state, leader);
  leader.heartbeatElapsedTicks += 1;
  const isHeartbeatDue = leader.heartbeatElapsedTicks >= state.config.heartbeatTicks;
  if (isHeartbeatDue) {
    leader.heartbeatElapsedTicks = 0;
    // A lease is renewed by rounds even when nobody reads.
    if (state.config.leaseReads) leader.round += 1;
    // A single voter has nobody to wait for.
    confirmReads(state, leader);
  }
  for (const progress of leader.progress.values()) {
    if (isHeartbeatDue) sendHeartbeat(state, leader, progress);
    // A commit that no append carried reaches the followers within a tick.
    else if (progress.sentCommit < state.commitIndex) sendAppend(state, leader, progress, []);
  }
}

/**
 * The disk of a leader that goes on without it would be missed by nobody until it is too late:
 * hand over to somebody with a good one, or stop. Says whether this server still leads.
 */
function yieldLeadership(state: RaftState, leader: LeaderState): boolean {
  if (leader.transfer !== null) return true;
  if (!leader.triedToYield && startTransfer(state, null).kind === "started") {
    leader.triedToYield = true;
    return true;
  }
  becomeFollower(state, null);
  return false;
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
  progress.heard();
  progress.ackedRound = Math.max(progress.ackedRound, reply.round);
  if (reply.success) {
    progress.matched(reply.matchIndex, reply.prevLogIndex);
    advanceCommitIndex(state);
    // The commit of its own removal ends its leadership.
    if (state.leader !== leader) return;
    continueTransfer(state, leader);
  } else if (reply.prevLogIndex <= progress.matchIndex) {
    doubtMatch(state, leader, progress, reply);
  } else if (!isStaleRejection(progress, reply)) {
    progress.probeFrom(nextIndexAfterRejection(state, reply));
  }
  confirmReads(state, leader);
}

/**
 * A rejection of what the follower once had stored: a late one, or one of a server whose disk lost
 * it and that needs it again. A round that begins now tells: what is sent from here on can only be
 * rejected by a log that is not there any more.
 */
function doubtMatch(
  state: RaftState,
  leader: LeaderState,
  progress: Progress,
  reply: AppendEntriesReply,
): void {
  if (progress.doubtedFromRound === null) {
    leader.round += 1;
    progress.doubtedFromRound = leader.round;
  } else if (reply.round >= progress.doubtedFromRound) {
    progress.lostItsLog(nextIndexAfterRejection(state, reply));
  }
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
    const isOwn = entry.kind === "command" && entry.index > leader.noopIndex;
    if (isOwn) leader.uncommittedBytes -= entrySizeBytes(entry);
  }
  state.commitIndex = reached;
  settleConfiguration(state);
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

/**
 * Whether an answer can be one to what this leader sent. Who was in its term when a request of an
 * earlier one arrived refuses that in this term: perhaps to a leader that was elected again, whose
 * rounds are others now. Such a refusal has no hint.
 */
function isPossible(state: RaftState, leader: LeaderState, reply: AppendEntriesReply): boolean {
  const { lastIndex } = state.log;
  if (!reply.success && reply.conflictIndex === 0) return false;
  return (
    reply.matchIndex <= lastIndex && reply.prevLogIndex <= lastIndex && reply.round <= leader.round
  );
}

/** A rejection of something other than what was sent last. */
function isStaleRejection(progress: Progress, reply: AppendEntriesReply): boolean {
  // What it lacks is known, and nothing that it could reject is sent meanwhile.
  if (progress.state === "snapshot") return true;
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
