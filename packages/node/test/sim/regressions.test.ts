import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanOverrides } from "@quorate/node/testing";
import { describeFailure, simulate } from "@quorate/node/testing";

/** Seeds that once failed, and what it was. */
const REGRESSIONS: readonly {
  readonly seed: number;
  /** Left out: messages as a whole, else as it draws. */
  readonly overrides?: PlanOverrides;
  readonly was: string;
}[] = [
  {
    seed: 1795329540087,
    // The checker's own: it took what the cluster had committed for what was in the leader's log.
    was: "a leader that slept, and begins a change of members when it wakes up in a term gone by",
  },
  {
    seed: 1795330041151,
    // The scenario's own: a learner that was about to become the second voter had to stay up.
    was: "a learner that goes down in the moment in which it is promoted",
  },
  {
    seed: 861,
    // The checker's own: a leader cannot know yet what its target's disk lost.
    was: "a target of a transfer whose disk is damaged in the moment in which it is asked",
  },
  {
    seed: 1795341323589,
    overrides: { fabric: "streams" },
    // The scenario's own: each client knew one node, which had left for good.
    was: "a cluster that moved to other nodes while its clients were cut off",
  },
  {
    seed: 5024,
    was: "a leader that is elected again, and is refused a request of its earlier reign (Diss. §6.4)",
  },
  {
    seed: 827,
    // The checker's own: it took the members of before a snapshot for those before a change.
    was: "a server that installs a snapshot with other members and goes on with a change",
  },
  {
    seed: 399,
    // The scenario's own: who was wiped was counted on by a change that came when the leader woke.
    was: "a server that is wiped while a sleeping leader holds a change of members",
  },
  {
    seed: 926,
    // The scenario's own: the operator relied on a server whose log was rotten already.
    was: "a replacement that is asked for while another server's disk is damaged",
  },
  {
    seed: 550,
    // The checker's own: it had not heard the answer that committed the removal.
    was: "a removed leader that asks whoever answered in the same step to take over",
  },
  {
    seed: 30,
    overrides: { fabric: "streams" },
    // The scenario's own: an older start of a peer overwrote a newer one on the disk.
    was: "two starts of a peer that are remembered in the moment of a full disk",
  },
  {
    seed: 5,
    overrides: { storage: "sqlite" },
    // The product's own: the frame was taken for one of an older log, and two votes for one cut short.
    was: "a salt that rots in the last frame but one of a write-ahead log (rule 58)",
  },
  {
    seed: 203,
    overrides: { storage: "sqlite" },
    // The product's own: what was repaired held more than it was said to.
    was: "a page of the log that SQLite refuses at first, and reads the second time (rule 58)",
  },
  {
    seed: 1795384204452,
    // The scenario's own: who waited for the disk with a snapshot's file was not told that it is well.
    was: "a disk that hangs for longer than the faults last, while a snapshot arrives",
  },
  {
    seed: 5000118,
    overrides: { fabric: "streams" },
    // The product's own: each snapshot was out of date when it had been sent, for ever.
    was: "a state that takes longer to send than its log takes to be compacted (Raft §7)",
  },
  {
    seed: 6000637,
    overrides: { fabric: "streams" },
    // The product's own: the log went in the moment in which the snapshot had been sent.
    was: "a snapshot that is due while another is sent, and is taken before its follower is level",
  },
  {
    seed: 1795396750240,
    // The product's own: only what an AppendEntriesReply told it ended its doubt.
    was: "a rejection of before a snapshot, which comes when the leader had doubts already (Figure 2)",
  },
  {
    seed: 1795380724305,
    overrides: { storage: "sqlite" },
    // The scenario's own: it damaged a server that a configuration under way could not do without.
    was: "a leader that dies when it has sent new members and before it has stored them",
  },
  {
    seed: 60058,
    overrides: { storage: "sqlite" },
    // The checker's own: it took the answer that is owed for one that was only allowed.
    was: "a voter with leases that disregards a request, and answers its duplicate a moment later",
  },
  {
    seed: 36,
    overrides: {
      without: [
        "clientCut",
        "clientPause",
        "resetAfterCut",
        "powerCut",
        "isolateLeader",
        "crashLeader",
        "crash",
        "crashDuringSync",
        "clockDrift",
        "longDelay",
        "smallWindow",
      ],
    },
    // The scenario's own: a calm that began before the last slow sync of the faults had ended.
    was: "a leader that rightly hands over, because its disk hangs, while another node is away",
  },
  {
    seed: 2240,
    overrides: { fabric: "streams" },
    was: "a snapshot that becomes due while the one before is written, and no write that follows",
  },
  {
    seed: 269,
    was: "a vote of who is loyal to a leader with leases, in a term that an answer told it of",
  },
];

const MESSAGES: PlanOverrides = { fabric: "messages" };

for (const { seed, was, overrides = MESSAGES } of REGRESSIONS) {
  test(`seed ${seed}: ${was} (§6)`, async () => {
    const { failure } = await simulate(seed, { overrides });
    if (failure !== null) assert.fail(describeFailure(seed, failure, { overrides }));
  });
}
