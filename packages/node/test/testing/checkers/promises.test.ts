import { test } from "node:test";
import type { AppendEntriesReply, RequestVote } from "@quorate/wire";
import { checkOwnVote, checkPromise } from "../../../src/testing/checkers/promises.ts";
import { assertViolates } from "./violates.ts";

const disk = { hardState: { currentTerm: 3, votedFor: "n2", commitIndex: 0 }, lastIndex: 5 };

const acknowledgement = (term: number, matchIndex: number): AppendEntriesReply => ({
  type: "AppendEntriesReply",
  term,
  success: true,
  prevLogIndex: 0,
  matchIndex,
  conflictTerm: null,
  conflictIndex: 0,
  round: 1,
});

const grant = (term: number) => ({ type: "RequestVoteReply", term, voteGranted: true }) as const;

const campaign = (term: number, candidateId: string): RequestVote => ({
  type: "RequestVote",
  term,
  candidateId,
  lastLogIndex: 0,
  lastLogTerm: 0,
  leadershipTransfer: false,
});

test("promises: a granted vote must be on the disk (§5.2)", () => {
  checkPromise("n1", "n2", grant(3), disk);
  checkPromise("n1", "n3", grant(2), disk);
  checkPromise("n1", "n3", { type: "RequestVoteReply", term: 4, voteGranted: false }, disk);
  for (const [to, term] of [
    ["n3", 3],
    ["n2", 4],
  ] as const) {
    assertViolates("Durability Before Promise", () => {
      checkPromise("n1", to, grant(term), disk);
    });
  }
});

test("promises: a candidate's own vote must be on its disk before it asks (§5.2)", () => {
  checkPromise("n2", "n3", campaign(3, "n2"), disk);
  assertViolates("Durability Before Promise", () => {
    checkPromise("n1", "n3", campaign(3, "n1"), disk);
  });
});

test("promises: acknowledged entries must be on the disk, in a term that is (§5.3)", () => {
  checkPromise("n1", "n2", acknowledgement(3, 5), disk);
  checkPromise("n1", "n2", { ...acknowledgement(4, 9), success: false }, disk);
  assertViolates("Durability Before Promise", () => {
    checkPromise("n1", "n2", acknowledgement(3, 6), disk);
  });
  assertViolates("Durability Before Promise", () => {
    checkPromise("n1", "n2", acknowledgement(4, 5), disk);
  });
});

test("promises: a leader's own vote must be on its disk, or it did not win (§5.2)", () => {
  checkOwnVote("n2", 3, disk);
  assertViolates("Durability Before Promise", () => {
    checkOwnVote("n2", 4, disk);
  });
  assertViolates("Durability Before Promise", () => {
    checkOwnVote("n1", 3, disk);
  });
});
