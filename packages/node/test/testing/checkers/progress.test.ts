import { test } from "node:test";
import { configurationOf } from "@quorate/wire";
import type { HardState } from "../../../src/raft/index.ts";
import { checkCommitQuorum, checkCommitTerm } from "../../../src/testing/checkers/commit-quorum.ts";
import { checkDurableProgress } from "../../../src/testing/checkers/durable-progress.ts";
import { checkLeaderAppendOnly } from "../../../src/testing/checkers/leader-append-only.ts";
import { checkReplicationBelief } from "../../../src/testing/checkers/replication-belief.ts";
import { checkViewProgress } from "../../../src/testing/checkers/view-progress.ts";
import { peerOf, viewOf } from "./view-of.ts";
import { assertViolates } from "./violates.ts";

const hardState = (currentTerm: number, votedFor: string | null, commitIndex = 0): HardState => ({
  currentTerm,
  votedFor,
  commitIndex,
});

test("durable progress: a stored term that falls is caught (§5.1)", () => {
  const before = hardState(3, null);
  const log = { lastIndex: 0, lastTerm: 0 };
  checkDurableProgress("n1", before, { hardState: hardState(3, "n2"), ...log });
  checkDurableProgress("n1", before, { hardState: hardState(4, null), ...log });
  assertViolates("Term Monotone", () => {
    checkDurableProgress("n1", before, { hardState: hardState(2, null), ...log });
  });
});

test("durable progress: a stored vote that changes or is forgotten is caught (§5.2)", () => {
  const before = hardState(3, "n2");
  for (const votedFor of [null, "n3"]) {
    assertViolates("One Vote Per Term", () => {
      const after = { hardState: hardState(3, votedFor), lastIndex: 0, lastTerm: 0 };
      checkDurableProgress("n1", before, after);
    });
  }
});

test("durable progress: an entry ahead of the stored term is caught", () => {
  assertViolates("Term Monotone", () => {
    const after = { hardState: hardState(3, null), lastIndex: 1, lastTerm: 4 };
    checkDurableProgress("n1", hardState(3, null), after);
  });
});

test("durable progress: a commit point ahead of the stored entries is caught", () => {
  assertViolates("Monotone Progress", () => {
    const after = { hardState: hardState(3, null, 2), lastIndex: 1, lastTerm: 3 };
    checkDurableProgress("n1", hardState(3, null), after);
  });
});

test("view progress: currentTerm, vote, commitIndex and lastApplied never go back", () => {
  const before = viewOf({
    currentTerm: 3,
    votedFor: "n2",
    lastLogIndex: 5,
    commitIndex: 4,
    lastApplied: 4,
  });
  checkViewProgress("n1", before, before);
  const broken = [
    ["Term Monotone", { currentTerm: 2 }],
    ["One Vote Per Term", { votedFor: "n3" }],
    ["Monotone Progress", { commitIndex: 3, lastApplied: 3 }],
    ["Monotone Progress", { lastApplied: 3 }],
    ["Monotone Progress", { lastApplied: 5 }],
    ["Monotone Progress", { commitIndex: 6 }],
  ] as const;
  for (const [invariant, changes] of broken) {
    assertViolates(invariant, () => {
      checkViewProgress("n1", before, { ...before, ...changes });
    });
  }
});

test("commit quorum: an entry on a minority's disks is not committed (§5.4.2)", () => {
  const { configuration } = viewOf({});
  const disks = new Map([
    ["n1", 77],
    ["n2", 77],
  ]);
  checkCommitQuorum(4, 77, [configuration], (node) => disks.get(node) ?? null);
  disks.set("n2", 78);
  assertViolates("Committed On Quorum", () => {
    checkCommitQuorum(4, 77, [configuration], (node) => disks.get(node) ?? null);
  });
});

test("commit quorum: while joint, each half needs its majority; learners do not count (§6)", () => {
  const configuration = configurationOf({
    voters: ["n1", "n2", "n3"],
    votersOutgoing: ["n3", "n4", "n5"],
    learners: ["n6"],
  });
  const holders = (nodes: readonly string[]) => (node: string) => (nodes.includes(node) ? 77 : 0);
  checkCommitQuorum(4, 77, [configuration], holders(["n1", "n3", "n4"]));
  assertViolates("Committed On Quorum", () => {
    checkCommitQuorum(4, 77, [configuration], holders(["n1", "n2", "n3", "n6"]));
  });
});

test("replication belief: a matchIndex that the follower's disk does not bear is caught (§5.3)", () => {
  const view = viewOf({ role: "leader", currentTerm: 3, lastLogIndex: 4 });
  const peer = peerOf({ matchIndex: 2, nextIndex: 3 });
  const own = (index: number): number => index * 11;
  const disk = (currentTerm: number, hash: number | null) => ({
    hardState: { currentTerm },
    chainHashAt: () => hash,
  });
  checkReplicationBelief("n1", view, peer, { own, peer: disk(3, 22) });
  checkReplicationBelief("n1", view, peer, { own, peer: disk(4, null) });
  for (const hash of [23, null]) {
    assertViolates("Replication Belief", () => {
      checkReplicationBelief("n1", view, peer, { own, peer: disk(3, hash) });
    });
  }
  assertViolates("Replication Belief", () => {
    const behind = peerOf({ matchIndex: 2, nextIndex: 2 });
    checkReplicationBelief("n1", view, behind, { own, peer: disk(3, 22) });
  });
});

test("commit term: a leader that counts copies of an earlier term's entry is caught (§5.4.2)", () => {
  checkCommitTerm(4, 3, 3);
  assertViolates("Committed On Quorum", () => {
    checkCommitTerm(4, 2, 3);
  });
});

test("leader append-only: a leader that cuts its own log is caught (§5.3)", () => {
  const leader = viewOf({ role: "leader", currentTerm: 3 });
  const follower = viewOf({ currentTerm: 3 });
  checkLeaderAppendOnly("n1", follower, leader, 4);
  checkLeaderAppendOnly("n1", leader, viewOf({ currentTerm: 4 }), 4);
  assertViolates("Leader Append-Only", () => {
    checkLeaderAppendOnly("n1", leader, leader, 4);
  });
});
