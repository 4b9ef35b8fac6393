import type { InstallSnapshot, LogIndex, NodeId } from "@quorate/wire";
import type { Output } from "../../../raft/index.ts";
import type { ExpectedAnswer } from "./expected-answers.ts";
import { followsSender } from "./replication-rules.ts";
import type { Step, StepBegun } from "./step.ts";
import { requireRule } from "./step.ts";

/** Whether the log has all that the snapshot stands for: by Log Matching, its last entry does it. */
export function hasAlready({ before, termNamed }: StepBegun, message: InstallSnapshot): boolean {
  const { lastIncludedIndex, lastIncludedTerm } = message;
  return lastIncludedIndex <= before.commitIndex || termNamed === lastIncludedTerm;
}

/**
 * What a piece is answered before it is stored (Raft Figure 13, step 1): the term, if it is of an
 * earlier one, and that no more are needed, if the log has it all. Null: not before it is stored.
 */
export function expectedPieceReply(
  step: StepBegun,
  from: NodeId,
  message: InstallSnapshot,
): ExpectedAnswer | null {
  const { currentTerm } = step.before;
  if (message.term < currentTerm) {
    const tellsTerm = { lastIncludedIndex: 0, nextOffset: 0, installed: false };
    return { ...answerTo(from, message), ...tellsTerm, term: currentTerm };
  }
  if (!followsSender(step, from, message) || !hasAlready(step, message)) return null;
  return { ...answerTo(from, message), nextOffset: message.totalBytes, installed: true };
}

/**
 * What is answered when a piece is stored (steps 3 to 5 and 8), unless its leader is followed no
 * more: `nextOffset` is where the next one starts; null: it was the last.
 */
export function expectedStoredReply(
  { before }: StepBegun,
  from: NodeId,
  message: InstallSnapshot,
  nextOffset: number | null,
): ExpectedAnswer | null {
  if (before.currentTerm !== message.term || before.leaderId !== from) return null;
  const installed = nextOffset === null;
  return { ...answerTo(from, message), nextOffset: nextOffset ?? message.totalBytes, installed };
}

function answerTo(
  to: NodeId,
  { term, lastIncludedIndex, snapshotId }: InstallSnapshot,
): Pick<PieceReply, "to" | "type" | "term" | "lastIncludedIndex" | "snapshotId" | "isOwed"> {
  return { to, type: "InstallSnapshotReply", term, lastIncludedIndex, snapshotId, isOwed: true };
}

type PieceReply = Extract<ExpectedAnswer, { type: "InstallSnapshotReply" }>;

/** What the log has needs no bytes (Raft Figure 13): only what it lacks is stored. */
export class ExpectedPieces {
  readonly #node: string;
  #expected: InstallSnapshot[] = [];

  constructor(node: string) {
    this.#node = node;
  }

  expect(message: InstallSnapshot): void {
    this.#expected.push(message);
  }

  outputTaken({ snapshotChunks }: Output): void {
    for (const { message } of snapshotChunks) {
      requireRule(
        this.#expected.includes(message),
        () => `${this.#node} stores a snapshot at ${message.lastIncludedIndex}: its log has it all`,
      );
    }
    if (this.#expected.length > 0) this.#expected = [];
  }
}

/** "Retain log entries following it" (Raft Figure 13, step 6). */
export function checkReceivedStep(step: Step, message: InstallSnapshot): void {
  const { node, before, after } = step;
  if (before.role === "leader" || !hasAlready(step, message)) return;
  requireRule(
    after.lastLogIndex === before.lastLogIndex && after.firstLogIndex === before.firstLogIndex,
    () =>
      `${node} drops entries for a snapshot at ${message.lastIncludedIndex}, which they contain`,
  );
}

/** A window stays in the log behind a snapshot: who is a little behind needs no snapshot (Raft §7). */
export function checkTakenStep({ node, config, before, after }: Step, index: LogIndex): void {
  const { trailingEntries } = config;
  requireRule(
    after.firstLogIndex <= Math.max(before.firstLogIndex, index + 1 - trailingEntries),
    () =>
      `the log of ${node} begins at ${after.firstLogIndex}, its snapshot ends at ${index}: ` +
      `${trailingEntries} entries before that were to stay`,
  );
}
