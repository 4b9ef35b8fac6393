import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppendEntriesReply, NodeId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { Output } from "../../../../src/raft/index.ts";
import { ExpectedAnswers } from "../../../../src/testing/checkers/steps/expected-answers.ts";
import { ReadRules } from "../../../../src/testing/checkers/steps/read-rules.ts";
import { RetirementRules } from "../../../../src/testing/checkers/steps/retirement-rules.ts";
import {
  checkReceivedStep,
  checkTakenStep,
  ExpectedPieces,
  expectedPieceReply,
  expectedStoredReply,
} from "../../../../src/testing/checkers/steps/snapshot-rules.ts";
import type { Step } from "../../../../src/testing/checkers/steps/step.ts";
import { TransferRules } from "../../../../src/testing/checkers/steps/transfer-rules.ts";
import { outputOf } from "../../../raft/server-under-test.ts";
import { entryOf, peerOf, viewOf } from "../view-of.ts";
import { assertViolates } from "../violates.ts";
import { CONFIG, installSnapshot, refusal, stepOf } from "./step-of.ts";

const VOTE = { type: "RequestVoteReply", term: 2, voteGranted: true } as const;
const WRITES = { persist: { sequence: 1, hardState: null, entries: [] } };
const SNAPSHOT = installSnapshot();

test("answers: of two of the same words the one that is owed is given (Figure 2)", () => {
  const answers = new ExpectedAnswers("n1", 0);
  answers.expect({ ...VOTE, to: "n2", isOwed: false });
  answers.expect({ ...VOTE, to: "n2", isOwed: true });
  answers.outputTaken(
    outputOf({
      ...WRITES,
      messagesAfterPersist: [{ to: "n2", message: VOTE, afterSequence: 1 }],
    }),
  );
});

test("answers: one that is not owed, not this one, or left out is caught (Figure 2)", () => {
  const answers = new ExpectedAnswers("n1", 0);
  answers.expect({ ...VOTE, to: "n2", isOwed: true });
  answers.outputTaken(outputOf({}));
  answers.outputTaken(
    outputOf({ messagesAfterPersist: [{ to: "n2", message: VOTE, afterSequence: 1 }] }),
  );
  for (const [to, message] of [
    ["n2", VOTE],
    ["n3", VOTE],
  ] as const) {
    assertViolates("Rules Of A Step", () => {
      answers.outputTaken(outputOf({ messages: [{ to, message }] }));
    });
  }
  answers.expect({ ...VOTE, to: "n2", isOwed: true });
  for (const wrong of [
    { ...VOTE, voteGranted: false },
    { ...VOTE, term: 3 },
  ]) {
    assertViolates("Rules Of A Step", () => {
      answers.outputTaken(outputOf({ messages: [{ to: "n2", message: wrong }] }));
    });
  }
  assertViolates("Rules Of A Step", () => {
    answers.outputTaken(outputOf(WRITES));
  });
});

test("answers: one that may be left out may not come after the write it would wait for", () => {
  const answers = new ExpectedAnswers("n1", 0);
  answers.expect({ ...VOTE, to: "n2", isOwed: false });
  answers.outputTaken(outputOf(WRITES));
  assertViolates("Rules Of A Step", () => {
    answers.outputTaken(outputOf({ messages: [{ to: "n2", message: VOTE }] }));
  });
});

