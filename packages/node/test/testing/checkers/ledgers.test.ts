import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "@quorate/wire";
import { chainHash, EMPTY_CHAIN } from "../../../src/testing/chain-hash.ts";
import { CommittedLedger } from "../../../src/testing/checkers/committed-ledger.ts";
import { ElectionLedger } from "../../../src/testing/checkers/election-ledger.ts";
import { LogMatching } from "../../../src/testing/checkers/log-matching.ts";
import { VoteLedger } from "../../../src/testing/checkers/vote-ledger.ts";
import { entryOf } from "./view-of.ts";
import { assertViolates } from "./violates.ts";

function hashes(entries: readonly LogEntry[]): (index: number) => number | null {
  const chain = [EMPTY_CHAIN];
  for (const entry of entries) chain.push(chainHash(chain.at(-1) ?? 0, entry));
  return (index) => chain[index] ?? null;
}

function ledgerOf(entries: readonly LogEntry[], term: number): CommittedLedger {
  const ledger = new CommittedLedger(() => {});
  const hashAt = hashes(entries);
  for (const entry of entries) ledger.committed("n1", term, entry, hashAt(entry.index) ?? 0);
  return ledger;
}

test("ElectionLedger: a term with two leaders breaks Election Safety (§5.2)", () => {
  const ledger = new ElectionLedger();
  ledger.leaderSeen(3, "n1");
  ledger.leaderSeen(3, "n1");
  ledger.leaderSeen(4, "n2");
  assertViolates("Election Safety", () => {
    ledger.leaderSeen(3, "n2");
  });
});

test("VoteLedger: a second vote in a term is caught, also for itself (§5.2)", () => {
  const ledger = new VoteLedger();
  ledger.voteGranted(3, "n1", "n2");
  ledger.voteGranted(3, "n1", "n2");
  ledger.voteGranted(4, "n1", "n1");
  assertViolates("One Vote Per Term", () => {
    ledger.voteGranted(3, "n1", "n1");
  });
});

test("LogMatching: equal index and term with another history is caught (§5.3)", () => {
  const logs = new LogMatching();
  const one = hashes([entryOf(1, 1, "a"), entryOf(2, 2, "b")]);
  const other = hashes([entryOf(1, 1, "x"), entryOf(2, 2, "b")]);
  logs.entrySeen(2, 2, one(2) ?? 0, "n1");
  logs.entrySeen(2, 2, one(2) ?? 0, "n2");
  logs.entrySeen(2, 1, other(2) ?? 0, "n2");
  assertViolates("Log Matching", () => {
    logs.entrySeen(2, 2, other(2) ?? 0, "n3");
  });
});

test("CommittedLedger: a committed entry that changes is caught (§5.4.3)", () => {
  const entries = [entryOf(1, 1, "a"), entryOf(2, 1, "b")];
  const ledger = ledgerOf(entries, 1);
  assert.equal(ledger.committed("n2", 2, entryOf(1, 1, "a"), hashes(entries)(1) ?? 0), false);
  assertViolates("Committed Immutable", () => {
    const changed = [entryOf(1, 1, "a"), entryOf(2, 2, "c")];
    ledger.committed("n2", 2, entryOf(2, 2, "c"), hashes(changed)(2) ?? 0);
  });
});

test("CommittedLedger: a gap in what is committed is caught", () => {
  const ledger = ledgerOf([entryOf(1, 1)], 1);
  assertViolates("Committed Immutable", () => {
    ledger.committed("n1", 1, entryOf(3, 1), 7);
  });
});

test("CommittedLedger: a leader must hold what earlier terms committed (§5.4)", () => {
  const entries = [entryOf(1, 1, "a"), entryOf(2, 3, "b")];
  const ledger = ledgerOf(entries.slice(0, 1), 1);
  ledger.committed("n1", 3, entryOf(2, 3, "b"), hashes(entries)(2) ?? 0);
  ledger.leaderElected("n2", 4, hashes(entries));
  ledger.leaderElected("n2", 2, hashes(entries.slice(0, 1)));
  assertViolates("Leader Completeness", () => {
    ledger.leaderElected("n2", 4, hashes(entries.slice(0, 1)));
  });
  assertViolates("Leader Completeness", () => {
    ledger.leaderElected("n2", 2, hashes([entryOf(1, 1, "x")]));
  });
});

test("CommittedLedger: only the committed entry may be applied (§5.4.3)", () => {
  const ledger = ledgerOf([entryOf(1, 1, "a")], 1);
  ledger.applied("n1", entryOf(1, 1, "a"), "state");
  assertViolates("State Machine Safety", () => {
    ledger.applied("n2", entryOf(1, 1, "b"), "state");
  });
  assertViolates("State Machine Safety", () => {
    ledger.applied("n2", entryOf(2, 1, "b"), "state");
  });
});

test("CommittedLedger: equal entries that make different states are caught", () => {
  const ledger = ledgerOf([entryOf(1, 1, "a")], 1);
  ledger.applied("n1", entryOf(1, 1, "a"), "one state");
  assertViolates("Determinism", () => {
    ledger.applied("n2", entryOf(1, 1, "a"), "another state");
  });
});
