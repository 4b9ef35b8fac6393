import type {
  Configuration,
  EntryId,
  LogEntry,
  LogIndex,
  NodeId,
  RaftMessage,
  RequestId,
  Role,
  Term,
} from "@quorate/wire";
import { assert } from "./assert.ts";
import type { ConfigurationCodec } from "./configuration-log.ts";
import { ConfigurationLog } from "./configuration-log.ts";
import type { HardState, RecoveredState, SnapshotPoint } from "./output.ts";
import { Outbox } from "./outbox.ts";
import { Persistence } from "./persistence.ts";
import { Progress } from "./progress.ts";
import { allMembers, isVoter } from "./quorum.ts";
import { isAsUpToDate, RaftLog } from "./raft-log.ts";
import type { RaftConfig } from "./raft-config.ts";
import type { Random } from "./random.ts";

/** A read that a leader has taken in (Diss. §6.4). */
export interface PendingRead {
  readonly requestId: RequestId;
  /** The follower that asked, or null: this node's own. */
  readonly from: NodeId | null;
}

/** Reads that share one confirmation round. */
export interface ReadRound {
  readonly round: number;
  readonly readIndex: LogIndex;
  readonly reads: readonly PendingRead[];
}

/** What only a leader has; made anew at each election (Raft Figure 2). */
export interface LeaderState {
  /** Everybody who is sent the log, sorted by id. */
  progress: Map<NodeId, Progress>;
  /** The index of this term's no-op: nothing is read or handed over before it is committed. */
  readonly noopIndex: LogIndex;
  heartbeatElapsedTicks: number;
  /** Number of the newest confirmation round; every AppendEntries carries it. */
  round: number;
  /** Highest round that a quorum has echoed. */
  confirmedRound: number;
  roundInFlight: ReadRound | null;
  waitingReads: PendingRead[];
  /** Ticks for which reads have waited for the no-op. */
  noopWaitTicks: number;
  transfer: { readonly target: NodeId; elapsedTicks: number; timeoutNowSent: boolean } | null;
  uncommittedBytes: number;
  /** False once a TimeoutNow went out: it may arrive late, and voters' loyalty ends with it. */
  mayLease: boolean;
  /** The disk stalled, and handing over was tried. */
  triedToYield: boolean;
}

/** A read that this follower sent to its leader. */
export interface ForwardedRead {
  elapsedTicks: number;
}

/**
 * All state of one server, grouped as in Raft Figure 2. The functions of this folder change it;
 * nothing outside the folder does.
 */
export class RaftState {
  readonly config: RaftConfig;
  readonly random: Random;
  readonly outbox: Outbox = new Outbox();
  readonly persistence: Persistence;

  // Persistent state on all servers.
  currentTerm: Term;
  votedFor: NodeId | null;
  readonly log: RaftLog;
  readonly configurations: ConfigurationLog;
  snapshot: SnapshotPoint;
  /** See {@link RecoveredState}; null once the log is whole again. */
  voteFloor: EntryId | null;

  // Volatile state on all servers.
  commitIndex: LogIndex;
  /** Highest index handed out for applying. Invariant: lastApplied <= commitIndex. */
  lastApplied: LogIndex;
  role: Role = "follower";
  /** The leader of `currentTerm`, once it was heard. */
  leaderId: NodeId | null = null;
  electionElapsedTicks = 0;
  electionTimeoutTicks: number;
  /** Ticks since the leader of `currentTerm` was heard; voters are loyal to it for a while. */
  leaderSilenceTicks: number;
  /** Elections that are still tried with short timeouts, because the leader is known to be gone. */
  hurriedElections = 0;
  forwardedReads: Map<RequestId, ForwardedRead> = new Map();
  nextReadId: RequestId;

  // Volatile state on candidates and pre-candidates: who answered, and how.
  votes: Map<NodeId, boolean> = new Map();
  /** The leader asked for this election: voters need not wait for its silence (Diss. §3.10). */
  campaignIsTransfer = false;

  // Volatile state on leaders.
  leader: LeaderState | null = null;