test("answers: what is cut may not be acknowledged, but for what the disk has or gets (Figure 2)", () => {
  const stored = (matchIndex: number) =>
    ({
      type: "AppendEntriesReply",
      term: 1,
      success: true,
      prevLogIndex: 0,
      matchIndex,
      conflictTerm: null,
      conflictIndex: 0,
      round: 0,
    }) as const;
  const holding = (...indexes: readonly number[]): ExpectedAnswers => {
    // Entries 1 and 2 were there at the start, 3 is on its way to the disk.
    const answers = new ExpectedAnswers("n1", 2);
    const persist = { sequence: 1, hardState: null, entries: [entryOf(3, 1)] };
    answers.outputTaken(outputOf({ persist }));
    for (const index of indexes) {
      answers.expect({ ...stored(index), to: "n2", conflictIndexMax: 0, isOwed: false });
    }
    return answers;
  };
  const give = (answers: ExpectedAnswers, index: number): void => {
    const message = { to: "n2", message: stored(index), afterSequence: 2 };
    answers.outputTaken(outputOf({ messagesAfterPersist: [message] }));
  };
  for (const index of [2, 3, 4, 5]) {
    const answers = holding(index);
    answers.cut(5);
    if (index < 5) give(answers, index);
    else assertViolates("Rules Of A Step", () => give(answers, index));
  }
  const again = holding(3, 4);
  again.cut(2);
  give(again, 3);
  assertViolates("Rules Of A Step", () => give(again, 4));
  again.expect({ ...stored(2), to: "n2", conflictIndexMax: 0, isOwed: false });
  again.cut(2);
  assertViolates("Rules Of A Step", () => give(again, 2));
  const replaced = holding(4);
  replaced.startedAfter(9);
  assertViolates("Rules Of A Step", () => give(replaced, 4));
  replaced.expect({ ...stored(9), to: "n2", conflictIndexMax: 0, isOwed: false });
  replaced.cut(9);
  give(replaced, 9);
  // What the disk had when it was asked may be said, however often the log is cut since.
  const twice = holding(3);
  twice.cut(3);
  twice.cut(2);
  give(twice, 3);
});

test("reads: a leader that answers before a quorum echoed a later round is caught (Diss. §6.4)", () => {
  const leads = { role: "leader", round: 4, commitIndex: 7 } as const;
  const echo = (round: number, parts: Partial<AppendEntriesReply> = {}): Step => ({
    ...stepOf(leads),
    input: {
      kind: "message",
      from: "n2",
      message: refusal({ success: true, conflictIndex: 0, round, ...parts }),
    },
    before: viewOf({ ...leads, round: 5 }),
  });
  const asked = (from: NodeId | null): ReadRules => {
    const reads = new ReadRules("n1", new Set());
    if (from === null) reads.asked(1, viewOf(leads));
    else reads.askedBy(from, { type: "ReadIndex", term: 1, requestId: 1 }, viewOf(leads));
    return reads;
  };
  const answer = (from: NodeId | null, readIndex: number): Output => {
    if (from === null) return outputOf({ readStates: [{ requestId: 1, readIndex }] });
    const message = { type: "ReadIndexReply", term: 1, requestId: 1, readIndex } as const;
    return outputOf({ messages: [{ to: from, message }] });
  };
  for (const from of [null, "n3"]) {
    const right = asked(from);
    right.stepped(echo(5));
    right.outputTaken(answer(from, 7));
    // Of before the question, of an earlier term or reign, or of a round that was never sent.
    for (const step of [
      stepOf(leads),
      echo(4),
      echo(5, { term: 0 }),
      echo(5, { success: false }),
      echo(6),
    ]) {
      const wrong = asked(from);
      wrong.stepped(step);
      assertViolates("Rules Of A Step", () => wrong.outputTaken(answer(from, 7)));
    }
    const behind = asked(from);
    behind.stepped(echo(5));
    assertViolates("Rules Of A Step", () => behind.outputTaken(answer(from, 6)));
  }
});

test("reads: what was echoed or asked in another reign confirms nothing (Diss. §6.4)", () => {
  const leads = viewOf({ role: "leader", round: 4 });
  const follows = viewOf({ leaderId: "n2" });
  const message = refusal({ success: true, round: 4 });
  const echo = { ...stepOf(leads), input: { kind: "message", from: "n2", message } } as Step;
  const answered = outputOf({ readStates: [{ requestId: 1, readIndex: 0 }] });
  const changed = (reads: ReadRules): void => {
    reads.changed(leads, follows);
    reads.changed(follows, leads);
  };
  const echoed = new ReadRules("n1", new Set());
  echoed.stepped(echo);
  changed(echoed);
  echoed.asked(1, { ...leads, round: 3 });
  echoed.stepped(stepOf(leads));
  assertViolates("Rules Of A Step", () => echoed.outputTaken(answered));
  const asked = new ReadRules("n1", new Set());
  asked.asked(1, { ...leads, round: 3 });
  changed(asked);
  asked.stepped(echo);
  assertViolates("Rules Of A Step", () => asked.outputTaken(answered));
});

