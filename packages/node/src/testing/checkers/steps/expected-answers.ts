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
      readonly voteGranted: boolean;
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
  /** Of those, what no batch holds: another leader's entries may yet take its place. */
  readonly #unhanded = new Set<ExpectedAnswer>();
  /** The log up to here is on the disk, or on its way there. */
  #handedIndex: LogIndex;

  constructor(node: NodeId, lastLogIndex: LogIndex) {
    this.#node = node;
    this.#handedIndex = lastLogIndex;
  }

  expect(answer: ExpectedAnswer): void {
    this.#expected.push(answer);
    const isHanded = answer.type !== "AppendEntriesReply" || answer.matchIndex <= this.#handedIndex;
    if (!isHanded) this.#unhanded.add(answer);
  }

  /**
   * The log is cut from `index` on. Of what was there no disk will ever have what no batch holds:
   * nobody may be told that it is stored (Raft Figure 2, AppendEntries 3).
   */
  cut(index: LogIndex): void {
    this.#expected = this.#expected.filter((answer) => {
      const isCut = answer.type === "AppendEntriesReply" && answer.matchIndex >= index;
      return !isCut || !this.#unhanded.has(answer);
    });
    this.#handedIndex = Math.min(this.#handedIndex, index - 1);
  }

  /** A snapshot that ends at `index` takes the place of the whole log (Raft §7). */
  startedAfter(index: LogIndex): void {
    this.cut(1);
    this.#handedIndex = index;
  }

  outputTaken({ messages, messagesAfterPersist, persist }: Output): void {
    for (const { to, message } of messages) this.#sent(to, message);
    for (const { to, message } of messagesAfterPersist) this.#sent(to, message);
    if (persist === null) return;
    this.#handedIndex = persist.entries.at(-1)?.index ?? this.#handedIndex;
    // With a batch goes all that waited for it.
    const owed = this.#expected.find(({ isOwed }) => isOwed);
    requireRule(
      owed === undefined,
      () => `${this.#node} never gave the answer ${JSON.stringify(owed)}`,
    );
    this.#expected = [];
    this.#unhanded.clear();
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
      return (
        message.type === answer.type &&
        message.preVoteTerm === answer.preVoteTerm &&
        message.voteGranted === answer.voteGranted
      );
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
