import type { Configuration, LogEntry, LogIndex } from "@quorate/wire";
import { decodeEntries, encodeEntries } from "@quorate/wire";
import type { HardState, PersistBatch, RecoveredState } from "../raft/index.ts";
import { assert } from "../raft/index.ts";
import { chainHash, EMPTY_CHAIN } from "./chain-hash.ts";

interface WrittenBatch {
  readonly hardState: HardState | null;
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
  readonly #configuration: Configuration;
  readonly #onDurable: OnDurable;
  readonly #unsynced: WrittenBatch[] = [];
  readonly #entries: LogEntry[] = [];
  readonly #chain: number[] = [];
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };

  /** A new disk of a member of `configuration`. */
  constructor(configuration: Configuration, onDurable: OnDurable) {
    this.#configuration = configuration;
    this.#onDurable = onDurable;
  }

  /** The durable hard state. */
  get hardState(): HardState {
    return this.#hardState;
  }

  /** Last index of the durable log. */
  get lastIndex(): LogIndex {
    return this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? 0;
  }

  /** Batches that a crash would lose, or not. */
  get unsyncedBatches(): number {
    return this.#unsynced.length;
  }

  /** Hash of the durable log up to `index`, or null: it does not reach so far. */
  chainHashAt(index: LogIndex): number | null {
    return index === 0 ? EMPTY_CHAIN : (this.#chain[index - 1] ?? null);
  }

  /** Hands a batch to the system. It is not durable. */
  write(batch: PersistBatch): void {
    this.#unsynced.push({ hardState: batch.hardState, entries: encodeEntries(batch.entries) });
  }

  /** Makes the oldest `count` batches durable. */
  sync(count: number): void {
    for (const batch of this.#unsynced.splice(0, count)) this.#apply(batch);
  }

  /** The machine loses power; the `survivors` oldest unsynced batches had reached the disk. */
  crash(survivors: number): void {
    this.sync(survivors);
    this.#unsynced.length = 0;
  }

  /** What a process that starts now finds. */
  recover(): RecoveredState {
    return {
      hardState: this.#hardState,
      entries: decodeEntries(encodeEntries(this.#entries)),
      snapshot: {
        lastIncludedIndex: 0,
        lastIncludedTerm: 0,
        configuration: this.#configuration,
        configurationIndex: 0,
      },
      beforeFirst: { index: 0, term: 0 },
      voteFloor: null,
    };
  }

  sizeBytes(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.data.length, 0);
  }

  #apply(batch: WrittenBatch): void {
    const before = this.#hardState;
    if (batch.hardState !== null) this.#hardState = batch.hardState;
    for (const [offset, entry] of decodeEntries(batch.entries).entries()) {
      if (offset === 0) this.#cutFrom(entry.index);
      assert(entry.index === this.#entries.length + 1, `a gap before entry ${entry.index}`);
      this.#chain.push(chainHash(this.#chain.at(-1) ?? EMPTY_CHAIN, entry));
      this.#entries.push(entry);
    }
    this.#onDurable(before, this);
  }

  #cutFrom(index: LogIndex): void {
    if (index > this.#entries.length) return;
    this.#entries.length = index - 1;
    this.#chain.length = index - 1;
  }
}
