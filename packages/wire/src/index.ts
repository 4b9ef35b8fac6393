export type { ClusterId, Incarnation, LogIndex, NodeId, RequestId, Term } from "./ids.ts";
export { isIdentifier } from "./ids.ts";
export type { Configuration, EntryId, EntryKind, LogEntry, MemberAddress } from "./log-entry.ts";
export { configurationOf } from "./log-entry.ts";
export type * from "./raft-messages.ts";
export type { ConnectionRole, Hello, HelloRefusalCode, HelloRefused } from "./hello.ts";
export { HELLO_REFUSAL_CODES, PROTOCOL_VERSION } from "./hello.ts";
export type * from "./client-messages.ts";
export { NODE_EVENT_KINDS, REQUEST_ERROR_CODES } from "./client-messages.ts";
export type { MessageOf, MessageType, WireMessage } from "./wire-message.ts";
export { decodeBody, encodeFrame } from "./codec/index.ts";
export { decodeConfiguration, encodeConfiguration } from "./codec/configuration.ts";
export { decodeEntries, encodeEntries } from "./codec/entries.ts";
export { FrameDecoder } from "./frame.ts";
export type { DecodeErrorCode, EncodeErrorCode, FrameErrorCode } from "./errors.ts";
export { DecodeError, EncodeError, FrameError, QuorateError } from "./errors.ts";
export {
  APPEND_ENTRIES_MAX_BYTES,
  BODY_VALUES_MAX,
  ENTRY_DATA_MAX_BYTES,
  FAULTS_TTL_MAX_MS,
  FRAME_BODY_MAX_BYTES,
  FRAME_PREFIX_BYTES,
  HELLO_BODY_MAX_BYTES,
  KEY_MAX_BYTES,
  NESTING_MAX_DEPTH,
  VALUE_MAX_BYTES,
} from "./limits.ts";
