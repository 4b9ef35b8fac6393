import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  ProposalOutcome,
  ReadOutcome,
  TransferOutcome,
} from "../../src/server/driver-outcomes.ts";
import { PendingProposals } from "../../src/server/pending-proposals.ts";
import { PendingReads } from "../../src/server/pending-reads.ts";
import { PendingTransfers } from "../../src/server/pending-transfers.ts";
import { viewOf } from "../testing/checkers/view-of.ts";

const PATIENCE_TICKS = 10;

interface Proposals {
  readonly pending: PendingProposals<string>;
  /** Outcomes by the name that {@link Proposals.propose} was given. */
  readonly outcomes: Map<string, ProposalOutcome<string>>;
  readonly propose: (name: string, index: number, term: number) => void;
}

function proposals(): Proposals {
  const pending = new PendingProposals<string>(PATIENCE_TICKS);
  const outcomes = new Map<string, ProposalOutcome<string>>();
  return {
    pending,
    outcomes,
    propose: (name, index, term) => {
      pending.add(index, term, 0, (outcome) => {
        assert.ok(!outcomes.has(name), `${name} is answered twice`);
        outcomes.set(name, outcome);
      });
    },
  };
}

test("PendingProposals: one is applied when its own entry is, with its result", () => {
  const { pending, outcomes, propose } = proposals();
  propose("a", 4, 2);
  propose("b", 5, 2);
  pending.applied({ index: 4, term: 2 }, "result", "n1");
  assert.deepEqual(
    [...outcomes],
    [["a", { kind: "applied", index: 4, term: 2, result: "result" }]],
  );
  assert.equal(pending.size, 1);
});

test("PendingProposals: another term's entry at its index means dropped, for ever (§5.4.3)", () => {
  const { pending, outcomes, propose } = proposals();
  propose("a", 4, 2);
  propose("b", 5, 2);
  pending.applied({ index: 4, term: 3 }, "of another", "n2");
  pending.dropped(5, "n2");
  const dropped = { kind: "notApplied", code: "proposalDropped", leaderId: "n2" };
  assert.deepEqual(
    [...outcomes],
    [
      ["a", dropped],
      ["b", dropped],
    ],
  );
});

test("PendingProposals: after leadership is lost it waits for a decision, but not for ever", () => {
  const { pending, outcomes, propose } = proposals();
  propose("decided", 4, 2);
  propose("undecided", 5, 2);
  pending.noteLeadership(null, 100);
  pending.applied({ index: 4, term: 2 }, "result", "n2");
  pending.expire(100 + PATIENCE_TICKS - 1, "n2");
  assert.deepEqual([...outcomes.keys()], ["decided"]);
  pending.expire(100 + PATIENCE_TICKS, "n2");
  assert.deepEqual(outcomes.get("undecided"), {
    kind: "unknown",
    code: "leadershipLost",
    leaderId: "n2",
  });
  assert.equal(pending.size, 0);
});

test("PendingProposals: while it leads in their term, proposals wait as long as it takes", () => {
  const { pending, outcomes, propose } = proposals();
  propose("a", 4, 2);
  pending.noteLeadership(2, 1);
  pending.expire(1_000_000, "n1");
  assert.equal(outcomes.size, 0);
});

test("PendingProposals: leading again in a later term does not stop the wait", () => {
  const { pending, outcomes, propose } = proposals();
  propose("old", 4, 2);
  pending.noteLeadership(5, 100);
  propose("new", 6, 5);
  pending.expire(100 + PATIENCE_TICKS, "n1");
  assert.deepEqual([...outcomes.keys()], ["old"]);
});

test("PendingProposals: one whose place is taken in this log is unknown: others may hold it", () => {
  const { outcomes, propose } = proposals();
  propose("old", 4, 2);
  propose("new", 4, 5);
  assert.equal(outcomes.get("old")?.kind, "unknown");
  assert.equal(outcomes.has("new"), false);
});

test("PendingProposals: what became of one below an installed snapshot is not known (§7)", () => {
  const { pending, outcomes, propose } = proposals();
  propose("below", 4, 2);
  propose("above", 6, 2);
  pending.overtaken(5, "n2");
  assert.deepEqual(
    [...outcomes],
    [["below", { kind: "unknown", code: "leadershipLost", leaderId: "n2" }]],
  );
});

test("PendingProposals: a node that stops says unknown, once", () => {
  const { pending, outcomes, propose } = proposals();
  propose("a", 4, 2);
  pending.stop("n1");
  pending.stop("n1");
  assert.deepEqual(outcomes.get("a"), { kind: "unknown", code: "stopping", leaderId: "n1" });
});

test("PendingReads: answered when confirmed and applied, whichever comes last (Diss. §6.4)", () => {
  const reads = new PendingReads();
  const answered: string[] = [];
  const add = (requestId: number): void => {
    reads.add(requestId, (outcome) => {
      answered.push(`${requestId}:${outcome.kind === "ready" ? outcome.appliedIndex : "failed"}`);
    });
  };
  for (const requestId of [1, 2, 3]) add(requestId);
  reads.answer(9);
  assert.deepEqual(answered, [], "not confirmed yet");
  reads.confirm({ requestId: 1, readIndex: 12 });
  reads.confirm({ requestId: 2, readIndex: 10 });
  reads.answer(11);
  assert.deepEqual(answered, ["2:11"]);
  reads.answer(12);
  assert.deepEqual(answered, ["2:11", "1:12"]);
  reads.confirm({ requestId: 3, readIndex: 5 });
  reads.answer(12);
  assert.deepEqual(answered, ["2:11", "1:12", "3:12"]);
});

test("PendingReads: an aborted read fails and says whether a leader is known", () => {
  const reads = new PendingReads();
  const outcomes: ReadOutcome[] = [];
  for (const requestId of [1, 2, 3]) reads.add(requestId, (outcome) => outcomes.push(outcome));
  reads.abort(1, null);
  reads.abort(2, "n2");
  reads.abort(2, "n2");
  reads.confirm({ requestId: 3, readIndex: 99 });
  reads.stop("n2");
  assert.deepEqual(outcomes, [
    { kind: "failed", code: "noLeader", leaderId: null },
    { kind: "failed", code: "leadershipLost", leaderId: "n2" },
    { kind: "failed", code: "stopping", leaderId: "n2" },
  ]);
});

test("PendingTransfers: moved, given up, or left without a leader in time (Diss. §3.10)", () => {
  const transfers = new PendingTransfers(PATIENCE_TICKS);
  const outcomes: TransferOutcome[] = [];
  const add = (): void => {
    transfers.add(2, 0, (outcome) => outcomes.push(outcome));
  };
  const leading = viewOf({ role: "leader", currentTerm: 2, leaderId: "n1", transferTarget: "n2" });
  add();
  transfers.settle(leading, 1);
  assert.equal(outcomes.length, 0);
  transfers.settle({ ...leading, transferTarget: null }, 2);
  add();
  transfers.settle(viewOf({ currentTerm: 3 }), 3);
  transfers.settle(viewOf({ currentTerm: 3, leaderId: "n2" }), 4);
  add();
  transfers.settle(viewOf({ currentTerm: 3 }), PATIENCE_TICKS);
  add();
  transfers.stop("n2");
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.kind === "moved" ? outcome.leaderId : outcome.code)),
    ["transferFailed", "n2", "noLeader", "stopping"],
  );
});
