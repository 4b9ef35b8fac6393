import type { Configuration, NodeId, SessionOperation } from "@quorate/wire";
import { encodeCommand } from "../kv/command-codec.ts";
import type { KvCommand } from "../kv/kv-command.ts";
import type { KvResult } from "../kv/kv-result.ts";
import { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { SnapshotStore } from "../ports/snapshot-store.ts";
import type { Storage } from "../ports/storage.ts";
import type { ChangeOptions, ConfigurationTarget, RaftConfig, RaftView } from "../raft/index.ts";
import { assert, RaftCore } from "../raft/index.ts";
import { ClusterClock } from "../server/cluster-clock.ts";
import type {
  ChangeOutcome,
  DriverObserver,
  ProposalOutcome,
  TransferOutcome,
} from "../server/driver-outcomes.ts";
import type { CreateCore, RaftDriver } from "../server/raft-driver.ts";
import { LeaseWatch } from "./checkers/lease-watch.ts";
import { checkStamp } from "./checkers/cluster-time.ts";
import { FullDisk } from "./checkers/full-disk.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimDisk } from "./sim-disk.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { NodeFabric, NodeIngredients } from "./sim-fabric.ts";
import { messageFabric, streamFabric } from "./sim-fabric.ts";
import { canRestore } from "./forged-snapshot.ts";
import { SimIdentity } from "./sim-identity.ts";
import type { CreateClient } from "./sim-library-client.ts";
import { SimProcess } from "./sim-process.ts";
import type { SimSnapshotStoreOptions, Tear } from "./sim-snapshot-store.ts";
import { isContentOf, SimSnapshotFiles, SimSnapshotStore } from "./sim-snapshot-store.ts";
import { SqliteSimStorage } from "./sqlite-sim-storage.ts";
import type { SqliteDirectory } from "./sqlite-directory.ts";
import { StorageError } from "../storage/storage-error.ts";
import type { DiskSpeed, SimStorageContext } from "./sim-storage.ts";
import { FULL_RETRY_MS, SimStorage } from "./sim-storage.ts";
import type { SimWorld } from "./sim-world.ts";

/** A storage whose machine can lose power. */
export interface CrashableStorage extends Storage {
  /** The machine loses power: the oldest `survivors` of what was not synced are there all the same. */
  cut(survivors: number): void;
  /** `full`: there is no room for a write, which waits. */
  state(): "ok" | "full";
}

/** Replaces parts of every node: a test does so to break one and see it caught. */
export interface NodeParts {
  readonly createCore?: CreateCore;
  /** Judge the single steps of such a core as well. */
  readonly judgesSteps?: boolean;
  readonly createStorage?: (context: SimStorageContext) => CrashableStorage;
  readonly createSnapshots?: (options: SimSnapshotStoreOptions) => SnapshotStore;
  readonly createStateMachine?: () => KvStateMachine;
  readonly createClient?: CreateClient;
  readonly createClock?: (process: SimProcess) => Clock;
  /** Peers let a server in whose directory was made anew under its old name. */
  readonly admitsWiped?: boolean;
}

/** How a node takes and sends snapshots. */
export interface SnapshotHabits {
  readonly logBytes: number;
  readonly pieceMaxBytes: number;
  readonly sendBytesPerSecond: number;
  /** How likely what was received is not what was sent, and has to be sent again. */
  readonly damageChance: number;
}

export interface SimNodeOptions {
  readonly config: RaftConfig;
  readonly configuration: Configuration;
  readonly snapshots: SnapshotHabits;
  readonly sessionTtlMs: number;
  readonly tickIntervalMs: number;
  /** How fast this node's clock runs: 1 is true. */
  readonly clockRate: number;
  readonly random: SeededRandom;
  readonly diskSpeed: () => DiskSpeed;
  /** Real files, which a real database is kept in; null: a model is enough. */
  readonly directory: SqliteDirectory | null;
  readonly onSyncStarted: (node: SimNode, durationUs: number) => void;
  /** A write or a sync failed: the process ends. */
  readonly onStorageFailed: (node: SimNode) => void;
  readonly parts: NodeParts;
}

/** What a client hears of a read. */
export type ReadAnswer =
  | { readonly kind: "value"; readonly value: Uint8Array | null; readonly appliedIndex: number }
  | { readonly kind: "failed"; readonly leaderId: NodeId | null };

interface Life {
  readonly process: SimProcess;
  readonly storage: CrashableStorage;
  readonly fabric: NodeFabric;
  readonly driver: RaftDriver<KvResult>;
  readonly machine: KvStateMachine;
  readonly clusterClock: ClusterClock;
  readonly leases: LeaseWatch;
  /** Its state is restored: from now on it listens. */
  isReady: boolean;
  /** Changes of members that it was asked for and has not looked at. */
  changesAsked: number;
}

/** One server: a disk that stays, and the lives of its process with the real driver and core. */
export class SimNode {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly #world: SimWorld;
  readonly #options: SimNodeOptions;
  readonly #snapshotFiles: SimSnapshotFiles;
  readonly #identity: SimIdentity;
  #life: Life | null = null;
  #lives = 0;
  #isLost = false;
  #isRotten = false;

  /** The node is down until {@link SimNode.start}. */
  constructor(world: SimWorld, options: SimNodeOptions) {
    this.id = options.config.nodeId;
    this.#world = world;
    this.#options = options;
    this.#snapshotFiles = new SimSnapshotFiles();
    this.#identity = new SimIdentity(this.id);
    this.disk = new SimDisk(
      options.configuration,
      (before, disk) => {
        this.#checkSnapshotFile();
        world.checker.becameDurable(this.id, before, disk);
      },
      (index) => world.checker.ledger.chainHashAt(index),
    );
    world.checker.nodeAdded(this.id, this.disk);
  }

  /** What its directory keeps beside the log. */
  get identity(): SimIdentity {
    return this.#identity;
  }

  get isRunning(): boolean {
    return this.#life !== null;
  }

  get isPaused(): boolean {
    return this.#life?.process.isPaused ?? false;
  }

  /** Its data is gone, or cannot be trusted: it never starts again under this name. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Whether it may be lost: that is known when it starts. */
  get isDoubtful(): boolean {
    return this.#isLost || this.#isRotten;
  }

  /** Whether it was asked for a change of members, and sleeps: who will be needed is open. */
  get sleepsOnChange(): boolean {
    return this.isPaused && (this.#life?.changesAsked ?? 0) > 0;
  }

  /** Whether all that it ever acknowledged is still there, and counts in an election. */
  get isSound(): boolean {
    return !this.#isLost && !this.#isRotten && this.disk.voteFloor === null;
  }

  /** The directory of this node, which is down, is removed. Its peers know it from a new one. */
  wipe(): void {
    assert(this.#life === null, `${this.id} runs`);
    this.#world.trace.record("wipe", this.id, 0);
    if (this.#options.parts.admitsWiped === true) {
      this.disk.wipe(this.#options.configuration);
      this.#snapshotFiles.keepOnly(0, 0);
    } else {
      this.#lose();
    }
  }

  /** One byte of its snapshot, while it is down. Says whether it has one. */
  rotSnapshot(offsetOf: (sizeBytes: number) => number): boolean {
    const { lastIncludedIndex, lastIncludedTerm } = this.disk.snapshot;
    const isRotten = this.#snapshotFiles.rot(lastIncludedIndex, lastIncludedTerm, offsetOf);
    this.#isRotten ||= isRotten;
    return isRotten;
  }

  /** Its snapshot is not what was written, and its checksums do not tell; as the above. */
  forgeSnapshot(): boolean {
    const { lastIncludedIndex, lastIncludedTerm } = this.disk.snapshot;
    const isForged = this.#snapshotFiles.forge(lastIncludedIndex, lastIncludedTerm);
    this.#isRotten ||= isForged;
    return isForged;
  }

  /** One byte of its real database, while it is down. Says whether it has one. */
  rotDatabase(random: SeededRandom): boolean {
    const { directory } = this.#options;
    if (directory === null || this.#lives === 0) return false;
    this.#world.trace.record("rot", this.id, 0);
    directory.rot(random);
    this.#isRotten = true;
    return true;
  }

  /** The core's state, or null while the node is down. */
  view(): RaftView | null {
    return this.#life?.driver.view() ?? null;
  }

  /** What the state machine has applied, and its hash; null while the node is down. */
  appliedState(): { readonly lastApplied: number; readonly stateHash: string } | null {
    if (this.#life === null) return null;
    const { driver, machine } = this.#life;
    return { lastApplied: driver.lastApplied, stateHash: machine.stateHash() };
  }

  /** Starts a process on what the disk holds. */
  start(): void {
    if (this.#life !== null || this.#isLost) return;
    const { lastIncludedIndex, lastIncludedTerm } = this.disk.snapshot;
    if (!this.#hasSoundSnapshot()) {
      this.#world.trace.record("refused", this.id, "its snapshot is damaged");
      this.#lose();
      return;
    }
    this.#lives++;
    this.#world.trace.record("start", this.id, this.#lives);
    this.#snapshotFiles.keepOnly(lastIncludedIndex, lastIncludedTerm);
    this.#identity.started();
    this.#world.streams?.up(this.id);
    const life = this.#createUnlessRefused();
    if (life === null) return;
    this.#life = life;
    this.#isRotten = false;
    life.driver.restore(() => {
      this.#restored(lastIncludedIndex, life.machine);
      life.isReady = true;
      life.fabric.begin();
    });
  }

  /**
   * Kills the process and the machine's cache; `survivors` unsynced batches had been written, and
   * only with power do its connections end at once; `tear` says what became of the pieces of a snapshot.
   */
  crash(survivors: number, hasPower: boolean, tear?: (unsyncedBytes: number) => Tear | null): void {
    if (this.#life === null) return;
    const lost = this.disk.unsyncedBatches - survivors;
    this.#world.trace.record("crash", this.id, lost, `loses ${lost} unsynced batches`);
    this.#world.coverage.add("crashes");
    this.#life.process.kill();
    this.#life.storage.cut(survivors);
    this.#world.network.attach(this.id, null);
    this.#world.streams?.down(this.id, hasPower);
    this.#world.checker.nodeCrashed(this.id);
    this.#life = null;
    if (this.disk.crash(survivors) > 0) this.#world.coverage.add("crashesThatLostWrites");
    this.#snapshotFiles.crash(tear);
  }

  /** `stopsClock`: the whole machine stands still. */
  pause(stopsClock = false): void {
    this.#world.trace.record("pause", this.id, stopsClock ? 1 : 0);
    this.#life?.leases.paused();
    this.#life?.process.pause(stopsClock);
  }

  jumpClock(aheadMs: number): void {
    this.#world.trace.record("clock jump", this.id, aheadMs);
    this.#life?.process.jumpClock(aheadMs);
  }

  resume(): void {
    this.#world.trace.record("resume", this.id, 0);
    this.#life?.leases.resumed();
    this.#life?.process.resume();
  }

  /** Tells the node that it lost its connection to `peer`. */
  peerDown(peer: NodeId, refused: boolean): void {
    this.#life?.fabric.peerDown(peer, refused);
  }

  /** A client's write. Says false where nobody listens; a crash leaves it without an answer. */
  propose(command: Uint8Array, answer: (outcome: ProposalOutcome<KvResult>) => void): boolean {
    const life = this.#listening;
    if (life === null) return false;
    life.process.deliver(() => {
      if (this.#refusesWrites(life)) {
        answer({ kind: "notApplied", code: "overloaded", leaderId: null });
      } else {
        life.driver.propose(command, answer);
      }
    });
    return true;
  }

  /** A command of a client that has a session; the node puts its cluster time on it. */
  proposeInSession(
    command: KvCommand,
    session: SessionOperation | null,
    answer: (outcome: ProposalOutcome<KvResult>) => void,
  ): boolean {
    const life = this.#listening;
    if (life === null) return false;
    life.process.deliver(() => {
      const clusterTimeMs = life.clusterClock.stamp(life.driver.view().currentTerm);
      checkStamp(this.id, clusterTimeMs, life.machine.clusterTimeMs);
      life.driver.propose(encodeCommand(command, { clusterTimeMs, session }), answer);
    });
    return true;
  }

  /** An operator's change of members; nothing happens where nobody listens. */
  changeMembers(
    target: ConfigurationTarget,
    options: ChangeOptions,
    answer: (outcome: ChangeOutcome) => void,
  ): void {
    const life = this.#listening;
    if (life === null) return;
    life.changesAsked++;
    life.process.deliver(() => {
      life.changesAsked--;
      this.#world.checker.changeAsked(this.id);
      life.driver.changeMembers(target, options, answer);
    });
  }

  /** Bytes of what the log holds above its snapshot. */
  logBytesAboveSnapshot(): number {
    if (this.#life === null) return 0;
    const { snapshotIndex } = this.#life.driver.view();
    const above = this.disk.entries.filter(({ index }) => index > snapshotIndex);
    return above.reduce((sum, { data }) => sum + data.length, 0);
  }

  /** A client's linearizable read; as {@link SimNode.propose}. */
  read(key: Uint8Array, answer: (answer: ReadAnswer) => void): boolean {
    const life = this.#listening;
    if (life === null) return false;
    const answerAt = (appliedIndex: number): void => {
      const value = life.machine.get(key)?.value ?? null;
      answer({ kind: "value", value, appliedIndex });
    };
    life.process.deliver(() => {
      if (life.driver.leaseRead() !== null) {
        this.#world.coverage.add("leaseReads");
        life.leases.check(life.driver.view());
        answerAt(life.driver.lastApplied);
        return;
      }
      life.driver.readIndex((outcome) => {
        if (outcome.kind === "failed") answer({ kind: "failed", leaderId: outcome.leaderId });
        else answerAt(outcome.appliedIndex);
      });
    });
    return true;
  }

  transferLeadership(target: NodeId | null, answer: (outcome: TransferOutcome) => void): void {
    const life = this.#listening;
    life?.process.deliver(() => {
      life.driver.transferLeadership(target, answer);
    });
  }

  /** As the request router does: a leader whose disk takes nothing accepts nothing. */
  #refusesWrites({ storage, driver }: Life): boolean {
    if (storage.state() === "ok" || driver.view().role !== "leader") return false;
    this.#world.coverage.add("writesRefusedByFullDisks");
    return true;
  }

  get #listening(): Life | null {
    return this.#life?.isReady === true ? this.#life : null;
  }

  /** Null: its directory is damaged beyond what a start may repair. */
  #createUnlessRefused(): Life | null {
    try {
      return this.#create();
    } catch (error) {
      const isRefused = error instanceof StorageError;
      if (!isRefused || this.#options.directory?.isRotten !== true) throw error;
      this.#world.trace.record("refused", this.id, "its directory is damaged");
      this.#world.streams?.down(this.id, true);
      this.#lose();
      return null;
    }
  }

  #createStorage(process: SimProcess, random: SeededRandom): CrashableStorage {
    const { scheduler, coverage } = this.#world;
    const { directory, parts, diskSpeed } = this.#options;
    const create = (context: SimStorageContext): CrashableStorage =>
      directory === null ? new SimStorage(context) : new SqliteSimStorage(context, directory);
    return (parts.createStorage ?? create)({
      disk: this.disk,
      process,
      scheduler,
      random,
      speed: diskSpeed,
      coverage,
      onSyncStarted: (durationUs) => {
        this.#options.onSyncStarted(this, durationUs);
      },
      onFailure: (reason) => {
        this.#storageFailed(reason);
      },
    });
  }

  #create(): Life {
    const { scheduler, network, streams, checker } = this.#world;
    const { config, tickIntervalMs, clockRate, parts } = this.#options;
    const random = this.#options.random.fork(`life ${this.#lives}`);
    const fullDisk = new FullDisk(this.id);
    let made: RaftCore | null = null;
    const process = new SimProcess(scheduler, clockRate, () => {
      checker.nodeTurned(this.id);
      // Only there writes come by the daemon's own router, which is to refuse them.
      if (made !== null && streams !== null) fullDisk.turned(this.disk.trouble.isFull, made);
    });
    const leases = new LeaseWatch(this.id, (config.heartbeatTicks + 1) * tickIntervalMs, process);
    const storage = this.#createStorage(process, random.fork("disk"));
    const machine = parts.createStateMachine?.() ?? new KvStateMachine();
    const ingredients: NodeIngredients = {
      config,
      tickIntervalMs,
      snapshots: this.#options.snapshots,
      sessionTtlMs: this.#options.sessionTtlMs,
      process,
      clock: parts.createClock?.(process) ?? process,
      random,
      machine,
      directory: {
        storage,
        snapshots: this.#createSnapshots(process, random.fork("snapshots")),
        identity: this.#identity,
        isFull: () => this.disk.trouble.isFull,
        afterSync: (done) => {
          this.#whenWritten(
            process,
            1 + random.exponential(this.#options.diskSpeed().syncMeanUs),
            done,
          );
        },
      },
      observer: this.#observe(machine, leases),
      createCore: (...given) => {
        const core = (parts.createCore ?? ((...from) => new RaftCore(...from)))(...given);
        made = core;
        checker.nodeStarted(this.id, core);
        // One that was broken on purpose would be caught here before anywhere else.
        const isJudged = parts.createCore === undefined || parts.judgesSteps === true;
        if (isJudged) checker.judgeSteps(core, config);
        return core;
      },
    };
    const fabric =
      streams === null
        ? messageFabric(ingredients, network)
        : streamFabric(ingredients, streams, this.#options.configuration);
    const clusterClock = new ClusterClock(
      () => process.nowMs(),
      () => machine.clusterTimeMs,
    );
    return {
      process,
      storage,
      fabric,
      driver: fabric.driver,
      machine,
      clusterClock,
      leases,
      isReady: false,
      changesAsked: 0,
    };
  }

  #observe(machine: KvStateMachine, leases: LeaseWatch): DriverObserver<KvResult> {
    const { checker, coverage, trace } = this.#world;
    return {
      onStep: () => {},
      onMessageSent: (to, message) => {
        checker.messageSent(this.id, to, message);
        leases.messageSent(message);
        if (this.#world.streams !== null) trace.record("send", this.id, to, message);
      },
      onApplied: (entry, result) => {
        checker.applied(this.id, entry, result, machine.stateHash());
      },
      onSnapshotTaken: ({ lastIncludedIndex }) => {
        coverage.add("snapshotsTaken");
        trace.record("snapshot", this.id, lastIncludedIndex);
      },
      onSnapshotDamaged: () => {
        coverage.add("snapshotsDamaged");
      },
      onSnapshotInstalled: ({ lastIncludedIndex }) => {
        coverage.add("snapshotsInstalled");
        trace.record("install", this.id, lastIncludedIndex);
        this.#restored(lastIncludedIndex, machine);
      },
    };
  }

  #createSnapshots(process: SimProcess, random: SeededRandom): SnapshotStore {
    const { scheduler, coverage } = this.#world;
    const { parts, diskSpeed } = this.#options;
    const create =
      parts.createSnapshots ?? ((options): SnapshotStore => new SimSnapshotStore(options));
    return create({
      files: this.#snapshotFiles,
      current: () => this.disk.snapshot,
      later: (done) => {
        this.#whenWritten(process, 1 + random.exponential(diskSpeed().syncMeanUs), done);
      },
      readLater: (done) => {
        scheduler.schedule(1 + random.exponential(diskSpeed().syncMeanUs), () => {
          process.deliver(done);
        });
      },
      onResumed: () => {
        coverage.add("snapshotResumes");
      },
      isSound: (bytes, name) =>
        isContentOf(name, bytes) && !random.chance(this.#options.snapshots.damageChance),
    });
  }

  /** Something was written to a snapshot file, as soon as the disk takes it. */
  #whenWritten(process: SimProcess, delayUs: number, done: () => void): void {
    this.#world.scheduler.schedule(delayUs, () => {
      if (this.#life?.process !== process) return;
      const { trouble } = this.disk;
      const stallUs = trouble.stalledUntilUs - this.#world.scheduler.nowUs;
      if (trouble.isReadOnly) {
        process.deliver(() => {
          this.#storageFailed("a snapshot file cannot be written");
        });
      } else if (trouble.isFull) {
        this.#whenWritten(process, FULL_RETRY_MS * 1000, done);
      } else if (stallUs > 0) {
        this.#whenWritten(process, stallUs, done);
      } else {
        process.deliver(done);
      }
    });
  }

  #storageFailed(reason: string): void {
    this.#world.trace.record("disk failed", this.id, reason);
    this.#options.onStorageFailed(this);
  }

  #lose(): void {
    this.#isLost = true;
    this.#world.checker.diskLost(this.id);
  }

  /** A start refuses a directory whose snapshot is not what was written. */
  #hasSoundSnapshot(): boolean {
    const { lastIncludedIndex, lastIncludedTerm } = this.disk.snapshot;
    if (lastIncludedIndex === 0) return true;
    const forged = this.#snapshotFiles.forgedAt(lastIncludedIndex, lastIncludedTerm);
    return forged === null
      ? this.#snapshotFiles.isSoundAt(lastIncludedIndex, lastIncludedTerm)
      : canRestore(forged);
  }

  #restored(index: number, machine: KvStateMachine): void {
    if (index > 0) this.#world.checker.restored(this.id, index, machine.stateHash());
  }

  /** A log may follow a snapshot only when the whole file would survive a power cut. */
  #checkSnapshotFile(): void {
    const { lastIncludedIndex, lastIncludedTerm } = this.disk.snapshot;
    requireInvariant(
      lastIncludedIndex === 0 ||
        this.#snapshotFiles.wholeAt(lastIncludedIndex, lastIncludedTerm) !== null,
      "Snapshot Durable",
      () => `the log of ${this.id} follows a snapshot at ${lastIncludedIndex} that is not whole`,
    );
  }
}
