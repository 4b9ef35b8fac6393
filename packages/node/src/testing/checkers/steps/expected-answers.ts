import type {
  AppendEntriesReply,
  InstallSnapshotReply,
  LogIndex,
  NodeId,
  RaftMessage,
  Term,
} from "@quorate/wire";
import type { Output } from "../../../raft/index.ts";
import { requireRule } from "./step.ts";

/** What Figures 2 and 13 prescribe of an answer. */
export type ExpectedAnswer = {
  readonly to: NodeId;
  readonly term: Term;
  /** An answer is owed. Otherwise it may be left out, or be covered by a later one. */
  readonly isOwed: boolean;
} & (
  | { readonly type: "RequestVoteReply"; readonly voteGranted: boolean }
  | {
      readonly type: "PreVoteReply";
      readonly preVoteTerm: Term;
      /** Null: a matter of what is not seen from outside. */
      readonly voteGranted: boolean | null;
    }
  | {
      readonly type: "AppendEntriesReply";
      readonly success: boolean;
      readonly prevLogIndex: LogIndex;
      readonly round: number;
      readonly matchIndex: LogIndex;
      readonly conflictTerm: Term | null;
      /** A hint may not point behind this. */
      readonly conflictIndexMax: LogIndex;
    }
  | {
      readonly type: "InstallSnapshotReply";
      readonly lastIncludedIndex: LogIndex;
      readonly snapshotId: string;
      readonly nextOffset: number;
      readonly installed: boolean;
    }
);

const ANSWERS: ReadonlySet<RaftMessage["type"]> = new Set<ExpectedAnswer["type"]>([
  "RequestVoteReply",
  "PreVoteReply",
  "AppendEntriesReply",
  "InstallSnapshotReply",
]);

/**
 * Answers that one life of a server has to give: each that leaves is one of them, and none that is
 * owed is left out. One that waits for the disk leaves the core with the batch that it waits for.
 */
export class ExpectedAnswers {
  readonly #node: NodeId;
  #expected: ExpectedAnswer[] = [];

  constructor(node: NodeId) {
    this.#node = node;
  }

  expect(answer: ExpectedAnswer): void {
    this.#expected.push(answer);
  }

  outputTaken({ messages, messagesAfterPersist, persist }: Output): void {
    for (const { to, message } of messages) this.#sent(to, message);
    for (const { to, message } of messagesAfterPersist) this.#sent(to, message);
    if (persist === null) return;
    // With a batch goes all that waited for it.
    const owed = this.#expected.find(({ isOwed }) => isOwed);
    requireRule(
      owed === undefined,
      () => `${this.#node} never gave the answer ${JSON.stringify(owed)}`,
    );
    this.#expected = [];
  }

  #sent(to: NodeId, message: RaftMessage): void {
    if (!ANSWERS.has(message.type)) return;
    const fits = (answer: ExpectedAnswer): boolean => answer.to === to && isAs(answer, message);
    // One that is owed has the same words as one that was only allowed: it is what is given.
    const owed = this.#expected.findIndex((answer) => answer.isOwed && fits(answer));
    const at = owed >= 0 ? owed : this.#expected.findIndex(fits);
    requireRule(
      at >= 0,
      () =>
        `${this.#node} answers ${to} with ${JSON.stringify(message)}; what it owes is ` +
        JSON.stringify(this.#expected.filter((answer) => answer.to === to)),
    );
    this.#expected.splice(at, 1);
  }
}

function isAs(answer: ExpectedAnswer, message: RaftMessage): boolean {
  if (answer.term !== message.term) return false;
  switch (answer.type) {
    case "RequestVoteReply":
      return message.type === answer.type && message.voteGranted === answer.voteGranted;
    case "PreVoteReply":
      if (message.type !== answer.type || message.preVoteTerm !== answer.preVoteTerm) return false;
      return answer.voteGranted === null || message.voteGranted === answer.voteGranted;
    case "AppendEntriesReply":
      return message.type === answer.type && isAsReply(answer, message);
    case "InstallSnapshotReply":
      return message.type === answer.type && isAsPieceReply(answer, message);
  }
}

function isAsReply(
  answer: Extract<ExpectedAnswer, { type: "AppendEntriesReply" }>,
  message: AppendEntriesReply,
): boolean {
  return (
    message.success === answer.success &&
    message.prevLogIndex === answer.prevLogIndex &&
    message.round === answer.round &&
    message.matchIndex === answer.matchIndex &&
    message.conflictTerm === answer.conflictTerm &&
    message.conflictIndex <= answer.conflictIndexMax
  );
}

function isAsPieceReply(
  answer: Extract<ExpectedAnswer, { type: "InstallSnapshotReply" }>,
  message: InstallSnapshotReply,
): boolean {
  return (
    message.lastIncludedIndex === answer.lastIncludedIndex &&
    message.snapshotId === answer.snapshotId &&
    message.nextOffset === answer.nextOffset &&
    message.installed === answer.installed
  );
}
