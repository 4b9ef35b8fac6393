import { crc32 } from "node:zlib";

import type { LogEntry } from "@quorate/wire";
import { configurationOf, decodeEntries, encodeEntries } from "@quorate/wire";
import type { PersistBatch, RecoveredState } from "../raft/index.ts";
import { assert, isAsUpToDate } from "../raft/index.ts";
import { BatchOrder } from "../storage/batch-order.ts";
import { fromErrorRecord } from "../storage/storage-error.ts";
import { StorageLoop } from "../storage/storage-loop.ts";
import type {
  DirectoryContents,
  StorageReport,
  StorageRequest,
} from "../storage/thread-messages.ts";
import { WalFile } from "../storage/wal-file.ts";
import { TROUBLE_LOOK_US } from "./disk-trouble.ts";
import { requireNoSecondBootstrap, requireNoSecondProcess } from "./directory-misuse.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { CrashableStorage } from "./sim-life.ts";
import type { SimStorageContext } from "./sim-storage.ts";
import { syncDurationUs } from "./sim-storage.ts";
import type { DirectoryImage, SqliteDirectory } from "./sqlite-directory.ts";
import { tearDatabase, tearWal } from "./sqlite-directory.ts";

const SECOND_PROCESS_CHANCE = 0.2;

const PAGE_BYTES = 4096;

interface WaitingBatch {
  readonly ticket: number;
  readonly batch: PersistBatch;
  readonly request: StorageRequest;
  readonly done: () => void;
  /** In the cache of the system, as far as the model of the disk goes. */
  isWritten: boolean;
}

/** A write-ahead log whose syncs may fail. */
class FailingWal extends WalFile {
  readonly #fails: () => boolean;

  constructor(path: string, fails: () => boolean) {
    super(path);
    this.#fails = fails;
  }

  override sync(): void {
    if (this.#fails()) {
      throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    }
    super.sync();
  }
}

/** A write-ahead log that tells when its disk holds all that comes before the first write to it. */
class PreparedWal extends WalFile {
  readonly #onPrepared: () => void;

  constructor(path: string, onPrepared: () => void) {
    super(path);
    this.#onPrepared = onPrepared;
  }

  override prefill(): void {
    super.prefill();
    this.#onPrepared();
  }
}

/**
 * The real database code on real files, in simulated time, with the model of a disk beside it: what
 * is recovered must be what the model says. Its thread's loop runs here, at the moments at which a
 * sync ends.
 */
export class SqliteSimStorage implements CrashableStorage {
  readonly recovered: RecoveredState;
  readonly #context: SimStorageContext;
  readonly #directory: SqliteDirectory;
  readonly #loop: StorageLoop;
  readonly #order: BatchOrder;
  readonly #waiting: WaitingBatch[] = [];
  /** What the disk surely holds while a sync that fails is under way. */
  #beforeFailure: DirectoryImage | null = null;
  /** Which of the syncs that come next fails. */
  #failing: "none" | "first" | "second" = "none";
  /** It was none that a write waits for. */
  #failsTidying = false;
  #hasSyncFailed = false;
  #ticket = 0;
  #sizeBytes = 0;
  #lastSyncEndUs = 0;
  #isLimited = false;
  #isFull = false;
  #hasFailed = false;
  #isCut = false;
  /** What came of telling the node something that its storage reported. */
  #thrown: { readonly error: unknown } | null = null;

  /** @throws StorageError where the directory is refused. */
  constructor(context: SimStorageContext, directory: SqliteDirectory) {
    this.#context = context;
    this.#directory = directory;
    const { process } = context;
    const opening = new Opening();
    let onReport = (report: StorageReport): void => {
      opening.onReport(report);
    };
    this.#loop = new StorageLoop(
      {
        report: (report) => {
          onReport(report);
        },
        takeWaiting: () => null,
        after: (delayMs, fn) =>
          process.after(delayMs, () => {
            this.#tidyUp(fn);
          }),
      },
      { databasePath: directory.databasePath, expect: {}, sizeMaxBytes: null },
      (path) => new FailingWal(path, () => this.#failsThisSync()),
    );
    requireNoSecondBootstrap(directory);
    context.coverage.add("secondBootstrapsRefused");
    this.#loop.open();
    onReport = (report) => {
      try {
        this.#onReport(report);
      } catch (error) {
        this.#thrown ??= { error };
      }
    };
    const { contents, recovered } = opening.result();
    this.#requireSame(contents, recovered);
    directory.opened();
    if (context.random.chance(SECOND_PROCESS_CHANCE)) {
      requireNoSecondProcess(directory);
      context.coverage.add("secondProcessesRefused");
    }
    this.recovered = recovered;
    this.#order = new BatchOrder(recovered);
  }

