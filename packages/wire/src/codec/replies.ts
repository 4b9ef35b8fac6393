/*
 * Answers to requests. Fields in their order, behind the type code:
 *
 *   GetReply         requestId, revision, appliedIndex, createRevision, modRevision, version,
 *                    value|nil (nil: no such key, and the three before it are 0), ageMs (absent: 0)
 *   PutReply         requestId, index, term, revision, created
 *   DeleteReply      requestId, index, term, revision, deleted
 *   StatusReply      requestId, status (a map, node-status.ts)
 *   MoveLeaderReply  requestId, leaderId, term
 *   ErrorReply       requestId, code, outcome, message, leaderId|nil, leaderAddress|nil
 */
import type {
  DeleteReply,
  ErrorReply,
  GetReply,
  KeyValue,
  MoveLeaderReply,
  Outcome,
  PutReply,
  StatusReply,
} from "../client-messages.ts";
import { REQUEST_ERROR_CODES } from "../client-messages.ts";
import {
  asAddress,
  asBoolean,
  asBytes,
  asIdentifier,
  asIdentifierOrNull,
  asInteger,
  asMeasure,
  asText,
  asWord,
  cutText,
  TEXT_MAX_UNITS,
} from "./checks.ts";
import type { Codec, Fields } from "./codec.ts";
import { fieldOr, withoutDefaults } from "./codec.ts";
import { asNodeStatus } from "./node-status.ts";
import { TYPE_CODES } from "./type-codes.ts";

const NOT_FOUND = { createRevision: 0, modRevision: 0, version: 0, value: null } as const;

const OUTCOMES: readonly Outcome[] = ["notApplied", "unknown"];

export const getReplyCodec: Codec<GetReply> = {
  toFields: (m) => {
    const { createRevision, modRevision, version, value } = m.found ?? NOT_FOUND;
    const fields = [m.revision, m.appliedIndex, createRevision, modRevision, version, value];
    return withoutDefaults([TYPE_CODES.GetReply, m.requestId, ...fields, m.ageMs], [0]);
  },
  fromFields: (fields) => ({
    type: "GetReply",
    requestId: asInteger(fields[1], "GetReply.requestId"),
    found: asKeyValue(fields),
    revision: asInteger(fields[2], "GetReply.revision"),
    appliedIndex: asInteger(fields[3], "GetReply.appliedIndex"),
    ageMs: asMeasure(fieldOr(fields, 8, 0), "GetReply.ageMs"),
  }),
};

function asKeyValue(fields: Fields): KeyValue | null {
  const createRevision = asInteger(fields[4], "GetReply.createRevision");
  const modRevision = asInteger(fields[5], "GetReply.modRevision");
  const version = asInteger(fields[6], "GetReply.version");
  if (fields[7] === null) return null;
  return { value: asBytes(fields[7], "GetReply.value"), createRevision, modRevision, version };
}

export const putReplyCodec: Codec<PutReply> = {
  toFields: (m) => [TYPE_CODES.PutReply, m.requestId, m.index, m.term, m.revision, m.created],
  fromFields: (fields) => ({
    type: "PutReply",
    requestId: asInteger(fields[1], "PutReply.requestId"),
    index: asInteger(fields[2], "PutReply.index"),
    term: asInteger(fields[3], "PutReply.term"),
    revision: asInteger(fields[4], "PutReply.revision"),
    created: asBoolean(fields[5], "PutReply.created"),
  }),
};

export const deleteReplyCodec: Codec<DeleteReply> = {
  toFields: (m) => [TYPE_CODES.DeleteReply, m.requestId, m.index, m.term, m.revision, m.deleted],
  fromFields: (fields) => ({
    type: "DeleteReply",
    requestId: asInteger(fields[1], "DeleteReply.requestId"),
    index: asInteger(fields[2], "DeleteReply.index"),
    term: asInteger(fields[3], "DeleteReply.term"),
    revision: asInteger(fields[4], "DeleteReply.revision"),
    deleted: asBoolean(fields[5], "DeleteReply.deleted"),
  }),
};

export const statusReplyCodec: Codec<StatusReply> = {
  toFields: (m) => [TYPE_CODES.StatusReply, m.requestId, m.status],
  fromFields: (fields) => ({
    type: "StatusReply",
    requestId: asInteger(fields[1], "StatusReply.requestId"),
    status: asNodeStatus(fields[2], "StatusReply.status"),
  }),
};

export const moveLeaderReplyCodec: Codec<MoveLeaderReply> = {
  toFields: (m) => [TYPE_CODES.MoveLeaderReply, m.requestId, m.leaderId, m.term],
  fromFields: (fields) => ({
    type: "MoveLeaderReply",
    requestId: asInteger(fields[1], "MoveLeaderReply.requestId"),
    leaderId: asIdentifier(fields[2], "MoveLeaderReply.leaderId"),
    term: asInteger(fields[3], "MoveLeaderReply.term"),
  }),
};

export const errorReplyCodec: Codec<ErrorReply> = {
  toFields: (m) => [
    TYPE_CODES.ErrorReply,
    m.requestId,
    m.code,
    m.outcome,
    cutText(m.message),
    m.leaderId,
    m.leaderAddress,
  ],
  fromFields: (fields) => ({
    type: "ErrorReply",
    requestId: asInteger(fields[1], "ErrorReply.requestId"),
    code: asWord(fields[2], "ErrorReply.code", REQUEST_ERROR_CODES),
    outcome: asWord(fields[3], "ErrorReply.outcome", OUTCOMES),
    message: asText(fields[4], "ErrorReply.message", TEXT_MAX_UNITS),
    leaderId: asIdentifierOrNull(fields[5], "ErrorReply.leaderId"),
    leaderAddress: fields[6] === null ? null : asAddress(fields[6], "ErrorReply.leaderAddress"),
  }),
};
