import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimNode } from "./sim-node.ts";
import type { Fault, SimulationPlan } from "./simulation-plan.ts";

const DOWN_MEAN_US = 250_000;
const PAUSE_MEAN_US = 250_000;
/** Of a garbage collection: about as long as a lease lasts. */
const HICCUP_MEAN_US = 50_000;
const PARTITION_MEAN_US = 600_000;
/** Longer than any election timeout, mostly. */
const DISK_TROUBLE_MEAN_US = 700_000;
const LONG_PAUSE_MIN_US = 100_000;
const LONG_PAUSE_MAX_US = 60_000_000;
const HOUR_MS = 3_600_000;

/** Breaks a cluster at random moments, in the ways that its plan allows. */
export class FaultInjector {
  readonly #cluster: SimCluster;
  readonly #plan: SimulationPlan;
  readonly #random: SeededRandom;
  readonly #acts: readonly (() => void)[];
  /** What befalls disks and clocks comes at its own times, and makes the rest no rarer. */
  readonly #machineActs: readonly (() => void)[];
  #isActive = true;

  constructor(cluster: SimCluster, plan: SimulationPlan, random: SeededRandom) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = random;
    const acts: readonly (readonly [Fault, () => void])[] = [
      ["crash", () => this.#crash(this.#anyNode())],
      ["crashLeader", () => this.#crash(cluster.leader())],
      ["powerCut", () => this.#cutPower()],
      ["pause", () => this.#pause(this.#anyNode())],
      ["partition", () => this.#partition(this.#someNodes(), "partitions")],
      ["oneWayPartition", () => this.#partition(this.#someNodes(), "oneWayPartitions")],
      ["bridge", () => this.#bridge()],
      ["isolateLeader", () => this.#isolateLeader()],
      ["transfer", () => this.#transfer()],
    ];
    const machineActs: readonly (readonly [Fault, () => void])[] = [
      ["diskFull", () => this.#fillDisks()],
      ["diskStall", () => this.#stallDisk(this.#leaderOrAny())],
      ["syncFailure", () => this.#failSync(this.#leaderOrAny())],
      ["readOnlyDisk", () => this.#makeReadOnly(this.#anyNode())],
      ["wipe", () => this.#cluster.wipe(this.#anyNode())],
      ["clockJump", () => this.#jumpClock(this.#anyNode())],
      ["clockStall", () => this.#stallClock(this.#leaderOrAny())],
      ["longPause", () => this.#pauseLong(this.#anyNode())],
    ];
    const allowed = (all: typeof acts): readonly (() => void)[] =>
      all.filter(([fault]) => plan.faults.has(fault)).map(([, act]) => act);
    this.#acts = allowed(acts);
    this.#machineActs = allowed(machineActs);
  }

  start(): void {
    const { faultGapMeanUs } = this.#plan;
    this.#scheduleNext(this.#acts, faultGapMeanUs);
    this.#scheduleNext(this.#machineActs, 2 * faultGapMeanUs);
  }

  /** What was broken stays broken: see {@link SimCluster.calm}. */
  stop(): void {
    this.#isActive = false;
  }

  #scheduleNext(acts: readonly (() => void)[], gapMeanUs: number): void {
    if (acts.length === 0) return;
    this.#later(gapMeanUs, () => {
      this.#random.pick(acts)();
      this.#scheduleNext(acts, gapMeanUs);
    });
  }

  #later(meanUs: number, act: () => void): void {
    this.#cluster.scheduler.schedule(1 + this.#random.exponential(meanUs), () => {
      if (this.#isActive) act();
    });
  }

  #crash(node: SimNode | null): void {
    if (node === null) return;
    this.#cluster.crash(node);
    this.#later(DOWN_MEAN_US, () => {
      this.#cluster.start(node);
    });
  }

  /** The whole rack. */
  #cutPower(): void {
    for (const node of this.#cluster.nodes) this.#crash(node);
  }

  #pause(node: SimNode): void {
    if (!node.isRunning || node.isPaused) return;
    this.#cluster.coverage.add("pauses");
    node.pause();
    this.#later(this.#random.pick([PAUSE_MEAN_US, HICCUP_MEAN_US]), () => {
      node.resume();
    });
  }

  /** Cuts `side` off from all others: both ways, or only what it sends. */
  #partition(side: readonly SimNode[], kind: "partitions" | "oneWayPartitions"): void {
    const rest = this.#cluster.nodes.filter((node) => !side.includes(node));
    this.#cut(side, rest, kind);
  }

  /** Two halves that do not reach each other, and one node that both reach. */
  #bridge(): void {
    const [, ...others] = this.#random.shuffle(this.#cluster.nodes);
    const half = Math.floor(others.length / 2);
    this.#cut(others.slice(0, half), others.slice(half), "bridges");
  }

  /** Paused as well, it comes back to a cluster that has gone on without it, and knows nothing. */
  #isolateLeader(): void {
    const leader = this.#cluster.leader();
    if (leader === null) return;
    if (this.#plan.faults.has("pause") && this.#random.chance(0.5)) this.#pause(leader);
    this.#partition([leader], this.#random.chance(0.3) ? "oneWayPartitions" : "partitions");
  }

  #cut(
    left: readonly SimNode[],
    right: readonly SimNode[],
    kind: "partitions" | "oneWayPartitions" | "bridges",
  ): void {
    if (left.length === 0 || right.length === 0) return;
    const cluster = this.#cluster;
    const name = `${names(left)} from ${names(right)}`;
    cluster.trace.record(kind === "oneWayPartitions" ? "cut one way" : "cut", null, name);
    cluster.coverage.add(kind);
    cluster.block(left, right);
    if (kind !== "oneWayPartitions") cluster.block(right, left);
    this.#later(PARTITION_MEAN_US, () => {
      cluster.trace.record("join", null, name);
      cluster.unblock(left, right);
      if (kind !== "oneWayPartitions") cluster.unblock(right, left);
    });
  }

