import type { Storage } from "../ports/storage.ts";
import type { PersistBatch, RecoveredState } from "../raft/index.ts";
import type { Coverage } from "./coverage.ts";
import { TROUBLE_LOOK_US } from "./disk-trouble.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimScheduler } from "./sim-scheduler.ts";

/** How fast a disk is, in microseconds. */
export interface DiskSpeed {
  /** Mean of a sync, exponentially distributed. */
  readonly syncMeanUs: number;
  readonly slowSyncChance: number;
  readonly slowSyncMaxUs: number;
}

export const CALM_DISK: DiskSpeed = { syncMeanUs: 300, slowSyncChance: 0, slowSyncMaxUs: 1 };

/** How often a write that found no room is tried again, as the real storage does. */
export const FULL_RETRY_MS = 500;

/** What a simulated storage works with. */
export interface SimStorageContext {
  readonly disk: SimDisk;
  readonly process: SimProcess;
  readonly scheduler: SimScheduler;
  readonly random: SeededRandom;
  readonly speed: () => DiskSpeed;
  readonly coverage: Coverage;
  /** Called as each sync starts, with the time that it will take: a moment to cut the power. */
  readonly onSyncStarted: (durationUs: number) => void;
  /** Called once, when a write or sync failed: the process ends with this reason. */
  readonly onFailure: (reason: string) => void;
}

interface WaitingBatch {
  readonly batch: PersistBatch;
  readonly done: () => void;
}

/**
 * One life of a process on its disk: syncs take simulated time and end in order. What finds no room
 * waits for it; a write or a sync that fails ends the process.
 */
export class SimStorage implements Storage {
  readonly recovered: RecoveredState;
  readonly #context: SimStorageContext;
  /** Batches that found no room, oldest first. */
  readonly #waiting: WaitingBatch[] = [];
  /** Of batches that are being synced, oldest first. */
  readonly #syncing: (() => void)[] = [];
  #lastSyncEndUs = 0;
  #isCut = false;

  constructor(context: SimStorageContext) {
    this.#context = context;
    this.recovered = context.disk.recover();
  }

  persist(batch: PersistBatch, done: () => void): void {
    this.#waiting.push({ batch, done });
    if (this.#waiting.length === 1) this.#writeWaiting();
  }

  /** `full`: there is no room for a write, which waits. */
  state(): "ok" | "full" {
    return this.#waiting.length > 0 ? "full" : "ok";
  }

  /** The process or the machine has died: what was not synced stays in the disk's hands. */
  cut(): void {
    this.#isCut = true;
  }

  sizeBytes(): number {
    return this.#context.disk.sizeBytes();
  }

  close(): Promise<void> {
    const { disk } = this.#context;
    disk.sync(disk.unsyncedBatches);
    this.#isCut = true;
    return Promise.resolve();
  }

  #writeWaiting(): void {
    const { disk, process, coverage } = this.#context;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (disk.trouble.isReadOnly) {
        this.#fail("the file system is read-only");
        return;
      }
      if (disk.trouble.isFull) {
        coverage.add("writesThatFoundNoRoom");
        process.after(FULL_RETRY_MS, () => {
          if (!this.#isCut) this.#writeWaiting();
        });
        return;
      }
      this.#waiting.shift();
      this.#write(next);
    }
  }

  #write({ batch, done }: WaitingBatch): void {
    const { disk, scheduler, onSyncStarted } = this.#context;
    disk.write(batch);
    this.#syncing.push(done);
    const endUs = Math.max(this.#lastSyncEndUs, scheduler.nowUs + syncDurationUs(this.#context));
    this.#lastSyncEndUs = endUs;
    // The system finishes a sync that was begun also while the process is paused.
    scheduler.schedule(endUs - scheduler.nowUs, () => {
      this.#endSync();
    });
    onSyncStarted(endUs - scheduler.nowUs);
  }

  #endSync(): void {
    if (this.#isCut) return;
    const { disk, process, scheduler } = this.#context;
    const { trouble } = disk;
    const stallUs = trouble.stalledUntilUs - scheduler.nowUs;
    if (stallUs > 0) {
      scheduler.schedule(Math.min(stallUs, TROUBLE_LOOK_US), () => {
        this.#endSync();
      });
      return;
    }
    const done = this.#syncing.shift();
    if (done === undefined) return;
    if (trouble.failsNextSync) {
      trouble.failsNextSync = false;
      this.#context.coverage.add("syncsFailed");
      this.#fail("a sync failed");
    } else {
      disk.sync(1);
      process.deliver(done);
    }
  }

  #fail(reason: string): void {
    this.#isCut = true;
    const { process, scheduler, onFailure } = this.#context;
    scheduler.schedule(1, () => {
      process.deliver(() => {
        onFailure(reason);
      });
    });
  }
}

/** How long the next sync takes. */
export function syncDurationUs({ random, coverage, speed }: SimStorageContext): number {
  const { syncMeanUs, slowSyncChance, slowSyncMaxUs } = speed();
  if (random.chance(slowSyncChance)) {
    coverage.add("slowSyncs");
    return random.below(slowSyncMaxUs);
  }
  return 1 + random.exponential(syncMeanUs);
}
