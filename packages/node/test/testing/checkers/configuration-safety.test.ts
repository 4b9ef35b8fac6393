import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { AppendedConfiguration } from "../../../src/testing/checkers/configuration-safety.ts";
import {
  checkAppended,
  checkCampaign,
  checkInForce,
  quorumsOverlap,
} from "../../../src/testing/checkers/configuration-safety.ts";
import { assertViolates } from "./violates.ts";

const three = configurationOf({ voters: ["n1", "n2", "n3"] });
const four = configurationOf({ voters: ["n1", "n2", "n3", "n4"] });
const others = configurationOf({ voters: ["n3", "n4", "n5"] });
const joint = configurationOf({ voters: others.voters, votersOutgoing: three.voters });

function change(
  before: Configuration,
  after: Configuration,
  changes: Partial<AppendedConfiguration> = {},
): AppendedConfiguration {
  return {
    leader: "n1",
    leaderTerm: 3,
    before: { index: 5, configuration: before },
    appended: { index: 9, configuration: after },
    commitIndex: 8,
    commitTerm: 3,
    ...changes,
  };
}

test("configuration safety: a joint configuration meets both of its halves, they not each other (§6)", () => {
  assert.equal(quorumsOverlap(three, joint), true);
  assert.equal(quorumsOverlap(joint, others), true);
  assert.equal(quorumsOverlap(three, others), false);
  assert.equal(quorumsOverlap(three, four), true);
  assert.equal(quorumsOverlap(joint, joint), true);
});

test("configuration safety: several voters at once without a joint configuration are caught (§6)", () => {
  checkAppended(change(three, joint));
  checkAppended(change(joint, others));
  assertViolates("Configuration Safety", () => {
    checkAppended(change(three, others));
  });
});

test("configuration safety: a joint configuration that is left before it is committed is caught (§6)", () => {
  assertViolates("Configuration Safety", () => {
    checkAppended(change(joint, others, { commitIndex: 4 }));
  });
});

test("configuration safety: a change before an entry of the leader's term is caught (Diss. §4.1)", () => {
  assertViolates("Configuration Safety", () => {
    checkAppended(change(three, joint, { commitTerm: 2 }));
  });
  checkAppended(change(joint, others, { commitTerm: 2 }));
});

test("configuration safety: members other than the latest in the log are caught (§6)", () => {
  const latest = { index: 9, configuration: joint };
  checkInForce("n1", latest, latest);
  for (const used of [
    { index: 5, configuration: three },
    { index: 9, configuration: three },
  ]) {
    assertViolates("Configuration Safety", () => {
      checkInForce("n1", used, latest);
    });
  }
});

test("configuration safety: whoever campaigns votes, or did until a change that is not committed (§6)", () => {
  checkCampaign("n1", three, three);
  checkCampaign("n1", others, three);
  checkCampaign("n1", joint, others);
  assertViolates("Configuration Safety", () => {
    checkCampaign("n1", others, others);
  });
  const learner = configurationOf({ voters: ["n2"], learners: ["n1"] });
  assertViolates("Configuration Safety", () => {
    checkCampaign("n1", learner, learner);
  });
});
