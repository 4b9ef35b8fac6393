import type { MessageType } from "../wire-message.ts";

/**
 * First field of every body (docs/protocol.md, "Message types"). A code is never reused, and all
 * fit one byte of MessagePack (0x00 to 0x7f).
 */
export const TYPE_CODES: Readonly<Record<MessageType, number>> = {
  Hello: 0x01,
  HelloRefused: 0x02,
  Ping: 0x03,
  Pong: 0x04,

  RequestVote: 0x10,
  RequestVoteReply: 0x11,
  PreVote: 0x12,
  PreVoteReply: 0x13,
  AppendEntries: 0x14,
  AppendEntriesReply: 0x15,
  TimeoutNow: 0x16,
  ReadIndex: 0x17,
  ReadIndexReply: 0x18,
  InstallSnapshot: 0x19,
  InstallSnapshotReply: 0x1a,

  Get: 0x20,
  Put: 0x21,
  Delete: 0x22,
  Status: 0x23,
  MoveLeader: 0x24,
  Subscribe: 0x25,
  Cancel: 0x26,
  OpenSession: 0x27,
  KeepSession: 0x28,
  CloseSession: 0x29,
  ChangeMembers: 0x2a,
  SetFaults: 0x2b,

  GetReply: 0x30,
  PutReply: 0x31,
  DeleteReply: 0x32,
  StatusReply: 0x33,
  MoveLeaderReply: 0x34,
  SessionReply: 0x35,
  ChangeMembersReply: 0x36,
  SetFaultsReply: 0x37,
  ErrorReply: 0x3f,

  StreamState: 0x40,
  StreamDelta: 0x41,
  StreamEvents: 0x42,
  StreamTick: 0x43,
  StreamGap: 0x44,
};
