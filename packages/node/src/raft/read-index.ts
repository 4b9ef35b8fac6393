import type { NodeId, ReadIndex, ReadIndexReply, RequestId } from "@quorate/wire";
import { assert } from "./assert.ts";
import { quorumReached } from "./quorum.ts";
import { sendHeartbeat } from "./replication.ts";
import type { LeaderState, PendingRead, RaftState } from "./raft-state.ts";
import { abortReads } from "./raft-state.ts";

/** Takes in a read of this server's own clients: at the leader, or by way of it (Diss. §6.4). */
export function requestRead(state: RaftState): RequestId {
  const requestId = state.nextReadId;
  state.nextReadId += 1;
  if (state.leader !== null) {
    state.leader.waitingReads.push({ requestId, from: null });
  } else if (state.leaderId !== null) {
    state.forwardedReads.set(requestId, { elapsedTicks: 0 });
    state.send(state.leaderId, { type: "ReadIndex", term: state.currentTerm, requestId });
  } else {
    state.outbox.abortedReads.push(requestId);
  }
  return requestId;
}

/** Gives up reads whose request or answer was lost. */
export function tickForwardedReads(state: RaftState): void {
  for (const [requestId, read] of state.forwardedReads) {
    read.elapsedTicks += 1;
    if (read.elapsedTicks < state.config.electionTicks) continue;
    state.forwardedReads.delete(requestId);
    state.outbox.abortedReads.push(requestId);
  }
}

/**
 * Gives up reads that wait for a no-op which no majority's disks take: while heartbeats are answered
 * the leader stays, and nothing else would end their wait or bound their number. Followers have
 * given up by themselves what they forwarded.
 */
export function tickWaitingReads(state: RaftState, leader: LeaderState): void {
  const waits = state.commitIndex < leader.noopIndex && leader.waitingReads.length > 0;
  leader.noopWaitTicks = waits ? leader.noopWaitTicks + 1 : 0;
  if (leader.noopWaitTicks < state.config.electionTicks) return;
  leader.noopWaitTicks = 0;
  abortReads(state);
}

export function handleReadIndex(state: RaftState, from: NodeId, request: ReadIndex): void {
  assert(state.leader !== null, "a leader without its state");
  state.leader.waitingReads.push({ requestId: request.requestId, from });
}

/** Whoever is not the leader says so; the asker tries again. */
export function refuseReadIndex(state: RaftState, from: NodeId, request: ReadIndex): void {
  const { requestId } = request;
  const { currentTerm: term } = state;
  state.send(from, { type: "ReadIndexReply", term, requestId, readIndex: null });
}

export function handleReadIndexReply(state: RaftState, from: NodeId, reply: ReadIndexReply): void {
  const { requestId, readIndex } = reply;
  if (from !== state.leaderId || !state.forwardedReads.delete(requestId)) return;
  if (readIndex === null) state.outbox.abortedReads.push(requestId);
  else state.outbox.readStates.push({ requestId, readIndex });
}

/**
 * Starts one confirmation round for all reads that wait: the commit index is taken first, then
 * leadership is confirmed by messages that are sent afterwards. Before an entry of its own term is
 * committed a leader does not know what is, so reads wait for that (Diss. §6.4).
 */
export function startReadRound(state: RaftState, leader: LeaderState): void {
  if (leader.roundInFlight !== null || leader.waitingReads.length === 0) return;
  if (state.commitIndex < leader.noopIndex) return;
  leader.round += 1;
  leader.roundInFlight = {
    round: leader.round,
    readIndex: state.commitIndex,
    reads: leader.waitingReads,
  };
  leader.waitingReads = [];
  for (const progress of leader.progress.values()) sendHeartbeat(state, leader, progress);
  confirmReads(state, leader);
}

/** Releases the reads of a round that a quorum has echoed: this server led after it began. */
export function confirmReads(state: RaftState, leader: LeaderState): void {
  const { roundInFlight } = leader;
  if (roundInFlight === null) return;
  const confirmed = quorumReached(state.configuration, (id) =>
    id === state.nodeId ? leader.round : (leader.progress.get(id)?.ackedRound ?? 0),
  );
  if (confirmed < roundInFlight.round) return;
  leader.roundInFlight = null;
  for (const read of roundInFlight.reads) releaseRead(state, read, roundInFlight.readIndex);
}

function releaseRead(state: RaftState, read: PendingRead, readIndex: number): void {
  const { requestId, from } = read;
  if (from === null) {
    state.outbox.readStates.push({ requestId, readIndex });
  } else {
    const { currentTerm: term } = state;
    state.send(from, { type: "ReadIndexReply", term, requestId, readIndex });
  }
}