  /** Mostly one; at times all of them, as where they share a volume. */
  #fillDisks(): void {
    const { nodes } = this.#cluster;
    const filled = this.#random.chance(0.1) ? nodes : [this.#leaderOrAny()];
    for (const { id, disk } of filled) {
      this.#cluster.trace.record("full", id, 1);
      this.#cluster.coverage.add("disksFull");
      disk.trouble.isFull = true;
    }
    this.#later(DISK_TROUBLE_MEAN_US, () => {
      for (const { id, disk } of filled) {
        this.#cluster.trace.record("full", id, 0);
        disk.trouble.isFull = false;
      }
    });
  }

  #stallDisk({ id, disk }: SimNode): void {
    const { nowUs } = this.#cluster.scheduler;
    const durationUs = this.#random.exponential(DISK_TROUBLE_MEAN_US * this.#random.pick([1, 8]));
    this.#cluster.trace.record("disk stall", id, durationUs);
    this.#cluster.coverage.add("disksStalled");
    disk.trouble.stalledUntilUs = Math.max(disk.trouble.stalledUntilUs, nowUs + durationUs);
  }

  #failSync({ id, disk }: SimNode): void {
    this.#cluster.trace.record("sync fails", id, 0);
    disk.trouble.failsNextSync = true;
  }

  #makeReadOnly({ id, disk }: SimNode): void {
    this.#cluster.trace.record("read-only", id, 1);
    this.#cluster.coverage.add("readOnlyDisks");
    disk.trouble.isReadOnly = true;
    this.#later(DISK_TROUBLE_MEAN_US, () => {
      this.#cluster.trace.record("read-only", id, 0);
      disk.trouble.isReadOnly = false;
    });
  }

  /** Leases are promised only where clocks go on alike. */
  #jumpClock(node: SimNode): void {
    if (this.#plan.raft.leaseReads || !node.isRunning) return;
    this.#cluster.coverage.add("clockJumps");
    node.jumpClock(this.#random.pick([1, 200, 5000, HOUR_MS]) * this.#random.between(1, 4));
  }

  /** The machine stands still, and its clock with it. As {@link FaultInjector.#jumpClock}. */
  #stallClock(node: SimNode): void {
    if (this.#plan.raft.leaseReads || !node.isRunning || node.isPaused) return;
    this.#cluster.coverage.add("clockStalls");
    node.pause(true);
    this.#later(PAUSE_MEAN_US, () => {
      node.resume();
    });
  }

  /** From a tenth of a second to a minute, all lengths alike; until the calm at the longest. */
  #pauseLong(node: SimNode): void {
    if (!node.isRunning || node.isPaused) return;
    this.#cluster.coverage.add("longPauses");
    node.pause();
    const share = this.#random.below(1000) / 1000;
    const durationUs = LONG_PAUSE_MIN_US * (LONG_PAUSE_MAX_US / LONG_PAUSE_MIN_US) ** share;
    this.#cluster.scheduler.schedule(Math.round(durationUs), () => {
      if (this.#isActive) node.resume();
    });
  }

  #leaderOrAny(): SimNode {
    const leader = this.#random.chance(0.5) ? this.#cluster.leader() : null;
    return leader ?? this.#anyNode();
  }

  #transfer(): void {
    const target = this.#random.chance(0.5) ? this.#anyNode().id : null;
    this.#cluster.leader()?.transferLeadership(target, (outcome) => {
      if (outcome.kind === "moved") this.#cluster.coverage.add("transfersMoved");
    });
  }

  #anyNode(): SimNode {
    return this.#random.pick(this.#cluster.nodes);
  }

  /** A random part of the cluster: at least one node, at most half. */
  #someNodes(): SimNode[] {
    const { nodes } = this.#cluster;
    const count = this.#random.between(1, Math.max(1, Math.floor(nodes.length / 2)));
    return this.#random.shuffle(nodes).slice(0, count);
  }
}

function names(nodes: readonly SimNode[]): string {
  return nodes.map((node) => node.id).join(" ");
}
