/*
 * What clients ask. Fields in their order, behind the type code:
 *
 *   Get         requestId, key, consistency (0 linearizable, 1 stale)
 *   Put         requestId, key, value
 *   Delete      requestId, key
 *   Status      requestId
 *   MoveLeader  requestId, target|nil
 *   Subscribe   requestId, stateRateMaxHz, resumeBootId|nil, resumeSequence (0 with nil),
 *               eventBacklogMax (may be missing: 0)
 *   Cancel      requestId
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
import { asBytes, asIdentifier, asIdentifierOrNull, asInteger, badField } from "./checks.ts";
import type { Codec, Fields } from "./codec.ts";
import { TYPE_CODES } from "./type-codes.ts";

const STATE_RATE_MAX_HZ = 50;

const LINEARIZABLE = 0;
const STALE = 1;

export const getCodec: Codec<GetRequest> = {
  toFields: (m) => [
    TYPE_CODES.Get,
    m.requestId,
    m.key,
    m.consistency === "stale" ? STALE : LINEARIZABLE,
  ],
  fromFields: (fields) => ({
    type: "Get",
    requestId: asInteger(fields[1], "Get.requestId"),
    key: asBytes(fields[2], "Get.key"),
    consistency: asConsistency(fields[3]),
  }),
};

function asConsistency(value: unknown): ReadConsistency {
  if (value === LINEARIZABLE) return "linearizable";
  if (value === STALE) return "stale";
  throw badField("Get.consistency", "0 or 1");
}

export const putCodec: Codec<PutRequest> = {
  toFields: (m) => [TYPE_CODES.Put, m.requestId, m.key, m.value],
  fromFields: (fields) => ({
    type: "Put",
    requestId: asInteger(fields[1], "Put.requestId"),
    key: asBytes(fields[2], "Put.key"),
    value: asBytes(fields[3], "Put.value"),
  }),
};

export const deleteCodec: Codec<DeleteRequest> = {
  toFields: (m) => [TYPE_CODES.Delete, m.requestId, m.key],
  fromFields: (fields) => ({
    type: "Delete",
    requestId: asInteger(fields[1], "Delete.requestId"),
    key: asBytes(fields[2], "Delete.key"),
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
  toFields: (m) => [
    TYPE_CODES.Subscribe,
    m.requestId,
    m.stateRateMaxHz,
    m.resume === null ? null : m.resume.bootId,
    m.resume === null ? 0 : m.resume.sequence,
    ...(m.eventBacklogMax === undefined ? [] : [m.eventBacklogMax]),
  ],
  fromFields: (fields) => ({
    type: "Subscribe",
    requestId: asInteger(fields[1], "Subscribe.requestId"),
    resume: asResume(fields),
    stateRateMaxHz: asStateRate(fields[2]),
    ...(fields.length > 5 && {
      eventBacklogMax: asInteger(fields[5], "Subscribe.eventBacklogMax"),
    }),
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
