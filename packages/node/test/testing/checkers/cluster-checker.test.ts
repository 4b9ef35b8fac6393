import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration, LogEntry, NodeId, RaftMessage } from "@quorate/wire";
import { configurationOf, encodeConfiguration } from "@quorate/wire";
import { InvariantViolation } from "@quorate/node/testing";
import type { Invariant } from "@quorate/node/testing";
import type { HardState, PersistBatch, RaftView } from "../../../src/raft/index.ts";
import { InvariantError, RAFT_DEFAULTS, RaftCore } from "../../../src/raft/index.ts";
import { ClusterChecker } from "../../../src/testing/checkers/cluster-checker.ts";
import { Coverage } from "../../../src/testing/coverage.ts";
import { SimDisk } from "../../../src/testing/sim-disk.ts";
import { appendEntries, CODEC } from "../../raft/server-under-test.ts";
import { entryOf, peerOf, viewOf } from "./view-of.ts";

const MEMBERS = configurationOf({ voters: ["n1", "n2", "n3"] });
const BOUNDS = {
  appendEntriesMaxBytes: 100,
  inFlightMaxMessages: 4,
  inFlightMaxBytes: 400,
  uncommittedMaxBytes: 100,
};

/** What a core shows: its log, and of its view what is not the default. */
interface Shown extends Partial<RaftView> {
  readonly log?: readonly LogEntry[];
  readonly leaseReadIndex?: number;
}

/** A core that shows what no right one would. */
class BrokenCore extends RaftCore {
  shown: Shown = {};

  override view(): RaftView {
    const { log = [], leaseReadIndex: _, ...view } = this.shown;
    return viewOf({
      configuration: MEMBERS,
      lastLogIndex: log.length,
      lastLogTerm: log.at(-1)?.term ?? 0,
      ...view,
    });
  }

  override entryAt(index: number): LogEntry | null {
    return this.shown.log?.[index - 1] ?? null;
  }

  override termAt(index: number): number | null {
    return index === 0 ? 0 : (this.entryAt(index)?.term ?? null);
  }

  override leaseReadIndex(): number | null {
    return this.shown.leaseReadIndex ?? null;
  }
}

/** n1 to n4, of which n4 is no member, all of them running, with empty disks. */
class Cluster {
  readonly checker: ClusterChecker;
  readonly #cores = new Map<NodeId, BrokenCore>();
  readonly #disks = new Map<NodeId, SimDisk>();

  constructor() {
    this.checker = new ClusterChecker(new Coverage(), MEMBERS, BOUNDS);
    for (const id of ["n1", "n2", "n3", "n4"]) {
      const disk = new SimDisk(
        MEMBERS,
        (before, after) => {
          this.checker.becameDurable(id, before, after);
        },
        (index) => this.checker.ledger.chainHashAt(index),
      );
      const config = { ...RAFT_DEFAULTS, nodeId: id };
      const core = new BrokenCore(config, disk.recover(), { below: () => 0 }, CODEC);
      this.#disks.set(id, disk);
      this.#cores.set(id, core);
      this.checker.nodeAdded(id, disk);
      this.checker.nodeStarted(id, core);
    }
  }

  /** `id` is as is said, and is looked at. */
  shows(id: NodeId, shown: Shown): void {
    const core = this.#cores.get(id);
    assert.ok(core !== undefined);
    core.shown = shown;
    this.checker.nodeTurned(id);
  }