  constructor(
    config: RaftConfig,
    recovered: RecoveredState,
    random: Random,
    codec: ConfigurationCodec,
  ) {
    const { snapshot, beforeFirst, entries } = recovered;
    this.config = config;
    this.random = random;
    this.currentTerm = recovered.hardState.currentTerm;
    this.votedFor = recovered.hardState.votedFor;
    this.snapshot = snapshot;
    this.voteFloor = recovered.voteFloor;
    this.log = new RaftLog(beforeFirst, entries);
    const base = { index: snapshot.configurationIndex, configuration: snapshot.configuration };
    this.configurations = new ConfigurationLog(codec, base, entries);
    assert(this.log.lastTerm <= this.currentTerm, "the log is of a later term than currentTerm");
    assert(
      beforeFirst.index <= snapshot.lastIncludedIndex &&
        snapshot.lastIncludedIndex <= this.log.lastIndex,
      "the log does not meet the snapshot",
    );
    const { commitIndex } = recovered.hardState;
    assert(
      commitIndex <= this.log.lastIndex || this.voteFloor !== null,
      "commitIndex is beyond the log",
    );
    this.commitIndex = Math.max(
      Math.min(commitIndex, this.log.lastIndex),
      snapshot.lastIncludedIndex,
    );
    this.lastApplied = snapshot.lastIncludedIndex;
    this.persistence = new Persistence(recovered.hardState, this.log.lastIndex);
    // With leases a restarted voter may have promised its loyalty just before it went down.
    this.leaderSilenceTicks = config.leaseReads ? 0 : config.electionTicks;
    this.electionTimeoutTicks = drawElectionTimeout(this);
    this.nextReadId = random.below(2 ** 48);
  }

  get nodeId(): NodeId {
    return this.config.nodeId;
  }

  /** The configuration in force: the latest in the log, committed or not (Raft §6). */
  get configuration(): Configuration {
    return this.configurations.current;
  }

  /** Whether the disk has been at one batch for longer than an election may take. */
  get isStalled(): boolean {
    return this.persistence.inFlightTicks >= this.config.electionTicks;
  }

  /**
   * Whether this server may try to lead. A voter may; so may one that a change removes, until the
   * change is committed (Diss. §4.2.2). Not one whose disk hangs, whose log was damaged, or in the
   * last term that there is: only a forgery leads there, and the next one could not be told.
   */
  get mayCampaign(): boolean {
    if (this.isStalled || this.voteFloor !== null) return false;
    if (this.currentTerm >= Number.MAX_SAFE_INTEGER) return false;
    const committed = this.configurations.at(this.commitIndex).configuration;
    return isVoter(this.configuration, this.nodeId) || isVoter(committed, this.nodeId);
  }

  hardState(): HardState {
    return {
      currentTerm: this.currentTerm,
      votedFor: this.votedFor,
      commitIndex: this.commitIndex,
    };
  }

  /** The other servers, sorted, so that equal inputs give equal outputs. */
  peers(): NodeId[] {
    return allMembers(this.configuration).filter((id) => id !== this.nodeId);
  }

  /** Sends a message that promises nothing that is not durable. */
  send(to: NodeId, message: RaftMessage): void {
    this.outbox.messages.push({ to, message });
  }

  /** Sends once `currentTerm`, `votedFor` and the log up to `index` are durable. */
  sendWhenDurable(to: NodeId, message: RaftMessage, index: LogIndex): void {
    const afterSequence = this.persistence.sequenceFor(this.hardState(), index);
    if (afterSequence === 0) this.send(to, message);
    else this.outbox.defer({ to, message, afterSequence });
  }

  /** Adds the leader's own entry and counts its bytes as uncommitted. */
  appendOwn(kind: LogEntry["kind"], data: Uint8Array): LogEntry {
    const entry = { index: this.log.lastIndex + 1, term: this.currentTerm, kind, data };
    this.log.append(entry);
    this.configurations.appended(entry);
    this.persistence.logChangedFrom(entry.index);
    return entry;
  }

