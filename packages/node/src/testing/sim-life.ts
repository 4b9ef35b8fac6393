import type { Configuration, NodeId } from "@quorate/wire";
import type { KvResult } from "../kv/kv-result.ts";
import { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { SnapshotStore } from "../ports/snapshot-store.ts";
import type { Storage } from "../ports/storage.ts";
import type { RaftConfig } from "../raft/index.ts";
import { RaftCore } from "../raft/index.ts";
import { ClusterClock } from "../server/cluster-clock.ts";
import type { DriverObserver } from "../server/driver-outcomes.ts";
import type { CreateCore, RaftDriver } from "../server/raft-driver.ts";
import { FullDisk } from "./checkers/full-disk.ts";
import { LeaseWatch } from "./checkers/lease-watch.ts";
import { TROUBLE_LOOK_US } from "./disk-trouble.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { NodeFabric, NodeIngredients } from "./sim-fabric.ts";
import { messageFabric, streamFabric } from "./sim-fabric.ts";
import type { SimIdentity } from "./sim-identity.ts";
import type { CreateClient } from "./sim-library-client.ts";
import { SimProcess } from "./sim-process.ts";
import type { SimSnapshotFiles, SimSnapshotStoreOptions } from "./sim-snapshot-store.ts";
import { isContentOf, SimSnapshotStore } from "./sim-snapshot-store.ts";
import type { DiskSpeed, SimStorageContext } from "./sim-storage.ts";
import { FULL_RETRY_MS, SimStorage } from "./sim-storage.ts";
import type { SimWorld } from "./sim-world.ts";
import type { SqliteDirectory } from "./sqlite-directory.ts";
import { SqliteSimStorage } from "./sqlite-sim-storage.ts";

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

/** What is the same in every life of a node. */
export interface LifeOptions {
  readonly config: RaftConfig;
  readonly configuration: Configuration;
  readonly snapshots: SnapshotHabits;
  readonly sessionTtlMs: number;
  readonly tickIntervalMs: number;
  /** How fast this node's clock runs: 1 is true. */
  readonly clockRate: number;
  readonly diskSpeed: () => DiskSpeed;
  /** Real files, which a real database is kept in; null: a model is enough. */
  readonly directory: SqliteDirectory | null;
  readonly parts: NodeParts;
}

/** The machine that a process lives on: what outlasts it, and what it is to be told. */
export interface LifeHost {
  readonly id: NodeId;
  readonly world: SimWorld;
  readonly disk: SimDisk;
  readonly snapshotFiles: SimSnapshotFiles;
  readonly identity: SimIdentity;
  /** Whether this process is the one that lives. */
  isAlive(process: SimProcess): boolean;
  syncStarted(durationUs: number): void;
  /** A write or a sync failed: the process ends. */
  storageFailed(reason: string): void;
  /** Its state is that of a snapshot which ends at `index`. */
  restored(index: number, machine: KvStateMachine): void;
}

/** One process of a node, with the real driver, core and state machine, on a simulated machine. */
export class SimLife {
  readonly process: SimProcess;
  readonly storage: CrashableStorage;
  readonly driver: RaftDriver<KvResult>;
  readonly machine: KvStateMachine;
  readonly fabric: NodeFabric;
  readonly clusterClock: ClusterClock;
  readonly leases: LeaseWatch;
  /** Its state is restored: from now on it listens. */
  isReady = false;
  /** Changes of members that it was asked for and has not looked at. */
  changesAsked = 0;
  readonly #host: LifeHost;
  readonly #options: LifeOptions;
  #core: RaftCore | null = null;

  /** Starts on what the disk holds. Throws `StorageError` where that is damaged. */
  constructor(host: LifeHost, options: LifeOptions, random: SeededRandom) {
    this.#host = host;
    this.#options = options;
    const { network, streams } = host.world;
    const { config, configuration, tickIntervalMs, parts } = options;
    this.process = this.#createProcess();
    this.leases = new LeaseWatch(
      host.id,
      (config.heartbeatTicks + 1) * tickIntervalMs,
      this.process,
    );
    this.storage = this.#createStorage(random.fork("disk"));
    this.machine = parts.createStateMachine?.() ?? new KvStateMachine();
    const ingredients = this.#ingredients(random);
    this.fabric =
      streams === null
        ? messageFabric(ingredients, network)
        : streamFabric(ingredients, streams, configuration);
    this.driver = this.fabric.driver;
    this.clusterClock = new ClusterClock(
      () => this.process.nowMs(),
      () => this.machine.clusterTimeMs,
    );
  }

  /** As the request router does: a leader whose disk takes nothing accepts nothing. */
  refusesWrites(): boolean {
    if (this.storage.state() === "ok" || this.driver.view().role !== "leader") return false;
    this.#host.world.coverage.add("writesRefusedByFullDisks");
    return true;
  }

  #createProcess(): SimProcess {
    const { id, disk, world } = this.#host;
    const fullDisk = new FullDisk(id);
    return new SimProcess(world.scheduler, this.#options.clockRate, () => {
      world.checker.nodeTurned(id);
      this.#checkLease();
      // Only there writes come by the daemon's own router, which is to refuse them.
      if (this.#core === null || world.streams === null) return;
      fullDisk.turned(disk.trouble.isFull, this.#core);
    });
  }

  /** Whether or not anybody reads by it now. */
  #checkLease(): void {
    if (!this.#options.config.leaseReads || this.#core === null) return;
    if (this.driver.leaseRead() === null) return;
    const view = this.driver.view();
    this.leases.check(view);
    this.#host.world.checker.leaseHeld(this.#host.id, view);
  }

  #createStorage(random: SeededRandom): CrashableStorage {
    const { disk, world } = this.#host;
    const { directory, parts, diskSpeed } = this.#options;
    const create = (context: SimStorageContext): CrashableStorage =>
      directory === null ? new SimStorage(context) : new SqliteSimStorage(context, directory);
    return (parts.createStorage ?? create)({
      disk,
      process: this.process,
      scheduler: world.scheduler,
      random,
      speed: diskSpeed,
      coverage: world.coverage,
      onSyncStarted: (durationUs) => {
        this.#host.syncStarted(durationUs);
      },
      onFailure: (reason) => {
        this.#host.storageFailed(reason);
      },
    });
  }

  #ingredients(random: SeededRandom): NodeIngredients {
    const { disk, identity } = this.#host;
    const { config, tickIntervalMs, snapshots, parts, diskSpeed } = this.#options;
    const { process, machine, storage } = this;
    return {
      config,
      tickIntervalMs,
      snapshots,
      sessionTtlMs: this.#options.sessionTtlMs,
      process,
      clock: parts.createClock?.(process) ?? process,
      random,
      machine,
      directory: {
        storage,
        snapshots: this.#createSnapshots(random.fork("snapshots")),
        identity,
        isFull: () => disk.trouble.isFull,
        afterSync: (done) => {
          this.#whenWritten(1 + random.exponential(diskSpeed().syncMeanUs), done);
        },
      },
      observer: this.#observe(),
      createCore: this.#createCore,
    };
  }

  readonly #createCore: CreateCore = (...given) => {
    const { id, world } = this.#host;
    const { parts, config } = this.#options;
    const core = (parts.createCore ?? ((...from) => new RaftCore(...from)))(...given);
    this.#core = core;
    world.checker.nodeStarted(id, core);
    // One that was broken on purpose would be caught here before anywhere else.
    const isJudged = parts.createCore === undefined || parts.judgesSteps === true;
    if (isJudged) world.checker.judgeSteps(core, config);
    return core;
  };

  #observe(): DriverObserver<KvResult> {
    const { id, world } = this.#host;
    const { checker, coverage, trace, streams } = world;
    const { machine, leases } = this;
    return {
      onStep: () => {},
      onMessageSent: (to, message) => {
        checker.messageSent(id, to, message);
        leases.messageSent(message);
        if (streams !== null) trace.record("send", id, to, message);
      },
      onApplied: (entry, result) => {
        checker.applied(id, entry, result, machine.stateHash());
      },
      onSnapshotTaken: ({ lastIncludedIndex }) => {
        coverage.add("snapshotsTaken");
        trace.record("snapshot", id, lastIncludedIndex);
      },
      onSnapshotDamaged: () => {
        coverage.add("snapshotsDamaged");
      },
      onSnapshotInstalled: ({ lastIncludedIndex }) => {
        coverage.add("snapshotsInstalled");
        trace.record("install", id, lastIncludedIndex);
        this.#host.restored(lastIncludedIndex, machine);
      },
    };
  }

  #createSnapshots(random: SeededRandom): SnapshotStore {
    const { snapshotFiles, disk, world } = this.#host;
    const { parts, diskSpeed, snapshots } = this.#options;
    const create =
      parts.createSnapshots ?? ((options): SnapshotStore => new SimSnapshotStore(options));
    return create({
      files: snapshotFiles,
      current: () => disk.snapshot,
      later: (done) => {
        this.#whenWritten(1 + random.exponential(diskSpeed().syncMeanUs), done);
      },
      readLater: (done) => {
        world.scheduler.schedule(1 + random.exponential(diskSpeed().syncMeanUs), () => {
          this.process.deliver(done);
        });
      },
      onResumed: () => {
        world.coverage.add("snapshotResumes");
      },
      isSound: (bytes, name) => isContentOf(name, bytes) && !random.chance(snapshots.damageChance),
    });
  }

  /** Something was written to a file beside the log, as soon as the disk takes it. */
  #whenWritten(delayUs: number, done: () => void): void {
    const { disk, world } = this.#host;
    world.scheduler.schedule(delayUs, () => {
      if (!this.#host.isAlive(this.process)) return;
      const { trouble } = disk;
      const stallUs = trouble.stalledUntilUs - world.scheduler.nowUs;
      if (trouble.isReadOnly) {
        this.process.deliver(() => {
          this.#host.storageFailed("a snapshot file cannot be written");
        });
      } else if (trouble.isFull) {
        this.#whenWritten(FULL_RETRY_MS * 1000, done);
      } else if (stallUs > 0) {
        this.#whenWritten(Math.min(stallUs, TROUBLE_LOOK_US), done);
      } else {
        this.process.deliver(done);
      }
    });
  }
}
