/*
 * Sessions (Diss. §6.3). Fields in their order, behind the type code:
 *
 *   OpenSession   requestId
 *   KeepSession   requestId, sessionId
 *   CloseSession  requestId, sessionId
 *   SessionReply  requestId, sessionId, ttlMs
 */
import type {
  CloseSessionRequest,
  KeepSessionRequest,
  OpenSessionRequest,
  SessionOperation,
  SessionReply,
} from "../client-messages.ts";
import { asArray, asInteger, asMeasure } from "./checks.ts";
import type { Codec } from "./codec.ts";
import { TYPE_CODES } from "./type-codes.ts";

/** The place of a write in its session, as a field of the write. */
export function sessionToField(session: SessionOperation | null): number[] | null {
  return session === null ? null : [session.sessionId, session.serial, session.ackedBelow];
}

/** The other way round. */
export function asSessionOperation(value: unknown, field: string): SessionOperation | null {
  if (value === null) return null;
  const parts = asArray(value, field, (part) => part);
  return {
    sessionId: asInteger(parts[0], `${field}.sessionId`),
    serial: asInteger(parts[1], `${field}.serial`),
    ackedBelow: asInteger(parts[2], `${field}.ackedBelow`),
  };
}

export const openSessionCodec: Codec<OpenSessionRequest> = {
  toFields: (m) => [TYPE_CODES.OpenSession, m.requestId],
  fromFields: (fields) => ({
    type: "OpenSession",
    requestId: asInteger(fields[1], "OpenSession.requestId"),
  }),
};

export const keepSessionCodec: Codec<KeepSessionRequest> = {
  toFields: (m) => [TYPE_CODES.KeepSession, m.requestId, m.sessionId],
  fromFields: (fields) => ({
    type: "KeepSession",
    requestId: asInteger(fields[1], "KeepSession.requestId"),
    sessionId: asInteger(fields[2], "KeepSession.sessionId"),
  }),
};

export const closeSessionCodec: Codec<CloseSessionRequest> = {
  toFields: (m) => [TYPE_CODES.CloseSession, m.requestId, m.sessionId],
  fromFields: (fields) => ({
    type: "CloseSession",
    requestId: asInteger(fields[1], "CloseSession.requestId"),
    sessionId: asInteger(fields[2], "CloseSession.sessionId"),
  }),
};

export const sessionReplyCodec: Codec<SessionReply> = {
  toFields: (m) => [TYPE_CODES.SessionReply, m.requestId, m.sessionId, m.ttlMs],
  fromFields: (fields) => ({
    type: "SessionReply",
    requestId: asInteger(fields[1], "SessionReply.requestId"),
    sessionId: asInteger(fields[2], "SessionReply.sessionId"),
    ttlMs: asMeasure(fields[3], "SessionReply.ttlMs"),
  }),
};
