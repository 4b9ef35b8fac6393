import type { Configuration, LogIndex, MemberAddress, NodeId, Term } from "@quorate/wire";
import { handOverOnRetirement } from "./leadership-transfer.ts";
import { Progress } from "./progress.ts";
import { allMembers, isVoter, majorityOf } from "./quorum.ts";
import type { LeaderState, RaftState } from "./raft-state.ts";
import { becomeFollower } from "./raft-state.ts";

/** Rounds of catching up after which a staging learner is given up (Diss. §4.2.1). */
const CATCH_UP_ROUNDS_MAX = 10;

/** Election timeouts of silence after which a staging learner is given up: a typo in its port? */
const CATCH_UP_SILENCE_ELECTIONS = 20;

/** What the members shall be; the rest of a {@link Configuration} follows from what they were. */
export interface ConfigurationTarget {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly staging: readonly NodeId[];
  readonly addresses: readonly MemberAddress[];
}

/** Why a change of members was not begun. Nothing has happened. */
export interface ChangeRefusal {
  readonly kind: "refused";
  /**
   * `changeInProgress`: one at a time. `notReady`: nothing of this leader's term is committed yet,
   * or voters that count have not answered it yet.
   * `conflict`: the configuration is not the expected one. `quorumAtRisk`: too few of the new
   * voters answer. `invalid`: it breaks a rule of configurations.
   */
  readonly code: "changeInProgress" | "notReady" | "conflict" | "quorumAtRisk" | "invalid";
  readonly reason: string;
}

/** `accepted`: in this leader's log and in force, not committed; joint changes go on by themselves. */
export type ChangeResult =
  | { readonly kind: "accepted"; readonly index: LogIndex; readonly term: Term }
  | { readonly kind: "notLeader"; readonly leaderId: NodeId | null }
  | ChangeRefusal;

export interface ChangeOptions {
  /** Index of the configuration that the change was thought of for; null: whichever it is. */
  readonly expectedIndex: LogIndex | null;
  /** Begin even though too few of the new voters answer. */
  readonly force: boolean;
}

/**
 * Begins a change of members (Raft §6, Diss. ch. 4): by joint consensus where the voters change,
 * by a plain entry where they do not. In force from the moment that it is in the log.
 */
export function changeMembers(
  state: RaftState,
  target: ConfigurationTarget,
  options: ChangeOptions,
): ChangeResult {
  const { leader } = state;
  if (leader === null) return { kind: "notLeader", leaderId: state.leaderId };
  const refusal =
    refuseForState(state, leader, options) ??
    refuseForTarget(state.configuration, target) ??
    (options.force ? null : refuseForQuorum(state, leader, target));
  if (refusal !== null) return refusal;
  const { configuration } = state;
  const changesVoters = !sameIds(target.voters, configuration.voters);
  const next = changesVoters ? enterJoint(configuration, target) : settled(configuration, target);
  if (!state.configurations.canHold(next)) {
    return { kind: "refused", code: "invalid", reason: "an id or an address is not well-formed" };
  }
  return { kind: "accepted", ...appendConfiguration(state, leader, next) };
}

/**
 * Goes on with what is committed: leaves the joint configuration, whoever began it, and retires a
 * leader that is not a member of the new one (Raft §6).
 */
export function settleConfiguration(state: RaftState): void {
  const { leader, configuration, configurations } = state;
  if (leader === null || configurations.currentIndex > state.commitIndex) return;
  if (configuration.votersOutgoing.length > 0) {
    appendConfiguration(state, leader, settled(configuration, configuration));
  } else if (!isVoter(configuration, state.nodeId)) {
    handOverOnRetirement(state, leader);
    becomeFollower(state, null);
  }
}

/** One tick for members that are to come, and for those that have gone. */
export function tickMembers(state: RaftState, leader: LeaderState): void {
  for (const progress of leader.progress.values()) {
    if (progress.departedTicks !== null) tickDeparted(state, leader, progress);
    else if (state.configuration.staging.includes(progress.id)) tickStaging(state, progress);
    else progress.endCatchUp();
  }
}

