/*
 * Replication and read indexes (Raft §5.3, Diss. §6.4). Fields in their order, behind the type
 * code:
 *
 *   AppendEntries       term, leaderId, prevLogIndex, prevLogTerm, leaderCommit, round,
 *                       entries (one binary of records, entries.ts)
 *   AppendEntriesReply  term, success, prevLogIndex, matchIndex, conflictTerm|nil,
 *                       conflictIndex, round
 *   ReadIndex           term, requestId
 *   ReadIndexReply      term, requestId, readIndex|nil
 */
import type { LogEntry } from "../log-entry.ts";
import type {
  AppendEntries,
  AppendEntriesReply,
  ReadIndex,
  ReadIndexReply,
} from "../raft-messages.ts";
import {
  asBoolean,
  asBytes,
  asIdentifier,
  asInteger,
  asIntegerOrNull,
  badField,
} from "./checks.ts";
import type { Codec, Fields } from "./codec.ts";
import { decodeEntries } from "./entries.ts";
import { recordsOf } from "./entries-memo.ts";
import { TYPE_CODES } from "./type-codes.ts";

export const appendEntriesCodec: Codec<AppendEntries> = {
  toFields: (m) => [
    TYPE_CODES.AppendEntries,
    m.term,
    m.leaderId,
    m.prevLogIndex,
    m.prevLogTerm,
    m.leaderCommit,
    m.round,
    recordsOf(m.entries),
  ],
  fromFields: decodeAppendEntries,
};

function decodeAppendEntries(fields: Fields): AppendEntries {
  const term = asInteger(fields[1], "AppendEntries.term");
  const prevLogIndex = asInteger(fields[3], "AppendEntries.prevLogIndex");
  const prevLogTerm = asInteger(fields[4], "AppendEntries.prevLogTerm");
  const records = asBytes(fields[7], "AppendEntries.entries");
  // A follower keeps entries for long: one copy for the run, so that they hold on to their own
  // bytes and not to the socket's whole chunk.
  const entries = records.byteLength === 0 ? [] : decodeEntries(new Uint8Array(records));
  checkRun(entries, prevLogIndex, prevLogTerm, term);
  return {
    type: "AppendEntries",
    term,
    leaderId: asIdentifier(fields[2], "AppendEntries.leaderId"),
    prevLogIndex,
    prevLogTerm,
    leaderCommit: asInteger(fields[5], "AppendEntries.leaderCommit"),
    round: asInteger(fields[6], "AppendEntries.round"),
    entries,
  };
}

/** A log has no holes, and terms in it never fall (Raft §5.3): neither does a piece of it. */
function checkRun(
  entries: readonly LogEntry[],
  prevLogIndex: number,
  prevLogTerm: number,
  term: number,
): void {
  let previousIndex = prevLogIndex;
  let previousTerm = prevLogTerm;
  for (const entry of entries) {
    if (entry.index !== previousIndex + 1 || entry.term < previousTerm || entry.term > term) {
      throw badField("AppendEntries.entries", "a run of the sender's log after prevLogIndex");
    }
    previousIndex = entry.index;
    previousTerm = entry.term;
  }
}

export const appendEntriesReplyCodec: Codec<AppendEntriesReply> = {
  toFields: (m) => [
    TYPE_CODES.AppendEntriesReply,
    m.term,
    m.success,
    m.prevLogIndex,
    m.matchIndex,
    m.conflictTerm,
    m.conflictIndex,
    m.round,
  ],
  fromFields: (fields) => ({
    type: "AppendEntriesReply",
    term: asInteger(fields[1], "AppendEntriesReply.term"),
    success: asBoolean(fields[2], "AppendEntriesReply.success"),
    prevLogIndex: asInteger(fields[3], "AppendEntriesReply.prevLogIndex"),
    matchIndex: asInteger(fields[4], "AppendEntriesReply.matchIndex"),
    conflictTerm: asIntegerOrNull(fields[5], "AppendEntriesReply.conflictTerm"),
    conflictIndex: asInteger(fields[6], "AppendEntriesReply.conflictIndex"),
    round: asInteger(fields[7], "AppendEntriesReply.round"),
  }),
};

export const readIndexCodec: Codec<ReadIndex> = {
  toFields: (m) => [TYPE_CODES.ReadIndex, m.term, m.requestId],
  fromFields: (fields) => ({
    type: "ReadIndex",
    term: asInteger(fields[1], "ReadIndex.term"),
    requestId: asInteger(fields[2], "ReadIndex.requestId"),
  }),
};

export const readIndexReplyCodec: Codec<ReadIndexReply> = {
  toFields: (m) => [TYPE_CODES.ReadIndexReply, m.term, m.requestId, m.readIndex],
  fromFields: (fields) => ({
    type: "ReadIndexReply",
    term: asInteger(fields[1], "ReadIndexReply.term"),
    requestId: asInteger(fields[2], "ReadIndexReply.requestId"),
    readIndex: asIntegerOrNull(fields[3], "ReadIndexReply.readIndex"),
  }),
};
