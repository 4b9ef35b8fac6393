import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestVote } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { RaftView } from "../../../../src/raft/index.ts";
import type { StepWorld } from "../../../../src/testing/checkers/steps/step.ts";
import {
  checkElected,
  checkPreVoteReplyStep,
  checkPreVoteStep,
  checkTick,
  checkVoteStep,
  expectedPreVote,
  expectedVote,
} from "../../../../src/testing/checkers/steps/vote-rules.ts";
import { assertViolates } from "../violates.ts";
import { CONFIG, preVote, requestVote, stepOf, WORLD } from "./step-of.ts";

const LOG = { lastLogIndex: 5, lastLogTerm: 1 };
const NEVER = CONFIG.electionTicks;

test("vote rules: granted to who is up to date and first, and again to the same (§5.2, §5.4.1)", () => {
  const cases = [
    { request: requestVote(), view: {}, granted: true },
    { request: requestVote(), view: { votedFor: "n2" }, granted: true },
    { request: requestVote(), view: { votedFor: "n3" }, granted: false },
    { request: requestVote({ term: 2 }), view: { votedFor: "n3" }, granted: true },
    { request: requestVote({ lastLogIndex: 4 }), view: {}, granted: false },
    { request: requestVote({ lastLogIndex: 1, lastLogTerm: 2 }), view: {}, granted: true },
    { request: requestVote(), view: { voteFloor: { index: 6, term: 1 } }, granted: false },
    { request: requestVote({ term: 0 }), view: {}, granted: false },
    {
      request: requestVote(),
      view: { configuration: configurationOf({ voters: ["n2"], learners: ["n1"] }) },
      granted: true,
    },
  ];
  for (const { request, view, granted } of cases) {
    const answer = expectedVote(stepOf({ ...LOG, ...view }), "n2", request, NEVER);
    assert.deepEqual(answer, {
      type: "RequestVoteReply",
      to: "n2",
      term: Math.max(1, request.term),
      voteGranted: granted,
      isOwed: true,
    });
  }
});

test("vote rules: who hears a leader disregards others, unless it asked for them (Diss. §4.2.3)", () => {
  const later = requestVote({ term: 2 });
  const loyal = stepOf({ ...LOG, leaderId: "n3" });
  assert.equal(expectedVote(loyal, "n2", later, 1), null);
  assert.equal(expectedVote(stepOf({ ...LOG, role: "leader" }), "n2", later, NEVER), null);
  const asked = { ...later, leadershipTransfer: true };
  assert.equal(expectedVote(loyal, "n2", asked, 1)?.isOwed, true);
  assert.equal(expectedVote(loyal, "n2", later, NEVER)?.isOwed, true);
  assert.equal(expectedVote(stepOf(LOG), "n2", later, 1)?.isOwed, true);
  const leases = { ...stepOf(LOG), config: { ...CONFIG, leaseReads: true } };
  assert.equal(expectedVote(leases, "n2", later, 1), null);
  assert.equal(expectedVote(leases, "n2", later, NEVER)?.isOwed, true);
  // In a term that was learned otherwise; who has its vote already gets it again.
  const free = { ...leases, before: { ...leases.before, votedFor: null } };
  const given = { ...leases, before: { ...leases.before, votedFor: "n2" } };
  assert.equal(grantOf(free, requestVote(), 1), false);
  assert.equal(grantOf(free, requestVote({ leadershipTransfer: true }), 1), true);
  assert.equal(grantOf(free, requestVote(), NEVER), true);
  assert.equal(grantOf(given, requestVote(), 1), true);
  assert.equal(grantOf(stepOf({ ...LOG, votedFor: null, leaderId: "n3" }), requestVote(), 1), true);
  assert.equal(expectedPreVoteOf(leases, 1), false);
  assert.equal(expectedPreVoteOf(leases, NEVER), true);
  assert.equal(expectedPreVoteOf(loyal, 1), false);
  assert.equal(expectedPreVoteOf(stepOf(LOG), 1), true);
});

function grantOf(
  step: Parameters<typeof expectedVote>[0],
  request: RequestVote,
  silentTicks: number,
): boolean {
  const answer = expectedVote(step, "n2", request, silentTicks);
  return answer?.type === "RequestVoteReply" && answer.voteGranted;
}

function expectedPreVoteOf(
  step: Parameters<typeof expectedPreVote>[0],
  silentTicks: number,
): boolean {
  const answer = expectedPreVote(step, "n2", preVote(), silentTicks);
  assert.equal(answer.type, "PreVoteReply");
  return answer.voteGranted;
}

