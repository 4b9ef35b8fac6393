import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReadIndexReply } from "@quorate/wire";
import { decodeConfiguration, encodeConfiguration, configurationOf } from "@quorate/wire";
import { InvariantViolation } from "@quorate/node/testing";
import type { DeferredEnvelope, Output, RaftConfig, RaftView } from "../../../../src/raft/index.ts";
import { RAFT_DEFAULTS, RaftCore } from "../../../../src/raft/index.ts";
import { StepWatch } from "../../../../src/testing/checkers/steps/step-watch.ts";
import {
  appendEntries,
  appendReply,
  installSnapshot,
  preVote,
  ServerUnderTest,
  TICKS,
} from "../../../raft/server-under-test.ts";
import { assertCaughtAs } from "../../../sim/first-failure.ts";
import { entryOf, peerOf } from "../view-of.ts";
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

/** One input of a right core, and what a wrong one would be like after it. */
interface WrongStep {
  readonly claim: string;
  readonly says: RegExp;
  readonly server: () => ServerUnderTest;
  readonly input: (core: RaftCore) => void;
  readonly wrong: (view: RaftView) => Partial<RaftView>;
}

const isWaitingOn = (): Partial<RaftView> => ({ electionTicksLeft: 3 });

function following(): ServerUnderTest {
  return new ServerUnderTest({ currentTerm: 1 });
}

function leading(): ServerUnderTest {
  return new ServerUnderTest().lead();
}

/** Has applied eight entries. */
function applied(): ServerUnderTest {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1, 1, 1, 1, 1], commitIndex: 8 });
  server.core.takeOutput();
  return server;
}

function asking(): ServerUnderTest {
  const server = new ServerUnderTest();
  server.startPreVote();
  return server;
}

/** One for each kind of input that has rules of its own, beside ticks: without them nobody judges it. */
const WRONG_STEPS: readonly WrongStep[] = [
  {
    claim: "a voter that does not wait for whom it voted for (§5.2)",
    says: /^n1 does not begin to wait anew for n2, which it voted for$/u,
    server: following,
    input: (core) => {
      core.receive("n2", requestVote({ term: 2 }));
    },
    wrong: isWaitingOn,
  },
  {
    claim: "a vote for who only asks for a pre-vote (Diss. §9.6)",
    says: /^n1 is not as before n2 asked it for a pre-vote$/u,
    server: following,
    input: (core) => {
      core.receive("n2", preVote("n2", 2));
    },
    wrong: () => ({ votedFor: "n2" }),
  },
  {
    claim: "a pre-vote of another term that counts (Diss. §9.6)",
    says: /^n1 asks about term 1 and counts an answer that is about term 9$/u,
    server: asking,
    input: (core) => {
      core.receive("n2", { type: "PreVoteReply", term: 0, preVoteTerm: 9, voteGranted: true });
    },
    wrong: () => ({ votesGranted: 2 }),
  },
  {
    claim: "a commit point that no leader told (§5.3)",
    says: /^n1 has committed 1, n2 tells it that 0 is$/u,
    server: following,
    input: (core) => {
      core.receive("n2", appendEntries({ term: 1 }));
    },
    wrong: () => ({ commitIndex: 1 }),
  },
  {
    claim: "an answer of an earlier term that confirms a round (§5.3)",
    says: /^n1 believes of n2 in term 1 what it said in an earlier one$/u,
    server: leading,
    input: (core) => {
      core.receive("n2", appendReply({ term: 0 }));
    },
    wrong: () => ({ confirmedRound: 99 }),
  },
  {
    claim: "a refusal of a request of an earlier reign that is a sign of life (§6.2)",
    says: /^n1 believes of n2 in term 1 what it said in an earlier one$/u,
    server: leading,
    input: (core) => {
      core.receive("n2", appendReply({ term: 1, success: false }));
    },
    wrong: ({ peers }) => ({ peers: peers.map((peer) => ({ ...peer, silentTicks: 9 })) }),
  },
  {
    claim: "a refusal of a piece of an earlier reign that is a sign of life (§6.2)",
    says: /^n1 believes of n2 in term 1 what it said in an earlier one$/u,
    server: leading,
    input: (core) => {
      core.receive("n2", {
        type: "InstallSnapshotReply",
        term: 1,
        lastIncludedIndex: 0,
        snapshotId: "s",
        nextOffset: 0,
        installed: false,
      });
    },
    wrong: ({ peers }) => ({ peers: peers.map((peer) => ({ ...peer, silentTicks: 9 })) }),
  },
  {
    claim: "a piece of a snapshot that is no sign of the leader (§7)",
    says: /^n1 heard its leader n2, and does not wait anew before it campaigns$/u,
    server: following,
    input: (core) => {
      core.receive("n2", installSnapshot({ term: 1, lastIncludedIndex: 5 }));
    },
    wrong: isWaitingOn,
  },
  {
    claim: "a process that has ended, and is taken for active",
    says: /^n1 takes what was on its way to n2, whose process has ended, for sent$/u,
    server: leading,
    input: (core) => {
      core.peerDown("n2");
    },
    wrong: ({ peers }) => ({ peers: peers.map((peer) => ({ ...peer, recentlyActive: true })) }),
  },
  {
    claim: "a snapshot that takes the whole log with it (§7)",
    says: /^the log of n1 begins at 9, its snapshot ends at 8: 4 entries before that were to stay$/u,
    server: applied,
    input: (core) => {
      core.snapshotTaken(8);
    },
    wrong: () => ({ firstLogIndex: 9 }),
  },
  {
    claim: "entries that are dropped for a snapshot that they contain (Figure 13)",
    says: /^n1 drops entries for a snapshot at 6, which they contain$/u,
    server: applied,
    input: (core) => {
      const message = installSnapshot({ term: 1, lastIncludedIndex: 6 });
      core.snapshotReceived({ from: "n2", message });
    },
    wrong: () => ({ lastLogIndex: 6 }),
  },
];

