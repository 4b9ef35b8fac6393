import type { AppendEntries, AppendEntriesReply, LogIndex, NodeId } from "@quorate/wire";
import { assert } from "./assert.ts";
import type { RaftState } from "./raft-state.ts";
import { becomeFollower, heardLeader, mayLead } from "./raft-state.ts";

/**
 * Receiver side of AppendEntries (Raft Figure 2). The term rule has run: `request.term` is
 * `currentTerm`, so its sender is the leader of this term, and a candidate gives up (Raft §5.2).
 */
export function handleAppendEntries(state: RaftState, from: NodeId, request: AppendEntries): void {
  if (!mayLead(state, from, request.leaderId) || !isWellFormed(state, request)) return;
  becomeFollower(state, request.leaderId);
  heardLeader(state);

  if (!agreesBefore(state, request)) {
    state.sendWhenDurable(from, rejection(state, request), 0);
    return;
  }
  storeNewEntries(state, request);
  const lastNewIndex = request.prevLogIndex + request.entries.length;
  // The last index of this message: what follows it in the log was not compared (Raft §5.3).
  state.commitIndex = Math.max(state.commitIndex, Math.min(request.leaderCommit, lastNewIndex));
  acknowledge(state, from, request, lastNewIndex);
}

/**
 * Entries follow each other and `prevLogIndex`, their terms do not fall and are not to come, they
 * do not contradict the start of the log, which is committed, and configurations can be read.
 */
function isWellFormed(state: RaftState, request: AppendEntries): boolean {
  const { beforeFirst } = state.log;
  let { prevLogIndex: index, prevLogTerm: term } = request;
  if (index === 0 && term !== 0) return false;
  for (const entry of request.entries) {
    if (entry.index !== index + 1 || entry.term < term) return false;
    if (entry.index === beforeFirst.index && entry.term !== beforeFirst.term) return false;
    if (!state.configurations.canRead(entry)) return false;
    ({ index, term } = entry);
  }
  return term <= request.term;
}

/** The consistency check. What a snapshot has replaced is committed, and so the same everywhere. */
function agreesBefore(state: RaftState, request: AppendEntries): boolean {
  if (request.prevLogIndex < state.log.firstIndex - 1) return true;
  return state.log.termAt(request.prevLogIndex) === request.prevLogTerm;
}

/**
 * Appends what is not there yet. Only an entry of another term at the same index makes the log's
 * end go: a shorter or older request must not cut what a newer one brought (Raft §5.3).
 */
function storeNewEntries(state: RaftState, request: AppendEntries): void {
  const { log } = state;
  const at = request.entries.findIndex(
    (entry) => entry.index >= log.firstIndex && log.termAt(entry.index) !== entry.term,
  );
  const first = request.entries[at];
  if (first === undefined) return;
  assert(
    first.index > state.commitIndex,
    `entry ${first.index}@${first.term} of ${request.leaderId} contradicts the committed log`,
  );
  state.replaceEntries(request.entries.slice(at));
}

/**
 * A heartbeat is answered at once, for what is durable already: it must not wait for a disk. An
 * append is answered when its entries are durable.
 */
function acknowledge(
  state: RaftState,
  from: NodeId,
  request: AppendEntries,
  lastNewIndex: LogIndex,
): void {
  const isHeartbeat = request.entries.length === 0;
  const matchIndex = isHeartbeat
    ? Math.min(request.prevLogIndex, state.persistence.durableIndex)
    : lastNewIndex;
  const reply: AppendEntriesReply = {
    type: "AppendEntriesReply",
    term: state.currentTerm,
    success: true,
    prevLogIndex: request.prevLogIndex,
    matchIndex,
    conflictTerm: null,
    conflictIndex: 0,
    round: request.round,
  };
  state.sendWhenDurable(from, reply, matchIndex);
}

/** Says where the logs may meet, so that the leader skips a whole term at a time (Raft §5.3). */
function rejection(state: RaftState, request: AppendEntries): AppendEntriesReply {
  const { log } = state;
  const isShort = request.prevLogIndex > log.lastIndex;
  const conflictIndex = isShort
    ? log.lastIndex + 1
    : Math.max(log.firstIndexOfTermAt(request.prevLogIndex), state.commitIndex + 1);
  return {
    type: "AppendEntriesReply",
    term: state.currentTerm,
    success: false,
    prevLogIndex: request.prevLogIndex,
    matchIndex: 0,
    conflictTerm: isShort ? null : log.termAt(request.prevLogIndex),
    conflictIndex,
    round: request.round,
  };
}
