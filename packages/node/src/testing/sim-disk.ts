import type { Configuration, EntryId, LogEntry, LogIndex } from "@quorate/wire";
import { decodeEntries, encodeEntries } from "@quorate/wire";
import type {
  HardState,
  PersistBatch,
  RecoveredState,
  SnapshotPoint,
  SnapshotSwitch,
} from "../raft/index.ts";
import { assert } from "../raft/index.ts";
import type { HashAt } from "./chain-hash.ts";
import { chainHash, EMPTY_CHAIN, UNKNOWN_CHAIN } from "./chain-hash.ts";
import { DiskTrouble } from "./disk-trouble.ts";

interface WrittenBatch {
  readonly batch: Omit<PersistBatch, "entries">;
  readonly entries: Uint8Array;
}

/** Told after the durable state has changed. */
export type OnDurable = (before: HardState, disk: SimDisk) => void;

/**
 * What one node has on its disk, across the lives of its process. Batches that were written and
 * not synced live in the system's cache: a crash loses all of them but a prefix, as SQLite's
 * write-ahead log does. Entries are kept as the bytes of their records.
 */
export class SimDisk {
  readonly trouble: DiskTrouble = new DiskTrouble();
  readonly #onDurable: OnDurable;
  readonly #committedHashAt: HashAt;
  readonly #unsynced: WrittenBatch[] = [];
  #snapshot: SnapshotPoint;
  #beforeFirst: EntryId = { index: 0, term: 0 };
  #entries: LogEntry[] = [];
  /** Hash of the log up to `#beforeFirst`, then up to each entry. */
  #chain: number[] = [EMPTY_CHAIN];
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #voteFloor: EntryId | null = null;
  #hasLostEntries = false;
  /** Hashes of what damage took: until the floor is met, it is as good as there for elections. */
  readonly #damaged = new Map<LogIndex, number>();

  /**
   * A new disk of a server that begins with `configuration`. `committedHashAt` knows the log that
   * snapshots stand for.
   */
  constructor(
    configuration: Configuration,
    onDurable: OnDurable,
    committedHashAt: HashAt = () => null,
  ) {
    this.#snapshot = emptyPoint(configuration);
    this.#onDurable = onDurable;
    this.#committedHashAt = committedHashAt;
  }

  /** The durable hard state. */
  get hardState(): HardState {
    return this.#hardState;
  }

  /** The snapshot that the durable log follows. */
  get snapshot(): SnapshotPoint {
    return this.#snapshot;
  }

  get voteFloor(): EntryId | null {
    return this.#voteFloor;
  }

  /** Whether damage ever took entries that were durable. */
  get hasLostEntries(): boolean {
    return this.#hasLostEntries;
  }

  /** Last index of the durable log. */
  get lastIndex(): LogIndex {
    return this.#beforeFirst.index + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#beforeFirst.term;
  }

  /** The entries of the durable log. */
  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  /** Batches that a crash would lose, or not. */
  get unsyncedBatches(): number {
    return this.#unsynced.length;
  }

  /** Hash of the durable log up to `index`, or null: it does not reach so far. */
  chainHashAt(index: LogIndex): number | null {
    const offset = index - this.#beforeFirst.index;
    if (offset < 0) return this.#committedHashAt(index);
    return this.#chain[offset] ?? this.#damaged.get(index) ?? null;
  }

  /** Hands a batch to the system. It is not durable. */
  write({ entries, ...batch }: PersistBatch): void {
    this.#unsynced.push({ batch, entries: encodeEntries(entries) });
  }

