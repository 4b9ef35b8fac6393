/*
 * What clients ask. Fields in their order, behind the type code:
 *
 *   Get         requestId, key, consistency (0 linearizable, 1 stale), maxStalenessMs|nil,
 *               minRevision
 *   Put         requestId, key, value, ifRevision|nil, session|nil
 *   Delete      requestId, key, ifRevision|nil, session|nil
 *   Status      requestId
 *   MoveLeader  requestId, target|nil
 *   Subscribe   requestId, stateRateMaxHz, resumeBootId|nil, resumeSequence (0 with nil),
 *               eventBacklogMax (may be missing: 0)
 *   Cancel      requestId
 *
 * A session is an array: sessionId, serial, ackedBelow. From maxStalenessMs and ifRevision on,
 * fields may be absent at the end: nil, and 0 for minRevision. Sessions and members have files of
 * their own.
 *
 * Sizes of keys and values are not checked here: the store answers them with an ErrorReply.
 */
import type {
  CancelRequest,
  DeleteRequest,
  GetRequest,
  MoveLeaderRequest,
  PutRequest,
  ReadConsistency,
  StatusRequest,
  SubscribeRequest,
} from "../client-messages.ts";
import {
  asBytes,
  asIdentifier,
  asIdentifierOrNull,
  asInteger,
  asIntegerOrNull,
  asMeasure,
  badField,
  orNull,
} from "./checks.ts";
import type { Codec, Fields } from "./codec.ts";
import { fieldOr, withoutDefaults } from "./codec.ts";
import { asSessionOperation, sessionToField } from "./sessions.ts";
import { TYPE_CODES } from "./type-codes.ts";

const STATE_RATE_MAX_HZ = 50;

const LINEARIZABLE = 0;
const STALE = 1;

/** Of a write: no condition, no session. */
const NO_CONDITION = [null, null] as const;
const NO_BACKLOG = [0] as const;

export const getCodec: Codec<GetRequest> = {
  toFields: (m) => {
    const consistency = m.consistency === "stale" ? STALE : LINEARIZABLE;
    const fields = [m.requestId, m.key, consistency, m.maxStalenessMs, m.minRevision];
    return withoutDefaults([TYPE_CODES.Get, ...fields], [null, 0]);
  },
  fromFields: (fields) => ({
    type: "Get",
    requestId: asInteger(fields[1], "Get.requestId"),
    key: asBytes(fields[2], "Get.key"),
    consistency: asConsistency(fields[3]),
    maxStalenessMs: orNull(asMeasure)(fieldOr(fields, 4, null), "Get.maxStalenessMs"),
    minRevision: asInteger(fieldOr(fields, 5, 0), "Get.minRevision"),
  }),
};

function asConsistency(value: unknown): ReadConsistency {
  if (value === LINEARIZABLE) return "linearizable";
  if (value === STALE) return "stale";
  throw badField("Get.consistency", "0 or 1");
}

export const putCodec: Codec<PutRequest> = {
  toFields: (m) => {
    const condition = [m.ifRevision, sessionToField(m.session)];
    return withoutDefaults(
      [TYPE_CODES.Put, m.requestId, m.key, m.value, ...condition],
      NO_CONDITION,
    );
  },
  fromFields: (fields) => ({
    type: "Put",
    requestId: asInteger(fields[1], "Put.requestId"),
    key: asBytes(fields[2], "Put.key"),
    value: asBytes(fields[3], "Put.value"),
    ifRevision: asIntegerOrNull(fieldOr(fields, 4, null), "Put.ifRevision"),
    session: asSessionOperation(fieldOr(fields, 5, null), "Put.session"),
  }),
};

export const deleteCodec: Codec<DeleteRequest> = {
  toFields: (m) => {
    const condition = [m.ifRevision, sessionToField(m.session)];
    return withoutDefaults([TYPE_CODES.Delete, m.requestId, m.key, ...condition], NO_CONDITION);
  },
  fromFields: (fields) => ({
    type: "Delete",
    requestId: asInteger(fields[1], "Delete.requestId"),
    key: asBytes(fields[2], "Delete.key"),
    ifRevision: asIntegerOrNull(fieldOr(fields, 3, null), "Delete.ifRevision"),
    session: asSessionOperation(fieldOr(fields, 4, null), "Delete.session"),
  }),
};

export const statusCodec: Codec<StatusRequest> = {
  toFields: (m) => [TYPE_CODES.Status, m.requestId],
  fromFields: (fields) => ({
    type: "Status",
    requestId: asInteger(fields[1], "Status.requestId"),
  }),
};

export const moveLeaderCodec: Codec<MoveLeaderRequest> = {
  toFields: (m) => [TYPE_CODES.MoveLeader, m.requestId, m.target],
  fromFields: (fields) => ({
    type: "MoveLeader",
    requestId: asInteger(fields[1], "MoveLeader.requestId"),
    target: asIdentifierOrNull(fields[2], "MoveLeader.target"),
  }),
};

export const subscribeCodec: Codec<SubscribeRequest> = {
  toFields: (m) => {
    const bootId = m.resume === null ? null : m.resume.bootId;
    const sequence = m.resume === null ? 0 : m.resume.sequence;
    return withoutDefaults(
      [TYPE_CODES.Subscribe, m.requestId, m.stateRateMaxHz, bootId, sequence, m.eventBacklogMax],
      NO_BACKLOG,
    );
  },
  fromFields: (fields) => ({
    type: "Subscribe",
    requestId: asInteger(fields[1], "Subscribe.requestId"),
    resume: asResume(fields),
    stateRateMaxHz: asStateRate(fields[2]),
    eventBacklogMax: asInteger(fieldOr(fields, 5, 0), "Subscribe.eventBacklogMax"),
  }),
};

function asResume(fields: Fields): SubscribeRequest["resume"] {
  const sequence = asInteger(fields[4], "Subscribe.resumeSequence");
  if (fields[3] === null) return null;
  return { bootId: asIdentifier(fields[3], "Subscribe.resumeBootId"), sequence };
}

function asStateRate(value: unknown): number {
  const rate = asInteger(value, "Subscribe.stateRateMaxHz");
  if (rate < 1 || rate > STATE_RATE_MAX_HZ) {
    throw badField("Subscribe.stateRateMaxHz", `an integer from 1 to ${STATE_RATE_MAX_HZ}`);
  }
  return rate;
}

export const cancelCodec: Codec<CancelRequest> = {
  toFields: (m) => [TYPE_CODES.Cancel, m.requestId],
  fromFields: (fields) => ({
    type: "Cancel",
    requestId: asInteger(fields[1], "Cancel.requestId"),
  }),
};
