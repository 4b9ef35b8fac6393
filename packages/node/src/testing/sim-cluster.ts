import { rmSync } from "node:fs";
import type { Configuration, NodeId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { hasQuorum } from "../raft/index.ts";
import { ClusterChecker } from "./checkers/cluster-checker.ts";
import { Coverage } from "./coverage.ts";
import { PromiseLoop } from "./promise-loop.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { CALM_NETWORK, SimNetwork } from "./sim-network.ts";
import type { NodeParts } from "./sim-life.ts";
import { SimNode } from "./sim-node.ts";
import { SimStreams } from "./sim-streams.ts";
import { SimScheduler } from "./sim-scheduler.ts";
import { CALM_DISK } from "./sim-storage.ts";
import { makeSimulationFolder, SqliteDirectory } from "./sqlite-directory.ts";
import type { Tear } from "./sim-snapshot-store.ts";
import type { SimWorld } from "./sim-world.ts";
import type { SimulationPlan } from "./simulation-plan.ts";
import { Trace } from "./trace.ts";

/** Longest time until a survivor learns that a process is gone. */
const PEER_DOWN_NOTICE_MAX_US = 30_000;

/** How long a process that was refused its start, or ended itself, is left alone. */
const START_RETRY_US = 200_000;
const RESTART_MEAN_US = 200_000;

/** How often a condition is looked at while a cluster runs. */
const LOOK_INTERVAL_US = 5_000;

export interface SimClusterOptions {
  readonly plan: SimulationPlan;
  readonly random: SeededRandom;
  readonly parts: NodeParts;
  /** Told every event as a line, or null. */
  readonly onEvent: ((line: string) => void) | null;
}

/** A whole cluster in simulated time, and what can be done to it. */
export class SimCluster implements SimWorld {
  readonly scheduler: SimScheduler = new SimScheduler();
  readonly coverage: Coverage = new Coverage();
  readonly checker: ClusterChecker;
  readonly trace: Trace;
  readonly network: SimNetwork;
  readonly streams: SimStreams | null;
  readonly promises: PromiseLoop = new PromiseLoop();
  readonly #nodes: SimNode[] = [];
  readonly #plan: SimulationPlan;
  readonly #random: SeededRandom;
  readonly #parts: NodeParts;
  readonly #crashRandom: SeededRandom;
  readonly #clockRandom: SeededRandom;
  /** Of the real databases; null: there are none. */
  readonly #folder: string | null;
  readonly #powerRandom: SeededRandom;
  #isCalm = false;

  /** All nodes are down. */
  constructor({ plan, random, parts, onEvent }: SimClusterOptions) {
    this.#plan = plan;
    this.trace = new Trace(this.scheduler, onEvent);
    this.network = new SimNetwork(this.scheduler, random.fork("network"), this, plan.network);
    this.streams =
      plan.streams === null
        ? null
        : new SimStreams(this.scheduler, random.fork("streams"), this, plan.streams);
    this.checker = new ClusterChecker(this.coverage, plan.configuration, plan.raft);
    this.#random = random;
    this.#parts = parts;
    this.#crashRandom = random.fork("crashes");
    this.#clockRandom = random.fork("clocks");
    this.#folder = plan.usesSqlite ? makeSimulationFolder() : null;
    if (plan.usesSqlite) this.coverage.add("sqliteRuns");
    this.#powerRandom = random.fork("power");
    for (const id of plan.configuration.voters) this.#add(id, plan.configuration);
    if (this.nodes.length % 2 === 0) this.coverage.add("evenSizedClusters");
  }

  /** Nothing runs any more; removes what was written to real files. */
  dispose(): void {
    if (this.#folder === null) return;
    try {
      for (const node of this.#nodes) if (node.isRunning) node.crash(0, true);
    } finally {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** All servers that ever were, in the order of their coming. */
  get nodes(): readonly SimNode[] {
    return this.#nodes;
  }

  /** A new server with an empty disk, which is no member. It is down. */
  addNode(): SimNode {
    return this.#add(`n${this.#nodes.length + 1}`, configurationOf({ voters: [] }));
  }

  /** The running node that leads in the highest term, or null. */
  leader(): SimNode | null {
    let best: { readonly node: SimNode; readonly term: number } | null = null;
    for (const node of this.nodes) {
      const view = node.view();
      if (view === null || view.role !== "leader") continue;
      if (best === null || view.currentTerm > best.term) best = { node, term: view.currentTerm };
    }
    return best?.node ?? null;
  }

  node(id: NodeId): SimNode | null {
    return this.nodes.find((node) => node.id === id) ?? null;
  }

  /** Where the disk cannot be written to, a start is refused, and tried again. */
  start(node: SimNode): void {
    if (node.isRunning || node.isLost) return;
    const { isReadOnly, isFull } = node.disk.trouble;
    if (isReadOnly || (isFull && this.#crashRandom.chance(0.5))) {
      this.trace.record("refused", node.id, isReadOnly ? "read-only" : "full");
      this.scheduler.schedule(START_RETRY_US, () => {
        if (!this.#isCalm) this.start(node);
      });
      return;
    }
    this.coverage.add("restarts");
    const [{ retired }] = this.checker.configurationsInPlay();
    if (retired.includes(node.id)) this.coverage.add("removedServersReturned");
    node.start();
  }

  /** Power cut of one machine: of what it has not synced, any prefix may survive. */
  crash(node: SimNode): void {
    if (!node.isRunning) return;
    const survivors = this.#crashRandom.below(node.disk.unsyncedBatches + 1);
    const isTorn = this.#plan.faults.has("tornWrite");
    if (isTorn && survivors < node.disk.unsyncedBatches) this.coverage.add("tornWrites");
    const hasPower = this.#powerRandom.chance(0.5);
    node.crash(survivors, hasPower, (unsyncedBytes) => (isTorn ? this.#tear(unsyncedBytes) : null));
    if (this.#plan.faults.has("damage") && this.#crashRandom.chance(0.3)) this.#damage(node);
    if (!this.#plan.faults.has("peerDown") || this.streams !== null) return;
    for (const other of this.nodes) {
      if (other === node || this.#crashRandom.chance(0.2)) continue;
      this.scheduler.schedule(this.#crashRandom.below(PEER_DOWN_NOTICE_MAX_US), () => {
        if (!node.isRunning && other.isRunning) this.coverage.add("peerDownNotices");
        other.peerDown(node.id, !node.isRunning);
      });
    }
  }

  /** The directory of a server is removed, if the others can go on without it. */
  wipe(node: SimNode): void {
    if (!this.#canSpare(node)) return;
    this.crash(node);
    this.coverage.add("wipes");
    node.wipe();
  }

  /** Cuts every way from a node of `from` to one of `to`. */
  block(from: readonly SimNode[], to: readonly SimNode[]): void {
    for (const sender of from) {
      for (const receiver of to) {
        this.network.block(sender.id, receiver.id);
        this.streams?.block(sender.id, receiver.id);
      }
    }
  }

  unblock(from: readonly SimNode[], to: readonly SimNode[]): void {
    for (const sender of from) {
      for (const receiver of to) {
        this.network.unblock(sender.id, receiver.id);
        this.streams?.unblock(sender.id, receiver.id);
      }
    }
  }

  /** Ends all faults of network, disks and processes; who is down stays down. */
  calm(): void {
    this.trace.record("calm", null, 0);
    this.#isCalm = true;
    this.network.faults = CALM_NETWORK;
    this.network.unblockAll();
    this.streams?.calm();
    for (const node of this.nodes) {
      if (node.isPaused) node.resume();
      node.disk.trouble.end();
    }
  }

  /** Whether these servers alone can decide, whichever of the configurations is in force. */
  canDecide(isUp: (node: SimNode) => boolean): boolean {
    const holds = (id: NodeId): boolean => {
      const node = this.node(id);
      return node !== null && node.isSound && isUp(node);
    };
    // Who catches up may be made a voter at any moment, also just after it went down.
    return this.checker
      .configurationsInPlay()
      .every((members) => hasQuorum(members, holds) && members.staging.every(holds));
  }

  /** Whether the others can go on without `node`, for good. */
  #canSpare(node: SimNode): boolean {
    if (node.isLost || this.#nodes.some(({ sleepsOnChange }) => sleepsOnChange)) return false;
    return this.canDecide((other) => other !== node);
  }

  /** Runs until `isDone` or for `limitUs`; says whether it is done. */
  async runUntil(isDone: () => boolean, limitUs: number): Promise<boolean> {
    const endUs = this.scheduler.nowUs + limitUs;
    while (this.scheduler.nowUs < endUs) {
      await this.#runFor(LOOK_INTERVAL_US);
      if (isDone()) return true;
    }
    return false;
  }

  async #runFor(durationUs: number): Promise<void> {
    const turn = { isOver: false };
    this.scheduler.schedule(durationUs, () => {
      turn.isOver = true;
    });
    while (!turn.isOver) {
      this.scheduler.runNext();
      if (this.streams !== null) await this.promises.settle();
    }
    if (this.streams !== null) await this.promises.look();
  }

  #add(nodeId: NodeId, configuration: Configuration): SimNode {
    const plan = this.#plan;
    const node = new SimNode(this, {
      config: { ...plan.raft, nodeId },
      configuration,
      snapshots: plan.snapshots,
      sessionTtlMs: plan.sessionTtlMs,
      tickIntervalMs: plan.tickIntervalMs,
      clockRate: this.#drawClockRate(),
      random: this.#random.fork(`node ${nodeId}`),
      diskSpeed: () => (this.#isCalm ? CALM_DISK : plan.disk),
      onSyncStarted: (synced, durationUs) => {
        this.#perhapsCrashDuringSync(synced, durationUs);
      },
      directory:
        this.#folder === null ? null : new SqliteDirectory(this.#folder, nodeId, configuration),
      onStorageFailed: (failed) => {
        this.crash(failed);
        this.scheduler.schedule(this.#crashRandom.exponential(RESTART_MEAN_US), () => {
          this.start(failed);
        });
      },
      parts: this.#parts,
    });
    this.#nodes.push(node);
    return node;
  }

  /** Leases assume that no clock is more than a tenth faster than another (Diss. §6.4.1). */
  #drawClockRate(): number {
    const { faults, raft } = this.#plan;
    if (!faults.has("clockDrift")) return 1;
    if (raft.leaseReads) return 1 + this.#clockRandom.between(-47, 47) / 1000;
    // From half as fast to twice as fast.
    return 2 ** (this.#clockRandom.between(-1000, 1000) / 1000);
  }

  /** A file may have its new length without its new content. */
  #tear(unsyncedBytes: number): Tear | null {
    if (unsyncedBytes === 0) return null;
    const kept = this.#crashRandom.below(unsyncedBytes + 1);
    const sound = this.#crashRandom.below(kept + 1);
    if (sound < kept) this.coverage.add("snapshotPiecesTorn");
    return { kept, sound };
  }

  /**
   * Part of what a server has stored cannot be read any more: of its log, which it cuts, or of its
   * snapshot, which ends its days. As many servers suffer this as the others can go on without.
   */
  #damage(node: SimNode): void {
    const { disk } = node;
    if (!this.#canSpare(node)) return;
    if (this.#crashRandom.chance(0.15)) {
      const isForged = this.#crashRandom.chance(0.4);
      const isRotten = isForged
        ? node.forgeSnapshot()
        : node.rotSnapshot((sizeBytes) => this.#crashRandom.below(sizeBytes));
      if (isRotten) this.coverage.add("snapshotsRotten");
      return;
    }
    if (this.#folder !== null) {
      if (node.rotDatabase(this.#crashRandom)) this.coverage.add("databasesRotten");
      return;
    }
    const first = disk.snapshot.lastIncludedIndex + 1;
    if (disk.lastIndex < first) return;
    const index = this.#crashRandom.between(first, disk.lastIndex);
    this.trace.record("damage", node.id, index);
    this.coverage.add("disksDamaged");
    disk.damage(index);
  }

  #perhapsCrashDuringSync(node: SimNode, durationUs: number): void {
    const chance = this.#isCalm ? 0 : this.#plan.crashDuringSyncChance;
    if (!this.#crashRandom.chance(chance)) return;
    this.scheduler.schedule(this.#crashRandom.below(durationUs), () => {
      // Who was healed meanwhile is needed.
      if (!this.#isCalm) this.crash(node);
    });
    this.scheduler.schedule(durationUs + this.#crashRandom.exponential(100_000), () => {
      this.start(node);
    });
  }
}
