import type { InstallSnapshot, InstallSnapshotReply, LogIndex, NodeId } from "@quorate/wire";
import { assert } from "./assert.ts";
import { advanceCommitIndex } from "./leader.ts";
import type { SnapshotPoint } from "./output.ts";
import type { RaftState } from "./raft-state.ts";
import { becomeFollower, heardLeader, mayLead } from "./raft-state.ts";

/**
 * Receiver side of InstallSnapshot (Raft Figure 13). The bytes go through to the driver, which
 * stores them and says how far it is. A follower that has the last included entry already keeps its
 * log and needs no bytes: by Log Matching it has everything before it, too.
 */
export function handleInstallSnapshot(
  state: RaftState,
  from: NodeId,
  message: InstallSnapshot,
): void {
  if (!mayLead(state, from, message.leaderId) || !isWellFormed(message)) return;
  becomeFollower(state, message.leaderId);
  heardLeader(state);
  if (hasAlready(state, message)) acknowledgeInstalled(state, from, message);
  else state.outbox.snapshotChunks.push({ from, message });
}

/** Its configuration need not name this server: one that is added may be sent an older snapshot. */
function isWellFormed(message: InstallSnapshot): boolean {
  return (
    message.lastIncludedTerm <= message.term &&
    message.configurationIndex <= message.lastIncludedIndex &&
    message.configuration.voters.length > 0
  );
}

/** The pieces before `nextOffset` are stored: ask the leader for the next one. */
export function acknowledgeChunk(
  state: RaftState,
  { from, message, nextOffset }: { from: NodeId; message: InstallSnapshot; nextOffset: number },
): void {
  if (state.currentTerm !== message.term || state.leaderId !== from) return;
  state.send(from, replyTo(state, message, nextOffset, false));
}

/**
 * The last piece is stored and the whole is sound: the snapshot takes the place of log and state
 * (Raft §7). Says whether it did; otherwise the log has it all, and the file is not needed. A term
 * that has passed meanwhile does no harm: what a snapshot holds is committed.
 */
export function installSnapshot(state: RaftState, from: NodeId, message: InstallSnapshot): boolean {
  if (state.role === "leader") return false;
  if (hasAlready(state, message)) {
    acknowledgeInstalled(state, from, message);
    return false;
  }
  const { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex } = message;
  const beforeFirst = { index: lastIncludedIndex, term: lastIncludedTerm };
  const point = { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex };
  // Votes were asked for with the log that goes.
  if (state.role !== "follower") becomeFollower(state, null);
  state.outbox.dropAcknowledgements(1, state.persistence.handedSequence);
  state.log.startAfter(beforeFirst);
  state.persistence.logStartedAfter(lastIncludedIndex);
  state.persistence.switchTo({ point, beforeFirst, keepsLog: false });
  state.configurations.cutFrom(1);
  state.configurations.startAt({ index: configurationIndex, configuration }, lastIncludedIndex);
  state.snapshot = point;
  state.commitIndex = lastIncludedIndex;
  state.lastApplied = lastIncludedIndex;
  state.outbox.installed = point;
  state.liftVoteFloor();
  acknowledgeInstalled(state, from, message);
  return true;
}

/**
 * The state machine's state at `index` is in a durable file: the log up to there may go, but for
 * a window that spares followers a little behind a snapshot. What this server's own disk
 * does not hold yet stays.
 */
export function compactLog(state: RaftState, index: LogIndex): SnapshotPoint | null {
  if (index <= state.snapshot.lastIncludedIndex) return null;
  assert(index <= state.lastApplied, `a snapshot at ${index} of a state that is not there yet`);
  const term = state.log.termAt(index);
  assert(term !== null, `a snapshot at ${index}, which is not in the log`);
  const { configuration, index: configurationIndex } = state.configurations.at(index);
  // Added later than this, it never saw the members at that point, which the bootstrap named.
  if (configuration.voters.length === 0) return null;
  const point = {
    lastIncludedIndex: index,
    lastIncludedTerm: term,
    configuration,
    configurationIndex,
  };
  const keepFrom = Math.min(index - state.config.trailingEntries, state.persistence.durableIndex);
  state.log.compactTo(Math.max(keepFrom, state.log.beforeFirst.index));
  state.persistence.switchTo({ point, beforeFirst: state.log.beforeFirst, keepsLog: true });
  state.configurations.startAt({ index: configurationIndex, configuration }, index);
  state.snapshot = point;
  return point;
}

/** Leader side: how far a follower is with the snapshot that is sent to it. */
export function handleInstallSnapshotReply(
  state: RaftState,
  from: NodeId,
  reply: InstallSnapshotReply,
): void {
  const progress = state.leader?.progress.get(from);
  if (progress === undefined || reply.lastIncludedIndex > state.log.lastIndex) return;
  // It refuses a piece that this server sent when it led before: that is no answer to this reign.
  if (reply.lastIncludedIndex === 0) return;
  progress.heard();
  if (reply.installed) {
    progress.snapshotInstalled(reply.lastIncludedIndex);
    advanceCommitIndex(state);
  } else if (progress.state === "snapshot") {
    const { snapshotId, nextOffset } = reply;
    state.outbox.snapshotAcks.push({ from, snapshotId, nextOffset });
  }
}

function hasAlready(state: RaftState, message: InstallSnapshot): boolean {
  const { lastIncludedIndex, lastIncludedTerm } = message;
  return (
    lastIncludedIndex <= state.commitIndex ||
    state.log.termAt(lastIncludedIndex) === lastIncludedTerm
  );
}

/** The log has everything up to the last included entry, which is committed: says so, once durable. */
function acknowledgeInstalled(state: RaftState, from: NodeId, message: InstallSnapshot): void {
  const { lastIncludedIndex, totalBytes } = message;
  state.commitIndex = Math.max(state.commitIndex, lastIncludedIndex);
  if (state.currentTerm !== message.term || state.leaderId !== from) return;
  state.sendWhenDurable(from, replyTo(state, message, totalBytes, true), lastIncludedIndex);
}

function replyTo(
  state: RaftState,
  message: InstallSnapshot,
  nextOffset: number,
  installed: boolean,
): InstallSnapshotReply {
  const { lastIncludedIndex, snapshotId } = message;
  const { currentTerm: term } = state;
  return {
    type: "InstallSnapshotReply",
    term,
    lastIncludedIndex,
    snapshotId,
    nextOffset,
    installed,
  };
}
