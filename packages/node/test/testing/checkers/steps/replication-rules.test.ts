import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkAppendEntriesStep,
  checkHeard,
  checkPeerDown,
  checkReplyStep,
  expectedReply,
} from "../../../../src/testing/checkers/steps/replication-rules.ts";
import { entryOf, peerOf } from "../view-of.ts";
import { assertViolates } from "../violates.ts";
import { appendEntries, refusal, stepOf, WORLD } from "./step-of.ts";

const LOG = { lastLogIndex: 8, lastLogTerm: 1, durableIndex: 4 };
const ANEW = { leaderId: "n2", electionTicksLeft: 10 };
const LEADER = { ...LOG, role: "leader", leaderId: "n1", votedFor: "n1", round: 3 } as const;
const none = (): null => null;

test("replication rules: what AppendEntries is answered (Figure 2)", () => {
  const answer = { type: "AppendEntriesReply", to: "n2", prevLogIndex: 5, round: 3, term: 1 };
  const agreed = {
    ...answer,
    success: true,
    conflictTerm: null,
    conflictIndexMax: 0,
    isOwed: false,
  };
  const heartbeat = expectedReply(stepOf(LOG, {}, 1), "n2", appendEntries());
  assert.deepEqual(heartbeat, { ...agreed, matchIndex: 4 });
  const entries = [entryOf(6, 1), entryOf(7, 1)];
  const append = expectedReply(stepOf(LOG, {}, 1), "n2", appendEntries({ entries }));
  assert.deepEqual(append, { ...agreed, matchIndex: 7 });
  const refused = { ...answer, success: false, matchIndex: 0, conflictIndexMax: 5, isOwed: true };
  const conflict = expectedReply(stepOf(LOG, {}, 3), "n2", appendEntries());
  assert.deepEqual(conflict, { ...refused, conflictTerm: 3 });
  const short = expectedReply(stepOf({ lastLogIndex: 2 }), "n2", appendEntries());
  assert.deepEqual(short, { ...refused, conflictTerm: null });
  const earlier = expectedReply(stepOf({ ...LOG, currentTerm: 2 }, {}, 1), "n2", appendEntries());
  const freeing = { term: 2, conflictTerm: null, conflictIndexMax: 0 };
  assert.deepEqual(earlier, { ...refused, ...freeing });
  assert.equal(
    expectedReply(stepOf({ ...LOG, leaderId: "n3" }, {}, 1), "n2", appendEntries()),
    null,
  );
});

test("replication rules: a leader that is heard and not waited for is caught (§5.2)", () => {
  checkHeard(stepOf(LOG, ANEW), "n2");
  for (const wrong of [{}, { leaderId: "n2" }, { ...ANEW, leaderId: "n3" }]) {
    assertViolates("Rules Of A Step", () => {
      checkHeard(stepOf(LOG, wrong), "n2");
    });
  }
});

test("replication rules: committed is what the leader says, up to what was compared (§5.3)", () => {
  const request = appendEntries({ leaderCommit: 7 });
  checkAppendEntriesStep(stepOf(LOG, { ...ANEW, commitIndex: 5 }, 1), "n2", request);
  checkAppendEntriesStep(stepOf(LOG, ANEW, 3), "n2", request);
  for (const [commitIndex, termNamed] of [
    [7, 1],
    [0, 1],
    [5, 3],
  ] as const) {
    assertViolates("Rules Of A Step", () => {
      const step = stepOf(LOG, { ...ANEW, commitIndex }, termNamed);
      checkAppendEntriesStep(step, "n2", request);
    });
  }
});

test("replication rules: a leader that believes answers of an earlier term is caught (§5.1)", () => {
  const before = { ...LEADER, currentTerm: 2, peers: [peerOf({ nextIndex: 9 })] };
  const reply = refusal({ success: true, matchIndex: 5 });
  const using = { world: WORLD, termAt: none };
  checkReplyStep(stepOf(before), "n2", reply, using);
  const peers = [peerOf({ nextIndex: 9, matchIndex: 5 })];
  checkReplyStep(stepOf(before, { peers }), "n2", { ...reply, term: 2 }, using);
  assertViolates("Rules Of A Step", () => {
    checkReplyStep(stepOf(before, { peers }), "n2", reply, using);
  });
});

test("replication rules: a leader that forgets what a sound disk holds is caught (Figure 2)", () => {
  const before = { ...LEADER, peers: [peerOf({ matchIndex: 6, nextIndex: 9 })] };
  const forgets = stepOf(before, { peers: [peerOf({ nextIndex: 3 })] });
  const world = { ...WORLD, hasLostEntries: () => true };
  checkReplyStep(forgets, "n2", refusal(), { world, termAt: none });
  assertViolates("Rules Of A Step", () => {
    checkReplyStep(forgets, "n2", refusal(), { world: WORLD, termAt: none });
  });
});

test("replication rules: a leader that does not look where it is told is caught (§5.3)", () => {
  const before = { ...LEADER, peers: [peerOf({ nextIndex: 6 })] };
  const look = (nextIndex: number, termBefore: number, conflictTerm: number | null): void => {
    const step = stepOf(before, { peers: [peerOf({ nextIndex })] });
    checkReplyStep(step, "n2", refusal({ conflictTerm }), {
      world: WORLD,
      termAt: () => termBefore,
    });
  };
  look(3, 1, null);
  look(2, 1, 1);
  look(5, 1, 1);
  for (const [termBefore, conflictTerm] of [
    [1, null],
    [2, 1],
  ] as const) {
    assertViolates("Rules Of A Step", () => {
      look(5, termBefore, conflictTerm);
    });
  }
  const late = refusal({ prevLogIndex: 7 });
  checkReplyStep(stepOf(before), "n2", late, { world: WORLD, termAt: () => 1 });
});

test("replication rules: what was on its way to a process that ended counts as lost (§5.3)", () => {
  const peer = peerOf({ state: "replicate", matchIndex: 3, nextIndex: 9, inFlightMessages: 2 });
  const before = { ...LEADER, peers: [peer] };
  const anew = peerOf({ matchIndex: 3, nextIndex: 4, recentlyActive: false });
  checkPeerDown(stepOf(before, { peers: [anew] }), "n2");
  checkPeerDown(stepOf(before, { role: "follower", peers: [] }), "n2");
  for (const wrong of [peer, { ...anew, nextIndex: 9 }, { ...anew, recentlyActive: true }]) {
    assertViolates("Rules Of A Step", () => {
      checkPeerDown(stepOf(before, { peers: [wrong] }), "n2");
    });
  }
});
