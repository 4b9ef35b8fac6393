/*
 * A node's status: a map from the names of NodeStatus (client-messages.ts) to their values, in
 * any order. Members, peers and term runs are maps too. Names that were added later may be absent:
 * each has a default.
 */
import type {
  LinkFault,
  MemberRole,
  MemberStatus,
  NodeStatus,
  PeerStatus,
  Role,
  StorageState,
  TermRun,
} from "../client-messages.ts";
import type { Check } from "./checks.ts";
import {
  asAddress,
  asArray,
  asBoolean,
  asFraction,
  asIdentifier,
  asIdentifierOrNull,
  asInteger,
  asIntegerOrNull,
  asMeasure,
  asName,
  asText,
  asWord,
  orNull,
  TEXT_MAX_UNITS,
} from "./checks.ts";
import { asLinkFaults } from "./faults.ts";
import type { Shape } from "./shape.ts";
import { asMap, asPartOfShape, asShape } from "./shape.ts";

/** Longest path of a data directory, in UTF-16 code units (Linux: PATH_MAX). */
const PATH_MAX_UNITS = 4096;

const STATE_HASH_MAX_UNITS = 64;

const ROLES: readonly Role[] = ["follower", "preCandidate", "candidate", "leader"];
const REPLICATION_STATES = ["probe", "replicate", "snapshot"] as const;

const MEMBER_ROLES: readonly MemberRole[] = ["voter", "learner", "staging", "leaving"];
const STORAGE_STATES: readonly StorageState[] = ["ok", "stalled", "full"];

const MEMBER: Shape<Omit<MemberStatus, "role">> = {
  id: asIdentifier,
  address: asAddress,
  voter: asBoolean,
};

const PEER: Shape<PeerStatus> = {
  id: asIdentifier,
  connected: asBoolean,
  matchIndex: asIntegerOrNull,
  nextIndex: asIntegerOrNull,
  replication: orNull((value, field) => asWord(value, field, REPLICATION_STATES)),
  inFlightEntries: asIntegerOrNull,
  lastContactMs: orNull(asMeasure),
  roundTripMs: orNull(asMeasure),
  snapshotOffset: orAbsent(asIntegerOrNull, null),
  snapshotBytes: orAbsent(asIntegerOrNull, null),
  catchUpRounds: orAbsent(asIntegerOrNull, null),
  refusal: orAbsent(
    orNull((value, field) => asText(value, field, TEXT_MAX_UNITS)),
    null,
  ),
};

const TERM_RUN: Shape<TermRun> = { term: asInteger, count: asInteger };

const NODE_STATUS: Shape<NodeStatus> = {
  clusterId: asIdentifier,
  nodeId: asIdentifier,
  incarnation: asIdentifier,
  bootId: asIdentifier,
  softwareVersion: asName,
  pid: asInteger,
  uptimeMs: asMeasure,
  address: asAddress,
  dataDirectory: (value, field) => asText(value, field, PATH_MAX_UNITS),
  role: (value, field) => asWord(value, field, ROLES),
  currentTerm: asInteger,
  votedFor: asIdentifierOrNull,
  leaderId: asIdentifierOrNull,
  votesGranted: asIntegerOrNull,
  commitIndex: asInteger,
  lastApplied: asInteger,
  firstLogIndex: asInteger,
  lastLogIndex: asInteger,
  lastLogTerm: asInteger,
  durableIndex: asInteger,
  logTail: arrayOf(TERM_RUN),
  revision: asInteger,
  keyCount: asInteger,
  members: (value, field) => asArray(value, field, asMember),
  peers: arrayOf(PEER),
  electionTimerLeft: orNull(asFraction),
  electionTimeoutMs: asMeasure,
  heartbeatIntervalMs: asMeasure,
  clientConnections: asInteger,
  subscribers: asInteger,
  writesApplied: asInteger,
  readsServed: asInteger,
  requestsFailed: asInteger,
  residentBytes: asInteger,
  storageBytes: asInteger,
  persistP50Ms: orNull(asMeasure),
  persistP99Ms: orNull(asMeasure),
  commitP50Ms: orNull(asMeasure),
  commitP99Ms: orNull(asMeasure),
  configurationIndex: orAbsent(asInteger, 0),
  snapshotIndex: orAbsent(asInteger, 0),
  snapshotBytes: orAbsent(asInteger, 0),
  storageState: orAbsent((value, field) => asWord(value, field, STORAGE_STATES), "ok"),
  retired: orAbsent(asBoolean, false),
  sessions: orAbsent(asInteger, 0),
  stateHash: orAbsent((value, field) => asText(value, field, STATE_HASH_MAX_UNITS), ""),
  faultsAllowed: orAbsent(asBoolean, false),
  faults: orAbsent<readonly LinkFault[]>(asLinkFaults, []),
};

/** A whole status. */
export function asNodeStatus(value: unknown, field: string): NodeStatus {
  return asShape(value, field, NODE_STATUS);
}

/** Some fields of a status. */
export function asPartOfNodeStatus(value: unknown, field: string): Partial<NodeStatus> {
  return asPartOfShape(value, field, NODE_STATUS);
}

function asMember(value: unknown, field: string): MemberStatus {
  const member = asShape(value, field, MEMBER);
  const role = asMap(value, field)["role"] ?? (member.voter ? "voter" : "learner");
  return { ...member, role: asWord(role, `${field}.role`, MEMBER_ROLES) };
}

/** `check`, or `absent` where the sender knows no such name. */
function orAbsent<T>(check: Check<T>, absent: T): Check<T> {
  return (value, field) => (value === undefined ? absent : check(value, field));
}

function arrayOf<T>(shape: Shape<T>): Check<T[]> {
  return (value, field) => asArray(value, field, (element) => asShape(element, field, shape));
}