test("reads: a question that the network repeats is a question of its own (Diss. §6.4)", () => {
  const reads = new ReadRules("n1", new Set());
  const question = { type: "ReadIndex", term: 1, requestId: 1 } as const;
  const message = { type: "ReadIndexReply", term: 1, requestId: 1, readIndex: 7 } as const;
  const answered = outputOf({ messages: [{ to: "n3", message }] });
  for (const round of [4, 5, 6]) {
    reads.askedBy("n3", question, viewOf({ role: "leader", round, commitIndex: 7 }));
  }
  reads.askedBy("n3", { ...question, term: 0 }, viewOf({ role: "leader", round: 9 }));
  const leads = stepOf({ role: "leader", round: 6, commitIndex: 7 });
  const input = { kind: "message", from: "n2", message: refusal({ success: true, round: 6 }) };
  reads.stepped({ ...leads, input } as Step);
  reads.outputTaken(answered);
  reads.outputTaken(answered);
  assertViolates("Rules Of A Step", () => reads.outputTaken(answered));
});

test("transfers: one that is not given up after an election timeout is caught (Diss. §3.10)", () => {
  const hands = { role: "leader", transferTarget: "n2" } as const;
  const tick = { ...stepOf(hands), input: { kind: "tick" } } as const;
  const wait = (rules: TransferRules, ticks: number): void => {
    for (let count = 0; count < ticks; count++) rules.stepped(tick);
  };
  const rules = new TransferRules();
  wait(rules, CONFIG.electionTicks - 1);
  rules.stepped(stepOf(hands, { transferTarget: null }));
  wait(rules, CONFIG.electionTicks - 1);
  rules.stepped(stepOf(hands, { currentTerm: 2 }));
  wait(rules, CONFIG.electionTicks - 1);
  rules.stepped(stepOf(hands));
  assertViolates("Rules Of A Step", () => wait(rules, 1));
});

test("reads: one that outlives its leader, ends twice or has a used number is caught (Diss. §6.4)", () => {
  const used = new Set<number>();
  const reads = new ReadRules("n1", used);
  const followed = viewOf({ leaderId: "n2" });
  reads.asked(7, followed);
  reads.outputTaken(outputOf({}));
  reads.changed(followed, followed);
  reads.outputTaken(outputOf({ readStates: [{ requestId: 7, readIndex: 1 }] }));
  assertViolates("Rules Of A Step", () => {
    reads.outputTaken(outputOf({ abortedReads: [7] }));
  });
  assertViolates("Rules Of A Step", () => {
    new ReadRules("n1", used).asked(7, followed);
  });
  reads.asked(8, followed);
  reads.changed(followed, viewOf({ leaderId: "n2", currentTerm: 2 }));
  reads.asked(9, followed);
  reads.outputTaken(outputOf({ abortedReads: [8] }));
  reads.changed(followed, viewOf({}));
  assertViolates("Rules Of A Step", () => {
    reads.outputTaken(outputOf({}));
  });
});

test("retirement: a removed leader that asks nobody to take over is caught (Diss. §4.2.2)", () => {
  const configuration = configurationOf({ voters: ["n2", "n3"] });
  const leads = {
    role: "leader",
    leaderId: "n1",
    lastLogIndex: 5,
    commitIndex: 4,
    configuration,
    configurationIndex: 5,
    peers: [peerOf({}), peerOf({ id: "n3", recentlyActive: false })],
  } as const;
  const goes = { role: "follower", leaderId: null, commitIndex: 5, peers: [] } as const;
  const message = { type: "TimeoutNow", term: 1, leaderId: "n1" } as const;
  const retirement = new RetirementRules("n1");
  retirement.stepped(stepOf(leads, { ...goes, commitIndex: 4 }));
  retirement.stepped(stepOf({ ...leads, peers: [] }, goes));
  retirement.outputTaken(outputOf({}));
  retirement.stepped(stepOf(leads, goes));
  retirement.outputTaken(outputOf({ messages: [{ to: "n2", message }] }));
  retirement.stepped(stepOf(leads, goes));
  // Before it in the same batch, an operator's transfer to one that fell silent.
  const both = ["n3", "n2"].map((to) => ({ to, message }));
  retirement.outputTaken(outputOf({ messages: both }));
  for (const messages of [[], [{ to: "n3", message }]]) {
    retirement.stepped(stepOf(leads, goes));
    assertViolates("Rules Of A Step", () => {
      retirement.outputTaken(outputOf({ messages }));
    });
  }
});

