import type {
  Configuration,
  LinkFault,
  MemberRole,
  MemberStatus,
  NodeId,
  NodeStatus,
  PeerStatus,
  StorageState,
  TermRun,
} from "@quorate/wire";
import type { PeerView, RaftView } from "../raft/index.ts";
import type { PeerContact } from "../transport/tcp-transport.ts";
import type { ByteProgress, SnapshotStatus } from "./driver-outcomes.ts";
import { roundMs } from "./latency-window.ts";

/** Longest text in a message, in UTF-16 code units. */
const REFUSAL_MAX_UNITS = 512;

/** The parts of a status that do not change while a process runs. */
export type NodeIdentity = Pick<
  NodeStatus,
  | "clusterId"
  | "nodeId"
  | "incarnation"
  | "bootId"
  | "softwareVersion"
  | "pid"
  | "address"
  | "dataDirectory"
  | "electionTimeoutMs"
  | "heartbeatIntervalMs"
>;

/** What is counted and measured outside of the core. */
export type NodeGauges = Pick<
  NodeStatus,
  | "uptimeMs"
  | "revision"
  | "keyCount"
  | "clientConnections"
  | "subscribers"
  | "writesApplied"
  | "readsServed"
  | "requestsFailed"
  | "residentBytes"
  | "storageBytes"
  | "persistP50Ms"
  | "persistP99Ms"
  | "commitP50Ms"
  | "commitP99Ms"
>;

export interface StatusSources {
  readonly identity: NodeIdentity;
  readonly view: RaftView;
  readonly gauges: NodeGauges;
  readonly lastApplied: number;
  readonly logTail: readonly TermRun[];
  readonly snapshots: SnapshotStatus;
  readonly storageState: StorageState;
  readonly retired: boolean;
  /** Open in the store. */
  readonly sessions: number;
  /** Of the store at `lastApplied`. */
  readonly stateHash: string;
  readonly faultsAllowed: boolean;
  readonly faults: readonly LinkFault[];
  readonly addressOf: (id: NodeId) => string | null;
  readonly contactOf: (id: NodeId) => PeerContact;
}

/** Puts together what a node reports about itself. */
export function assembleStatus(sources: StatusSources): NodeStatus {
  const { identity, view, gauges } = sources;
  return {
    ...identity,
    ...gauges,
    role: view.role,
    currentTerm: view.currentTerm,
    votedFor: view.votedFor,
    leaderId: view.leaderId,
    votesGranted: view.votesGranted,
    commitIndex: view.commitIndex,
    lastApplied: sources.lastApplied,
    firstLogIndex: view.firstLogIndex,
    lastLogIndex: view.lastLogIndex,
    lastLogTerm: view.lastLogTerm,
    durableIndex: view.durableIndex,
    logTail: sources.logTail,
    members: memberStatuses(sources),
    peers: peerStatuses(sources),
    electionTimerLeft: electionTimerLeft(view),
    configurationIndex: view.configurationIndex,
    snapshotIndex: sources.snapshots.index,
    snapshotBytes: sources.snapshots.bytes,
    storageState: sources.storageState,
    retired: sources.retired,
    sessions: sources.sessions,
    stateHash: sources.stateHash,
    faultsAllowed: sources.faultsAllowed,
    faults: sources.faults,
  };
}

/** A committed configuration says that `nodeId` is a member no more. It may never be one again. */
export function isRetired(view: RaftView, nodeId: NodeId): boolean {
  const { configuration, configurationIndex, commitIndex } = view;
  return configurationIndex <= commitIndex && configuration.retired.includes(nodeId);
}

function memberStatuses({ view, addressOf }: StatusSources): MemberStatus[] {
  const { voters, votersOutgoing, learners } = view.configuration;
  const voting = new Set([...voters, ...votersOutgoing]);
  return [...new Set([...voting, ...learners])].toSorted().map((id) => ({
    id,
    address: addressOf(id) ?? "",
    voter: voting.has(id),
    role: memberRole(view.configuration, id),
  }));
}

function memberRole({ voters, learners, staging }: Configuration, id: NodeId): MemberRole {
  if (voters.includes(id)) return "voter";
  if (staging.includes(id)) return "staging";
  return learners.includes(id) ? "learner" : "leaving";
}

function peerStatuses(sources: StatusSources): PeerStatus[] {
  const { view, identity, contactOf, snapshots } = sources;
  const byId = new Map(view.peers.map((peer) => [peer.id, peer]));
  return memberStatuses(sources)
    .filter(({ id }) => id !== identity.nodeId)
    .map(({ id }) => ({
      id,
      ...replicationStatus(byId.get(id), snapshots.sending.get(id)),
      ...contactStatus(contactOf(id)),
    }));
}

type ContactStatus = Pick<PeerStatus, "connected" | "lastContactMs" | "roundTripMs" | "refusal">;

function contactStatus(contact: PeerContact): ContactStatus {
  const { connected, lastContactMs, roundTripMs, refusal } = contact;
  return {
    connected,
    lastContactMs: lastContactMs === null ? null : Math.round(lastContactMs),
    roundTripMs: roundTripMs === null ? null : roundMs(roundTripMs),
    refusal: refusal === null ? null : refusal.slice(0, REFUSAL_MAX_UNITS),
  };
}

function replicationStatus(
  peer: PeerView | undefined,
  sent: ByteProgress | undefined,
): Omit<PeerStatus, "id" | keyof ContactStatus> {
  if (peer === undefined) return UNKNOWN_REPLICATION;
  const { matchIndex, nextIndex, state, catchUpRounds } = peer;
  const inFlightEntries = state === "replicate" ? nextIndex - 1 - matchIndex : 0;
  const replication = { matchIndex, nextIndex, replication: state, inFlightEntries };
  const snapshotOffset = sent?.bytes ?? null;
  const snapshotBytes = sent?.totalBytes ?? null;
  return { ...replication, snapshotOffset, snapshotBytes, catchUpRounds };
}

/** Of a peer as anyone but the leader knows it. */
const UNKNOWN_REPLICATION = {
  matchIndex: null,
  nextIndex: null,
  replication: null,
  inFlightEntries: null,
  snapshotOffset: null,
  snapshotBytes: null,
  catchUpRounds: null,
} as const;

function electionTimerLeft(view: RaftView): number | null {
  if (view.role === "leader") return null;
  const left = view.electionTicksLeft / view.electionTimeoutTicks;
  return Math.round(Math.min(1, Math.max(0, left)) * 100) / 100;
}
