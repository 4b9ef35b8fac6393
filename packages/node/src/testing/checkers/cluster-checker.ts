import type { LogEntry, LogIndex, NodeId, RaftMessage } from "@quorate/wire";
import type { HardState, RaftCore, RaftView } from "../../raft/index.ts";
import { checkState, checkTransition } from "../../raft/index.ts";
import type { Coverage } from "../coverage.ts";
import { requireInvariant } from "../invariant-violation.ts";
import type { SimDisk } from "../sim-disk.ts";
import { checkCommitQuorum, checkCommitTerm } from "./commit-quorum.ts";
import { CommittedLedger } from "./committed-ledger.ts";
import { checkDurableProgress } from "./durable-progress.ts";
import { ElectionLedger } from "./election-ledger.ts";
import { History } from "./history.ts";
import { checkLeaderAppendOnly } from "./leader-append-only.ts";
import { LogMatching } from "./log-matching.ts";
import { LogMirror } from "./log-mirror.ts";
import { checkPromise } from "./promises.ts";
import { checkReplicationBelief } from "./replication-belief.ts";
import { checkViewProgress } from "./view-progress.ts";
import { VoteLedger } from "./vote-ledger.ts";

/** One life of a node, as the checker follows it. */
interface ObservedLife {
  readonly node: NodeId;
  readonly core: RaftCore;
  readonly mirror: LogMirror;
  view: RaftView;
  lastApplied: LogIndex;
}

/**
 * Sees every node's memory and disk, and every message, and checks all invariants after every
 * event. The work of a check is proportional to what changed.
 */
export class ClusterChecker {
  readonly history: History = new History();
  readonly ledger: CommittedLedger = new CommittedLedger((entry) => {
    this.history.entryCommitted(entry);
  });
  readonly #elections = new ElectionLedger();
  readonly #votes = new VoteLedger();
  readonly #logs = new LogMatching();
  readonly #disks = new Map<NodeId, SimDisk>();
  readonly #lives = new Map<NodeId, ObservedLife>();
  readonly #coverage: Coverage;

  constructor(coverage: Coverage) {
    this.#coverage = coverage;
  }

  nodeAdded(node: NodeId, disk: SimDisk): void {
    this.#disks.set(node, disk);
  }

  /** A process has recovered from its disk. */
  nodeStarted(node: NodeId, core: RaftCore): void {
    // What it recovered as committed is looked at as if it were said now.
    const view = { ...core.view(), commitIndex: 0, lastApplied: 0 };
    const life = { node, core, mirror: new LogMirror(), view, lastApplied: 0 };
    this.#lives.set(node, life);
    this.#look(life);
  }

  nodeCrashed(node: NodeId): void {
    this.#lives.delete(node);
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
    if (message.type === "AppendEntries") this.#elections.leaderSeen(message.term, node);
    if (message.type === "RequestVote") this.#votes.voteGranted(message.term, node, node);
    if (message.type === "RequestVoteReply" && message.voteGranted) {
      this.#votes.voteGranted(message.term, node, to);
    }
  }

  becameDurable(node: NodeId, before: HardState, disk: SimDisk): void {
    checkDurableProgress(node, before, disk);
    this.#logs.entrySeen(
      disk.lastIndex,
      disk.lastTerm,
      disk.chainHashAt(disk.lastIndex) ?? 0,
      node,
    );
  }

  /** `node` has applied the next entry of its log. */
  applied(node: NodeId, entry: LogEntry, stateHash: string): void {
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
  }

  #look(life: ObservedLife): void {
    const { node, core, view: before } = life;
    checkState(core);
    const view = core.view();
    life.view = view;
    checkTransition(before, view);
    checkViewProgress(node, before, view);
    this.#followLog(life, before, view);
    if (view.role === "leader") this.#checkLeader(life, before, view);
    else if (before.role === "leader") this.#coverage.add("leadersDeposed");
    const knownBefore = this.ledger.lastIndex;
    for (let index = before.commitIndex + 1; index <= view.commitIndex; index++) {
      this.#committed(life, view, index);
    }
    if (this.ledger.lastIndex > knownBefore) this.#checkCommit(life, view);
  }

  #followLog({ node, core, mirror }: ObservedLife, before: RaftView, view: RaftView): void {
    const { truncatedFrom, newFrom } = mirror.follow(view.lastLogIndex, (index) =>
      core.entryAt(index),
    );
    if (truncatedFrom !== null) {
      this.#coverage.add("truncations");
      checkLeaderAppendOnly(node, before, view, truncatedFrom);
    }
    for (let index = newFrom; index <= mirror.lastIndex; index++) {
      const term = mirror.entryAt(index)?.term ?? 0;
      this.#logs.entrySeen(index, term, mirror.chainHashAt(index) ?? 0, node);
    }
  }

  #checkLeader({ node, mirror }: ObservedLife, before: RaftView, view: RaftView): void {
    if (before.role !== "leader" || before.currentTerm !== view.currentTerm) {
      this.#coverage.add("elections");
      this.#elections.leaderSeen(view.currentTerm, node);
      this.ledger.leaderElected(node, view.currentTerm, (index) => mirror.chainHashAt(index));
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
  #checkCommit({ mirror }: ObservedLife, view: RaftView): void {
    const index = view.commitIndex;
    checkCommitQuorum(
      index,
      mirror.chainHashAt(index) ?? 0,
      view.configuration,
      (id) => this.#disks.get(id)?.chainHashAt(index) ?? null,
    );
    if (view.role === "leader") {
      checkCommitTerm(index, mirror.entryAt(index)?.term ?? 0, view.currentTerm);
    }
  }
}