  /** `id` leads in `term`, which its disk knows. */
  leads(id: NodeId, term: number, shown: Shown): void {
    if (this.#disks.get(id)?.hardState.currentTerm !== term) this.votes(id, term, id);
    this.shows(id, { role: "leader", currentTerm: term, votedFor: id, leaderId: id, ...shown });
  }

  stores(id: NodeId, batch: Partial<PersistBatch>): void {
    const disk = this.#disks.get(id);
    assert.ok(disk !== undefined);
    disk.write({ sequence: 1, hardState: null, entries: [], ...batch });
    disk.sync(1);
  }

  votes(id: NodeId, currentTerm: number, votedFor: NodeId | null): void {
    this.stores(id, { hardState: hardState(currentTerm, votedFor) });
  }

  /** `log` is durable on n1 and n2: a majority; their term is that of its last entry. */
  holds(log: readonly LogEntry[]): void {
    const term = log.at(-1)?.term ?? 0;
    this.stores("n1", { hardState: hardState(term, "n1"), entries: log });
    this.stores("n2", { hardState: hardState(term, "n1"), entries: log });
  }
}

function hardState(currentTerm: number, votedFor: NodeId | null): HardState {
  return { currentTerm, votedFor, commitIndex: 0 };
}

function membersAt(index: number, term: number, configuration: Configuration): LogEntry {
  return { index, term, kind: "configuration", data: encodeConfiguration(configuration) };
}

function vote(term: number): RaftMessage {
  return { type: "RequestVoteReply", term, voteGranted: true };
}

const FIRST = entryOf(1, 1, "a");
const TAKE_OVER: RaftMessage = { type: "TimeoutNow", term: 1, leaderId: "n1" };
const JOINED = configurationOf({ voters: ["n1", "n2", "n3"], learners: ["n4"], staging: ["n4"] });
const JOINED_AT_2 = membersAt(2, 1, JOINED);
const PROMOTED = configurationOf({ voters: ["n1", "n2", "n3", "n4"] });
const PROMOTED_AT_3 = membersAt(3, 1, PROMOTED);

interface Breach {
  readonly claim: string;
  /** Null: of the core's own invariants. */
  readonly invariant: Invariant | null;
  readonly says: RegExp;
  /** What is right so far. */
  readonly given?: (cluster: Cluster) => void;
  readonly breach: (cluster: Cluster) => void;
}

/**
 * One for each call by which the checker asks a check: without the call nobody throws, or somebody
 * else does and says something else. `checkViewProgress` has none: whatever it finds in the memory
 * of a process, `checkState` and `checkTransition` find just before it. It stands for the day when
 * the core's own invariants lose one.
 */
const BREACHES: readonly Breach[] = [
  {
    claim: "a state that no server can be in (§5.3)",
    invariant: null,
    says: /^committed beyond the log/u,
    breach: (cluster) => {
      cluster.shows("n1", { commitIndex: 1 });
    },
  },
  {
    claim: "a term that falls (§5.1)",
    invariant: null,
    says: /^currentTerm fell/u,
    breach: (cluster) => {
      cluster.shows("n1", { currentTerm: 0 });
    },
  },
  {
    claim: "a second leader of a term, by its state (§5.2)",
    invariant: "Election Safety",
    says: /^term 1 has two leaders: n1 and n2$/u,
    given: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST] });
    },
    breach: (cluster) => {
      cluster.leads("n2", 1, { log: [FIRST] });
    },
  },
  {
    claim: "a second leader of a term, by what it sends (§5.2)",
    invariant: "Election Safety",
    says: /^term 1 has two leaders: n1 and n2$/u,
    given: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST] });
    },
    breach: (cluster) => {
      cluster.checker.messageSent("n2", "n3", appendEntries({ term: 1 }));
    },
  },
  {
    claim: "a leader without what was committed before its term (§5.4)",
    invariant: "Leader Completeness",
    says: /^n3 leads in term 2 without the log up to entry 1, which was committed in term 1$/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
      cluster.leads("n1", 1, { log: [FIRST], commitIndex: 1 });
    },
    breach: (cluster) => {
      cluster.leads("n3", 2, { log: [entryOf(1, 2)] });
    },
  },
  {
    claim: "a leader whose own vote is not on its disk (§5.2)",
    invariant: "Durability Before Promise",
    says: /^n1 answers in term 1; on its disk is term 0$/u,
    breach: (cluster) => {
      const leads = { role: "leader", votedFor: "n1", leaderId: "n1" } as const;
      cluster.shows("n1", { ...leads, log: [FIRST] });
    },
  },
  {
    claim: "a leader that believes of a follower what its disk has not (§5.3)",
    invariant: "Replication Belief",
    says: /^n1 believes that n3 holds its log up to 1: it does not$/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
      cluster.leads("n1", 1, { log: [FIRST], peers: [peerOf({ matchIndex: 1, nextIndex: 2 })] });
    },
    breach: (cluster) => {
      const peers = [peerOf({ id: "n3", matchIndex: 1, nextIndex: 2 })];
      cluster.leads("n1", 1, { log: [FIRST], peers });
    },
  },
  {
    claim: "a leader that replaces an entry of its own (§5.3)",
    invariant: "Leader Append-Only",
    says: /^the leader n1 cut or replaced its own log from 1 on$/u,
    given: (cluster) => {
      cluster.leads("n1", 2, { log: [FIRST, entryOf(2, 2)] });
    },
    breach: (cluster) => {
      cluster.leads("n1", 2, { log: [entryOf(1, 2), entryOf(2, 2)] });
    },
  },
  {
    claim: "two logs in memory that differ before an equal entry (§5.3)",
    invariant: "Log Matching",
    says: /^n2 holds another log up to entry 1 of term 1/u,
    given: (cluster) => {
      cluster.shows("n1", { log: [FIRST] });
    },
    breach: (cluster) => {
      cluster.shows("n2", { log: [entryOf(1, 1, "b")] });
    },
  },
  {
    claim: "two logs on disks that differ before an equal entry (§5.3)",
    invariant: "Log Matching",
    says: /^n2 holds another log up to entry 1 of term 1/u,
    given: (cluster) => {
      cluster.stores("n1", { hardState: hardState(1, null), entries: [FIRST] });
    },
    breach: (cluster) => {
      const entries = [entryOf(1, 1, "b")];
      cluster.stores("n2", { hardState: hardState(1, null), entries });
    },
  },
  {
    claim: "a second vote in a term, whatever was stored since (§5.2)",
    invariant: "One Vote Per Term",
    says: /^n3 voted for n1 and for n2 in term 1$/u,
    given: (cluster) => {
      cluster.votes("n3", 1, "n1");
      cluster.checker.messageSent("n3", "n1", vote(1));
      cluster.votes("n3", 2, null);
      cluster.checker.messageSent("n3", "n1", vote(1));
    },
    breach: (cluster) => {
      cluster.checker.messageSent("n3", "n2", vote(1));
    },
  },
  {
    claim: "a candidate that voted for another (§5.2)",
    invariant: "One Vote Per Term",
    says: /^n3 voted for n1 and for n3 in term 1$/u,
    given: (cluster) => {
      cluster.votes("n3", 1, "n1");
      cluster.checker.messageSent("n3", "n1", vote(1));
      cluster.votes("n3", 2, null);
    },
    breach: (cluster) => {
      const last = { lastLogIndex: 0, lastLogTerm: 0, leadershipTransfer: false };
      const request = { type: "RequestVote", term: 1, candidateId: "n3", ...last } as const;
      cluster.checker.messageSent("n3", "n2", request);
    },
  },
  {
    claim: "a vote that is not on the disk (Figure 2)",
    invariant: "Durability Before Promise",
    says: /^n3 answers in term 1; on its disk is term 0$/u,
    breach: (cluster) => {
      cluster.checker.messageSent("n3", "n1", vote(1));
    },
  },
  {
    claim: "a stored term that falls (§5.1)",
    invariant: "Term Monotone",
    says: /^the stored term of n1 fell from 2 to 1$/u,
    given: (cluster) => {
      cluster.votes("n1", 2, null);
    },
    breach: (cluster) => {
      cluster.votes("n1", 1, null);
    },
  },
  {
    claim: "a commitment that no quorum's disks hold (§5.4.2)",
    invariant: "Committed On Quorum",
    says: /no quorum holds it on its disks$/u,
    breach: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST], commitIndex: 1 });
    },
  },
  {
    claim: "a commitment by counting an entry of an earlier term (§5.4.2)",
    invariant: "Committed On Quorum",
    says: /^a leader of term 2 committed up to entry 1, which is of term 1$/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
    },
    breach: (cluster) => {
      cluster.leads("n1", 2, { log: [FIRST, entryOf(2, 2)], commitIndex: 1 });
    },
  },
  {
    claim: "a target that lacks an entry (Diss. §3.10)",
    invariant: "Leadership Transfer",
    says: /^n1 asks n3 to take over, which has 0 of 1 entries$/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
      cluster.leads("n1", 1, { log: [FIRST], transferTarget: "n2" });
      cluster.checker.messageSent("n1", "n2", TAKE_OVER);
      cluster.leads("n1", 1, { log: [FIRST], transferTarget: "n3" });
    },
    breach: (cluster) => {
      cluster.checker.messageSent("n1", "n3", TAKE_OVER);
    },
  },
  {
    claim: "a lease that goes on after another was asked to lead (Diss. §6.4.1)",
    invariant: "Leadership Transfer",
    says: /^n1 asked another to take over, and would read by its lease all the same$/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
      cluster.leads("n1", 1, { log: [FIRST], commitIndex: 1, leaseReadIndex: 1 });
      cluster.checker.messageSent("n1", "n2", TAKE_OVER);
    },
    breach: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST], commitIndex: 1, leaseReadIndex: 1 });
    },
  },
  {
    claim: "a command that is taken while a leader hands over (Diss. §3.10)",
    invariant: "Leadership Transfer",
    says: /^n1 took command 2 while it hands over to n2$/u,
    given: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST], transferTarget: "n2" });
    },
    breach: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST, entryOf(2, 1)], transferTarget: "n2" });
    },
  },
  {
    claim: "members that forget whom they removed (§6)",
    invariant: "Configuration Safety",
    says: /^the members of entry 1 do not know that n3 was one before$/u,
    breach: (cluster) => {
      const configuration = configurationOf({ voters: ["n1", "n2"] });
      const log = [membersAt(1, 1, configuration)];
      cluster.holds(log);
      cluster.shows("n1", { log, commitIndex: 1, configuration, configurationIndex: 1 });
    },
  },
  {
    claim: "a server that is made a voter before it has caught up (Diss. §4.2.1)",
    invariant: "Configuration Safety",
    says: /^n1 makes n4 a voter, which catches up since entry 2 and has 0 entries$/u,
    given: (cluster) => {
      const log = [FIRST, JOINED_AT_2];
      const joined = { log, configuration: JOINED, configurationIndex: 2, commitIndex: 2 };
      cluster.holds(log);
      cluster.shows("n1", joined);
      cluster.leads("n1", 1, { ...joined, peers: [peerOf({ id: "n4" })] });
    },
    breach: (cluster) => {
      const log = [FIRST, JOINED_AT_2, PROMOTED_AT_3];
      const used = { configuration: PROMOTED, configurationIndex: 3, commitIndex: 2 };
      cluster.leads("n1", 1, { log, ...used, peers: [peerOf({ id: "n4" })] });
    },
  },
  {
    claim: "a change of members beside one that is not committed (§6)",
    invariant: "Configuration Safety",
    says: /^n1 changes members at 3 while those of 2 are not committed$/u,
    given: (cluster) => {
      const log = [FIRST, JOINED_AT_2];
      cluster.leads("n1", 1, { log, configuration: JOINED, configurationIndex: 2 });
      cluster.checker.changeAsked("n1");
    },
    breach: (cluster) => {
      const log = [FIRST, JOINED_AT_2, PROMOTED_AT_3];
      cluster.leads("n1", 1, { log, configuration: PROMOTED, configurationIndex: 3 });
    },
  },
  {
    claim: "members in use that are not those of the log (§6)",
    invariant: "Configuration Safety",
    says: /^n1 uses the members of entry 0, .* the latest are those of 1/u,
    breach: (cluster) => {
      cluster.shows("n1", { log: [membersAt(1, 1, JOINED)] });
    },
  },
  {
    claim: "a snapshot that carries other members than those of its index (§7)",
    invariant: "Configuration Safety",
    says: /^n3 uses the members of entry 1, .* the latest are those of 0/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
      cluster.leads("n1", 1, { log: [FIRST], commitIndex: 1 });
    },
    breach: (cluster) => {
      const last = { lastIncludedIndex: 1, lastIncludedTerm: 1 };
      const point = { ...last, configuration: JOINED, configurationIndex: 1 };
      const snapshot = { point, beforeFirst: { index: 1, term: 1 }, keepsLog: false };
      cluster.stores("n3", { hardState: hardState(1, null), snapshot });
    },
  },
  {
    claim: "a campaign of who is no voter (Diss. §4.2.2)",
    invariant: "Configuration Safety",
    says: /^n4 campaigns, and votes neither in/u,
    breach: (cluster) => {
      cluster.shows("n4", { role: "preCandidate", votesGranted: 1 });
    },
  },
  {
    claim: "a campaign of who cannot store its vote",
    invariant: "No Disruption",
    says: /^n1 campaigns, its disk hangs$/u,
    given: (cluster) => {
      cluster.shows("n1", { isStalled: true });
    },
    breach: (cluster) => {
      cluster.shows("n1", { isStalled: true, role: "preCandidate", votesGranted: 1 });
    },
  },
  {
    claim: "more messages on their way than the window allows (Diss. §10.2.2)",
    invariant: "Bounded Windows",
    says: /^5 messages of 0 bytes are on their way from n1 to n2/u,
    breach: (cluster) => {
      const peers = [peerOf({ state: "replicate", inFlightMessages: 5 })];
      cluster.leads("n1", 1, { log: [FIRST], peers });
    },
  },
  {
    claim: "more entries in a message than its limit allows (Diss. §10.2.2)",
    invariant: "Bounded Windows",
    says: /^n1 sends 164 bytes at once; 100 are the limit$/u,
    breach: (cluster) => {
      const entries = [1, 2].map((index) => entryOf(index, 1, "x".repeat(50)));
      cluster.checker.messageSent("n1", "n2", appendEntries({ term: 1, entries }));
    },
  },
  {
    claim: "more commands taken than may be lost",
    invariant: "Bounded Windows",
    says: /^n1 has taken 5065 bytes that are not committed/u,
    given: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST] });
    },
    breach: (cluster) => {
      cluster.leads("n1", 1, { log: [FIRST, entryOf(2, 1, "x".repeat(5000))] });
    },
  },
  {
    claim: "an entry that is applied before those under it (§5.4.3)",
    invariant: "State Machine Safety",
    says: /^n1 applied entry 2 after entry 0$/u,
    given: (cluster) => {
      const log = [FIRST, entryOf(2, 1)];
      cluster.holds(log);
      cluster.leads("n1", 1, { log, commitIndex: 2 });
    },
    breach: (cluster) => {
      cluster.checker.applied("n1", entryOf(2, 1), null, "state");
    },
  },
  {
    claim: "another entry applied than the one that is committed (§5.4.3)",
    invariant: "State Machine Safety",
    says: /^n1 applied an entry at 1 that is not the committed one$/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
      cluster.leads("n1", 1, { log: [FIRST], commitIndex: 1 });
    },
    breach: (cluster) => {
      cluster.checker.applied("n1", entryOf(1, 1, "b"), null, "state");
    },
  },
  {
    claim: "a snapshot that is not the state of its index (§7)",
    invariant: "Snapshot Equals Replay",
    says: /^n2 has another state by a snapshot at 1/u,
    given: (cluster) => {
      cluster.holds([FIRST]);
      cluster.leads("n1", 1, { log: [FIRST], commitIndex: 1 });
      cluster.checker.applied("n1", FIRST, null, "state");
      cluster.checker.restored("n3", 1, "state");
    },
    breach: (cluster) => {
      cluster.checker.restored("n2", 1, "other state");
    },
  },
];

