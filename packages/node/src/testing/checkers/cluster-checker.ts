import type {
  Configuration,
  LogEntry,
  LogIndex,
  NodeId,
  RaftMessage,
  RequestId,
  Term,
} from "@quorate/wire";
import { decodeConfiguration } from "@quorate/wire";
import type { KvResult } from "../../kv/kv-result.ts";
import type { HardState, RaftConfig, RaftCore, RaftView } from "../../raft/index.ts";
import { allMembers, checkState, checkTransition, isVoter } from "../../raft/index.ts";
import type { Coverage } from "../coverage.ts";
import { requireInvariant } from "../invariant-violation.ts";
import type { SimDisk } from "../sim-disk.ts";
import type { Bounds } from "./bounds.ts";
import { checkMessage, checkUncommitted, checkWindows } from "./bounds.ts";
import { checkCommitQuorum, checkCommitTerm } from "./commit-quorum.ts";
import { CommittedLedger } from "./committed-ledger.ts";
import type { PlacedConfiguration } from "./configuration-mirror.ts";
import { ConfigurationMirror } from "./configuration-mirror.ts";
import {
  checkAppended,
  checkCampaign,
  checkCaughtUp,
  checkInForce,
  checkNames,
} from "./configuration-safety.ts";
import { checkDurableProgress } from "./durable-progress.ts";
import { ElectionLedger } from "./election-ledger.ts";
import { History } from "./history.ts";
import { checkLeaderAppendOnly } from "./leader-append-only.ts";
import { checkLoyalQuorum } from "./lease-watch.ts";
import { LogMatching } from "./log-matching.ts";
import { LogMirror } from "./log-mirror.ts";
import { checkOwnVote, checkPromise } from "./promises.ts";
import { checkReplicationBelief } from "./replication-belief.ts";
import type { StepWorld } from "./steps/step.ts";
import { StepWatch } from "./steps/step-watch.ts";
import { checkNoLease, checkNoProposals, checkTarget } from "./transfers.ts";
import { checkViewProgress } from "./view-progress.ts";
import { VoteLedger } from "./vote-ledger.ts";

/** One life of a node, as the checker follows it. */
interface ObservedLife {
  readonly node: NodeId;
  readonly core: RaftCore;
  readonly mirror: LogMirror;
  readonly configurations: ConfigurationMirror;
  view: RaftView;
  lastApplied: LogIndex;
  /** An operator asks for a change of members in this turn. */
  isAsked: boolean;
  /** In which it asked another to take over. */
  handsOverIn: Term | null;
  /** Null: its steps are not judged one by one. */
  steps: StepWatch | null;
}

/**
 * Sees every node's memory and disk, and every message, and checks all invariants after every
 * event. The work of a check is proportional to what changed.
 */