  persist(batch: PersistBatch, done: () => void): void {
    // After a failure nothing is written, and nothing said.
    if (this.#hasFailed) return;
    this.#order.check(batch);
    this.#ticket += 1;
    const { hardState, snapshot = null, clearsVoteFloor = false } = batch;
    const records = batch.entries.length > 0 ? encodeEntries(batch.entries) : null;
    const ticket = this.#ticket;
    const request = {
      kind: "persist",
      ticket,
      hardState,
      records,
      snapshot,
      clearsVoteFloor,
    } as const;
    // Behind one that found no room nothing is written.
    const isWritten = this.#waiting.every((before) => before.isWritten);
    this.#waiting.push({ ticket, batch, request, done, isWritten });
    const { disk, scheduler, onSyncStarted } = this.#context;
    if (isWritten) disk.write(batch);
    const durationUs = syncDurationUs(this.#context);
    const endUs = Math.max(this.#lastSyncEndUs, scheduler.nowUs + durationUs);
    this.#lastSyncEndUs = endUs;
    scheduler.schedule(endUs - scheduler.nowUs, () => {
      this.#hand(request);
    });
    onSyncStarted(endUs - scheduler.nowUs);
  }

  state(): "ok" | "full" {
    return this.#isFull ? "full" : "ok";
  }

  /**
   * The machine loses power. The oldest `survivors` of the batches that were not synced are in the
   * log all the same, and of the next one a part, perhaps.
   */
  cut(survivors: number): void {
    if (this.#isCut) return;
    this.#isCut = true;
    const { random } = this.#context;
    const directory = this.#directory;
    const image =
      this.#beforeFailure === null
        ? this.#cutWaiting(survivors)
        : this.#cutFailed(this.#beforeFailure, survivors);
    directory.crash(image);
    this.#loop.onRequest({ kind: "close" });
    if (random.chance(0.2)) crashDuringStart(random, directory);
    directory.forget();
  }

  sizeBytes(): number {
    return this.#sizeBytes;
  }

  close(): Promise<void> {
    assert(this.#isCut, "a simulated process ends by crashes only");
    return Promise.resolve();
  }

  #cutWaiting(survivors: number): DirectoryImage {
    const unsynced = this.#waiting.filter(({ isWritten }) => isWritten);
    if (unsynced.length === 0) return this.#directory.read();
    this.#liftLimit();
    for (const { request } of unsynced.slice(0, survivors)) this.#loop.onRequest(request);
    const image = this.#directory.read();
    const next = unsynced[survivors];
    if (next === undefined) return image;
    this.#loop.onRequest(next.request);
    return this.#torn(image);
  }

  /** What a failed sync should have brought to the disk is there, or in part. */
  #cutFailed(before: DirectoryImage, survivors: number): DirectoryImage {
    return survivors > 0 ? this.#directory.read() : this.#torn(before);
  }

  #torn(before: DirectoryImage): DirectoryImage {
    const { wal } = this.#directory.read();
    return { ...before, wal: tearWal(before.wal, wal, this.#context.random) };
  }

  #hand(request: StorageRequest): void {
    if (this.#isCut || this.#hasFailed) return;
    const { disk, scheduler, onFailure, process } = this.#context;
    const { trouble } = disk;
    const stallUs = trouble.stalledUntilUs - scheduler.nowUs;
    if (stallUs > 0) {
      scheduler.schedule(Math.min(stallUs, TROUBLE_LOOK_US), () => {
        this.#hand(request);
      });
    } else if (trouble.isReadOnly) {
      process.deliver(() => {
        onFailure("the file system is read-only");
      });
    } else {
      if (trouble.isFull && !this.#isLimited) this.#limit();
      this.#chooseFailure();
      this.#request(request);
      this.#requireEndAfterFailure();
      if (this.#hasFailed) return;
      this.#failNothing();
      const isKept = this.#waiting.some((waiting) => waiting.request === request);
      if (isKept) this.#takeBack(this.#waiting);
    }
  }

  #request(request: StorageRequest): void {
    this.#loop.onRequest(request);
    this.#throwFinding();
  }

  /** Not through the loop, which would take what the checkers say of a node for a failed disk. */
  #throwFinding(): void {
    if (this.#thrown !== null) throw this.#thrown.error;
  }

  /** Of a write, whose sync comes first, or of what is tidied up after it. */
  #chooseFailure(): void {
    const { random, disk } = this.#context;
    const { trouble } = disk;
    if (trouble.failsNextSync && random.chance(0.5)) trouble.failsNextTidying = true;
    else if (trouble.failsNextSync) this.#failing = "first";
    trouble.failsNextSync = false;
    if (this.#failing === "first") this.#beforeFailure = this.#directory.read();
    else if (trouble.failsNextTidying) this.#failing = "second";
  }

  /** What the loop does while nobody waits. */
  #tidyUp(act: () => void): void {
    if (this.#isCut || this.#hasFailed) return;
    if (this.#context.disk.trouble.failsNextTidying) {
      this.#failing = "first";
      this.#failsTidying = true;
      this.#beforeFailure = this.#directory.read();
    }
    act();
    this.#throwFinding();
    this.#requireEndAfterFailure();
    if (!this.#hasFailed) this.#failNothing();
  }

  #failNothing(): void {
    this.#failing = "none";
    this.#failsTidying = false;
    this.#beforeFailure = null;
  }

  #failsThisSync(): boolean {
    if (this.#failing === "second") {
      // The write is in the log, and its sync will do what it is for.
      this.#beforeFailure = this.#directory.read();
      this.#failsTidying = true;
      this.#failing = "first";
      return false;
    }
    if (this.#failing === "none") return false;
    this.#context.disk.trouble.failsNextTidying = false;
    this.#hasSyncFailed = true;
    return true;
  }

  /** After a failed sync nobody knows what the disk holds: whoever goes on promises too much. */
  #requireEndAfterFailure(): void {
    requireInvariant(
      !this.#hasSyncFailed || this.#hasFailed,
      "Storage As Modelled",
      () => `${this.#directory.label}: a sync failed, and the storage goes on`,
    );
  }

  #limit(): void {
    this.#isLimited = true;
    this.#request({ kind: "limitSize", sizeMaxBytes: PAGE_BYTES });
    this.#lookForRoom();
  }

  #lookForRoom(): void {
    this.#context.scheduler.schedule(TROUBLE_LOOK_US, () => {
      if (this.#isCut) return;
      if (this.#context.disk.trouble.isFull) this.#lookForRoom();
      else this.#liftLimit();
    });
  }

  #liftLimit(): void {
    if (!this.#isLimited) return;
    this.#isLimited = false;
    this.#request({ kind: "limitSize", sizeMaxBytes: 2 ** 32 });
  }

  #onReport(report: StorageReport): void {
    if (this.#isCut) return;
    const { coverage, process, onFailure } = this.#context;
    switch (report.kind) {
      case "durable":
        this.#sizeBytes = report.sizeBytes;
        this.#durable(report.ticket);
        return;
      case "size":
        this.#sizeBytes = report.sizeBytes;
        return;
      case "full":
        coverage.add("writesThatFoundNoRoom");
        this.#isFull = true;
        return;
      case "roomy":
        this.#isFull = false;
        return;
      case "failed":
        coverage.add("syncsFailed");
        if (this.#failsTidying) coverage.add("tidyingsFailed");
        this.#hasFailed = true;
        this.#takeBack(this.#failsTidying ? this.#waiting : this.#waiting.slice(1));
        process.deliver(() => {
          onFailure(report.error.cause ?? report.error.verb);
        });
        return;
      case "closed":
        return;
      case "snapshotFound":
      case "entries":
      case "entriesAgain":
      case "opened":
      case "refused":
        assert(false, `the storage loop reported ${report.kind} twice`);
    }
  }

  /** Nothing of these was written: there was no room, or the disk failed before them. */
  #takeBack(batches: readonly WaitingBatch[]): void {
    for (const waiting of batches) {
      if (waiting.isWritten) this.#context.disk.takeBack();
      waiting.isWritten = false;
    }
  }

  #durable(durableTicket: number): void {
    const { disk, process } = this.#context;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.ticket > durableTicket) return;
      this.#waiting.shift();
      if (!first.isWritten) disk.write(first.batch);
      disk.sync(1);
      process.deliver(first.done);
    }
  }

