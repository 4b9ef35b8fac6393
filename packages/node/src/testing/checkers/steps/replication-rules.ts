import type {
  AppendEntries,
  AppendEntriesReply,
  InstallSnapshotReply,
  LogIndex,
  NodeId,
  Term,
} from "@quorate/wire";
import type { PeerView, RaftView } from "../../../raft/index.ts";
import { checkLeaderCommits } from "./commit-rules.ts";
import type { ExpectedAnswer } from "./expected-answers.ts";
import type { Step, StepBegun, StepWorld, TermAt } from "./step.ts";
import { requireRule } from "./step.ts";

/** Whether `from` is the leader that this server follows from now on (Raft §5.2). */
export function followsSender(
  { before }: StepBegun,
  from: NodeId,
  { term }: { readonly term: Term },
): boolean {
  if (term !== before.currentTerm) return term > before.currentTerm;
  return before.role !== "leader" && (before.leaderId === null || before.leaderId === from);
}

/** What an AppendEntries is answered (Raft Figure 2); null: a second leader of a term is nobody. */
export function expectedReply(
  step: StepBegun,
  from: NodeId,
  request: AppendEntries,
  termAt: TermAt,
): ExpectedAnswer | null {
  const { before, termNamed } = step;
  const { prevLogIndex, round, entries } = request;
  const answer = { type: "AppendEntriesReply", to: from, prevLogIndex, round } as const;
  const refusal = { ...answer, success: false, matchIndex: 0, isOwed: true };
  if (request.term < before.currentTerm) {
    // Its leader has to learn the term. If it leads this one, too, it must not take this for more.
    return { ...refusal, term: before.currentTerm, conflictTerm: null, conflictIndexMax: 0 };
  }
  if (!followsSender(step, from, request)) return null;
  const { term } = request;
  if (!agrees(step, request)) {
    const conflictTerm = prevLogIndex > before.lastLogIndex ? null : termNamed;
    const conflictIndexMax = hintMax(step, prevLogIndex, termAt);
    return { ...refusal, term, conflictTerm, conflictIndexMax };
  }
  // A heartbeat is answered for what is durable already: its answer must not wait for the disk.
  const matchIndex =
    entries.length === 0
      ? Math.min(prevLogIndex, before.durableIndex)
      : prevLogIndex + entries.length;
  const ends = { conflictTerm: null, conflictIndexMax: 0 };
  return { ...answer, ...ends, term, success: true, matchIndex, isOwed: false };
}

/**
 * "If an existing entry conflicts with a new one, delete the existing entry and all that follow it"
 * (Raft Figure 2): where such a request, which is taken, cuts the log; null: it does not.
 */
export function cutBy(
  { before }: StepBegun,
  { entries }: AppendEntries,
  termAt: TermAt,
): LogIndex | null {
  for (const { index, term } of entries) {
    if (index > before.lastLogIndex) return null;
    const existing = termAt(index);
    if (existing !== null && existing !== term) return index;
  }
  return null;
}

/** The leader of the term was heard: no election for a while (Raft §5.2), and what it committed is. */
export function checkAppendEntriesStep(step: Step, from: NodeId, request: AppendEntries): void {
  if (!followsSender(step, from, request)) return;
  checkHeard(step, from);
  const { node, before, after } = step;
  const lastNewIndex = request.prevLogIndex + request.entries.length;
  const committed = agrees(step, request) ? Math.min(request.leaderCommit, lastNewIndex) : 0;
  const commitIndex = Math.max(before.commitIndex, committed);
  requireRule(
    after.commitIndex === commitIndex,
    () => `${node} has committed ${after.commitIndex}, ${from} tells it that ${commitIndex} is`,
  );
}

/** Whatever a leader sends is a sign of it: the wait for it begins anew (Raft §5.2). */
export function checkHeard({ node, after }: Step, from: NodeId): void {
  requireRule(
    after.role === "follower" &&
      after.leaderId === from &&
      after.electionTicksLeft === after.electionTimeoutTicks,
    () => `${node} heard its leader ${from}, and does not wait anew before it campaigns`,
  );
}

/** What a leader makes of an answer (Raft §5.3). */
export function checkReplyStep(
  step: Step,
  from: NodeId,
  reply: AppendEntriesReply,
  { world, termAt }: { readonly world: StepWorld; readonly termAt: TermAt },
): void {
  const { node, before, after } = step;
  const peerBefore = peerOf(before, from);
  if (peerBefore === null || reply.term > before.currentTerm) return;
  if (reply.term < before.currentTerm || isOfEarlierRequest(reply)) {
    checkNotHeard(step, from);
    return;
  }
  const peer = peerOf(after, from);
  if (reply.success) {
    if (isOfThisReign(before, reply)) checkStored(step, from, reply, termAt);
    return;
  }
  if (peer === null) return;
  // Figure 2: matchIndex increases monotonically.
  requireRule(
    peer.matchIndex >= peerBefore.matchIndex || world.hasLostEntries(from),
    () => `${node} forgets that ${from} has stored the log up to ${peerBefore.matchIndex}`,
  );
  if (isOfUse(before, peerBefore, reply)) checkNextIndex(node, peer, reply, termAt);
}

