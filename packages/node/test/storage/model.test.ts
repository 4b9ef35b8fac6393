import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import type { Configuration, EntryId, LogEntry } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { Coverage, SeededRandom, SimDisk, SimProcess, SimScheduler } from "@quorate/node/testing";
import type { HardState, PersistBatch, SnapshotSwitch } from "../../src/raft/index.ts";
import { StorageError } from "../../src/storage/index.ts";
import { CALM_DISK } from "../../src/testing/sim-storage.ts";
import { makeSimulationFolder } from "../../src/testing/simulation-folder.ts";
import { SqliteDirectory } from "../../src/testing/sqlite-directory.ts";
import { SqliteSimStorage } from "../../src/testing/sqlite-sim-storage.ts";

const RUNS = 25;
const STEPS = 50;

const MEMBERS: Configuration = configurationOf({ voters: ["n1", "n2", "n3"] });

/** What a core knows that goes on with what a disk held. */
interface Known {
  hardState: HardState;
  beforeFirst: EntryId;
  snapshotIndex: number;
  /** Of the entries after `beforeFirst`. */
  terms: number[];
}

/**
 * One disk through random batches, crashes and damage. Each start holds what the real database
 * recovers against the model, and fails where they differ.
 */
class Life {
  readonly coverage: Coverage = new Coverage();
  readonly #random: SeededRandom;
  readonly #scheduler = new SimScheduler();
  readonly #disk: SimDisk;
  readonly #directory: SqliteDirectory;
  #process: SimProcess;
  #storage: SqliteSimStorage;
  #known: Known;
  #sequence = 0;
  #underWay = 0;
  #hasFailed = false;

  constructor(folder: string, random: SeededRandom) {
    this.#random = random;
    this.#disk = new SimDisk(MEMBERS, () => {});
    this.#directory = new SqliteDirectory(folder, "n1", MEMBERS);
    [this.#process, this.#storage, this.#known] = this.#start();
  }

  /** Says false when the directory was damaged beyond repair, and refused for it. */
  step(): boolean {
    const what = this.#random.below(20);
    if (what < 13) this.#persist();
    else if (what < 16) this.#runFor(this.#random.below(3_000));
    else if (what === 16) this.#disk.trouble.isFull = !this.#disk.trouble.isFull;
    else if (what === 17) this.#disk.trouble.failsNextSync = true;
    else return this.#crash();
    return !this.#hasFailed || this.#crash();
  }

  end(): void {
    this.#disk.trouble.end();
    this.#runFor(2_000_000);
    assert.ok(this.#underWay === 0 || this.#hasFailed, "a batch was never stored");
    if (this.#crash()) this.#storage.cut(0);
  }

  #persist(): void {
    if (this.#underWay >= 2) this.#runFor(1_000_000);
    if (this.#underWay >= 2) return;
    const batch = this.#drawBatch();
    this.#underWay++;
    this.#storage.persist(batch, () => {
      this.#underWay--;
    });
  }

  #crash(): boolean {
    const survivors = this.#random.below(this.#disk.unsyncedBatches + 1);
    if (survivors < this.#disk.unsyncedBatches) this.coverage.add("crashesThatLostWrites");
    this.#process.kill();
    this.#storage.cut(survivors);
    this.#disk.crash(survivors);
    this.#disk.trouble.end();
    this.#underWay = 0;
    this.#hasFailed = false;
    const isRotten = this.#random.chance(0.15);
    if (isRotten) this.#directory.rot(this.#random);
    try {
      [this.#process, this.#storage, this.#known] = this.#start();
      this.coverage.add("restarts");
      return true;
    } catch (error) {
      if (!isRotten || !(error instanceof StorageError)) throw error;
      assert.equal(error.code, "damaged", error.message);
      this.coverage.add("disksDamaged");
      return false;
    }
  }

  #start(): [SimProcess, SqliteSimStorage, Known] {
    const process = new SimProcess(this.#scheduler, 1, () => {});
    const storage = new SqliteSimStorage(
      {
        disk: this.#disk,
        process,
        scheduler: this.#scheduler,
        random: this.#random,
        speed: () => CALM_DISK,
        coverage: this.coverage,
        onSyncStarted: () => {},
        onFailure: () => {
          this.#hasFailed = true;
        },
      },
      this.#directory,
    );
    const { hardState, beforeFirst, entries, snapshot } = storage.recovered;
    const known = {
      hardState,
      beforeFirst,
      snapshotIndex: snapshot.lastIncludedIndex,
      terms: entries.map(({ term }) => term),
    };
    this.#sequence = 0;
    return [process, storage, known];
  }

  #runFor(durationUs: number): void {
    let isOver = false;
    this.#scheduler.schedule(durationUs, () => {
      isOver = true;
    });
    while (!isOver) this.#scheduler.runNext();
  }