const SERVER_CONFIG: RaftConfig = {
  ...RAFT_DEFAULTS,
  ...TICKS,
  nodeId: "n1",
  trailingEntries: 4,
  leaseReads: false,
};

function watchedServer({ core }: Pick<ServerUnderTest, "core">): StepWatch {
  return new StepWatch(core, { config: SERVER_CONFIG, world: WORLD, readIds: new Set() });
}

function assertRuleBroken(says: RegExp, act: () => void): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof InvariantViolation, String(error));
    assert.equal(error.invariant, "Rules Of A Step");
    assert.match(error.message, says);
    return true;
  });
}

for (const { claim, says, server, input, wrong } of WRONG_STEPS) {
  test(`step watch: catches ${claim}`, () => {
    const right = server();
    const rightWatch = watchedServer(right);
    input(right.core);
    rightWatch.looked(right.core.view());

    const { core } = server();
    const watch = watchedServer({ core });
    input(core);
    const view = core.view();
    assertRuleBroken(says, () => {
      watch.looked({ ...view, ...wrong(view) });
    });
  });
}

test("step watch: catches a leader that is removed and asks nobody to lead (Diss. §4.2.2)", () => {
  const server = leading();
  const watch = watchedServer(server);
  const view = server.core.view();
  const peers = [peerOf({ id: "n2" }), peerOf({ id: "n3" })];
  const configuration = configurationOf({ voters: ["n2", "n3"] });
  watch.looked({ ...view, peers, commitIndex: 0, configuration, configurationIndex: 1 });
  server.core.tick();
  watch.looked({ ...view, role: "follower", peers: [], configuration, configurationIndex: 1 });
  assertRuleBroken(/^n1 is removed and leaves n2, n3 without a leader$/u, () => {
    server.core.takeOutput();
  });
});

test("step watch: catches a read that outlives its leader (Diss. §6.4)", () => {
  const server = leading();
  const watch = watchedServer(server);
  server.core.readIndex();
  watch.looked({ ...server.core.view(), role: "follower", leaderId: null, peers: [] });
  assertRuleBroken(/^n1 goes on with read \d+, whose leader leads no more$/u, () => {
    server.core.takeOutput();
  });
});

test("step watch: catches a read that no quorum has confirmed (Diss. §6.4)", () => {
  for (const from of ["n1", "n2"]) {
    const server = leading();
    const takeOutput = server.core.takeOutput.bind(server.core);
    let requestId = 5;
    server.core.takeOutput = () => ({
      ...takeOutput(),
      ...(from === "n1"
        ? { readStates: [{ requestId, readIndex: 1 }] }
        : { messages: [{ to: from, message: confirmed(requestId) }] }),
    });
    watchedServer(server);
    if (from === "n1") requestId = server.core.readIndex();
    else server.core.receive(from, { type: "ReadIndex", term: 1, requestId });
    assertRuleBroken(/^n1 answers a read of n[12], and no quorum has echoed round \d+$/u, () => {
      server.core.takeOutput();
    });
  }
});

