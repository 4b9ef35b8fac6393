import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppendEntriesReply } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { RaftView } from "../../../../src/raft/index.ts";
import { checkPersistedStep } from "../../../../src/testing/checkers/steps/commit-rules.ts";
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
  const heartbeat = expectedReply(stepOf(LOG, {}, 1), "n2", appendEntries(), none);
  assert.deepEqual(heartbeat, { ...agreed, matchIndex: 4 });
  const entries = [entryOf(6, 1), entryOf(7, 1)];
  const append = expectedReply(stepOf(LOG, {}, 1), "n2", appendEntries({ entries }), none);
  assert.deepEqual(append, { ...agreed, matchIndex: 7 });
  const refused = { ...answer, success: false, matchIndex: 0, isOwed: true };
  const short = expectedReply(stepOf({ lastLogIndex: 2 }), "n2", appendEntries(), none);
  assert.deepEqual(short, { ...refused, conflictTerm: null, conflictIndexMax: 3 });
  const later = stepOf({ ...LOG, currentTerm: 2 }, {}, 1);
  const earlier = expectedReply(later, "n2", appendEntries(), none);
  const freeing = { term: 2, conflictTerm: null, conflictIndexMax: 0 };
  assert.deepEqual(earlier, { ...refused, ...freeing });
  assert.equal(
    expectedReply(stepOf({ ...LOG, leaderId: "n3" }, {}, 1), "n2", appendEntries(), none),
    null,
  );
});

test("replication rules: a hint skips the term that differs, but not what is committed (§5.3)", () => {
  const terms = [1, 1, 3, 3, 3, 4];
  const termAt = (index: number): number | null => terms[index - 1] ?? null;
  const hint = (commitIndex: number): unknown => {
    const step = stepOf({ lastLogIndex: 6, lastLogTerm: 4, commitIndex, currentTerm: 5 }, {}, 3);
    const request = appendEntries({ term: 5, prevLogTerm: 2 });
    const answer = expectedReply(step, "n2", request, termAt);
    assert.ok(answer?.type === "AppendEntriesReply");
    assert.equal(answer.conflictTerm, 3);
    return answer.conflictIndexMax;
  };
  assert.deepEqual([0, 2, 3, 4].map(hint), [3, 3, 4, 5]);
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

test("replication rules: a leader that does not believe what is stored is caught (Figure 2)", () => {
  const before = { ...LEADER, peers: [peerOf({ nextIndex: 9, matchIndex: 2 })] };
  const using = { world: WORLD, termAt: none };
  const stored = (reply: Partial<AppendEntriesReply>): void => {
    checkReplyStep(stepOf(before), "n2", refusal({ success: true, ...reply }), using);
  };
  for (const late of [{ matchIndex: 2 }, { matchIndex: 9 }, { matchIndex: 5, round: 4 }]) {
    stored(late);
  }
  assertViolates("Rules Of A Step", () => {
    stored({ matchIndex: 5 });
  });
});

test("replication rules: a leader that waits to commit what a quorum has is caught (Figure 2)", () => {
  const before = { ...LEADER, currentTerm: 2, peers: [peerOf({}), peerOf({ id: "n3" })] };
  const peers = [peerOf({ matchIndex: 6, nextIndex: 7 }), peerOf({ id: "n3" })];
  const reply = refusal({ term: 2, success: true, matchIndex: 6 });
  const answered = (changes: Partial<RaftView>, from: Partial<RaftView>, term: number): void => {
    const step = stepOf({ ...before, ...from }, { peers, ...changes });
    checkReplyStep(step, "n2", reply, { world: WORLD, termAt: () => term });
  };
  // The leader's own disk has entry 4, that of n2 has 6.
  answered({ commitIndex: 4 }, {}, 2);
  answered({}, {}, 1);
  answered({}, { durableIndex: 0 }, 2);
  const joint = configurationOf({ voters: ["n1", "n2"], votersOutgoing: ["n1", "n3", "n4"] });
  answered({}, { configuration: joint }, 2);
  const halved = configurationOf({ voters: ["n1", "n2"], votersOutgoing: ["n1", "n2", "n3"] });
  // Its own removal is what is committed.
  answered({ commitIndex: 4, role: "follower", peers: [] }, { configuration: halved }, 2);
  for (const [changes, from] of [
    [{}, {}],
    [{ commitIndex: 3 }, {}],
    [{ commitIndex: 4 }, { durableIndex: 5 }],
    [{}, { configuration: halved }],
    [{ role: "follower", peers: [] }, {}],
  ] as const) {
    assertViolates("Rules Of A Step", () => {
      answered(changes, from, 2);
    });
  }
});

test("replication rules: a leader that does not count its own disk is caught (Diss. §10.2.1)", () => {
  const before = { ...LEADER, peers: [peerOf({ matchIndex: 7, nextIndex: 8 })] };
  checkPersistedStep(stepOf(before, { durableIndex: 8, commitIndex: 7 }), () => 1);
  checkPersistedStep(stepOf({ ...before, role: "follower" }, { durableIndex: 8 }), () => 1);
  assertViolates("Rules Of A Step", () => {
    checkPersistedStep(stepOf(before, { durableIndex: 8, commitIndex: 4 }), () => 1);
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
