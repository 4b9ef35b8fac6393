import type { Configuration, NodeId } from "@quorate/wire";
import type { KvResult } from "../kv/kv-result.ts";
import { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Storage } from "../ports/storage.ts";
import type { RaftConfig, RaftView } from "../raft/index.ts";
import { RaftCore } from "../raft/index.ts";
import type { ProposalOutcome, TransferOutcome } from "../server/driver-outcomes.ts";
import type { CreateCore } from "../server/raft-driver.ts";
import { RaftDriver } from "../server/raft-driver.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimProcess } from "./sim-process.ts";
import { SimSnapshotFiles, SimSnapshotStore } from "./sim-snapshot-store.ts";
import type { DiskSpeed, SimStorageContext } from "./sim-storage.ts";
import { SimStorage } from "./sim-storage.ts";
import { SimTransport } from "./sim-transport.ts";
import type { SimWorld } from "./sim-world.ts";

/** A storage whose machine can lose power. */
export interface CrashableStorage extends Storage {
  cut(): void;
}

/** Replaces parts of every node: a test does so to break one and see it caught. */
export interface NodeParts {
  readonly createCore?: CreateCore;
  readonly createStorage?: (context: SimStorageContext) => CrashableStorage;
}

export interface SimNodeOptions {
  readonly config: RaftConfig;
  readonly configuration: Configuration;
  readonly tickIntervalMs: number;
  /** How fast this node's clock runs: 1 is true. */
  readonly clockRate: number;
  readonly random: SeededRandom;
  readonly diskSpeed: () => DiskSpeed;
  readonly onSyncStarted: (node: SimNode, durationUs: number) => void;
  readonly parts: NodeParts;
}

/** What a client hears of a read. */
export type ReadAnswer =
  | { readonly kind: "value"; readonly value: Uint8Array | null; readonly appliedIndex: number }
  | { readonly kind: "failed"; readonly leaderId: NodeId | null };

interface Life {
  readonly process: SimProcess;
  readonly storage: CrashableStorage;
  readonly transport: SimTransport;
  readonly driver: RaftDriver<KvResult>;
  readonly machine: KvStateMachine;
}

/** One server: a disk that stays, and the lives of its process with the real driver and core. */
export class SimNode {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly #world: SimWorld;
  readonly #options: SimNodeOptions;
  readonly #snapshotFiles = new SimSnapshotFiles();
  #life: Life | null = null;
  #lives = 0;

  /** The node is down until {@link SimNode.start}. */
  constructor(world: SimWorld, options: SimNodeOptions) {
    this.id = options.config.nodeId;
    this.#world = world;
    this.#options = options;
    this.disk = new SimDisk(options.configuration, (before, disk) => {
      world.checker.becameDurable(this.id, before, disk);
    });
    world.checker.nodeAdded(this.id, this.disk);
  }

  get isRunning(): boolean {
    return this.#life !== null;
  }

  get isPaused(): boolean {
    return this.#life?.process.isPaused ?? false;
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
    if (this.#life !== null) return;
    this.#lives++;
    this.#world.trace.record("start", this.id, this.#lives);
    const life = this.#create();
    this.#life = life;
    life.driver.start();
  }

  /** Kills the process and the machine's cache; `survivors` unsynced batches had been written. */
  crash(survivors: number): void {
    if (this.#life === null) return;
    const lost = this.disk.unsyncedBatches - survivors;
    this.#world.trace.record("crash", this.id, lost, `loses ${lost} unsynced batches`);
    this.#world.coverage.add("crashes");
    if (lost > 0) this.#world.coverage.add("crashesThatLostWrites");
    this.#life.process.kill();
    this.#life.storage.cut();
    this.#world.network.attach(this.id, null);
    this.#world.checker.nodeCrashed(this.id);
    this.#life = null;
    this.disk.crash(survivors);
  }

  pause(): void {
    this.#world.trace.record("pause", this.id, 0);
    this.#life?.process.pause();
  }

  resume(): void {
    this.#world.trace.record("resume", this.id, 0);
    this.#life?.process.resume();
  }

  /** Tells the node that it lost its connection to `peer`. */
  peerDown(peer: NodeId, refused: boolean): void {
    this.#life?.transport.peerDown(peer, refused);
  }

  /** A client's write. Says false where nobody listens; a crash leaves it without an answer. */
  propose(command: Uint8Array, answer: (outcome: ProposalOutcome<KvResult>) => void): boolean {
    const life = this.#life;
    if (life === null) return false;
    life.process.deliver(() => {
      life.driver.propose(command, answer);
    });
    return true;
  }

  /** A client's linearizable read; as {@link SimNode.propose}. */
  read(key: Uint8Array, answer: (answer: ReadAnswer) => void): boolean {
    const life = this.#life;
    if (life === null) return false;
    life.process.deliver(() => {
      life.driver.readIndex((outcome) => {
        if (outcome.kind === "failed") {
          answer({ kind: "failed", leaderId: outcome.leaderId });
        } else {
          const value = life.machine.get(key)?.value ?? null;
          answer({ kind: "value", value, appliedIndex: outcome.appliedIndex });
        }
      });
    });
    return true;
  }

  transferLeadership(target: NodeId | null, answer: (outcome: TransferOutcome) => void): void {
    const life = this.#life;
    life?.process.deliver(() => {
      life.driver.transferLeadership(target, answer);
    });
  }

  #create(): Life {
    const { scheduler, network, checker, coverage } = this.#world;
    const { config, tickIntervalMs, clockRate, parts } = this.#options;
    const random = this.#options.random.fork(`life ${this.#lives}`);
    const process = new SimProcess(scheduler, clockRate, () => {
      checker.nodeTurned(this.id);
    });
    const storage = (parts.createStorage ?? ((context) => new SimStorage(context)))({
      disk: this.disk,
      process,
      scheduler,
      random: random.fork("disk"),
      speed: this.#options.diskSpeed,
      coverage,
      onSyncStarted: (durationUs) => {
        this.#options.onSyncStarted(this, durationUs);
      },
    });
    const transport = new SimTransport(this.id, network, process);
    const machine = new KvStateMachine();
    const driver = new RaftDriver<KvResult>({
      config,
      tickIntervalMs,
      storage,
      transport,
      clock: process,
      random: random.fork("core"),
      stateMachine: machine,
      snapshots: new SimSnapshotStore({
        files: this.#snapshotFiles,
        current: () => storage.recovered.snapshot,
        later: (done) => {
          scheduler.schedule(0, () => {
            process.deliver(done);
          });
        },
      }),
      // The simulated log keeps all entries.
      snapshotLogBytes: Number.MAX_SAFE_INTEGER,
      snapshotSendBytesPerSecond: Number.MAX_SAFE_INTEGER,
      createCore: (...given) => {
        const core = (parts.createCore ?? ((...from) => new RaftCore(...from)))(...given);
        checker.nodeStarted(this.id, core);
        return core;
      },
      observer: {
        onStep: () => {},
        onMessageSent: (to, message) => {
          checker.messageSent(this.id, to, message);
        },
        onApplied: (entry) => {
          checker.applied(this.id, entry, machine.stateHash());
        },
      },
    });
    return { process, storage, transport, driver, machine };
  }
}