  /** The newest batch found no room: nothing of it was written. */
  takeBack(): void {
    assert(this.#unsynced.pop() !== undefined, "nothing was written");
  }

  /** Makes the oldest `count` batches durable. */
  sync(count: number): void {
    for (const batch of this.#unsynced.splice(0, count)) this.#apply(batch);
  }

  /**
   * The machine loses power; the `survivors` oldest unsynced batches had reached the disk. Says how
   * many are lost.
   */
  crash(survivors: number): number {
    this.sync(survivors);
    return this.#unsynced.splice(0).length;
  }

  /**
   * Entries from `index` on cannot be read any more. The log is cut before them, and how far it
   * went stays known, as it does in a real data directory.
   */
  damage(index: LogIndex): void {
    assert(index > this.#snapshot.lastIncludedIndex, `damage at ${index}, within the snapshot`);
    if (index > this.lastIndex) return;
    this.#hasLostEntries = true;
    this.#voteFloor ??= { index: this.lastIndex, term: this.lastTerm };
    for (let at = index; at <= this.lastIndex; at++) {
      this.#damaged.set(at, this.chainHashAt(at) ?? UNKNOWN_CHAIN);
    }
    this.#cutFrom(index);
    const commitIndex = Math.min(this.#hardState.commitIndex, this.lastIndex);
    this.#hardState = { ...this.#hardState, commitIndex };
  }

  /** How far the log goes that must not be forgotten when it is cut after `index`. */
  voteFloorWithout(index: LogIndex): EntryId | null {
    if (index >= this.lastIndex) return this.#voteFloor;
    return this.#voteFloor ?? { index: this.lastIndex, term: this.lastTerm };
  }

  /** A real directory with this content was damaged, and this is what its start made of it. */
  repaired({ beforeFirst, entries, voteFloor }: RecoveredState): void {
    const lastIndex = beforeFirst.index + entries.length;
    this.damage(lastIndex + 1);
    this.#entries.splice(0, beforeFirst.index - this.#beforeFirst.index);
    this.#chain.splice(0, beforeFirst.index - this.#beforeFirst.index);
    this.#beforeFirst = beforeFirst;
    this.#voteFloor = voteFloor;
  }

  /** All of it is gone: it is a new disk of a server that begins with `configuration`. */
  wipe(configuration: Configuration): void {
    this.#unsynced.length = 0;
    this.#snapshot = emptyPoint(configuration);
    this.#beforeFirst = { index: 0, term: 0 };
    this.#entries = [];
    this.#chain = [EMPTY_CHAIN];
    this.#hardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
    this.#voteFloor = null;
    this.#damaged.clear();
    this.#hasLostEntries = true;
  }

  /** What a process that starts now finds. */
  recover(): RecoveredState {
    return {
      hardState: this.#hardState,
      entries: decodeEntries(encodeEntries(this.#entries)),
      snapshot: this.#snapshot,
      beforeFirst: this.#beforeFirst,
      voteFloor: this.#voteFloor,
    };
  }

  sizeBytes(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.data.length, 0);
  }

  #apply({ batch, entries }: WrittenBatch): void {
    const before = this.#hardState;
    if (batch.snapshot !== undefined) this.#switchTo(batch.snapshot);
    if (batch.hardState !== null) this.#hardState = batch.hardState;
    for (const [offset, entry] of decodeEntries(entries).entries()) {
      if (offset === 0) this.#cutFrom(entry.index);
      assert(entry.index === this.lastIndex + 1, `a gap before entry ${entry.index}`);
      this.#chain.push(chainHash(this.#chain.at(-1) ?? UNKNOWN_CHAIN, entry));
      this.#entries.push(entry);
    }
    if (batch.clearsVoteFloor === true) {
      this.#voteFloor = null;
      this.#damaged.clear();
    }
    this.#onDurable(before, this);
  }

  #switchTo({ point, beforeFirst, keepsLog }: SnapshotSwitch): void {
    const { index } = beforeFirst;
    assert(index >= this.#beforeFirst.index, "the start of the log went back");
    assert(index <= point.lastIncludedIndex, "the log begins after a gap");
    this.#snapshot = point;
    if (keepsLog) {
      assert(index <= this.lastIndex, "a log that is kept ends before it begins");
      this.#entries.splice(0, index - this.#beforeFirst.index);
      this.#chain.splice(0, index - this.#beforeFirst.index);
    } else {
      this.#entries = [];
      this.#chain = [this.#committedHashAt(index) ?? UNKNOWN_CHAIN];
    }
    this.#beforeFirst = beforeFirst;
  }

  #cutFrom(index: LogIndex): void {
    if (index > this.lastIndex) return;
    const kept = index - 1 - this.#beforeFirst.index;
    assert(kept >= 0, `entry ${index} would replace what a snapshot stands for`);
    this.#entries.length = kept;
    this.#chain.length = kept + 1;
  }
}

function emptyPoint(configuration: Configuration): SnapshotPoint {
  return { lastIncludedIndex: 0, lastIncludedTerm: 0, configuration, configurationIndex: 0 };
}
