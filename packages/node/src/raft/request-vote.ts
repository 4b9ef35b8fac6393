import type { NodeId, PreVote, RequestVote } from "@quorate/wire";
import { isAsUpToDate } from "./raft-log.ts";
import type { RaftState } from "./raft-state.ts";
import { becomeFollower, resetElectionTimer } from "./raft-state.ts";

/**
 * Whether this voter hears a leader, and so disregards whoever wants to replace it
 * (Diss. §4.2.3): for the shortest election timeout after the leader's last message. A leader
 * hears itself: the check of its quorum ends that when nobody else does.
 */
export function hearsLeader(state: RaftState): boolean {
  if (state.role === "leader") return true;
  // With leases the loyalty was promised for the whole time, whatever is learned meanwhile.
  const isLoyal = state.leaderId !== null || state.config.leaseReads;
  return isLoyal && state.leaderSilenceTicks < state.config.electionTicks;
}

/** Says what a RequestVote would be answered, and changes nothing (Diss. §9.6). */
export function handlePreVote(state: RaftState, from: NodeId, request: PreVote): void {
  const voteGranted =
    request.candidateId === from &&
    request.term > state.currentTerm &&
    !hearsLeader(state) &&
    isUpToDate(state, request);
  // The term in the answer frees a candidate that is behind; nothing durable is promised.
  state.send(from, {
    type: "PreVoteReply",
    term: state.currentTerm,
    preVoteTerm: request.term,
    voteGranted,
  });
}

/**
 * Grants one vote a term, first come first served, to a candidate whose log is at least as up to
 * date (Raft §5.2, §5.4.1). The answer leaves once the vote is durable. `request.term` is
 * `currentTerm` here.
 */
export function handleRequestVote(state: RaftState, from: NodeId, request: RequestVote): void {
  const isFree =
    state.votedFor === request.candidateId ||
    (state.votedFor === null && !isPromised(state, request));
  const voteGranted = request.candidateId === from && isFree && isUpToDate(state, request);
  if (voteGranted) grantVote(state, request.candidateId);
  const reply = { type: "RequestVoteReply", term: state.currentTerm, voteGranted } as const;
  state.sendWhenDurable(from, reply, 0);
}

/**
 * Whether a lease may rest on this voter, in whatever term: it may have learned this one from an
 * answer that overtook the request (Diss. §6.4.1).
 */
function isPromised(state: RaftState, { leadershipTransfer }: RequestVote): boolean {
  return state.config.leaseReads && !leadershipTransfer && hearsLeader(state);
}

function grantVote(state: RaftState, candidateId: NodeId): void {
  state.votedFor = candidateId;
  // A pre-candidate that gives its vote away waits for the one it gave it to.
  if (state.role === "preCandidate") becomeFollower(state, null);
  state.hurriedElections = 0;
  resetElectionTimer(state);
}

function isUpToDate(state: RaftState, request: PreVote | RequestVote): boolean {
  const last = { index: request.lastLogIndex, term: request.lastLogTerm };
  const meetsFloor = state.voteFloor === null || isAsUpToDate(last, state.voteFloor);
  return meetsFloor && state.log.isUpToDate(last);
}