export class ClusterChecker {
  readonly history: History = new History(() => {
    this.#coverage.add("clientRetries");
  });
  readonly ledger: CommittedLedger = new CommittedLedger((entry) => {
    this.history.entryCommitted(entry);
    if (entry.kind === "configuration") this.#configurationCommitted(entry);
  });
  readonly #elections = new ElectionLedger();
  readonly #votes = new VoteLedger();
  readonly #logs = new LogMatching();
  readonly #disks = new Map<NodeId, SimDisk>();
  readonly #lost = new Set<NodeId>();
  readonly #lives = new Map<NodeId, ObservedLife>();
  readonly #readIds = new Map<NodeId, Set<RequestId>>();
  readonly #stepWorld: StepWorld = {
    committedAt: (index) => this.#configurationAt(index).configuration,
    hasLostEntries: (node) => this.#disks.get(node)?.hasLostEntries ?? true,
    voteOf: (term, voter) => this.#votes.voteOf(term, voter),
  };
  readonly #coverage: Coverage;
  /** Null: nothing is bounded. */
  readonly #bounds: Bounds | null;
  /** The committed ones, oldest first. */
  readonly #configurations: PlacedConfiguration[];
  /** Any that a server had beyond what is committed: perhaps on its way, and in no log any more. */
  #begunConfigurations: readonly PlacedConfiguration[] = [];

  constructor(coverage: Coverage, bootstrap: Configuration, bounds: Bounds | null = null) {
    this.#coverage = coverage;
    this.#bounds = bounds;
    this.#configurations = [{ index: 0, configuration: bootstrap }];
  }

  nodeAdded(node: NodeId, disk: SimDisk): void {
    this.#disks.set(node, disk);
  }

  /** The disk of `node` is gone for good. What it acknowledged, it did acknowledge. */
  diskLost(node: NodeId): void {
    this.#lost.add(node);
  }

  /**
   * The latest committed configuration, those in any log or on any disk after it, and those that may
   * yet arrive in one.
   */
  configurationsInPlay(): readonly [Configuration, ...Configuration[]] {
    const latest = this.#configurationAt(this.ledger.lastIndex);
    const inLogs = [...this.#lives.values()].flatMap(({ configurations }) =>
      configurations.after(latest.index).map(({ configuration }) => configuration),
    );
    const onDisks = [...this.#disks].flatMap(([node, { entries }]) =>
      this.#lost.has(node)
        ? []
        : entries
            .filter(({ kind, index }) => kind === "configuration" && index > latest.index)
            .map(({ data }) => decodeConfiguration(data)),
    );
    const begun = this.#begunConfigurations
      .filter(({ index }) => index > this.ledger.lastIndex)
      .map(({ configuration }) => configuration);
    return [latest.configuration, ...inLogs, ...onDisks, ...begun];
  }

  /** A process has recovered from its disk. */
  nodeStarted(node: NodeId, core: RaftCore): void {
    // What it recovered as committed is looked at as if it were said now.
    const view = { ...core.view(), commitIndex: 0, lastApplied: 0 };
    const life = {
      node,
      core,
      mirror: new LogMirror((index) => this.ledger.chainHashAt(index)),
      configurations: new ConfigurationMirror(),
      view,
      lastApplied: core.view().lastApplied,
      isAsked: false,
      handsOverIn: null,
      steps: null,
    };
    this.#lives.set(node, life);
    this.#look(life);
  }

  /** From now on each step of `core`, which has just started, is judged by itself. */
  judgeSteps(core: RaftCore, config: RaftConfig): void {
    const life = this.#lives.get(config.nodeId);
    if (life === undefined) return;
    const readIds = this.#readIds.get(config.nodeId) ?? new Set();
    this.#readIds.set(config.nodeId, readIds);
    life.steps = new StepWatch(core, { config, world: this.#stepWorld, readIds });
  }

  /** A snapshot that ends at `index` has become the state of `node`. */
  restored(node: NodeId, index: LogIndex, stateHash: string): void {
    const life = this.#lives.get(node);
    if (life === undefined) return;
    life.lastApplied = index;
    this.ledger.restored(node, index, stateHash);
  }

  nodeCrashed(node: NodeId): void {
    this.#lives.delete(node);
  }

  /** An operator asks `node` to change the members: what it appends now is not its own idea. */
  changeAsked(node: NodeId): void {
    const life = this.#lives.get(node);
    if (life !== undefined) life.isAsked = true;
  }

  /** Something has run in the process of `node`. */
  nodeTurned(node: NodeId): void {
    const life = this.#lives.get(node);
    if (life !== undefined) this.#look(life);
  }

  /** `node` sends a message: what it promises must be on its disk. */
  messageSent(node: NodeId, to: NodeId, message: RaftMessage): void {
    const disk = this.#disks.get(node);
    if (disk !== undefined) checkPromise(node, to, message, disk);
    if (this.#bounds !== null) checkMessage(node, message, this.#bounds);
    if (message.type === "TimeoutNow") this.#handsOver(node, to, message.term);
    if (message.type === "AppendEntries") this.#elections.leaderSeen(message.term, node);
    if (message.type === "RequestVote") this.#votes.voteGranted(message.term, node, node);
    if (message.type === "RequestVoteReply" && message.voteGranted) {
      this.#votes.voteGranted(message.term, node, to);
    }
  }

  #handsOver(node: NodeId, to: NodeId, term: Term): void {
    const life = this.#lives.get(node);
    const disk = this.#disks.get(to);
    if (life === undefined || disk === undefined) return;
    const view = life.core.view();
    life.handsOverIn = term;
    // What damage took a moment ago nobody can know yet.
    const hadAll = disk.chainHashAt(view.lastLogIndex) !== null;
    const lastIndex = hadAll ? view.lastLogIndex : disk.lastIndex;
    checkTarget(node, view, { to, lastIndex }, (index) => life.core.entryAt(index));
  }

  /**
   * `node` would answer a read by its lease: a quorum that will vote for nobody else yet is what
   * that rests on (Diss. §6.4.1). Who is down comes back as loyal as it may have been.
   */
  leaseHeld(node: NodeId, { commitIndex, configuration }: RaftView): void {
    const committed = this.#configurationAt(commitIndex).configuration;
    checkLoyalQuorum(
      node,
      [committed, configuration],
      (id) => id === node || this.#lives.get(id)?.steps?.isLoyal !== false,
    );
  }

  becameDurable(node: NodeId, before: HardState, disk: SimDisk): void {
    checkDurableProgress(node, before, disk);
    this.#checkSnapshotPoint(node, disk);
    this.#logs.entrySeen(
      disk.lastIndex,
      disk.lastTerm,
      disk.chainHashAt(disk.lastIndex) ?? 0,
      node,
    );
  }

  /** A snapshot carries the members of its index (Raft §7). */
  #checkSnapshotPoint(node: NodeId, { snapshot }: SimDisk): void {
    const { lastIncludedIndex, configurationIndex: index, configuration } = snapshot;
    if (lastIncludedIndex === 0) return;
    checkInForce(node, { index, configuration }, this.#configurationAt(lastIncludedIndex));
  }

  /** `node` has applied the next entry of its log. */
  applied(node: NodeId, entry: LogEntry, result: KvResult | null, stateHash: string): void {
    const life = this.#lives.get(node);
    if (life === undefined) return;
    if (this.ledger.lastIndex < entry.index) this.#look(life);
    requireInvariant(
      entry.index === life.lastApplied + 1,
      "State Machine Safety",
      () => `${node} applied entry ${entry.index} after entry ${life.lastApplied}`,
    );
    life.lastApplied = entry.index;
    this.ledger.applied(node, entry, stateHash);
    if (result !== null) this.history.applied(node, entry, result);
  }

  #look(life: ObservedLife): void {
    const { node, core, view: before } = life;
    const view = core.view();
    checkState(core, view);
    life.view = view;
    checkTransition(before, view);
    checkViewProgress(node, before, view);
    const usedBefore = this.#inForce(life, before);
    const added = this.#followLog(life, before, view);
    this.#checkMembers(life, before, view, added);
    life.isAsked = false;
    if (view.role === "leader") this.#checkLeader(life, before, view);
    else if (before.role === "leader") this.#leaderDeposed(node, view);
    const knownBefore = this.ledger.lastIndex;
    for (let index = before.commitIndex + 1; index <= view.commitIndex; index++) {
      this.#committed(life, view, index);
    }
    if (this.ledger.lastIndex > knownBefore) this.#checkCommit(life, view, usedBefore);
    life.steps?.looked(view);
  }

  #followLog(
    { node, core, mirror, configurations }: ObservedLife,
    before: RaftView,
    view: RaftView,
  ): readonly PlacedConfiguration[] {
    const { truncatedFrom, newFrom } = mirror.follow(
      view.lastLogIndex,
      (index) => core.entryAt(index),
      view.firstLogIndex,
    );
    if (truncatedFrom !== null) {
      this.#coverage.add("truncations");
      checkLeaderAppendOnly(node, before, view, truncatedFrom);
    }
    for (let index = newFrom; index <= mirror.lastIndex; index++) {
      const term = mirror.entryAt(index)?.term ?? 0;
      this.#logs.entrySeen(index, term, mirror.chainHashAt(index) ?? 0, node);
    }
    const added = configurations.follow(newFrom, mirror.lastIndex, (index) =>
      mirror.entryAt(index),
    );
    if (added.length > 0) {
      this.#begunConfigurations = [...this.#begunConfigurations, ...added].filter(
        ({ index }) => index > this.ledger.lastIndex,
      );
    }
    return added;
  }

  #checkMembers(
    life: ObservedLife,
    before: RaftView,
    view: RaftView,
    added: readonly PlacedConfiguration[],
  ): void {
    const { node, configurations, mirror } = life;
    if (view.configurationIndex < before.configurationIndex) {
      this.#coverage.add("configurationsRolledBack");
    }
    if (view.role !== before.role && view.votesGranted !== null) {
      this.#checkCampaign(node, before, view);
    }
    const beforeFirst = view.firstLogIndex - 1;
    const latest = configurations.lastAfter(beforeFirst);
    const changed = added.length > 0 || view.configurationIndex !== before.configurationIndex;
    if (latest !== null && changed) {
      const { configurationIndex: index, configuration } = view;
      checkInForce(node, { index, configuration }, latest);
    }
    if (view.role !== "leader" || before.role !== "leader") return;
    if (view.currentTerm !== before.currentTerm) return;
    const base = this.#configurationAt(beforeFirst);
    for (const appended of added) {
      if (!life.isAsked) this.#checkPromoted(life, view, appended);
      checkAppended({
        leader: node,
        leaderTerm: view.currentTerm,
        before: configurations.between(beforeFirst, appended.index) ?? base,
        appended,
        commitIndex: view.commitIndex,
        commitTerm: mirror.entryAt(view.commitIndex)?.term ?? 0,
      });
    }
  }

  #checkCampaign(node: NodeId, before: RaftView, view: RaftView): void {
    // Of several ticks at once the first may begin the campaign, and a later one the stall.
    requireInvariant(
      !before.isStalled || !view.isStalled,
      "No Disruption",
      () => `${node} campaigns, its disk hangs`,
    );
    const committed = this.#configurationAt(view.commitIndex).configuration;
    checkCampaign(node, view.configuration, committed);
  }

  #checkPromoted(
    { node, configurations }: ObservedLife,
    view: RaftView,
    to: PlacedConfiguration,
  ): void {
    const beforeFirst = view.firstLogIndex - 1;
    const base = this.#configurationAt(beforeFirst);
    const before = configurations.between(beforeFirst, to.index) ?? base;
    for (const id of before.configuration.staging) {
      const peer = view.peers.find((one) => one.id === id);
      const stagedAt = configurations.stagedAt(id, to.index, { ...base, index: beforeFirst });
      if (peer === undefined || stagedAt === null) continue;
      if (to.configuration.voters.includes(id)) checkCaughtUp(node, stagedAt, peer);
    }
  }

  /** The members that `life` has to use, as its log says. */
  #inForce({ configurations }: ObservedLife, view: RaftView): Configuration {
    const beforeFirst = view.firstLogIndex - 1;
    const placed = configurations.lastAfter(beforeFirst) ?? this.#configurationAt(beforeFirst);
    return placed.configuration;
  }

  /** The latest committed configuration up to `index`. */
  #configurationAt(index: LogIndex): PlacedConfiguration {
    const placed = this.#configurations.findLast((one) => one.index <= index);
    if (placed === undefined) throw new RangeError(`no configuration at ${index}`);
    return placed;
  }

  #configurationCommitted({ index, data }: LogEntry): void {
    const { configuration: before } = this.#configurationAt(index);
    const configuration = decodeConfiguration(data);
    checkNames(index, before, configuration);
    this.#configurations.push({ index, configuration });
    const isJoint = configuration.votersOutgoing.length > 0;
    if (isJoint) this.#coverage.add("configurationsEntered");
    else if (before.votersOutgoing.length > 0) this.#coverage.add("configurationsLeft");
    const promoted = before.learners.filter((id) => configuration.voters.includes(id));
    this.#coverage.add("promotions", promoted.length);
    const added = configuration.learners.filter((id) => !before.learners.includes(id));
    this.#coverage.add("learnersAdded", added.length);
    const members = allMembers(configuration);
    const removed = allMembers(before).filter((id) => !members.includes(id));
    this.#coverage.add("removals", removed.length);
  }

  #leaderDeposed(node: NodeId, view: RaftView): void {
    this.#coverage.add("leadersDeposed");
    if (view.isStalled) this.#coverage.add("stalledLeadersDeposed");
    const isRemoved = !isVoter(view.configuration, node);
    if (isRemoved && view.configurationIndex <= view.commitIndex) {
      this.#coverage.add("leadersRemoved");
    }
  }

  #checkLeader(life: ObservedLife, before: RaftView, view: RaftView): void {
    const { node, core, mirror, handsOverIn } = life;
    if (before.role !== "leader" || before.currentTerm !== view.currentTerm) {
      this.#coverage.add("elections");
      this.#elections.leaderSeen(view.currentTerm, node);
      this.ledger.leaderElected(node, view.currentTerm, (index) => mirror.chainHashAt(index));
      const disk = this.#disks.get(node);
      if (disk !== undefined) checkOwnVote(node, view.currentTerm, disk);
    }
    if (handsOverIn === view.currentTerm) checkNoLease(node, core.leaseReadIndex());
    checkNoProposals(node, before, view, (index) => mirror.entryAt(index));
    if (this.#bounds !== null) {
      checkWindows(node, view, this.#bounds);
      if (view.lastLogIndex > before.lastLogIndex) {
        checkUncommitted(node, view, this.#bounds, (index) => mirror.entryAt(index));
      }
    }
    for (const peer of view.peers) {
      const disk = this.#disks.get(peer.id);
      if (disk === undefined) continue;
      const own = (index: LogIndex): number | null => mirror.chainHashAt(index);
      checkReplicationBelief(node, view, peer, { own, peer: disk });
    }
  }

  #committed({ node, mirror }: ObservedLife, view: RaftView, index: LogIndex): void {
    const entry = mirror.entryAt(index);
    const chainHash = mirror.chainHashAt(index);
    if (entry === null || chainHash === null) return;
    const isFirst = this.ledger.committed(node, view.currentTerm, entry, chainHash);
    if (isFirst) this.#coverage.add("entriesCommitted");
  }

  /** The cluster's commit point has moved, and by this node: a quorum's disks must hold it. */
  #checkCommit(life: ObservedLife, view: RaftView, usedBefore: Configuration): void {
    const { mirror } = life;
    const index = view.commitIndex;
    checkCommitQuorum(
      index,
      mirror.chainHashAt(index) ?? 0,
      [usedBefore, this.#inForce(life, view)],
      (id) => this.#disks.get(id)?.chainHashAt(index) ?? null,
    );
    if (view.role === "leader") {
      checkCommitTerm(index, mirror.entryAt(index)?.term ?? 0, view.currentTerm);
    }
  }
}