function confirmed(requestId: number): ReadIndexReply {
  return { type: "ReadIndexReply", term: 1, requestId, readIndex: 1 };
}

test("step watch: catches a transfer that is never given up (Diss. §3.10)", () => {
  const { core } = leading();
  const watch = watchedServer({ core });
  watch.looked({ ...core.view(), transferTarget: "n2" });
  assertRuleBroken(/^n1 waits for n2 to take over since \d+ ticks$/u, () => {
    for (let tick = 0; tick < SERVER_CONFIG.electionTicks; tick++) {
      core.tick();
      watch.looked({ ...core.view(), role: "leader", transferTarget: "n2" });
    }
  });
});

test("step watch: catches an acknowledgement of what is cut before a disk has it (Figure 2)", () => {
  const installed = installSnapshot({ term: 1, lastIncludedIndex: 6 });
  const other = { leaderId: "n3", term: 2, prevLogIndex: 1, prevLogTerm: 1 } as const;
  const cuts: readonly ((core: RaftCore) => void)[] = [
    (core) => {
      core.receive("n3", appendEntries({ ...other, entries: [entryOf(2, 2)] }));
    },
    (core) => {
      core.snapshotReceived({ from: "n2", message: installed });
    },
  ];
  for (const cut of cuts) {
    const { core } = following();
    const message = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 });
    const late: DeferredEnvelope[] = [];
    const takeOutput = core.takeOutput.bind(core);
    core.takeOutput = () => {
      const output = takeOutput();
      return { ...output, messagesAfterPersist: [...output.messagesAfterPersist, ...late] };
    };
    watchedServer({ core });
    const [first, second] = [entryOf(1, 1), entryOf(2, 1)];
    core.receive("n2", appendEntries({ term: 1, entries: [first] }));
    core.takeOutput();
    const next = { prevLogIndex: 1, prevLogTerm: 1, entries: [second] };
    core.receive("n2", appendEntries({ term: 1, ...next }));
    cut(core);
    core.persisted(1);
    late.push({ to: "n2", message, afterSequence: 2 });
    assertRuleBroken(/^n1 answers n2 with .*"matchIndex":2/u, () => {
      core.takeOutput();
    });
  }
});

test("step watch: a voter is loyal for an election timeout since it heard or started (Diss. §6.4.1)", () => {
  const server = following();
  const watch = watchedServer(server);
  const wait = (ticks: number): void => {
    for (let tick = 0; tick < ticks; tick++) server.core.tick();
  };
  wait(SERVER_CONFIG.electionTicks - 1);
  assert.equal(watch.isLoyal, true);
  server.core.receive("n2", appendEntries({ term: 1 }));
  wait(SERVER_CONFIG.electionTicks - 1);
  assert.equal(watch.isLoyal, true);
  wait(1);
  assert.equal(watch.isLoyal, false);
  const leader = leading();
  const watchOfLeader = watchedServer(leader);
  for (let tick = 0; tick < SERVER_CONFIG.electionTicks; tick++) leader.core.tick();
  assert.equal(watchOfLeader.isLoyal, true);
});

test("step watch: a request that is refused cuts nothing (Figure 2)", () => {
  const { core } = following();
  watchedServer({ core });
  core.receive("n2", appendEntries({ term: 1, entries: [entryOf(1, 1), entryOf(2, 1)] }));
  const refused = { prevLogIndex: 1, prevLogTerm: 0, entries: [entryOf(2, 2)] };
  core.receive("n3", appendEntries({ leaderId: "n3", term: 2, ...refused }));
  const [first] = core.takeOutput().messagesAfterPersist;
  const { message } = first ?? assert.fail();
  assert.equal(message.type === "AppendEntriesReply" && message.matchIndex, 2);
});

test("step watch: catches bytes that are stored of a snapshot which the log has (Figure 13)", () => {
  const server = applied();
  const message = installSnapshot({ term: 1, lastIncludedIndex: 6 });
  const takeOutput = server.core.takeOutput.bind(server.core);
  server.core.takeOutput = () => ({ ...takeOutput(), snapshotChunks: [{ from: "n2", message }] });
  watchedServer(server);
  server.core.receive("n2", message);
  assertRuleBroken(/^n1 stores a snapshot at 6: its log has it all$/u, () => {
    server.core.takeOutput();
  });
});

test("seeded bug: a cluster whose voters refuse against Figure 2 is caught at the step (§5.2)", async () => {
  await assertCaughtAs(
    { createCore: (...from) => new NoVoter(...from), judgesSteps: true },
    "Rules Of A Step",
  );
});
