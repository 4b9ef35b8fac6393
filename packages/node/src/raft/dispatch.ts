import type { NodeId, RaftMessage, Role } from "@quorate/wire";
import { handleAppendEntries } from "./append-entries.ts";
import { handlePreVoteReply, handleRequestVoteReply, handleTimeoutNow } from "./election.ts";
import { handleAppendEntriesReply } from "./leader.ts";
import { handleInstallSnapshot, handleInstallSnapshotReply } from "./install-snapshot.ts";
import type { RaftState } from "./raft-state.ts";
import { handleReadIndex, handleReadIndexReply, refuseReadIndex } from "./read-index.ts";
import { handlePreVote, handleRequestVote } from "./request-vote.ts";

type MessageOf<Type extends RaftMessage["type"]> = Extract<RaftMessage, { type: Type }>;
type Handler<Type extends RaftMessage["type"]> = (
  state: RaftState,
  from: NodeId,
  message: MessageOf<Type>,
) => void;
type HandlerTable = { readonly [R in Role]: { readonly [T in RaftMessage["type"]]: Handler<T> } };

/** An answer to a question that this role does not ask any more, or a message for another role. */
function ignore(): void {}

/**
 * What each role does with each message of its own term: the term rule of Raft §5.1 runs before.
 * A new role or message without its cells does not compile.
 *
 * An AppendEntries that reaches a leader in its own term would be of a second leader of the term:
 * Election Safety excludes it, so it is a forgery and is ignored.
 */
const HANDLERS: HandlerTable = {
  follower: {
    RequestVote: handleRequestVote,
    RequestVoteReply: ignore,
    PreVote: handlePreVote,
    PreVoteReply: ignore,
    AppendEntries: handleAppendEntries,
    AppendEntriesReply: ignore,
    TimeoutNow: handleTimeoutNow,
    ReadIndex: refuseReadIndex,
    ReadIndexReply: handleReadIndexReply,
    InstallSnapshot: handleInstallSnapshot,
    InstallSnapshotReply: ignore,
  },
  preCandidate: {
    RequestVote: handleRequestVote,
    RequestVoteReply: ignore,
    PreVote: handlePreVote,
    PreVoteReply: handlePreVoteReply,
    AppendEntries: handleAppendEntries,
    AppendEntriesReply: ignore,
    TimeoutNow: handleTimeoutNow,
    ReadIndex: refuseReadIndex,
    ReadIndexReply: ignore,
    InstallSnapshot: handleInstallSnapshot,
    InstallSnapshotReply: ignore,
  },
  candidate: {
    RequestVote: handleRequestVote,
    RequestVoteReply: handleRequestVoteReply,
    PreVote: handlePreVote,
    PreVoteReply: ignore,
    AppendEntries: handleAppendEntries,
    AppendEntriesReply: ignore,
    TimeoutNow: ignore,
    ReadIndex: refuseReadIndex,
    ReadIndexReply: ignore,
    InstallSnapshot: handleInstallSnapshot,
    InstallSnapshotReply: ignore,
  },
  leader: {
    RequestVote: handleRequestVote,
    RequestVoteReply: ignore,
    PreVote: handlePreVote,
    PreVoteReply: ignore,
    AppendEntries: ignore,
    AppendEntriesReply: handleAppendEntriesReply,
    TimeoutNow: ignore,
    ReadIndex: handleReadIndex,
    ReadIndexReply: ignore,
    InstallSnapshot: ignore,
    InstallSnapshotReply: handleInstallSnapshotReply,
  },
};

/** Hands a message of the current term to the function for it. */
export function dispatch(state: RaftState, from: NodeId, message: RaftMessage): void {
  // The table pairs each type with its handler; TypeScript cannot follow the pair through a union.
  const handler = HANDLERS[state.role][message.type] as Handler<RaftMessage["type"]>;
  handler(state, from, message);
}
