import assert from "node:assert/strict";
import { test } from "node:test";
import { LeaderLease } from "../../src/server/leader-lease.ts";
import { viewOf } from "../testing/checkers/view-of.ts";

/** (300 - 50 - 10) x 0.9. */
const LASTS_MS = 216;

const LEADING = viewOf({ role: "leader", currentTerm: 3, leaderId: "n1" });

function lease(): LeaderLease {
  return new LeaderLease({
    electionTimeoutMs: 300,
    heartbeatIntervalMs: 50,
    tickIntervalMs: 10,
    nowMs: 0,
  });
}

/** Ticks up to `toMs`, so that the loop never seems late. */
function tickTo(one: LeaderLease, toMs: number, fromMs = 0): void {
  for (let ms = fromMs; ms <= toMs; ms += 10) one.ticked(ms);
}

test("LeaderLease: runs from before its round was sent, not from its echo (Diss. §6.4.1)", () => {
  const one = lease();
  one.observe({ ...LEADING, round: 1 }, 100);
  tickTo(one, 150);
  assert.equal(one.holds(150), false, "nobody has echoed it");
  one.observe({ ...LEADING, round: 2 }, 150);
  one.observe({ ...LEADING, round: 2, confirmedRound: 1 }, 160);
  tickTo(one, 320, 160);
  assert.equal(one.holds(100 + LASTS_MS - 1), true);
  assert.equal(one.holds(100 + LASTS_MS), false);
});

test("LeaderLease: each confirmed round renews it", () => {
  const one = lease();
  one.observe({ ...LEADING, round: 1 }, 100);
  one.observe({ ...LEADING, round: 2 }, 150);
  one.observe({ ...LEADING, round: 3, confirmedRound: 2 }, 200);
  tickTo(one, 370);
  assert.equal(one.holds(150 + LASTS_MS - 1), true);
  assert.equal(one.holds(150 + LASTS_MS), false);
});

test("LeaderLease: ends with leadership, and a later term begins without one", () => {
  const one = lease();
  one.observe({ ...LEADING, round: 1 }, 0);
  one.observe({ ...LEADING, round: 1, confirmedRound: 1 }, 10);
  tickTo(one, 10);
  assert.equal(one.holds(10), true);
  one.observe({ ...LEADING, role: "follower" }, 10);
  assert.equal(one.holds(10), false);
  one.observe({ ...LEADING, currentTerm: 5 }, 10);
  assert.equal(one.holds(10), false);
});

test("LeaderLease: none after a transfer was begun in the term (rule 48)", () => {
  const one = lease();
  one.observe({ ...LEADING, round: 1, transferTarget: "n2" }, 0);
  one.observe({ ...LEADING, round: 2, confirmedRound: 2 }, 10);
  tickTo(one, 10);
  assert.equal(one.holds(10), false, "the target may still campaign, and voters obey it");
  one.observe({ ...LEADING, currentTerm: 4, round: 1 }, 10);
  one.observe({ ...LEADING, currentTerm: 4, round: 1, confirmedRound: 1 }, 10);
  assert.equal(one.holds(10), true);
});

test("LeaderLease: never across a stall of the loop", () => {
  const one = lease();
  one.observe({ ...LEADING, round: 1 }, 0);
  one.observe({ ...LEADING, round: 1, confirmedRound: 1 }, 0);
  one.ticked(10);
  assert.equal(one.holds(70), true);
  assert.equal(one.holds(71), false, "late by more than a heartbeat");
  one.ticked(80);
  assert.equal(one.holds(80), false, "and what was known before is not relied on");
});
