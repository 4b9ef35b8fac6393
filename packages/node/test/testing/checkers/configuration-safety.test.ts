import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration } from "@quorate/wire";
import { configurationOf, encodeConfiguration } from "@quorate/wire";
import type { AppendedConfiguration } from "../../../src/testing/checkers/configuration-safety.ts";
import {
  checkAppended,
  checkCampaign,
  checkCaughtUp,
  checkInForce,
  checkNames,
  quorumsOverlap,
} from "../../../src/testing/checkers/configuration-safety.ts";
import { ConfigurationMirror } from "../../../src/testing/checkers/configuration-mirror.ts";
import { peerOf } from "./view-of.ts";
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

test("configuration safety: who was removed stays known, and never comes back (§6)", () => {
  const retired = (...ids: readonly string[]): Configuration => ({ ...three, retired: ids });
  checkNames(9, four, retired("n4"));
  checkNames(9, retired("n4"), retired("n4"));
  for (const [before, after] of [
    [four, three],
    [retired("n4"), three],
    [retired("n4"), { ...four, retired: ["n4"] }],
  ] as const) {
    assertViolates("Configuration Safety", () => {
      checkNames(9, before, after);
    });
  }
});

test("configuration safety: a server that votes before it has caught up is caught (Diss. §4.2.1)", () => {
  checkCaughtUp("n1", 5, peerOf({ matchIndex: 5 }));
  assertViolates("Configuration Safety", () => {
    checkCaughtUp("n1", 5, peerOf({ matchIndex: 4 }));
  });
});

test("configuration mirror: a server catches up since it first did, as far as the log tells", () => {
  const staged = { ...configurationOf({ voters: ["n1"], learners: ["n2"] }), staging: ["n2"] };
  const alone = configurationOf({ voters: ["n1"] });
  const log = [alone, staged, staged].map(encodeConfiguration);
  const mirror = new ConfigurationMirror();
  mirror.follow(1, log.length, (index) => ({
    index,
    term: 1,
    kind: "configuration",
    data: log[index - 1] ?? new Uint8Array(0),
  }));
  assert.equal(mirror.stagedAt("n2", 4, { index: 0, configuration: alone }), 2);
  assert.equal(mirror.stagedAt("n2", 3, { index: 1, configuration: alone }), 2);
  assert.equal(mirror.stagedAt("n2", 4, { index: 2, configuration: staged }), null);
});
