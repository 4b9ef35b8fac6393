import type {
  AppendEntriesReply,
  Configuration,
  EntryId,
  LogEntry,
  LogIndex,
  NodeId,
  RaftMessage,
  RequestId,
  Role,
  Term,
  TermRun,
} from "@quorate/wire";
import { dispatch } from "./dispatch.ts";
import type { ConfigurationCodec } from "./configuration-log.ts";
import { countOwnVote, hurryElection, tickElection } from "./election.ts";
import { acknowledgeChunk, compactLog, installSnapshot } from "./install-snapshot.ts";
import { advanceCommitIndex, loseFollower, tickLeader } from "./leader.ts";
import type { TransferResult } from "./leadership-transfer.ts";
import { startTransfer } from "./leadership-transfer.ts";
import type { ChangeOptions, ChangeResult, ConfigurationTarget } from "./membership.ts";
import { changeMembers } from "./membership.ts";
import type { Output, RecoveredState, SnapshotChunk, SnapshotPoint } from "./output.ts";
import type { RaftConfig } from "./raft-config.ts";
import { assertRaftConfig } from "./raft-config.ts";
import { entrySizeBytes } from "./raft-log.ts";
import { adoptTerm, RaftState } from "./raft-state.ts";
import type { Random } from "./random.ts";
import { refuseReadIndex, requestRead, startReadRound, tickForwardedReads } from "./read-index.ts";
import { replicate } from "./replication.ts";
import { hearsLeader } from "./request-vote.ts";

export type { TransferResult } from "./leadership-transfer.ts";

/** What became of a proposal. `accepted` means: in this leader's log, not committed yet. */
export type ProposeResult =
  | { readonly kind: "accepted"; readonly index: LogIndex; readonly term: Term }
  | { readonly kind: "notLeader"; readonly leaderId: NodeId | null }
  | { readonly kind: "transferring"; readonly target: NodeId }
  | { readonly kind: "overloaded" };

/** A leader's knowledge of one peer. */
export interface PeerView {
  readonly id: NodeId;
  readonly matchIndex: LogIndex;
  readonly nextIndex: LogIndex;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Ticks since it answered, or since it is sent anything. */
  readonly silentTicks: number;
  /** Whether that is less than an election timeout. */
  readonly recentlyActive: boolean;
  /** Rounds of catching up that a staging learner has had. */
  readonly catchUpRounds: number;
  /** It is a member no more, and is being told so. */
  readonly isDeparting: boolean;
}

/** A copy of the state that may be shown and compared. */
export interface RaftView {
  readonly role: Role;
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
  readonly leaderId: NodeId | null;
  readonly commitIndex: LogIndex;
  /** Handed out for applying. */
  readonly lastApplied: LogIndex;
  readonly firstLogIndex: LogIndex;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  readonly durableIndex: LogIndex;
  readonly configuration: Configuration;
  /** Names the configuration: the index of its entry. */
  readonly configurationIndex: LogIndex;
  /** Last index of the newest snapshot; 0: there is none. */
  readonly snapshotIndex: LogIndex;
  /** Whether the disk has been at one batch for longer than an election may take. */
  readonly isStalled: boolean;
  /** See {@link RecoveredState}. */
  readonly voteFloor: EntryId | null;
  /** A leader's newest confirmation round, and the newest that a quorum has echoed; else 0. */
  readonly round: number;
  readonly confirmedRound: number;
  /** Votes or pre-votes so far; null where there is no campaign. */
  readonly votesGranted: number | null;
  readonly electionTicksLeft: number;
  readonly electionTimeoutTicks: number;
  readonly transferTarget: NodeId | null;
  /** Empty unless this server leads. Sorted by id. */
  readonly peers: readonly PeerView[];
}

/**
 * One server's consensus, as a machine without clock, disk or network: inputs are method calls,
 * all effects are data in {@link Output}. Equal inputs and equal dice give equal outputs. The
 * driver's duties are in README.md. After an InvariantError the object must not be used again.
 */
export class RaftCore {
  readonly #state: RaftState;
  #applyingIsPaused = false;

  /** Starts as a follower with what the disk held (Raft §5.2). */
  constructor(
    config: RaftConfig,
    recovered: RecoveredState,
    random: Random,
    codec: ConfigurationCodec,
  ) {
    assertRaftConfig(config);
    this.#state = new RaftState(config, recovered, random, codec);
  }

  /** A fixed span of time has passed; the driver decides how long it is. */
  tick(): void {
    const state = this.#state;
    state.persistence.tick();
    tickForwardedReads(state);
    if (state.leader === null) tickElection(state);
    else tickLeader(state, state.leader);
  }

