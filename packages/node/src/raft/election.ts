import type { NodeId, PreVoteReply, RequestVoteReply, TimeoutNow } from "@quorate/wire";
import { assert } from "./assert.ts";
import { allVoters, hasQuorum, isVoter } from "./quorum.ts";
import type { RaftState } from "./raft-state.ts";
import { abortReads, becomeFollower, becomeLeader, resetElectionTimer } from "./raft-state.ts";

/** Elections in a hurry that follow the loss of a leader's process before the usual timeouts hold. */
const HURRIED_ELECTIONS = 3;

/** One tick of a server that does not lead: without a leader for too long, it tries to become one. */
export function tickElection(state: RaftState): void {
  state.electionElapsedTicks += 1;
  state.leaderSilenceTicks += 1;
  if (state.electionElapsedTicks >= state.electionTimeoutTicks) startPreVote(state);
}

/**
 * Asks around whether an election could be won, before it disturbs anybody (Diss. §9.6). Only a
 * voter of the configuration in force asks: others must not campaign.
 */
function startPreVote(state: RaftState): void {
  if (state.hurriedElections > 0) state.hurriedElections -= 1;
  if (!state.mayCampaign) {
    becomeFollower(state, null);
    resetElectionTimer(state);
    return;
  }
  abortReads(state);
  state.role = "preCandidate";
  state.leaderId = null;
  state.votes.clear();
  state.votes.set(state.nodeId, true);
  resetElectionTimer(state);
  for (const voter of otherVoters(state)) {
    state.send(voter, {
      type: "PreVote",
      term: state.currentTerm + 1,
      candidateId: state.nodeId,
      lastLogIndex: state.log.lastIndex,
      lastLogTerm: state.log.lastTerm,
    });
  }
  decidePreVote(state);
}

export function handlePreVoteReply(state: RaftState, from: NodeId, reply: PreVoteReply): void {
  if (reply.preVoteTerm !== state.currentTerm + 1) return;
  countVote(state, from, reply.voteGranted);
  decidePreVote(state);
}

/**
 * Increments `currentTerm`, votes for itself and asks for votes (Raft §5.2). The requests leave,
 * and the own vote counts, once the vote is durable.
 */
function startElection(state: RaftState, isTransfer: boolean): void {
  assert(state.mayCampaign, "a server campaigns that must not");
  abortReads(state);
  state.currentTerm += 1;
  state.votedFor = state.nodeId;
  state.role = "candidate";
  state.leaderId = null;
  state.campaignIsTransfer = isTransfer;
  state.votes.clear();
  resetElectionTimer(state);
  for (const voter of otherVoters(state)) {
    const request = {
      type: "RequestVote",
      term: state.currentTerm,
      candidateId: state.nodeId,
      lastLogIndex: state.log.lastIndex,
      lastLogTerm: state.log.lastTerm,
      leadershipTransfer: isTransfer,
    } as const;
    state.sendWhenDurable(voter, request, 0);
  }
}

export function handleRequestVoteReply(
  state: RaftState,
  from: NodeId,
  reply: RequestVoteReply,
): void {
  countVote(state, from, reply.voteGranted);
  decideElection(state);
}

/** A persist has ended: if it held this candidate's own vote, the vote counts now (Raft §5.2). */
export function countOwnVote(state: RaftState): void {
  if (state.role !== "candidate" || state.votes.has(state.nodeId)) return;
  const { durable } = state.persistence;
  if (durable.currentTerm !== state.currentTerm) return;
  assert(durable.votedFor === state.nodeId, "a candidate's durable vote is not its own");
  countVote(state, state.nodeId, true);
  decideElection(state);
}

/** The leader hands over: campaign at once, without PreVote (Diss. §3.10). */
export function handleTimeoutNow(state: RaftState, from: NodeId, message: TimeoutNow): void {
  if (message.leaderId !== from || !state.mayCampaign) return;
  startElection(state, true);
}

/**
 * The process of `peer` is gone. Whoever followed it need not wait for the timeout: PreVote starts
 * after a jitter that also puts the voters in an order, so that they rarely split the vote.
 */
export function hurryElection(state: RaftState, peer: NodeId): void {
  if (state.role !== "follower" || state.leaderId !== peer || !state.mayCampaign) return;
  // A promise of loyalty is kept also to a leader that is gone: its lease may still be used.
  if (state.config.leaseReads) return;
  becomeFollower(state, null);
  state.leaderSilenceTicks = state.config.electionTicks;
  state.hurriedElections = HURRIED_ELECTIONS;
  const place = allVoters(state.configuration)
    .filter((id) => id !== peer)
    .indexOf(state.nodeId);
  state.electionElapsedTicks = 0;
  state.electionTimeoutTicks = 1 + 2 * Math.max(0, place) + state.random.below(2);
}

function countVote(state: RaftState, from: NodeId, granted: boolean): void {
  if (!isVoter(state.configuration, from)) return;
  // A vote stands; a refusal may be a late one of an earlier round of the same term.
  state.votes.set(from, granted || state.votes.get(from) === true);
}

function decidePreVote(state: RaftState): void {
  if (hasQuorum(state.configuration, (id) => state.votes.get(id) === true)) {
    // Its disk may have begun to hang since it asked.
    if (state.mayCampaign) startElection(state, false);
    else stopCampaign(state);
  } else if (isLost(state)) {
    stopCampaign(state);
  }
}

function decideElection(state: RaftState): void {
  if (hasQuorum(state.configuration, (id) => state.votes.get(id) === true)) {
    becomeLeader(state);
    // Entries of earlier terms commit with it, and reads wait for it (Raft §5.4.2, Diss. §6.4).
    state.appendOwn("noop", new Uint8Array(0));
  } else if (isLost(state)) {
    stopCampaign(state);
  }
}

/** Whether those that may still answer cannot make a majority any more. */
function isLost(state: RaftState): boolean {
  return !hasQuorum(state.configuration, (id) => state.votes.get(id) !== false);
}

/** The timer that was drawn for the campaign goes on: the next try is not sooner for its failure. */
function stopCampaign(state: RaftState): void {
  state.role = "follower";
  state.votes.clear();
  state.campaignIsTransfer = false;
}

function otherVoters(state: RaftState): NodeId[] {
  return allVoters(state.configuration).filter((id) => id !== state.nodeId);
}
