import type { NodeId, PreVote, PreVoteReply, RequestVote } from "@quorate/wire";
import type { RaftView } from "../../../raft/index.ts";
import { hasQuorum, isVoter } from "../../../raft/index.ts";
import type { ExpectedAnswer } from "./expected-answers.ts";
import type { Step, StepBegun, StepWorld } from "./step.ts";
import { requireRule } from "./step.ts";

/**
 * What a RequestVote is answered (Raft Figure 2, §5.2, §5.4.1). Who votes is not asked for its
 * members: it may have been promoted without knowing. Null: it is disregarded (§6).
 */
export function expectedVote(
  { before, config }: StepBegun,
  from: NodeId,
  request: RequestVote,
  silentTicks: number,
): ExpectedAnswer | null {
  const { currentTerm, votedFor } = before;
  const isLater = request.term > currentTerm;
  const isBound = !request.leadershipTransfer && isLoyal(before, config, silentTicks);
  if (isLater && isBound) return null;
  // What was promised with leases holds in a term, too, that was learned in another way (§6.4.1).
  const isPromised = config.leaseReads && isBound;
  const isFree = isLater || votedFor === request.candidateId || (votedFor === null && !isPromised);
  return {
    type: "RequestVoteReply",
    to: from,
    term: Math.max(currentTerm, request.term),
    voteGranted: request.term >= currentTerm && isFree && isUpToDate(before, request),
    isOwed: true,
  };
}

/** What a PreVote is answered: what a RequestVote would be, were it sent (Diss. §9.6). */
export function expectedPreVote(
  { before, config }: StepBegun,
  from: NodeId,
  request: PreVote,
  silentTicks: number,
): ExpectedAnswer {
  return {
    type: "PreVoteReply",
    to: from,
    term: before.currentTerm,
    preVoteTerm: request.term,
    voteGranted:
      request.term > before.currentTerm &&
      isUpToDate(before, request) &&
      !isLoyal(before, config, silentTicks),
    isOwed: true,
  };
}

/**
 * A voter waits for whom it has voted for, and for nobody else (Raft §5.2, Figure 2: "If election
 * timeout elapses without receiving AppendEntries RPC from current leader or granting vote to
 * candidate"). `answer`: what is expected of it.
 */
export function checkVoteStep(
  { node, before, after }: Step,
  request: RequestVote,
  answer: ExpectedAnswer | null,
): void {
  if (answer?.type === "RequestVoteReply" && answer.voteGranted) {
    const { candidateId } = request;
    requireRule(
      after.votedFor === candidateId && after.electionTicksLeft === after.electionTimeoutTicks,
      () => `${node} does not begin to wait anew for ${candidateId}, which it voted for`,
    );
    return;
  }
  requireRule(
    answer !== null || after.currentTerm === before.currentTerm,
    () => `${node} hears a leader, and ${request.candidateId} moves it to another term`,
  );
  // Who campaigned or led, and follows a later term, waits for its leader from now on.
  if (before.role !== "follower" && after.currentTerm > before.currentTerm) return;
  requireRule(
    hasSameWait(before, after),
    () => `${node} waits for ${request.candidateId} (or does not wait), which it did not vote for`,
  );
}

/** Asking changes nothing at the one that is asked (Diss. §9.6). */
export function checkPreVoteStep({ node, before, after }: Step, { candidateId }: PreVote): void {
  requireRule(
    hasSameWait(before, after) &&
      after.currentTerm === before.currentTerm &&
      after.votedFor === before.votedFor &&
      after.role === before.role &&
      after.leaderId === before.leaderId,
    () => `${node} is not as before ${candidateId} asked it for a pre-vote`,
  );
}

/** Only answers to this question count: those of other terms belong to an earlier one (Diss. §9.6). */
export function checkPreVoteReplyStep({ node, before, after }: Step, reply: PreVoteReply): void {
  if (reply.term > before.currentTerm || reply.preVoteTerm === before.currentTerm + 1) return;
  requireRule(
    after.role === before.role &&
      after.votesGranted === before.votesGranted &&
      after.currentTerm === before.currentTerm,
    () =>
      `${node} asks about term ${before.currentTerm + 1} and counts an answer that is about ` +
      `term ${reply.preVoteTerm}`,
  );
}

/**
 * Who leads was voted for by a quorum of the members that it campaigned with (Raft §5.2, §6). Its
 * own vote nobody hears where it is the only voter.
 */
export function checkElected({ node, before, after }: Step, world: StepWorld): void {
  if (before.role === "leader" || after.role !== "leader") return;
  const { currentTerm } = after;
  requireRule(
    hasQuorum(before.configuration, (id) => id === node || world.voteOf(currentTerm, id) === node),
    () => `${node} leads in term ${currentTerm}, and no quorum voted for it`,
  );
}

/**
 * A voter whose wait is over campaigns, and not before. One that a change removes is a voter until
 * the change is committed: the others may need it, to commit or to undo it (Diss. §4.2.2).
 */
export function checkTick({ node, before, after }: Step, world: StepWorld): void {
  if (before.role === "leader") return;
  if (before.electionTicksLeft > 1) {
    requireRule(
      after.role === before.role && after.electionTicksLeft === before.electionTicksLeft - 1,
      () => `${node} has ${before.electionTicksLeft} ticks to wait for a leader, and does not`,
    );
    return;
  }
  if (after.isStalled || before.voteFloor !== null) return;
  const committed = world.committedAt(before.commitIndex);
  if (!isVoter(before.configuration, node) && !isVoter(committed, node)) return;
  requireRule(
    after.role !== "follower",
    () => `${node} has waited for a leader to the end, and does not campaign`,
  );
}

/**
 * Whether a voter hears a leader (Diss. §4.2.3). With leases it promised its loyalty for a time,
 * whatever it learns meanwhile, and may have done so just before it started (§6.4.1).
 */
function isLoyal(
  { role, leaderId }: RaftView,
  { leaseReads, electionTicks }: StepBegun["config"],
  silentTicks: number,
): boolean {
  if (role === "leader") return true;
  return (leaderId !== null || leaseReads) && silentTicks < electionTicks;
}

/** At least as up to date as the log of the voter, and as what damage took of it (Raft §5.4.1). */
function isUpToDate(view: RaftView, request: PreVote | RequestVote): boolean {
  const { voteFloor, lastLogTerm, lastLogIndex } = view;
  const isAtLeast = (term: number, index: number): boolean =>
    request.lastLogTerm > term || (request.lastLogTerm === term && request.lastLogIndex >= index);
  const meetsFloor = voteFloor === null || isAtLeast(voteFloor.term, voteFloor.index);
  return meetsFloor && isAtLeast(lastLogTerm, lastLogIndex);
}

function hasSameWait(before: RaftView, after: RaftView): boolean {
  return (
    after.electionTicksLeft === before.electionTicksLeft &&
    after.electionTimeoutTicks === before.electionTimeoutTicks
  );
}
