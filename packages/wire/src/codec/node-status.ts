/*
 * A node's status: a map from the names of NodeStatus (client-messages.ts) to their values, in
 * any order. Members, peers and term runs are maps too.
 */
import type { MemberStatus, NodeStatus, PeerStatus, Role, TermRun } from "../client-messages.ts";
import type { Check } from "./checks.ts";
import {
  asAddress,
  asArray,
  asBoolean,
  asIdentifier,
  asIdentifierOrNull,
  asInteger,
  asIntegerOrNull,
  asMeasure,
  asName,
  asText,
  asWord,
  badField,
  orNull,
} from "./checks.ts";
import type { Shape } from "./shape.ts";
import { asPartOfShape, asShape } from "./shape.ts";

/** Longest path of a data directory, in UTF-16 code units (Linux: PATH_MAX). */
const PATH_MAX_UNITS = 4096;

const ROLES: readonly Role[] = ["follower", "preCandidate", "candidate", "leader"];
const REPLICATION_STATES = ["probe", "replicate", "snapshot"] as const;

const MEMBER: Shape<MemberStatus> = {
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
  members: arrayOf(MEMBER),
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
};

/** A whole status. */
export function asNodeStatus(value: unknown, field: string): NodeStatus {
  return asShape(value, field, NODE_STATUS);
}

/** Some fields of a status. */
export function asPartOfNodeStatus(value: unknown, field: string): Partial<NodeStatus> {
  return asPartOfShape(value, field, NODE_STATUS);
}

function arrayOf<T>(shape: Shape<T>): Check<T[]> {
  return (value, field) => asArray(value, field, (element) => asShape(element, field, shape));
}

function asFraction(value: unknown, field: string): number {
  const fraction = asMeasure(value, field);
  if (fraction > 1) throw badField(field, "a number from 0 to 1");
  return fraction;
}
