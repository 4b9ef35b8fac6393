import assert from "node:assert/strict";
import type { Configuration, EntryId, LogEntry } from "@quorate/wire";
import type {
  HardState,
  PersistBatch,
  RecoveredState,
  SnapshotPoint,
  SnapshotSwitch,
} from "../../src/raft/index.ts";

/** What would survive a power cut; snapshots are points only, see `Cluster` for their state. */
export class ClusterDisk {
  #hardState: HardState;
  #entries: LogEntry[];
  #beforeFirst: EntryId = { index: 0, term: 0 };
  #snapshot: SnapshotPoint;

  constructor(hardState: HardState, entries: readonly LogEntry[], configuration: Configuration) {
    this.#hardState = hardState;
    this.#entries = [...entries];
    this.#snapshot = {
      lastIncludedIndex: 0,
      lastIncludedTerm: 0,
      configuration,
      configurationIndex: 0,
    };
  }

  get snapshot(): SnapshotPoint {
    return this.#snapshot;
  }

  /** All of a batch at once, as a transaction would. */
  write(batch: PersistBatch): void {
    if (batch.snapshot !== undefined) this.#switchTo(batch.snapshot);
    if (batch.hardState !== null) this.#hardState = batch.hardState;
    const first = batch.entries[0];
    if (first !== undefined) {
      this.#entries = this.#entries.filter(({ index }) => index < first.index);
      this.#entries.push(...batch.entries);
    }
    for (const [offset, { index }] of this.#entries.entries()) {
      assert.equal(index, this.#beforeFirst.index + 1 + offset, "the log on disk has a hole");
    }
    const lastIndex = this.#beforeFirst.index + this.#entries.length;
    assert.ok(lastIndex >= this.#snapshot.lastIncludedIndex, "a hole behind the snapshot");
  }

  recovered(): RecoveredState {
    return {
      hardState: { ...this.#hardState },
      entries: [...this.#entries],
      snapshot: this.#snapshot,
      beforeFirst: this.#beforeFirst,
      voteFloor: null,
    };
  }

  #switchTo({ point, beforeFirst, keepsLog }: SnapshotSwitch): void {
    assert.ok(point.lastIncludedIndex >= this.#snapshot.lastIncludedIndex, "an older snapshot");
    assert.ok(beforeFirst.index <= point.lastIncludedIndex, "the log starts beyond the snapshot");
    assert.ok(beforeFirst.index >= this.#beforeFirst.index, "the start of the log goes back");
    this.#entries = keepsLog ? this.#entries.filter(({ index }) => index > beforeFirst.index) : [];
    this.#snapshot = point;
    this.#beforeFirst = beforeFirst;
  }
}
