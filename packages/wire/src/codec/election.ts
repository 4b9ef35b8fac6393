/*
 * Elections (Raft §5.2, Diss. §9.6, §3.10). Fields in their order, behind the type code:
 *
 *   RequestVote       term, candidateId, lastLogIndex, lastLogTerm, leadershipTransfer
 *   RequestVoteReply  term, voteGranted
 *   PreVote           term, candidateId, lastLogIndex, lastLogTerm
 *   PreVoteReply      term, preVoteTerm, voteGranted
 *   TimeoutNow        term, leaderId
 */
import type {
  PreVote,
  PreVoteReply,
  RequestVote,
  RequestVoteReply,
  TimeoutNow,
} from "../raft-messages.ts";
import { asBoolean, asIdentifier, asInteger } from "./checks.ts";
import type { Codec } from "./codec.ts";
import { TYPE_CODES } from "./type-codes.ts";

export const requestVoteCodec: Codec<RequestVote> = {
  toFields: (m) => [
    TYPE_CODES.RequestVote,
    m.term,
    m.candidateId,
    m.lastLogIndex,
    m.lastLogTerm,
    m.leadershipTransfer,
  ],
  fromFields: (fields) => ({
    type: "RequestVote",
    term: asInteger(fields[1], "RequestVote.term"),
    candidateId: asIdentifier(fields[2], "RequestVote.candidateId"),
    lastLogIndex: asInteger(fields[3], "RequestVote.lastLogIndex"),
    lastLogTerm: asInteger(fields[4], "RequestVote.lastLogTerm"),
    leadershipTransfer: asBoolean(fields[5], "RequestVote.leadershipTransfer"),
  }),
};

export const requestVoteReplyCodec: Codec<RequestVoteReply> = {
  toFields: (m) => [TYPE_CODES.RequestVoteReply, m.term, m.voteGranted],
  fromFields: (fields) => ({
    type: "RequestVoteReply",
    term: asInteger(fields[1], "RequestVoteReply.term"),
    voteGranted: asBoolean(fields[2], "RequestVoteReply.voteGranted"),
  }),
};

export const preVoteCodec: Codec<PreVote> = {
  toFields: (m) => [TYPE_CODES.PreVote, m.term, m.candidateId, m.lastLogIndex, m.lastLogTerm],
  fromFields: (fields) => ({
    type: "PreVote",
    term: asInteger(fields[1], "PreVote.term"),
    candidateId: asIdentifier(fields[2], "PreVote.candidateId"),
    lastLogIndex: asInteger(fields[3], "PreVote.lastLogIndex"),
    lastLogTerm: asInteger(fields[4], "PreVote.lastLogTerm"),
  }),
};

export const preVoteReplyCodec: Codec<PreVoteReply> = {
  toFields: (m) => [TYPE_CODES.PreVoteReply, m.term, m.preVoteTerm, m.voteGranted],
  fromFields: (fields) => ({
    type: "PreVoteReply",
    term: asInteger(fields[1], "PreVoteReply.term"),
    preVoteTerm: asInteger(fields[2], "PreVoteReply.preVoteTerm"),
    voteGranted: asBoolean(fields[3], "PreVoteReply.voteGranted"),
  }),
};

export const timeoutNowCodec: Codec<TimeoutNow> = {
  toFields: (m) => [TYPE_CODES.TimeoutNow, m.term, m.leaderId],
  fromFields: (fields) => ({
    type: "TimeoutNow",
    term: asInteger(fields[1], "TimeoutNow.term"),
    leaderId: asIdentifier(fields[2], "TimeoutNow.leaderId"),
  }),
};
