import assert from "node:assert/strict";
import { test } from "node:test";

import type { HistoryCounts, Verdict } from "@quorate/wire/history";

import type { Evidence } from "../../src/verify/judge.ts";
import { judge } from "../../src/verify/judge.ts";
import type { FaultRecord } from "../../src/verify/nemesis.ts";

const COUNTS: HistoryCounts = {
  operations: 1,
  completed: 1,
  failed: 0,
  indeterminate: 0,
  watches: 0,
  keys: 1,
  partitions: 1,
};

const LINEARIZABLE: Verdict = {
  kind: "linearizable",
  tier: "witness",
  counts: COUNTS,
  decidedBy: { witness: 1 },
  steps: 1,
};

const KILLED: FaultRecord = {
  kind: "kill",
  event: { kind: "happened", shape: "leader", nodes: ["n1"], text: "killed n1", proof: "gone" },
  atMs: 1,
  heldMs: 1,
  servedAfterMs: 1,
  levelAfterMs: 1,
};

const PASSED: Evidence = {
  verdict: LINEARIZABLE,
  readBack: { losses: [], unread: [] },
  comparison: { kind: "equal", lastApplied: 9, revision: 8 },
  faultsWanted: ["kill"],
  faults: [KILLED],
  counts: { operations: 100, ok: 100, failed: 0, unknown: 0 },
  workloadMs: 1_000,
  okPerSecondMin: 10,
};

function codes(changes: Partial<Evidence>): string[] {
  return judge({ ...PASSED, ...changes }).map(({ code }) => code);
}

test("verdict: a run with nothing against it is passed", () => {
  assert.deepEqual(codes({}), []);
});

test("verdict: whatever the checker did not find linearizable fails, undecided histories too", () => {
  const unknown: Verdict = {
    kind: "unknown",
    why: "time",
    explanation: "e",
    keys: [],
    counts: COUNTS,
  };
  const empty: Verdict = {
    kind: "void",
    reason: "empty",
    explanation: "e",
    operations: [],
    counts: COUNTS,
  };
  const violation: Verdict = {
    kind: "violation",
    tier: "search",
    problem: "notLinearizable",
    keys: ["k"],
    window: [],
    writers: [],
    culprit: null,
    explanation: "e",
    counts: COUNTS,
  };
  assert.deepEqual(codes({ verdict: unknown }), ["undecided"]);
  assert.deepEqual(codes({ verdict: empty }), ["undecided"]);
  assert.deepEqual(codes({ verdict: violation }), ["notLinearizable"]);
});

test("verdict: lost writes, unread keys and nodes that differ fail", () => {
  const losses = Array.from({ length: 7 }, (_unused, at) => ({ key: `k${at}`, explanation: "e" }));
  const problems = judge({ ...PASSED, readBack: { losses, unread: ["k9"] } });
  assert.deepEqual(
    problems.map(({ code }) => code),
    [...Array.from({ length: 6 }, () => "lost"), "notServing"],
  );
  assert.match(problems[5]?.text ?? "", /2 more keys/u);
  assert.deepEqual(codes({ comparison: { kind: "diverged", explanation: "e" } }), ["diverged"]);
  assert.deepEqual(codes({ comparison: { kind: "unsettled", explanation: "e" } }), ["notLevel"]);
});

test("verdict: a fault that was asked for and never took effect fails, and says why", () => {
  const missed = {
    ...KILLED,
    kind: "pause",
    event: { kind: "missed", shape: "leader", why: "no node leads now" },
  } as const;
  const faultsWanted = ["kill", "pause", "partition"];
  const problems = judge({ ...PASSED, faultsWanted, faults: [KILLED, missed] });
  assert.deepEqual(
    problems.map(({ code, text }) => `${code}: ${text}`),
    [
      "faultMissing: pause never happened: no node leads now",
      "faultMissing: partition never happened: the run was over before",
    ],
  );
});

test("verdict: a cluster that is not level after the healing, and too few operations, fail", () => {
  assert.deepEqual(codes({ faults: [{ ...KILLED, levelAfterMs: null }] }), ["notLevel"]);
  assert.deepEqual(codes({ workloadMs: 10_001 }), ["tooFew"]);
  assert.deepEqual(codes({ workloadMs: 10_000 }), []);
});