/** Makes a leader's followers those of the configuration in force, sorted. */
function followMembers(state: RaftState, leader: LeaderState): void {
  const members = new Set(state.peers());
  for (const progress of leader.progress.values()) {
    if (members.has(progress.id)) progress.departedTicks = null;
    // It is told that it is out before it is forgotten; by itself it could not learn it.
    else progress.departedTicks ??= 0;
  }
  for (const id of members) {
    if (!leader.progress.has(id)) leader.progress.set(id, new Progress(id, state.log.lastIndex));
  }
  leader.progress = new Map([...leader.progress].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function refuseForState(
  state: RaftState,
  leader: LeaderState,
  { expectedIndex }: ChangeOptions,
): ChangeRefusal | null {
  const { currentIndex } = state.configurations;
  if (expectedIndex !== null && expectedIndex !== currentIndex) {
    const reason = `the members are those of entry ${currentIndex}, not of ${expectedIndex}`;
    return { kind: "refused", code: "conflict", reason };
  }
  if (state.commitIndex < leader.noopIndex) {
    // The bug of 2015: without an entry of its own term, an unknown change may still be under way.
    const reason = `term ${state.currentTerm} has committed nothing yet`;
    return { kind: "refused", code: "notReady", reason };
  }
  if (currentIndex > state.commitIndex || state.configuration.votersOutgoing.length > 0) {
    const reason = `the change of entry ${currentIndex} is under way`;
    return { kind: "refused", code: "changeInProgress", reason };
  }
  if (leader.transfer !== null) {
    const reason = `leadership is being handed to ${leader.transfer.target}`;
    return { kind: "refused", code: "changeInProgress", reason };
  }
  return null;
}

function refuseForTarget(
  current: Configuration,
  target: ConfigurationTarget,
): ChangeRefusal | null {
  const members = [...target.voters, ...target.learners];
  const back = members.find((id) => current.retired.includes(id));
  const demoted = target.learners.find((id) => current.voters.includes(id));
  const reasons = [
    target.voters.length === 0 ? "a cluster needs a voter" : null,
    new Set(members).size < members.length ? "a member is named twice" : null,
    target.staging.some((id) => !target.learners.includes(id)) ? "only learners catch up" : null,
    back === undefined ? null : `${back} was a member before, and an id is used once`,
    demoted === undefined ? null : `${demoted} votes: remove it, and add a new member`,
  ];
  const reason = reasons.find((one) => one !== null);
  return reason === undefined ? null : { kind: "refused", code: "invalid", reason };
}

/** The new voters must be able to go on: whoever cannot be heard now counts as lost. */
function refuseForQuorum(
  state: RaftState,
  leader: LeaderState,
  target: ConfigurationTarget,
): ChangeRefusal | null {
  const { electionTicks } = state.config;
  const isExpected = (id: NodeId): boolean =>
    leader.progress.get(id)?.wasHeardWithin(electionTicks) === true;
  const silent = target.voters.filter((id) => {
    const hasAnswered = leader.progress.get(id)?.hasAnswered === true;
    return id !== state.nodeId && !(hasAnswered && isExpected(id));
  });
  const live = target.voters.length - silent.length;
  const needed = majorityOf(target.voters.length);
  if (live >= needed) return null;
  const awaited = silent.filter(isExpected);
  if (live + awaited.length >= needed) {
    // A leader this young cannot know who is lost.
    const reason = `${awaited.join(", ")} has not answered this leader yet`;
    return { kind: "refused", code: "notReady", reason };
  }
  const reason =
    `of the ${target.voters.length} new voters ${live} answer, ${needed} are needed; ` +
    `silent: ${silent.join(", ")}`;
  return { kind: "refused", code: "quorumAtRisk", reason };
}

function enterJoint(current: Configuration, target: ConfigurationTarget): Configuration {
  return follow(current, target, current.voters);
}

/** The members of `target` alone. */
function settled(current: Configuration, target: ConfigurationTarget): Configuration {
  return follow(current, target, []);
}

/** Whoever was a member and is not any more is retired, learners included. */
function follow(
  current: Configuration,
  target: ConfigurationTarget,
  votersOutgoing: readonly NodeId[],
): Configuration {
  const members = new Set([...target.voters, ...votersOutgoing, ...target.learners]);
  const gone = allMembers(current).filter((id) => !members.has(id));
  const known = [...current.addresses, ...target.addresses].filter(({ id }) => members.has(id));
  return {
    voters: target.voters.toSorted(),
    votersOutgoing,
    learners: target.learners.toSorted(),
    staging: target.staging.toSorted(),
    addresses: [...new Map(known.map((member) => [member.id, member])).values()].toSorted(byId),
    retired: [...new Set([...current.retired, ...gone])].toSorted(),
  };
}

function appendConfiguration(
  state: RaftState,
  leader: LeaderState,
  configuration: Configuration,
): { index: LogIndex; term: Term } {
  const data = state.configurations.encode(configuration);
  const { index, term } = state.appendOwn("configuration", data);
  followMembers(state, leader);
  return { index, term };
}

/**
 * A round ends when the learner has what the leader had at its start; the last one was short. While
 * it is close and waits for another change to end, rounds do not count against it.
 */
function tickStaging(state: RaftState, progress: Progress): void {
  const { catchUp } = progress;
  const { electionTicks } = state.config;
  catchUp.elapsedTicks += 1;
  if (progress.matchIndex >= catchUp.targetIndex) {
    const isClose = catchUp.targetIndex > 0 && catchUp.elapsedTicks <= electionTicks;
    if (isClose) {
      promote(state, progress.id);
      progress.endCatchUp();
    } else if (catchUp.rounds >= CATCH_UP_ROUNDS_MAX) {
      unstage(state, progress.id);
    }
    progress.startCatchUpRound(state.log.lastIndex);
  } else if (progress.silentTicks >= CATCH_UP_SILENCE_ELECTIONS * electionTicks) {
    unstage(state, progress.id);
  }
}

/** Refused while another change is under way; the next round ends soon. */
function promote(state: RaftState, id: NodeId): void {
  const { voters, learners, staging, addresses } = state.configuration;
  const target = {
    voters: [...voters, id],
    learners: learners.filter((learner) => learner !== id),
    staging: staging.filter((learner) => learner !== id),
    addresses,
  };
  changeMembers(state, target, { expectedIndex: null, force: false });
}

/** It stays a learner; making it a voter is for whoever finds out why it was slow or silent. */
function unstage(state: RaftState, id: NodeId): void {
  const { voters, learners, staging, addresses } = state.configuration;
  const target = {
    voters,
    learners,
    staging: staging.filter((learner) => learner !== id),
    addresses,
  };
  changeMembers(state, target, { expectedIndex: null, force: false });
}

function tickDeparted(state: RaftState, leader: LeaderState, progress: Progress): void {
  const { currentIndex } = state.configurations;
  progress.departedTicks = (progress.departedTicks ?? 0) + 1;
  const wasTold = progress.matchIndex >= currentIndex && progress.sentCommit >= currentIndex;
  const isOver = progress.departedTicks >= 4 * state.config.electionTicks;
  if (state.commitIndex >= currentIndex && (wasTold || isOver)) leader.progress.delete(progress.id);
}

function sameIds(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

function byId(a: MemberAddress, b: MemberAddress): number {
  return a.id < b.id ? -1 : 1;
}