test("vote rules: a vote begins a new wait, a refusal does not (§5.2)", () => {
  const granting = { ...LOG, votedFor: null };
  const anew = { votedFor: "n2", electionTicksLeft: 12, electionTimeoutTicks: 12 };
  const granted = expectedVote(stepOf(granting), "n2", requestVote(), NEVER);
  checkVoteStep(stepOf(granting, anew), requestVote(), granted);
  for (const wrong of [{ votedFor: "n2" }, { ...anew, votedFor: "n3" }]) {
    assertViolates("Rules Of A Step", () => {
      checkVoteStep(stepOf(granting, wrong), requestVote(), granted);
    });
  }
  const refusing = { ...LOG, votedFor: "n3" };
  const refused = expectedVote(stepOf(refusing), "n2", requestVote(), NEVER);
  checkVoteStep(stepOf(refusing), requestVote(), refused);
  const campaigning = { ...refusing, role: "candidate", votesGranted: 1 } as const;
  const gaveUp = { role: "follower", currentTerm: 2, electionTicksLeft: 10 } as const;
  checkVoteStep(stepOf(campaigning, gaveUp), requestVote({ term: 2 }), refused);
  for (const answer of [refused, null]) {
    assertViolates("Rules Of A Step", () => {
      checkVoteStep(stepOf(refusing, { electionTicksLeft: 10 }), requestVote(), answer);
    });
  }
});

test("vote rules: a pre-vote that changes who is asked is caught (Diss. §9.6)", () => {
  checkPreVoteStep(stepOf(LOG), preVote());
  for (const change of [{ currentTerm: 2 }, { votedFor: "n2" }, { electionTicksLeft: 10 }]) {
    assertViolates("Rules Of A Step", () => {
      checkPreVoteStep(stepOf(LOG, change), preVote());
    });
  }
});

test("vote rules: an answer about another term that counts is caught (Diss. §9.6)", () => {
  const asking = { role: "preCandidate", currentTerm: 4, votesGranted: 1 } as const;
  const counted = stepOf(asking, { votesGranted: 2 });
  const reply = { type: "PreVoteReply", term: 4, preVoteTerm: 5, voteGranted: true } as const;
  checkPreVoteReplyStep(counted, reply);
  checkPreVoteReplyStep(stepOf(asking), { ...reply, preVoteTerm: 4 });
  assertViolates("Rules Of A Step", () => {
    checkPreVoteReplyStep(counted, { ...reply, preVoteTerm: 4 });
  });
});

test("vote rules: a voter that waits on after its timeout is caught, on its way out too (§5.2)", () => {
  const outgoing = {
    configuration: configurationOf({ voters: ["n2", "n3"] }),
    configurationIndex: 5,
  };
  const campaigns = { role: "preCandidate", votesGranted: 1 } as const;
  for (const view of [LOG, { ...LOG, ...outgoing }]) {
    checkTick(stepOf({ ...view, electionTicksLeft: 2 }, { electionTicksLeft: 1 }), WORLD);
    for (const wrong of [{}, campaigns, { ...campaigns, electionTicksLeft: 1 }]) {
      assertViolates("Rules Of A Step", () => {
        checkTick(stepOf({ ...view, electionTicksLeft: 2 }, wrong), WORLD);
      });
    }
    checkTick(stepOf({ ...view, electionTicksLeft: 1 }, campaigns), WORLD);
    checkTick(stepOf({ ...view, electionTicksLeft: 1 }, { isStalled: true }), WORLD);
    assertViolates("Rules Of A Step", () => {
      checkTick(stepOf({ ...view, electionTicksLeft: 1 }), WORLD);
    });
  }
  const { configuration } = outgoing;
  const gone = { ...WORLD, committedAt: () => configuration };
  checkTick(stepOf({ ...LOG, ...outgoing, electionTicksLeft: 1 }), gone);
});

test("vote rules: a leader that no quorum voted for is caught (§5.2, §6)", () => {
  const votes = (...voters: string[]): StepWorld => ({
    ...WORLD,
    voteOf: (term, voter) => (term === 2 && voters.includes(voter) ? "n1" : null),
  });
  const campaigns = { role: "candidate", currentTerm: 2, votesGranted: 1 } as const;
  const leads = { role: "leader", votesGranted: null } as const;
  const elected = (view: Partial<RaftView>, world: StepWorld): void => {
    checkElected(stepOf({ ...campaigns, ...view }, leads), world);
  };
  const joint = configurationOf({ voters: ["n1", "n2"], votersOutgoing: ["n3", "n4", "n5"] });
  const alone = configurationOf({ voters: ["n1"] });
  elected({}, votes("n3"));
  elected({ configuration: alone }, votes());
  elected({ configuration: joint }, votes("n2", "n3", "n5"));
  checkElected(stepOf({ ...campaigns, ...leads }), votes());
  checkElected(stepOf(campaigns), votes());
  for (const [view, world] of [
    [{}, votes()],
    [{}, votes("n4")],
    [{ currentTerm: 3 }, votes("n2", "n3")],
    [{}, { ...WORLD, voteOf: () => "n3" }],
    [{ configuration: joint }, votes("n2", "n3")],
    [{ configuration: joint }, votes("n3", "n4", "n5")],
  ] as const) {
    assertViolates("Rules Of A Step", () => {
      elected(view, world);
    });
  }
});
