import { test } from "node:test";
import { decodeConfiguration, encodeConfiguration, configurationOf } from "@quorate/wire";
import type { Output } from "../../../../src/raft/index.ts";
import { RaftCore } from "../../../../src/raft/index.ts";
import { StepWatch } from "../../../../src/testing/checkers/steps/step-watch.ts";
import { assertCaughtAs } from "../../../sim/first-failure.ts";
import { assertViolates } from "../violates.ts";
import { CONFIG, requestVote, WORLD } from "./step-of.ts";

type Given = ConstructorParameters<typeof RaftCore>;

/** Says no where it said yes. */
class NoVoter extends RaftCore {
  override takeOutput(): Output {
    const output = super.takeOutput();
    const messagesAfterPersist = output.messagesAfterPersist.map((sent) => {
      const { message } = sent;
      if (message.type !== "RequestVoteReply") return sent;
      return { ...sent, message: { ...message, voteGranted: false } };
    });
    return { ...output, messagesAfterPersist };
  }
}

/** Campaigns no sooner for having waited. */
class PatientCore extends RaftCore {
  override tick(): void {
    if (this.view().electionTicksLeft > 1) super.tick();
  }
}

function given(): Given {
  const configuration = configurationOf({ voters: ["n1", "n2", "n3"] });
  const recovered = {
    hardState: { currentTerm: 1, votedFor: null, commitIndex: 0 },
    snapshot: { lastIncludedIndex: 0, lastIncludedTerm: 0, configuration, configurationIndex: 0 },
    beforeFirst: { index: 0, term: 0 },
    entries: [],
    voteFloor: null,
  };
  const codec = { encode: encodeConfiguration, decode: decodeConfiguration };
  return [CONFIG, recovered, { below: () => 0 }, codec];
}

function watched(core: RaftCore): StepWatch {
  return new StepWatch(core, { config: CONFIG, world: WORLD, readIds: new Set() });
}

function elect(core: RaftCore): void {
  core.receive("n2", requestVote({ term: 2 }));
  core.takeOutput();
}

function waitInVain(core: RaftCore): void {
  for (let tick = 0; tick < 2 * CONFIG.electionTicks; tick++) core.tick();
}

test("step watch: a core that keeps the rules goes on unseen", () => {
  const core = new RaftCore(...given());
  const watch = watched(core);
  elect(core);
  waitInVain(core);
  watch.looked(core.view());
});

test("step watch: a vote that is refused against Figure 2 is caught when it leaves (§5.2)", () => {
  const core = new NoVoter(...given());
  watched(core);
  assertViolates("Rules Of A Step", () => {
    elect(core);
  });
});

test("step watch: a voter that waits for ever is caught (§5.2)", () => {
  const core = new PatientCore(...given());
  watched(core);
  assertViolates("Rules Of A Step", () => {
    waitInVain(core);
  });
});

test("seeded bug: a cluster whose voters refuse against Figure 2 is caught at the step (§5.2)", async () => {
  await assertCaughtAs(
    { createCore: (...from) => new NoVoter(...from), judgesSteps: true },
    "Rules Of A Step",
  );
});