  /** Replaces what the log holds from `entries[0].index` on by the leader's entries. */
  replaceEntries(entries: readonly LogEntry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    this.outbox.dropAcknowledgements(first.index, this.persistence.handedSequence);
    this.log.replaceFrom(entries);
    this.configurations.cutFrom(first.index);
    for (const entry of entries) this.configurations.appended(entry);
    this.persistence.logChangedFrom(first.index);
    this.liftVoteFloor();
  }

  /** The log is as up to date as the one that damage cut: this server votes like any other again. */
  liftVoteFloor(): void {
    const { voteFloor, log } = this;
    if (voteFloor === null) return;
    const end = { index: log.lastIndex, term: log.lastTerm };
    if (!isAsUpToDate(end, voteFloor)) return;
    this.voteFloor = null;
    this.persistence.clearVoteFloor();
  }
}

/** Takes over `term` as a follower: a new term has no vote and no leader yet (Raft §5.1). */
export function adoptTerm(state: RaftState, term: Term): void {
  assert(term > state.currentTerm, `term ${term} does not follow term ${state.currentTerm}`);
  state.currentTerm = term;
  state.votedFor = null;
  becomeFollower(state, null);
}

/** Follows `leaderId`, or nobody yet, in `currentTerm`. The vote of the term stays (Raft §5.2). */
export function becomeFollower(state: RaftState, leaderId: NodeId | null): void {
  const wasFollower = state.role === "follower";
  state.role = "follower";
  if (state.leaderId !== leaderId || !wasFollower) abortReads(state);
  state.leaderId = leaderId;
  state.leader = null;
  state.votes.clear();
  state.campaignIsTransfer = false;
  if (!wasFollower) resetElectionTimer(state);
}

/** Starts over with a leader's state: nothing is known of the followers (Raft §5.3). */
export function becomeLeader(state: RaftState): void {
  assert(state.role === "candidate", `a ${state.role} won an election`);
  const progress = new Map<NodeId, Progress>();
  for (const id of state.peers()) progress.set(id, new Progress(id, state.log.lastIndex + 1));
  state.role = "leader";
  state.leaderId = state.nodeId;
  state.votes.clear();
  state.campaignIsTransfer = false;
  state.hurriedElections = 0;
  state.leader = {
    progress,
    noopIndex: state.log.lastIndex + 1,
    heartbeatElapsedTicks: 0,
    round: 0,
    confirmedRound: 0,
    roundInFlight: null,
    waitingReads: [],
    noopWaitTicks: 0,
    transfer: null,
    uncommittedBytes: 0,
    mayLease: true,
    triedToYield: false,
  };
}

/**
 * Whether `from`, who says that `leaderId` leads this term, can be that leader: it speaks for
 * itself, and nobody else has led the term. A second leader of a term is a forgery (Raft §5.2).
 */
export function mayLead(state: RaftState, from: NodeId, leaderId: NodeId): boolean {
  return leaderId === from && (state.leaderId === null || state.leaderId === from);
}

/** The leader of this term was heard: no election for a while. */
export function heardLeader(state: RaftState): void {
  state.leaderSilenceTicks = 0;
  state.hurriedElections = 0;
  resetElectionTimer(state);
}

/** Begins a new wait for the leader, of a length drawn anew (Raft §5.2). */
export function resetElectionTimer(state: RaftState): void {
  state.electionElapsedTicks = 0;
  state.electionTimeoutTicks = drawElectionTimeout(state);
}

/** Reads in flight cannot be trusted across a change of leader or term: their askers ask again. */
export function abortReads(state: RaftState): void {
  for (const requestId of state.forwardedReads.keys()) state.outbox.abortedReads.push(requestId);
  state.forwardedReads.clear();
  const { leader } = state;
  if (leader === null) return;
  for (const read of [...(leader.roundInFlight?.reads ?? []), ...leader.waitingReads]) {
    if (read.from === null) state.outbox.abortedReads.push(read.requestId);
  }
  leader.roundInFlight = null;
  leader.waitingReads = [];
}

function drawElectionTimeout(state: RaftState): number {
  const { config, random, hurriedElections } = state;
  if (hurriedElections > 0) return config.heartbeatTicks + random.below(config.heartbeatTicks);
  return config.electionTicks + random.below(config.electionTicks);
}