  #drawBatch(): PersistBatch {
    const known = this.#known;
    if (known.hardState.currentTerm === 0 || this.#random.chance(0.2)) this.#beginTerm();
    const snapshot = this.#random.chance(0.15) ? this.#drawSwitch() : null;
    const entries = this.#random.chance(0.8) ? this.#drawEntries() : [];
    if (this.#random.chance(0.4)) this.#commit();
    const clearsVoteFloor = this.#disk.voteFloor !== null && this.#random.chance(0.2);
    return {
      sequence: ++this.#sequence,
      hardState: known.hardState,
      entries,
      ...(snapshot === null ? {} : { snapshot }),
      ...(clearsVoteFloor ? { clearsVoteFloor: true } : {}),
    };
  }

  #beginTerm(): void {
    const known = this.#known;
    const votedFor = this.#random.pick([null, "n1", "n2"]);
    const currentTerm = known.hardState.currentTerm + 1;
    known.hardState = { ...known.hardState, currentTerm, votedFor };
  }

  #commit(): void {
    const known = this.#known;
    const { commitIndex } = known.hardState;
    const next = this.#random.between(commitIndex, Math.max(commitIndex, this.#lastIndex));
    known.hardState = { ...known.hardState, commitIndex: next };
  }

  get #lastIndex(): number {
    return this.#known.beforeFirst.index + this.#known.terms.length;
  }

  #termAt(index: number): number {
    const { beforeFirst, terms } = this.#known;
    return index === beforeFirst.index
      ? beforeFirst.term
      : (terms[index - 1 - beforeFirst.index] ?? 0);
  }

  #drawEntries(): LogEntry[] {
    const known = this.#known;
    const { commitIndex, currentTerm } = known.hardState;
    const least = Math.max(commitIndex, known.snapshotIndex, known.beforeFirst.index) + 1;
    const isReplacing = this.#random.chance(0.3) && least <= this.#lastIndex;
    const first = isReplacing ? this.#random.between(least, this.#lastIndex) : this.#lastIndex + 1;
    const count = this.#random.between(1, 6);
    known.terms.length = first - 1 - known.beforeFirst.index;
    return Array.from({ length: count }, (_, offset) => {
      known.terms.push(currentTerm);
      const length = this.#random.pick([0, 10, 200, 6000]);
      const data = Buffer.alloc(length, `${first + offset}@${currentTerm} `);
      return { index: first + offset, term: currentTerm, kind: "command", data };
    });
  }

  /** To a snapshot of what is committed, or to one that takes the place of the whole log. */
  #drawSwitch(): SnapshotSwitch | null {
    const known = this.#known;
    const { commitIndex, currentTerm } = known.hardState;
    if (this.#random.chance(0.3)) {
      const index = this.#lastIndex + this.#random.between(1, 20);
      const beforeFirst = { index, term: currentTerm };
      known.beforeFirst = beforeFirst;
      known.snapshotIndex = index;
      known.terms = [];
      return { point: this.#pointAt(index, currentTerm), beforeFirst, keepsLog: false };
    }
    if (commitIndex <= known.snapshotIndex) return null;
    const index = this.#random.between(known.snapshotIndex + 1, commitIndex);
    const point = this.#pointAt(index, this.#termAt(index));
    const start = this.#random.between(known.beforeFirst.index, index);
    const beforeFirst = { index: start, term: this.#termAt(start) };
    known.terms.splice(0, start - known.beforeFirst.index);
    known.beforeFirst = beforeFirst;
    known.snapshotIndex = index;
    return { point, beforeFirst, keepsLog: true };
  }

  #pointAt(lastIncludedIndex: number, lastIncludedTerm: number): SnapshotSwitch["point"] {
    return {
      lastIncludedIndex,
      lastIncludedTerm,
      configuration: configurationOf({ voters: ["n1", `n${lastIncludedIndex + 10}`] }),
      configurationIndex: Math.max(0, lastIncludedIndex - 1),
    };
  }
}

test(`SimDisk: recovers what the real database does, through ${RUNS} lives of batches, crashes, torn writes and damage`, (t) => {
  const total = new Coverage();
  for (let run = 1; run <= RUNS; run++) {
    const folder = makeSimulationFolder();
    try {
      const life = new Life(folder, new SeededRandom(`model ${run}`));
      let goesOn = true;
      for (let step = 0; step < STEPS && goesOn; step++) goesOn = life.step();
      if (goesOn) life.end();
      total.merge(life.coverage);
    } catch (error) {
      throw new Error(`run ${run} failed`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const marks = [
    "restarts",
    "crashesThatLostWrites",
    "disksDamaged",
    "sqliteRepairs",
    "syncsFailed",
    "writesThatFoundNoRoom",
  ] as const;
  for (const mark of marks) assert.ok(total.count(mark) > 0, `${mark} never happened`);
  t.diagnostic(marks.map((mark) => `${mark} ${total.count(mark)}`).join(", "));
});
