import type { NodeId, SessionOperation } from "@quorate/wire";
import { encodeCommand } from "../kv/command-codec.ts";
import type { KvCommand } from "../kv/kv-command.ts";
import type { KvResult } from "../kv/kv-result.ts";
import type { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { ChangeOptions, ConfigurationTarget, RaftView } from "../raft/index.ts";
import { assert } from "../raft/index.ts";
import type { ChangeOutcome, ProposalOutcome, TransferOutcome } from "../server/driver-outcomes.ts";
import { StorageError } from "../storage/storage-error.ts";
import { checkStamp } from "./checkers/cluster-time.ts";
import { canRestore } from "./forged-snapshot.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimIdentity } from "./sim-identity.ts";
import type { LifeHost, LifeOptions } from "./sim-life.ts";
import { SimLife } from "./sim-life.ts";
import type { Tear } from "./sim-snapshot-store.ts";
import { SimSnapshotFiles } from "./sim-snapshot-store.ts";
import type { SimWorld } from "./sim-world.ts";

export interface SimNodeOptions extends LifeOptions {
  readonly random: SeededRandom;
  readonly onSyncStarted: (node: SimNode, durationUs: number) => void;
  /** A write or a sync failed: the process ends. */
  readonly onStorageFailed: (node: SimNode) => void;
}

/** What a client hears of a read. */
export type ReadAnswer =
  | { readonly kind: "value"; readonly value: Uint8Array | null; readonly appliedIndex: number }
  | { readonly kind: "failed"; readonly leaderId: NodeId | null };

/** One server: a disk that stays, and the lives of its process with the real driver and core. */
export class SimNode {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly #world: SimWorld;
  readonly #options: SimNodeOptions;
  readonly #snapshotFiles: SimSnapshotFiles;
  readonly #identity: SimIdentity;
  #life: SimLife | null = null;
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
   * Says how many batches its disk has lost.
   */
  crash(
    survivors: number,
    hasPower: boolean,
    tear?: (unsyncedBytes: number) => Tear | null,
  ): number {
    if (this.#life === null) return 0;
    const lost = this.disk.unsyncedBatches - survivors;
    this.#world.trace.record("crash", this.id, lost, `loses ${lost} unsynced batches`);
    this.#life.process.kill();
    this.#life.storage.cut(survivors);
    this.#world.network.attach(this.id, null);
    this.#world.streams?.down(this.id, hasPower);
    this.#world.checker.nodeCrashed(this.id);
    this.#life = null;
    const lostBatches = this.disk.crash(survivors);
    this.#snapshotFiles.crash(tear);
    return lostBatches;
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
      if (life.refusesWrites()) {
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

  get #listening(): SimLife | null {
    return this.#life?.isReady === true ? this.#life : null;
  }

  /** Null: its directory is damaged beyond what a start may repair. */
  #createUnlessRefused(): SimLife | null {
    try {
      const random = this.#options.random.fork(`life ${this.#lives}`);
      return new SimLife(this.#hostOfLives(), this.#options, random);
    } catch (error) {
      const isRefused = error instanceof StorageError;
      if (!isRefused || this.#options.directory?.isRotten !== true) throw error;
      this.#world.trace.record("refused", this.id, "its directory is damaged");
      this.#world.streams?.down(this.id, true);
      this.#lose();
      return null;
    }
  }

  #hostOfLives(): LifeHost {
    const { id, disk } = this;
    return {
      id,
      world: this.#world,
      disk,
      snapshotFiles: this.#snapshotFiles,
      identity: this.#identity,
      isAlive: (process) => this.#life?.process === process,
      syncStarted: (durationUs) => {
        this.#options.onSyncStarted(this, durationUs);
      },
      storageFailed: (reason) => {
        this.#world.trace.record("disk failed", id, reason);
        this.#options.onStorageFailed(this);
      },
      restored: (index, machine) => {
        this.#restored(index, machine);
      },
    };
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
    if (forged === null) {
      return this.#snapshotFiles.isSoundAt(lastIncludedIndex, lastIncludedTerm);
    }
    const isSound = canRestore(forged);
    if (!isSound) this.#world.coverage.add("forgedSnapshotsRefused");
    return isSound;
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
