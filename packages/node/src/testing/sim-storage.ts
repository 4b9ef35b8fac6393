import type { Storage } from "../ports/storage.ts";
import type { PersistBatch, RecoveredState } from "../raft/index.ts";
import type { Coverage } from "./coverage.ts";
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
}

/** One life of a process on its disk: syncs take simulated time and end in order. */
export class SimStorage implements Storage {
  readonly recovered: RecoveredState;
  readonly #context: SimStorageContext;
  #lastSyncEndUs = 0;
  #isCut = false;

  constructor(context: SimStorageContext) {
    this.#context = context;
    this.recovered = context.disk.recover();
  }

  persist(batch: PersistBatch, done: () => void): void {
    const { disk, process, scheduler, onSyncStarted } = this.#context;
    disk.write(batch);
    const endUs = Math.max(this.#lastSyncEndUs, scheduler.nowUs + this.#durationUs());
    this.#lastSyncEndUs = endUs;
    // The system finishes a sync that was begun also while the process is paused.
    scheduler.schedule(endUs - scheduler.nowUs, () => {
      if (this.#isCut) return;
      disk.sync(1);
      process.deliver(done);
    });
    onSyncStarted(endUs - scheduler.nowUs);
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

  #durationUs(): number {
    const { random, coverage } = this.#context;
    const speed = this.#context.speed();
    if (random.chance(speed.slowSyncChance)) {
      coverage.add("slowSyncs");
      return random.below(speed.slowSyncMaxUs);
    }
    return 1 + random.exponential(speed.syncMeanUs);
  }
}
