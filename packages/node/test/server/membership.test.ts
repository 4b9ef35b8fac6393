import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangeMembersRequest, Configuration, MembersChange } from "@quorate/wire";
import type { ConfigurationTarget, PeerView, RaftView } from "../../src/raft/index.ts";
import type { ChangeOutcome } from "../../src/server/driver-outcomes.ts";
import { Membership } from "../../src/server/membership.ts";

const MEMBERS: Configuration = {
  voters: ["n1", "n2", "n3"],
  votersOutgoing: [],
  learners: [],
  staging: [],
  addresses: ["n1", "n2", "n3"].map((id) => ({ id, address: `${id}.example:7001` })),
  retired: [],
};

function peer(id: string, matchIndex: number): PeerView {
  return {
    id,
    matchIndex,
    nextIndex: matchIndex + 1,
    state: "replicate",
    inFlightMessages: 0,
    inFlightBytes: 0,
    silentTicks: 0,
    recentlyActive: true,
    catchUpRounds: 0,
    isDeparting: false,
  };
}

/** What a leader of three at `commitIndex` looks like. */
function leading(configuration: Configuration, commitIndex: number, peers: PeerView[]): RaftView {
  return {
    role: "leader",
    currentTerm: 2,
    votedFor: "n1",
    leaderId: "n1",
    commitIndex,
    lastApplied: commitIndex,
    firstLogIndex: 1,
    lastLogIndex: commitIndex,
    lastLogTerm: 2,
    durableIndex: commitIndex,
    configuration,
    configurationIndex: 1,
    snapshotIndex: 0,
    isStalled: false,
    voteFloor: null,
    round: 0,
    confirmedRound: 0,
    votesGranted: null,
    electionTicksLeft: 10,
    electionTimeoutTicks: 10,
    transferTarget: null,
    peers,
  };
}

/** A leader's membership, at the mercy of the test: what it sees, and when its turns come. */
function rig() {
  const turns: (() => void)[] = [];
  const asked: { target: ConfigurationTarget; done: (outcome: ChangeOutcome) => void }[] = [];
  const replaced: (string | null)[] = [];
  const state = { view: leading(MEMBERS, 10, [peer("n2", 10), peer("n3", 10)]) };
  const membership = new Membership({
    nodeId: "n1",
    view: () => state.view,
    changeMembers: (target, _options, done) => {
      asked.push({ target, done });
    },
    addressOf: () => null,
    soon: (turn) => {
      turns.push(turn);
    },
    onReplaced: (_id, _withId, failure) => {
      replaced.push(failure);
    },
  });
  const ask = (change: MembersChange): void => {
    const request: ChangeMembersRequest = {
      type: "ChangeMembers",
      requestId: 1,
      change,
      expectedConfigurationIndex: null,
      force: false,
      dryRun: false,
    };
    membership.change(request, () => undefined);
  };
  const see = (view: RaftView): void => {
    state.view = view;
    membership.observe(view);
  };
  return { state, membership, turns, asked, replaced, ask, see };
}

const REPLACE: MembersChange = {
  kind: "replace",
  id: "n3",
  withId: "n4",
  address: "n4.example:7001",
};
const WITH_LEARNER: Configuration = {
  ...MEMBERS,
  learners: ["n4"],
  addresses: [...MEMBERS.addresses, { id: "n4", address: "n4.example:7001" }],
};
const APPLIED: ChangeOutcome = { kind: "applied", index: 11, term: 2, result: null };

test("replace: goes on when more is committed between catching up and the second step (Diss. §4.2.1)", () => {
  const { state, turns, asked, replaced, ask, see } = rig();
  ask(REPLACE);
  assert.deepEqual(asked[0]?.target.learners, ["n4"]);
  asked[0]?.done(APPLIED);
  see(leading(WITH_LEARNER, 11, [peer("n2", 11), peer("n3", 5), peer("n4", 11)]));
  assert.equal(turns.length, 1, "it has caught up");
  // A writer is faster than the turn of the loop.
  state.view = leading(WITH_LEARNER, 12, [peer("n2", 12), peer("n3", 5), peer("n4", 11)]);
  turns[0]?.();
  assert.deepEqual(asked[1]?.target.voters, ["n1", "n2", "n4"]);
  assert.deepEqual(replaced, []);
  asked[1]?.done(APPLIED);
  assert.deepEqual(replaced, [null]);
});

test("replace: is given up with the reason when its new member was taken out before the second step", () => {
  const { state, turns, asked, replaced, ask, see } = rig();
  ask(REPLACE);
  asked[0]?.done(APPLIED);
  see(leading(WITH_LEARNER, 11, [peer("n2", 11), peer("n3", 5), peer("n4", 11)]));
  state.view = leading(MEMBERS, 12, [peer("n2", 12), peer("n3", 5)]);
  turns[0]?.();
  assert.equal(asked.length, 1);
  assert.deepEqual(replaced, ["n4 is no member any more"]);
});

test("replace: is given up when its new member was taken out before it had caught up", () => {
  const { turns, asked, replaced, ask, see } = rig();
  ask(REPLACE);
  asked[0]?.done(APPLIED);
  see(leading({ ...MEMBERS, retired: ["n4"] }, 12, [peer("n2", 12), peer("n3", 5)]));
  turns[0]?.();
  assert.deepEqual(replaced, ["n4 was a member before, and an id is used once"]);
});

test("replace: asked again and done at once is done, when that is committed and no sooner", () => {
  const { turns, asked, replaced, ask, see } = rig();
  ask(REPLACE);
  asked[0]?.done(APPLIED);
  const peers = [peer("n2", 11), peer("n4", 11)];
  const joined = { ...WITH_LEARNER, voters: ["n1", "n2", "n4"], learners: [] };
  see({ ...leading(joined, 11, peers), configurationIndex: 12 });
  assert.deepEqual([turns.length, replaced], [0, []]);
  see({ ...leading(joined, 12, peers), configurationIndex: 12 });
  assert.deepEqual([turns.length, replaced], [0, [null]]);
});

test("replace: another one that is asked for ends it, the same one does not", () => {
  const { asked, replaced, ask } = rig();
  for (const withId of ["n4", "n4", "n5"]) {
    ask({ ...REPLACE, withId });
    asked.at(-1)?.done(APPLIED);
  }
  assert.deepEqual(replaced, ["n3 is to be replaced by n5 instead"]);
});

test("replace: is over when this node leads no more before the second step", () => {
  const { state, turns, asked, replaced, ask, see } = rig();
  ask(REPLACE);
  asked[0]?.done(APPLIED);
  const view = leading(WITH_LEARNER, 11, [peer("n2", 11), peer("n3", 5), peer("n4", 11)]);
  see(view);
  state.view = { ...view, role: "follower", leaderId: "n2", peers: [] };
  turns[0]?.();
  assert.equal(asked.length, 1);
  assert.deepEqual(replaced, ["leadership went to n2"]);
});

test("replace: a leader that is replaced while its new member catches up says so", () => {
  const { asked, turns, replaced, ask, see } = rig();
  ask(REPLACE);
  asked[0]?.done(APPLIED);
  const view = leading(WITH_LEARNER, 11, [peer("n2", 11), peer("n3", 5), peer("n4", 3)]);
  see(view);
  see({ ...view, role: "follower", leaderId: null, peers: [] });
  assert.deepEqual([turns.length, replaced], [0, ["leadership went to nobody yet"]]);
});