  /** What the directory holds is what the model says; what was damaged in it was found. */
  #requireSame({ warning }: DirectoryContents, recovered: RecoveredState): void {
    const { disk, coverage } = this.#context;
    if (warning !== null) {
      requireInvariant(
        this.#directory.isRotten,
        "Storage As Modelled",
        () => `${this.#directory.label}: ${warning}, and nobody damaged it`,
      );
      coverage.add("sqliteRepairs");
      const expected = disk.voteFloorWithout(
        recovered.beforeFirst.index + recovered.entries.length,
      );
      const { voteFloor } = recovered;
      requireInvariant(
        expected === null || (voteFloor !== null && isAsUpToDate(voteFloor, expected)),
        "Storage As Modelled",
        () =>
          `${this.#directory.label} was cut with the floor ${JSON.stringify(voteFloor)}, its log went ` +
          `to ${JSON.stringify(expected)}`,
      );
      disk.repaired(recovered);
    }
    const model = describe(disk.recover());
    const found = describe(recovered);
    requireInvariant(
      found === model,
      "Storage As Modelled",
      () => `${this.#directory.label} holds ${found}, not ${model}`,
    );
  }
}

/** Puts together what a start reports. */
class Opening {
  #entries: LogEntry[] = [];
  #contents: DirectoryContents | null = null;

