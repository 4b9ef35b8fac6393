import { assert } from "./assert.ts";
import { isVoter } from "./quorum.ts";
import type { PeerView, RaftCore, RaftView } from "./raft-core.ts";

/** How many entries at the log's end are looked at after a step. */
const TAIL_ENTRIES = 16;

/**
 * What holds of any state of a server, between two steps. Throws an InvariantError. `view`: the
 * core's as it is now, where the caller has it.
 */
export function checkState(core: RaftCore, view: RaftView = core.view()): void {
  checkOrder(view);
  checkRole(view);
  checkMembers(view);
  for (const peer of view.peers) checkPeer(view, peer);
  checkTail(core, view);
}

/** What holds between two states of one process, the one before the other. */
export function checkTransition(before: RaftView, after: RaftView): void {
  assert(after.currentTerm >= before.currentTerm, "currentTerm fell (Raft §5.1)");
  assert(after.commitIndex >= before.commitIndex, "commitIndex fell (Raft Figure 2)");
  assert(after.lastApplied >= before.lastApplied, "lastApplied fell (Raft Figure 2)");
  assert(after.firstLogIndex >= before.firstLogIndex, "the start of the log went back (Raft §7)");
  assert(after.snapshotIndex >= before.snapshotIndex, "the snapshot went back (Raft §7)");
  const keepsFloor = before.voteFloor !== null || after.voteFloor === null;
  assert(keepsFloor, "a log that was whole has a vote floor");
  checkMembersTransition(before, after);
  if (after.currentTerm === before.currentTerm) checkSameTerm(before, after);
  if (after.lastLogIndex < before.lastLogIndex) {
    assert(after.lastLogIndex >= before.commitIndex, "a committed entry was cut (Raft §5.4)");
  }
}

function checkSameTerm(before: RaftView, after: RaftView): void {
  if (before.votedFor !== null) {
    assert(after.votedFor === before.votedFor, "the vote of a term changed (Raft §5.2)");
  }
  if (before.leaderId !== null && after.leaderId !== null) {
    assert(after.leaderId === before.leaderId, "a term has two leaders (Raft §5.2)");
  }
  if (before.role !== "leader" || after.role !== "leader") return;
  assert(after.lastLogIndex >= before.lastLogIndex, "a leader cut its log (Raft §5.3)");
  const isKept = after.configurationIndex >= before.configurationIndex;
  assert(isKept, "a leader went back to earlier members (Raft §6)");
  for (const peer of after.peers) {
    const matchBefore = before.peers.find(({ id }) => id === peer.id)?.matchIndex ?? 0;
    // 0: the follower's disk lost its log, and says so.
    const isSound = peer.matchIndex >= matchBefore || peer.matchIndex === 0;
    assert(isSound, `matchIndex of ${peer.id} fell within a term`);
  }
}

/** A change can be undone until it is committed; who was retired by one that is stays so. */
function checkMembersTransition(before: RaftView, after: RaftView): void {
  if (before.configurationIndex > before.commitIndex) return;
  const isKept = after.configurationIndex >= before.configurationIndex;
  assert(isKept, "a committed configuration was rolled back (Raft §6)");
  const isBack = before.configuration.retired.some(
    (id) => !after.configuration.retired.includes(id),
  );
  assert(!isBack, "an id came back after its server was removed");
}

function checkMembers(view: RaftView): void {
  const { voters, votersOutgoing, learners, staging, retired } = view.configuration;
  assert(view.configurationIndex <= view.lastLogIndex, "members of an entry that is not there");
  assert(!learners.some((id) => isVoter(view.configuration, id)), "a learner votes");
  assert(!staging.some((id) => !learners.includes(id)), "a voter catches up to become a voter");
  const isBack = retired.some((id) =>
    [voters, votersOutgoing, learners].some((members) => members.includes(id)),
  );
  assert(!isBack, "a retired id is a member");
}

function checkOrder(view: RaftView): void {
  assert(view.firstLogIndex <= view.lastLogIndex + 1, "the log ends before it begins");
  assert(view.lastApplied <= view.commitIndex, "applied beyond commitIndex (Raft §5.3)");
  assert(view.commitIndex <= view.lastLogIndex, "committed beyond the log (Raft §5.3)");
  assert(view.durableIndex <= view.lastLogIndex, "durable beyond the log");
  assert(view.snapshotIndex <= view.lastApplied, "a snapshot of what was not applied (Raft §7)");
  assert(view.firstLogIndex <= view.snapshotIndex + 1, "a gap between snapshot and log (Raft §7)");
  assert(view.lastLogTerm <= view.currentTerm, "the log is of a later term than currentTerm");
}

function checkRole(view: RaftView): void {
  const isCampaigning = view.role === "candidate" || view.role === "preCandidate";
  assert(isCampaigning === (view.votesGranted !== null), "votes are counted outside a campaign");
  const isBound = view.voteFloor === null || view.role === "follower";
  assert(isBound, "a server campaigns whose log lacks what it may have acknowledged");
  if (isCampaigning) assert(view.leaderId === null, "a campaign against a leader that is heard");
  if (view.role === "candidate") assert(view.votedFor !== null, "a candidate without its own vote");
  assert(
    view.role === "leader" || view.peers.length === 0,
    "a server that does not lead keeps nextIndex and matchIndex",
  );
}

function checkPeer(view: RaftView, peer: PeerView): void {
  assert(peer.matchIndex < peer.nextIndex, `${peer.id}: matchIndex is not below nextIndex`);
  assert(peer.matchIndex <= view.lastLogIndex, `${peer.id}: matchIndex is beyond the log`);
  assert(peer.nextIndex <= view.lastLogIndex + 1, `${peer.id}: nextIndex is beyond the log's end`);
  if (peer.state === "probe") assert(peer.inFlightMessages === 0, `${peer.id}: probe in a window`);
}

function checkTail(core: RaftCore, view: RaftView): void {
  const fromIndex = Math.max(view.firstLogIndex, view.lastLogIndex - TAIL_ENTRIES);
  let termBefore = core.termAt(fromIndex - 1) ?? 0;
  for (let index = fromIndex; index <= view.lastLogIndex; index += 1) {
    const entry = core.entryAt(index);
    assert(entry !== null && entry.index === index, `entry ${index} is missing or misplaced`);
    assert(entry.term >= termBefore, `terms fall at entry ${index} (Raft §5.3)`);
    termBefore = entry.term;
  }
  if (view.role === "leader") {
    assert(view.lastLogTerm === view.currentTerm, "a leader without an entry of its term");
    assert(view.votedFor !== null, "a leader that did not vote for itself (Raft §5.2)");
  }
}
