import { DecodeError } from "../errors.ts";
import { FRAME_BODY_MAX_BYTES, HELLO_BODY_MAX_BYTES } from "../limits.ts";
import type { MessageOf, MessageType, WireMessage } from "../wire-message.ts";
import type { Codec } from "./codec.ts";
import { helloCodec, helloRefusedCodec, pingCodec, pongCodec } from "./connection.ts";
import {
  preVoteCodec,
  preVoteReplyCodec,
  requestVoteCodec,
  requestVoteReplyCodec,
  timeoutNowCodec,
} from "./election.ts";
import { setFaultsCodec, setFaultsReplyCodec } from "./faults.ts";
import { changeMembersCodec, changeMembersReplyCodec } from "./members.ts";
import { packFrame, unpackFields } from "./message-pack.ts";
import {
  deleteReplyCodec,
  errorReplyCodec,
  getReplyCodec,
  moveLeaderReplyCodec,
  putReplyCodec,
  statusReplyCodec,
} from "./replies.ts";
import {
  appendEntriesCodec,
  appendEntriesReplyCodec,
  readIndexCodec,
  readIndexReplyCodec,
} from "./replication.ts";
import {
  cancelCodec,
  deleteCodec,
  getCodec,
  moveLeaderCodec,
  putCodec,
  statusCodec,
  subscribeCodec,
} from "./requests.ts";
import {
  closeSessionCodec,
  keepSessionCodec,
  openSessionCodec,
  sessionReplyCodec,
} from "./sessions.ts";
import { installSnapshotCodec, installSnapshotReplyCodec } from "./snapshot.ts";
import {
  streamDeltaCodec,
  streamEventsCodec,
  streamGapCodec,
  streamStateCodec,
  streamTickCodec,
} from "./streams.ts";
import { TYPE_CODES } from "./type-codes.ts";

/** A message type without a codec does not compile. */
const CODECS: { readonly [T in MessageType]: Codec<MessageOf<T>> } = {
  Hello: helloCodec,
  HelloRefused: helloRefusedCodec,
  Ping: pingCodec,
  Pong: pongCodec,
  RequestVote: requestVoteCodec,
  RequestVoteReply: requestVoteReplyCodec,
  PreVote: preVoteCodec,
  PreVoteReply: preVoteReplyCodec,
  AppendEntries: appendEntriesCodec,
  AppendEntriesReply: appendEntriesReplyCodec,
  TimeoutNow: timeoutNowCodec,
  ReadIndex: readIndexCodec,
  ReadIndexReply: readIndexReplyCodec,
  InstallSnapshot: installSnapshotCodec,
  InstallSnapshotReply: installSnapshotReplyCodec,
  Get: getCodec,
  Put: putCodec,
  Delete: deleteCodec,
  Status: statusCodec,
  MoveLeader: moveLeaderCodec,
  Subscribe: subscribeCodec,
  Cancel: cancelCodec,
  OpenSession: openSessionCodec,
  KeepSession: keepSessionCodec,
  CloseSession: closeSessionCodec,
  ChangeMembers: changeMembersCodec,
  SetFaults: setFaultsCodec,
  GetReply: getReplyCodec,
  PutReply: putReplyCodec,
  DeleteReply: deleteReplyCodec,
  StatusReply: statusReplyCodec,
  MoveLeaderReply: moveLeaderReplyCodec,
  SessionReply: sessionReplyCodec,
  ChangeMembersReply: changeMembersReplyCodec,
  SetFaultsReply: setFaultsReplyCodec,
  ErrorReply: errorReplyCodec,
  StreamState: streamStateCodec,
  StreamDelta: streamDeltaCodec,
  StreamEvents: streamEventsCodec,
  StreamTick: streamTickCodec,
  StreamGap: streamGapCodec,
};

const CODECS_BY_CODE: ReadonlyMap<unknown, Codec<WireMessage>> = new Map(
  Object.entries(TYPE_CODES).map(([type, code]) => [code, codecOf(type as MessageType)]),
);

/**
 * The frame of `message`: length prefix and body (docs/protocol.md). The caller owns the bytes
 * and may keep or change them. Field ranges are not checked here, the receiver checks them;
 * texts for people are cut to their limit.
 *
 * @throws EncodeError where the body would be over `FRAME_BODY_MAX_BYTES`, or over
 * `HELLO_BODY_MAX_BYTES` for a Hello or HelloRefused, or an entry has no encoding.
 */
export function encodeFrame(message: WireMessage): Uint8Array {
  const isFirstFrame = message.type === "Hello" || message.type === "HelloRefused";
  const bodyMaxBytes = isFirstFrame ? HELLO_BODY_MAX_BYTES : FRAME_BODY_MAX_BYTES;
  return packFrame(codecOf(message.type).toFields(message), bodyMaxBytes);
}

/**
 * The message in one frame's body. Every field is checked; fields behind those that this version
 * knows are ignored. Keys and values are views of `body`: copy what outlives it. Entries of an
 * AppendEntries share one copy of their own.
 *
 * @throws DecodeError for anything else; it is then unsafe to go on with the connection.
 */
export function decodeBody(body: Uint8Array): WireMessage {
  const fields = unpackFields(body);
  const codec = CODECS_BY_CODE.get(fields[0]);
  if (codec === undefined) throw new DecodeError("unknownType", "an unknown message type");
  return codec.fromFields(fields);
}

/** The one cast: TypeScript cannot see that a message meets the codec of its own type. */
function codecOf(type: MessageType): Codec<WireMessage> {
  return CODECS[type] as Codec<WireMessage>;
}