for (const { claim, invariant, says, given, breach } of BREACHES) {
  test(`cluster checker: catches ${claim}`, () => {
    const cluster = new Cluster();
    given?.(cluster);
    assert.throws(
      () => {
        breach(cluster);
      },
      (error) => {
        if (invariant === null) assert.ok(error instanceof InvariantError, String(error));
        else assert.ok(error instanceof InvariantViolation, String(error));
        if (error instanceof InvariantViolation) assert.equal(error.invariant, invariant);
        assert.match(error.message, says);
        return true;
      },
    );
  });
}

test("cluster checker: catches a lease that outlasts the loyalty it rests on (Diss. §6.4.1)", () => {
  const { checker } = new Cluster();
  const { electionTicks } = RAFT_DEFAULTS;
  const start = (nodeId: NodeId): RaftCore => {
    const config = { ...RAFT_DEFAULTS, nodeId, leaseReads: true };
    const disk = new SimDisk(MEMBERS, () => undefined);
    const core = new RaftCore(config, disk.recover(), { below: () => 0 }, CODEC);
    checker.nodeStarted(nodeId, core);
    checker.judgeSteps(core, config);
    return core;
  };
  const wait = (core: RaftCore, ticks: number): void => {
    for (let tick = 0; tick < ticks; tick++) core.tick();
  };
  start("n1");
  const third = start("n3");
  wait(start("n2"), electionTicks);
  wait(third, electionTicks - 1);
  checker.leaseHeld("n1", viewOf({ configuration: MEMBERS }));
  // Who is down votes for nobody, and not at once when it is back.
  checker.nodeCrashed("n2");
  wait(third, 1);
  checker.leaseHeld("n1", viewOf({ configuration: MEMBERS }));
  const second = start("n2");
  checker.leaseHeld("n1", viewOf({ configuration: MEMBERS }));
  wait(second, electionTicks);
  assert.throws(() => {
    checker.leaseHeld("n1", viewOf({ configuration: MEMBERS }));
  }, /^InvariantViolation: n1 reads by a lease, and no quorum has to wait for it any more$/u);
});

test("cluster checker: catches a step against the rules when it looks (§5.2)", () => {
  const { checker } = new Cluster();
  const disk = new SimDisk(MEMBERS, () => undefined);
  const config = { ...RAFT_DEFAULTS, nodeId: "n1" };
  const core = new RaftCore(config, disk.recover(), { below: () => 0 }, CODEC);
  const view = { ...core.view(), electionTicksLeft: 1 };
  core.view = () => view;
  core.tick = () => undefined;
  checker.nodeStarted("n1", core);
  checker.judgeSteps(core, config);
  core.tick();
  assert.throws(() => {
    checker.nodeTurned("n1");
  }, /^InvariantViolation: n1 has waited for a leader to the end/u);
});