/** What a leader makes of the answer to a piece of a snapshot (Raft §7). */
export function checkPieceReplyStep(step: Step, from: NodeId, reply: InstallSnapshotReply): void {
  const { currentTerm } = step.before;
  const isOfEarlierPiece = reply.term === currentTerm && reply.lastIncludedIndex === 0;
  if (reply.term < currentTerm || isOfEarlierPiece) checkNotHeard(step, from);
}

/** A leader's reign begins with its term: what answers an earlier one is no sign of life (§6.2). */
function checkNotHeard({ node, before, after }: Step, from: NodeId): void {
  const known = peerOf(before, from);
  if (known === null) return;
  const peer = peerOf(after, from);
  requireRule(
    peer !== null && isSame(known, peer) && after.confirmedRound === before.confirmedRound,
    () =>
      `${node} believes of ${from} in term ${before.currentTerm} what it said in an earlier one`,
  );
}

/** A refusal without a hint: of a request that was sent in an earlier term than it is refused in. */
export function isOfEarlierRequest({ success, conflictIndex }: AppendEntriesReply): boolean {
  return !success && conflictIndex === 0;
}

/** A follower's process is gone: where the logs meet is found out anew, nobody waits for answers. */
export function checkPeerDown({ node, before, after }: Step, id: NodeId): void {
  if (peerOf(before, id) === null || after.role !== "leader") return;
  const peer = peerOf(after, id);
  requireRule(
    peer !== null &&
      peer.state === "probe" &&
      peer.nextIndex === peer.matchIndex + 1 &&
      peer.inFlightMessages === 0 &&
      !peer.recentlyActive,
    () => `${node} takes what was on its way to ${id}, whose process has ended, for sent`,
  );
}

/**
 * The farthest place where the logs may meet: behind the end of a log that is too short, else the
 * first entry of the term that differs, of those that may still go (Raft §5.3). Looks back at what
 * the hint skips, and no farther.
 */
function hintMax(
  { before, termNamed }: StepBegun,
  prevLogIndex: LogIndex,
  termAt: TermAt,
): LogIndex {
  if (prevLogIndex > before.lastLogIndex) return before.lastLogIndex + 1;
  let first = prevLogIndex;
  while (first - 1 > before.commitIndex && termAt(first - 1) === termNamed) first--;
  return first;
}

/** What a follower says that it has stored is believed at once, and counted (Raft Figure 2). */
function checkStored(step: Step, from: NodeId, reply: AppendEntriesReply, termAt: TermAt): void {
  const { node, before, after } = step;
  const peer = peerOf(after, from);
  requireRule(
    peer === null || peer.matchIndex >= reply.matchIndex,
    () => `${node} does not believe ${from}, which has stored the log up to ${reply.matchIndex}`,
  );
  checkLeaderCommits(step, termAt, (id) => {
    const known = peerOf(before, id)?.matchIndex ?? 0;
    return id === from ? Math.max(known, reply.matchIndex) : known;
  });
}

function agrees({ before, termNamed }: StepBegun, request: AppendEntries): boolean {
  if (request.prevLogIndex < before.firstLogIndex - 1) return true;
  return termNamed === request.prevLogTerm;
}

/** Whether it can be an answer to what this leader sent, since it was elected. */
function isOfThisReign(view: RaftView, reply: AppendEntriesReply): boolean {
  const { lastLogIndex, round } = view;
  const { matchIndex, prevLogIndex } = reply;
  return reply.round <= round && prevLogIndex <= lastLogIndex && matchIndex <= lastLogIndex;
}

/** Whether it rejects what was asked last, and says something about the end of the log. */
function isOfUse(view: RaftView, peer: PeerView, reply: AppendEntriesReply): boolean {
  const { state, nextIndex, matchIndex } = peer;
  if (!isOfThisReign(view, reply)) return false;
  if (state === "snapshot" || reply.prevLogIndex <= matchIndex) return false;
  return state === "replicate" || reply.prevLogIndex === nextIndex - 1;
}

/**
 * A rejection skips a term of the follower's log or of the leader's own, not an entry (Raft §5.3):
 * what is tried next is at the hint, or behind an entry of the term that the follower has.
 */
function checkNextIndex(
  node: NodeId,
  { id, matchIndex, nextIndex }: PeerView,
  { conflictIndex, conflictTerm }: AppendEntriesReply,
  termAt: TermAt,
): void {
  if (nextIndex <= Math.max(1, conflictIndex) || nextIndex === matchIndex + 1) return;
  const termBefore = termAt(nextIndex - 1);
  requireRule(
    conflictTerm !== null && termBefore !== null && termBefore <= conflictTerm,
    () => `${node} tries ${nextIndex} with ${id}, which told it to look at ${conflictIndex}`,
  );
}

function peerOf({ peers }: RaftView, id: NodeId): PeerView | null {
  return peers.find((peer) => peer.id === id) ?? null;
}

function isSame(a: PeerView, b: PeerView): boolean {
  return (
    a.matchIndex === b.matchIndex &&
    a.nextIndex === b.nextIndex &&
    a.state === b.state &&
    a.inFlightMessages === b.inFlightMessages &&
    a.silentTicks === b.silentTicks
  );
}