  onReport(report: StorageReport): void {
    if (report.kind === "entries") this.#entries.push(...decodeEntries(report.records));
    else if (report.kind === "entriesAgain") this.#entries = [];
    else if (report.kind === "snapshotFound") return;
    else if (report.kind === "opened") this.#contents = report.contents;
    else if (report.kind === "refused") throw fromErrorRecord(report.error);
    else assert(false, `a start reported ${report.kind}`);
  }

  result(): { readonly contents: DirectoryContents; readonly recovered: RecoveredState } {
    const contents = this.#contents;
    assert(contents !== null, "the storage loop did not open");
    const { hardState, snapshot, beforeFirst, voteFloor } = contents;
    const entries = this.#entries.filter(({ index }) => index > beforeFirst.index);
    return { contents, recovered: { hardState, entries, snapshot, beforeFirst, voteFloor } };
  }
}

/**
 * The power goes off again in the next start: while it copies the log into the database, or while it
 * writes to the log that it has begun anew.
 */
function crashDuringStart(random: SeededRandom, directory: SqliteDirectory): void {
  const before = directory.read();
  const host = { report: () => undefined, takeWaiting: () => null, after: () => NO_TIMER };
  let prepared = before;
  const loop = new StorageLoop(
    host,
    { databasePath: directory.databasePath, expect: {}, sizeMaxBytes: null },
    (path) =>
      new PreparedWal(path, () => {
        prepared = directory.read();
      }),
  );
  loop.open();
  const after = directory.read();
  if (random.chance(0.5)) {
    directory.crash({ ...before, database: tearDatabase(before.database, after.database, random) });
  } else {
    directory.crash({ ...prepared, wal: tearWal(prepared.wal, after.wal, random) });
  }
  loop.onRequest({ kind: "close" });
}

const NO_TIMER = { cancel: (): void => undefined };

/** Equal texts for equal states. */
function describe({
  hardState,
  entries,
  snapshot,
  beforeFirst,
  voteFloor,
}: RecoveredState): string {
  const configuration = configurationOf(snapshot.configuration);
  const log = entries.map(
    (entry) => `${entry.index}@${entry.term} ${entry.kind} ${crc32(entry.data).toString(16)}`,
  );
  return JSON.stringify({
    hardState,
    snapshot: { ...snapshot, configuration },
    beforeFirst,
    voteFloor,
    log,
  });
}