test("snapshots: pieces of what the log has are caught, and a log that goes with them (Figure 13)", () => {
  const pieces = new ExpectedPieces("n1");
  const snapshotChunks = [{ from: "n2", message: SNAPSHOT }];
  pieces.expect(SNAPSHOT);
  pieces.outputTaken(outputOf({ snapshotChunks }));
  assertViolates("Rules Of A Step", () => {
    pieces.outputTaken(outputOf({ snapshotChunks }));
  });
  const before = { lastLogIndex: 9, lastLogTerm: 1 };
  const drops = { firstLogIndex: 6, lastLogIndex: 5 };
  checkReceivedStep(stepOf(before, {}, 1), SNAPSHOT);
  checkReceivedStep(stepOf(before, drops, 2), SNAPSHOT);
  assertViolates("Rules Of A Step", () => {
    checkReceivedStep(stepOf(before, drops, 1), SNAPSHOT);
  });
});

test("snapshots: what a piece is answered before it is stored (Figure 13, step 1)", () => {
  const answer = { type: "InstallSnapshotReply", to: "n2", snapshotId: "s", isOwed: true };
  const refused = { ...answer, lastIncludedIndex: 0, nextOffset: 0, installed: false };
  for (const role of ["follower", "candidate", "leader"] as const) {
    const later = stepOf({ role, currentTerm: 2, commitIndex: 9, lastLogIndex: 9 }, {}, 1);
    assert.deepEqual(expectedPieceReply(later, "n2", SNAPSHOT), { ...refused, term: 2 });
  }
  const installed = { ...answer, term: 1, lastIncludedIndex: 5, nextOffset: 10, installed: true };
  for (const step of [stepOf({}, {}, 1), stepOf({ commitIndex: 5 })]) {
    assert.deepEqual(expectedPieceReply(step, "n2", SNAPSHOT), installed);
  }
  for (const step of [stepOf({}, {}, 2), stepOf({ leaderId: "n3" }, {}, 1)]) {
    assert.equal(expectedPieceReply(step, "n2", SNAPSHOT), null);
  }
});

test("snapshots: what is answered for a piece that is stored (Figure 13, steps 3 to 8)", () => {
  const answer = { type: "InstallSnapshotReply", to: "n2", term: 1, isOwed: true } as const;
  const of = { ...answer, lastIncludedIndex: 5, snapshotId: "s" };
  const followed = stepOf({ leaderId: "n2" });
  const next = expectedStoredReply(followed, "n2", SNAPSHOT, 4);
  assert.deepEqual(next, { ...of, nextOffset: 4, installed: false });
  const last = expectedStoredReply(followed, "n2", SNAPSHOT, null);
  assert.deepEqual(last, { ...of, nextOffset: 10, installed: true });
  for (const view of [{}, { leaderId: "n2", currentTerm: 2 }]) {
    assert.equal(expectedStoredReply(stepOf(view), "n2", SNAPSHOT, 4), null);
  }
});

test("answers: a piece that is answered as another one, or never, is caught (Figure 13)", () => {
  const reply = {
    type: "InstallSnapshotReply",
    term: 2,
    lastIncludedIndex: 0,
    snapshotId: "s",
    nextOffset: 0,
    installed: false,
  } as const;
  const answers = new ExpectedAnswers("n1", 0);
  answers.expect({ ...reply, to: "n2", isOwed: true });
  answers.outputTaken(outputOf({ messages: [{ to: "n2", message: reply }] }));
  answers.outputTaken(outputOf(WRITES));
  answers.expect({ ...reply, to: "n2", isOwed: true });
  for (const wrong of [
    { ...reply, term: 1 },
    { ...reply, lastIncludedIndex: 5 },
    { ...reply, snapshotId: "t" },
    { ...reply, nextOffset: 3 },
    { ...reply, installed: true },
  ]) {
    assertViolates("Rules Of A Step", () => {
      answers.outputTaken(outputOf({ messages: [{ to: "n2", message: wrong }] }));
    });
  }
  assertViolates("Rules Of A Step", () => {
    answers.outputTaken(outputOf(WRITES));
  });
});

test("snapshots: a log without its window is caught (§7)", () => {
  const config = { ...CONFIG, trailingEntries: 3 };
  const taken = (before: number, after: number): void => {
    checkTakenStep({ ...stepOf({ firstLogIndex: before }, { firstLogIndex: after }), config }, 9);
  };
  taken(1, 7);
  taken(8, 8);
  assertViolates("Rules Of A Step", () => {
    taken(1, 8);
  });
});