  /** A message of `from`, whose identity the transport has proven. Any message is bearable. */
  receive(from: NodeId, message: RaftMessage): void {
    const state = this.#state;
    if (from === state.nodeId) return;
    // A PreVote asks about a term that nobody is in yet: it moves no term (Diss. §9.6).
    if (message.type !== "PreVote" && !this.#meetTerm(from, message)) return;
    dispatch(state, from, message);
  }

  /** Asks for a command to be committed; the answer says where it stands if it ever is. */
  propose(data: Uint8Array): ProposeResult {
    const state = this.#state;
    const { leader } = state;
    if (leader === null) return { kind: "notLeader", leaderId: state.leaderId };
    if (leader.transfer !== null) return { kind: "transferring", target: leader.transfer.target };
    if (leader.uncommittedBytes >= state.config.uncommittedMaxBytes) return { kind: "overloaded" };
    const entry = state.appendOwn("command", data);
    leader.uncommittedBytes += entrySizeBytes(entry);
    return { kind: "accepted", index: entry.index, term: entry.term };
  }

  /** Begins a change of members (Raft §6); it goes on by itself, whoever leads. */
  changeMembers(target: ConfigurationTarget, options: ChangeOptions): ChangeResult {
    return changeMembers(this.#state, target, options);
  }

  /**
   * Where a read may be answered without a round, if the driver knows by its clock that the lease
   * of the last confirmed round still runs (Diss. §6.4.1); null: it may not.
   */
  leaseReadIndex(): LogIndex | null {
    const { leader, commitIndex } = this.#state;
    if (leader === null || !leader.mayLease) return null;
    return commitIndex >= leader.noopIndex ? commitIndex : null;
  }

  /**
   * The state at `index` is in a durable file: compacts the log. Null: the file is of no use, as it
   * is not newer than the last, or from before this server knew the members.
   */
  snapshotTaken(index: LogIndex): SnapshotPoint | null {
    return compactLog(this.#state, index);
  }

  /** The bytes before `nextOffset` of the snapshot that `chunk` is a piece of are stored. */
  snapshotChunkStored(chunk: SnapshotChunk, nextOffset: number): void {
    acknowledgeChunk(this.#state, { ...chunk, nextOffset });
  }

  /** The snapshot whose last piece is `chunk` is whole and durable. Says whether it is installed. */
  snapshotReceived({ from, message }: SnapshotChunk): boolean {
    return installSnapshot(this.#state, from, message);
  }

  /**
   * While the state machine takes in a snapshot nothing is given out to be applied: call it before
   * the output after the one with `installed` is taken.
   */
  pauseApplying(isPaused: boolean): void {
    this.#applyingIsPaused = isPaused;
  }

  /** Asks for a linearizable read; an output answers it by this id, at once or later, or aborts it. */
  readIndex(): RequestId {
    return requestRead(this.#state);
  }

  /** Hands leadership to `target`, or to the voter with the longest log (Diss. §3.10). */
  transferLeadership(target: NodeId | null): TransferResult {
    return startTransfer(this.#state, target);
  }

  /** The process of `peer` has ended: its connection broke and a new one was refused. */
  peerDown(peer: NodeId): void {
    const state = this.#state;
    if (state.leader === null) hurryElection(state, peer);
    else loseFollower(state, state.leader, peer);
  }

  /** The batch of this sequence is durable. */
  persisted(sequence: number): void {
    const state = this.#state;
    state.persistence.persisted(sequence);
    countOwnVote(state);
    advanceCommitIndex(state);
  }

  /** Whether {@link takeOutput} would give something to do. */
  hasOutput(): boolean {
    const state = this.#state;
    this.#prepare();
    return (
      !state.outbox.isEmpty(state.persistence.handedSequence) ||
      (state.lastApplied < state.commitIndex && !this.#applyingIsPaused) ||
      state.persistence.isReady(state.hardState(), state.log)
    );
  }

  /** Everything that is to be done now. Each effect is handed out once. */
  takeOutput(): Output {
    const state = this.#state;
    this.#prepare();
    const { outbox } = state;
    const persist = state.persistence.take(state.hardState(), state.log);
    const committedEntries = this.#takeCommitted();
    const output: Output = {
      messages: outbox.messages,
      messagesAfterPersist: outbox.takeDeferred(state.persistence.handedSequence),
      persist,
      committedEntries,
      readStates: outbox.readStates,
      abortedReads: outbox.abortedReads,
      installed: outbox.installed,
      snapshotChunks: outbox.snapshotChunks,
      snapshotsToSend: outbox.snapshotsToSend,
      snapshotAcks: outbox.snapshotAcks,
    };
    outbox.clear();
    return output;
  }

  /** The state as it is now, as a copy. */
  view(): RaftView {
    const state = this.#state;
    const { log } = state;
    return {
      role: state.role,
      currentTerm: state.currentTerm,
      votedFor: state.votedFor,
      leaderId: state.leaderId,
      commitIndex: state.commitIndex,
      lastApplied: state.lastApplied,
      firstLogIndex: log.firstIndex,
      lastLogIndex: log.lastIndex,
      lastLogTerm: log.lastTerm,
      durableIndex: state.persistence.durableIndex,
      configuration: state.configuration,
      configurationIndex: state.configurations.currentIndex,
      snapshotIndex: state.snapshot.lastIncludedIndex,
      isStalled: state.isStalled,
      voteFloor: state.voteFloor,
      confirmedRound: state.leader?.confirmedRound ?? 0,
      round: state.leader?.round ?? 0,
      votesGranted: this.#votesGranted(),
      electionTicksLeft: Math.max(0, state.electionTimeoutTicks - state.electionElapsedTicks),
      electionTimeoutTicks: state.electionTimeoutTicks,
      transferTarget: state.leader?.transfer?.target ?? null,
      peers: this.#peerViews(),
    };
  }

  /** The entry at `index`; null below the snapshot and beyond the end. */
  entryAt(index: LogIndex): LogEntry | null {
    return this.#state.log.entryAt(index);
  }

  /** Term of the entry at `index` (the snapshot's last included); null where it is not known. */
  termAt(index: LogIndex): Term | null {
    return this.#state.log.termAt(index);
  }

  /** The newest `maxEntries` entries as runs of equal terms, oldest first. */
  termRuns(maxEntries: number): TermRun[] {
    return this.#state.log.termRuns(maxEntries);
  }

  /**
   * The rule for all servers of Raft §5.1, once for every message: a later term makes anyone a
   * follower of it, an earlier one is refused. Says whether the message goes on to its handler.
   */
  #meetTerm(from: NodeId, message: Exclude<RaftMessage, { type: "PreVote" }>): boolean {
    const state = this.#state;
    if (message.term < state.currentTerm) {
      // A voter that is still in an earlier term may grant a pre-vote: `preVoteTerm` says which.
      if (message.type === "PreVoteReply") return true;
      this.#answerEarlierTerm(from, message);
      return false;
    }
    if (message.term === state.currentTerm) return true;
    // While a leader is heard, an election that it did not ask for moves no term (Diss. §4.2.3).
    if (message.type === "RequestVote" && !message.leadershipTransfer && hearsLeader(state)) {
      return false;
    }
    if (isOfDeparted(state, from, message)) return false;
    adoptTerm(state, message.term);
    return true;
  }

  /** Requests of an earlier term are refused with ours, which frees their sender; answers are void. */
  #answerEarlierTerm(from: NodeId, message: Exclude<RaftMessage, { type: "PreVote" }>): void {
    const state = this.#state;
    const { currentTerm: term } = state;
    if (message.type === "RequestVote") {
      const reply = { type: "RequestVoteReply", term, voteGranted: false } as const;
      state.sendWhenDurable(from, reply, 0);
    } else if (message.type === "AppendEntries") {
      const reply: AppendEntriesReply = {
        type: "AppendEntriesReply",
        term,
        success: false,
        prevLogIndex: message.prevLogIndex,
        matchIndex: 0,
        conflictTerm: null,
        conflictIndex: 0,
        round: message.round,
      };
      state.sendWhenDurable(from, reply, 0);
    } else if (message.type === "InstallSnapshot") {
      const { snapshotId } = message;
      const reply = { term, lastIncludedIndex: 0, snapshotId, nextOffset: 0, installed: false };
      state.sendWhenDurable(from, { type: "InstallSnapshotReply", ...reply }, 0);
    } else if (message.type === "ReadIndex") {
      refuseReadIndex(state, from, message);
    }
  }

  /** What a leader sends for the whole group of inputs at once. */
  #prepare(): void {
    const state = this.#state;
    if (state.leader === null) return;
    startReadRound(state, state.leader);
    replicate(state, state.leader);
  }

  #takeCommitted(): LogEntry[] {
    const state = this.#state;
    // A snapshot in this output comes first; the driver pauses while it takes it in.
    const isBlocked = this.#applyingIsPaused || state.outbox.installed !== null;
    if (isBlocked || state.lastApplied === state.commitIndex) return [];
    const fromIndex = state.lastApplied + 1;
    const entries = state.log.rangeWithin(fromIndex, state.commitIndex, state.config.applyMaxBytes);
    state.lastApplied += entries.length;
    return entries;
  }

  #votesGranted(): number | null {
    const { role, votes } = this.#state;
    if (role !== "candidate" && role !== "preCandidate") return null;
    return [...votes.values()].filter((granted) => granted).length;
  }

  #peerViews(): PeerView[] {
    const { leader, config } = this.#state;
    if (leader === null) return [];
    return [...leader.progress.values()].map((progress) => ({
      id: progress.id,
      matchIndex: progress.matchIndex,
      nextIndex: progress.nextIndex,
      state: progress.state,
      inFlightMessages: progress.inFlightMessages,
      inFlightBytes: progress.inFlightBytes,
      silentTicks: progress.silentTicks,
      recentlyActive: progress.wasHeardWithin(config.electionTicks),
      catchUpRounds: progress.catchUp.rounds,
      isDeparting: progress.departedTicks !== null,
    }));
  }
}

/**
 * An answer of a server that is told that it was removed. Whatever term it is in, it must not depose
 * who tells it (Diss. §4.2.3); should its removal be undone, requests of later leaders say so.
 */
function isOfDeparted(state: RaftState, from: NodeId, { type }: RaftMessage): boolean {
  if (type !== "AppendEntriesReply" && type !== "InstallSnapshotReply") return false;
  const progress = state.leader?.progress.get(from);
  return progress !== undefined && progress.departedTicks !== null;
}
