import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry } from "@quorate/wire";
import { decodeCommand, encodeCommand } from "../../../src/kv/command-codec.ts";
import type { KvResult } from "../../../src/kv/kv-result.ts";
import { SessionLedger } from "../../../src/testing/checkers/session-ledger.ts";
import { assertViolates } from "./violates.ts";

const done: KvResult = { kind: "put", revision: 1, created: true, at: { index: 2, term: 1 } };
const expired: KvResult = { kind: "sessionExpired", revision: 1, sessionId: 1 };

function commit(ledger: SessionLedger, index: number, data: Uint8Array): LogEntry {
  const entry: LogEntry = { index, term: 1, kind: "command", data };
  ledger.committed(entry, decodeCommand(data));
  return entry;
}

/** Entry 1 opens a session; serial 1 is in the log at each of `indexes`. */
function ledgerOf(...indexes: readonly number[]): [ledger: SessionLedger, copies: LogEntry[]] {
  const ledger = new SessionLedger();
  commit(ledger, 1, encodeCommand({ kind: "openSession", ttlMs: 1000 }));
  return [ledger, indexes.map((index) => commit(ledger, index, copy(index)))];
}

function copy(clusterTimeMs: number): Uint8Array {
  const session = { sessionId: 1, serial: 1, ackedBelow: 1 };
  const command = { kind: "put", key: Buffer.from("k"), value: Buffer.from("v") } as const;
  return encodeCommand(command, { clusterTimeMs, session });
}

test("SessionLedger: a repeat with another answer than the first is caught (Diss. §6.3)", () => {
  const [ledger, copies] = ledgerOf(2, 3);
  for (const entry of copies) ledger.applied("n1", entry, done);
  assert.equal(ledger.firstOf(1, 1), 2);
  const ofRepeat = { ...done, at: { index: 3, term: 1 } };
  for (const wrong of [{ ...done, revision: 2 }, ofRepeat, expired]) {
    assertViolates("Exactly Once", () => {
      for (const entry of copies.slice(1)) ledger.applied("n2", entry, wrong);
    });
  }
});

test("SessionLedger: a change after the end of its session must do nothing (Diss. §6.3)", () => {
  const [ledger, copies] = ledgerOf(2000);
  for (const entry of copies) ledger.applied("n1", entry, expired);
  assertViolates("Exactly Once", () => {
    for (const entry of copies) ledger.applied("n2", entry, done);
  });
  assertViolates("Exactly Once", () => {
    ledger.acknowledged(1, 1, done);
  });
});

test("SessionLedger: an answer that no execution gave is caught (Diss. §6.3)", () => {
  const [ledger, copies] = ledgerOf(2);
  for (const entry of copies) ledger.applied("n1", entry, done);
  assert.equal(ledger.acknowledged(1, 1, done), 2);
  assertViolates("Exactly Once", () => {
    ledger.acknowledged(1, 1, { ...done, revision: 7 });
  });
  assertViolates("Exactly Once", () => {
    ledger.acknowledged(1, 2, done);
  });
});

test("SessionLedger: time that goes back within a term is caught (Diss. §6.3)", () => {
  const stamped = (index: number, term: number, clusterTimeMs: number): [LogEntry, Uint8Array] => {
    const data = encodeCommand(
      { kind: "openSession", ttlMs: 1000 },
      { clusterTimeMs, session: null },
    );
    return [{ index, term, kind: "command", data }, data];
  };
  const ledger = new SessionLedger();
  const commitStamped = (...given: Parameters<typeof stamped>): void => {
    const [entry, data] = stamped(...given);
    ledger.committed(entry, decodeCommand(data));
  };
  commitStamped(1, 1, 500);
  commitStamped(2, 1, 500);
  commitStamped(3, 1, 0);
  commitStamped(4, 2, 400);
  assertViolates("Monotone Progress", () => {
    commitStamped(5, 2, 399);
  });
});
