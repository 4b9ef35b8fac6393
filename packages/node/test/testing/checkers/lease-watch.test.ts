import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration, RaftMessage } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { simulate } from "@quorate/node/testing";
import { KvStateMachine } from "../../../src/kv/kv-state-machine.ts";
import { checkStamp } from "../../../src/testing/checkers/cluster-time.ts";
import { checkLoyalQuorum, LeaseWatch } from "../../../src/testing/checkers/lease-watch.ts";
import { viewOf } from "./view-of.ts";
import { assertViolates } from "./violates.ts";

const STALL_MS = 20;

function heartbeat(term: number, round: number): RaftMessage {
  return {
    type: "AppendEntries",
    term,
    leaderId: "n1",
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [],
    leaderCommit: 0,
    round,
  };
}

/** A leader of term 2 that sends round 5, and stands still for `pauseMs`. */
function pausedFor(pauseMs: number): LeaseWatch {
  const process = { isPaused: false, atMs: 100, nowMs: () => process.atMs };
  const watch = new LeaseWatch("n1", STALL_MS, process);
  watch.messageSent(heartbeat(2, 5));
  watch.messageSent(heartbeat(1, 9));
  watch.paused();
  process.isPaused = true;
  process.atMs += pauseMs;
  watch.resumed();
  process.isPaused = false;
  return watch;
}

test("LeaseWatch: a lease of a round from before a stall is caught (Diss. §6.4.1)", () => {
  const watch = pausedFor(STALL_MS + 1);
  watch.check(viewOf({ currentTerm: 2, confirmedRound: 6 }));
  watch.check(viewOf({ currentTerm: 3, confirmedRound: 1 }));
  assertViolates("Fresh Reads", () => {
    watch.check(viewOf({ currentTerm: 2, confirmedRound: 5 }));
  });
});

test("LeaseWatch: a pause that is shorter than a missed beat is no stall (Diss. §6.4.1)", () => {
  pausedFor(STALL_MS).check(viewOf({ currentTerm: 2, confirmedRound: 5 }));
});

test("lease: one that no quorum has to wait for is caught, of each half while joint (Diss. §6.4.1)", () => {
  const members = configurationOf({
    voters: ["n1", "n2", "n3"],
    votersOutgoing: ["n3", "n4", "n5"],
  });
  const check = (inForce: readonly Configuration[], ids: readonly string[]): void => {
    checkLoyalQuorum("n1", inForce, (id) => ids.includes(id));
  };
  check([members], ["n1", "n3", "n4"]);
  check([members], ["n1", "n2", "n4", "n5"]);
  for (const ids of [["n1", "n2", "n3"], ["n3", "n4", "n5"], ["n3"], []]) {
    assertViolates("Fresh Reads", () => {
      check([members], ids);
    });
  }
  // What follows the joint members is in force before it is committed.
  check([members, configurationOf({ voters: ["n1", "n2", "n3"] })], ["n1", "n2"]);
});

test("cluster time: a stamp from before what is applied is caught (Diss. §6.3)", () => {
  checkStamp("n1", 7, 7);
  assertViolates("Monotone Progress", () => {
    checkStamp("n1", 6, 7);
  });
});

/** Each look at its time finds a later one. */
class RacingStore extends KvStateMachine {
  #looks = 0;

  override get clusterTimeMs(): number {
    this.#looks += 1;
    return super.clusterTimeMs + this.#looks;
  }
}

test("seeded bug: a stamp from before what is applied is caught (Diss. §6.3)", async () => {
  const parts = { createStateMachine: () => new RacingStore() };
  const { failure } = await simulate(1, { parts, overrides: { fabric: "messages" } });
  assert.equal(failure?.invariant, "Monotone Progress");
  assert.match(failure.message, /^n\d+ stamps a command with \d+ ms, and has applied one of/u);
});
