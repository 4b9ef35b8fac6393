import type {
  Configuration,
  InstallSnapshot,
  LogEntry,
  LogIndex,
  NodeId,
  RaftMessage,
  RequestId,
  Term,
} from "@quorate/wire";
import { encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import type {
  Output,
  PersistBatch,
  RaftConfig,
  SnapshotChunk,
  SnapshotPoint,
} from "../../src/raft/index.ts";
import { RaftCore } from "../../src/raft/index.ts";
import type { ClusterChecker } from "../../src/testing/checkers/cluster-checker.ts";
import { requireInvariant } from "../../src/testing/invariant-violation.ts";
import { SimDisk } from "../../src/testing/sim-disk.ts";
import { readAll, restoreInto } from "../kv/store-under-test.ts";
import { CODEC } from "../raft/server-under-test.ts";

/** Who hears of what a server does. */
export interface ServerObserver {
  readonly checker: ClusterChecker;
  posted(from: NodeId, to: NodeId, message: RaftMessage): void;
  applied(id: NodeId, entry: LogEntry, result: KvResult | null): void;
  readAnswered(id: NodeId, requestId: RequestId, readIndex: LogIndex): void;
  readAborted(id: NodeId, requestId: RequestId): void;
  stepped(id: NodeId): void;
  say(line: string): void;
}

/** What a server finds on its disk at the start of a scenario. */
export interface ServerStart {
  readonly config: RaftConfig;
  /** The bootstrap; no voters: it waits to be added. */
  readonly configuration: Configuration;
  readonly log: readonly Term[];
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
}

/** A snapshot's file. */
interface SnapshotFile {
  readonly point: SnapshotPoint;
  readonly bytes: Uint8Array;
}

interface Life {
  readonly core: RaftCore;
  readonly machine: KvStateMachine;
  batch: PersistBatch | null;
  held: { readonly to: NodeId; readonly message: RaftMessage; readonly afterSequence: number }[];
  /** Files that are being written: of own snapshots, and of those received. */
  files: (() => void)[];
}

/** An entry of a log that a scenario begins with; its value says which one it is. */
function entryOf(index: LogIndex, term: Term): LogEntry {
  const value = Buffer.from(`${index}@${term}`);
  const data = encodeCommand({ kind: "put", key: Buffer.from("log"), value });
  return { index, term, kind: "command", data };
}

/**
 * One server: the real core and state machine on the simulator's disk, driven as the driver's
 * duties say (src/raft/README.md). A fast disk ends each write at once; a slow one when told.
 */
export class ScenarioServer {
  readonly id: NodeId;
  readonly disk: SimDisk;
  isDiskSlow = false;
  readonly #start: ServerStart;
  readonly #observer: ServerObserver;
  readonly #files = new Map<LogIndex, SnapshotFile>();
  #life: Life | null = null;

  constructor(start: ServerStart, observer: ServerObserver) {
    this.id = start.config.nodeId;
    this.#start = start;
    this.#observer = observer;
    const { checker } = observer;
    this.disk = new SimDisk(
      start.configuration,
      (before, disk) => {
        this.#checkSnapshotFile();
        checker.becameDurable(this.id, before, disk);
      },
      (index) => checker.ledger.chainHashAt(index),
    );
    checker.nodeAdded(this.id, this.disk);
    const { currentTerm, votedFor } = start;
    const entries = start.log.map((term, offset) => entryOf(offset + 1, term));
    const hardState = { currentTerm, votedFor, commitIndex: 0 };
    this.disk.write({ sequence: 0, hardState, entries });
    this.disk.sync(1);
  }

  get isUp(): boolean {
    return this.#life !== null;
  }

  get core(): RaftCore {
    return this.#running.core;
  }

  get machine(): KvStateMachine {
    return this.#running.machine;
  }

  get hasWrite(): boolean {
    return this.#life !== null && (this.#life.batch !== null || this.#life.files.length > 0);
  }

  start(): void {
    const { config } = this.#start;
    const reads = Number(/\d+$/u.exec(this.id)?.[0] ?? 0) * 1_000_000;
    // The longest election timeout: voters stop being loyal to a silent leader long before it.
    const below = (max: number): number => (max === 2 ** 48 ? reads : max - 1);
    const core = new RaftCore(config, this.disk.recover(), { below }, CODEC);
    const machine = new KvStateMachine();
    this.#life = { core, machine, batch: null, held: [], files: [] };
    this.#observer.checker.nodeStarted(this.id, core);
    this.#restore(this.disk.snapshot);
    this.#drain();
  }

  /** The process and its machine's cache are gone. `survives`: the write in flight is not. */
  crash(survives: boolean): void {
    this.#life = null;
    this.disk.crash(survives ? this.disk.unsyncedBatches : 0);
    this.#observer.checker.nodeCrashed(this.id);
  }

  /** One input, and everything that follows from it. */
  step<Result>(input: (core: RaftCore) => Result): Result {
    const result = input(this.core);
    this.#drain();
    return result;
  }

  /** The write in flight ends: a file's, if there is one, then a batch's. */
  finishWrite(): void {
    const life = this.#running;
    const file = life.files.shift();
    if (file !== undefined) file();
    else this.#finishBatch(life);
    this.#drain();
  }

  /** Writes a snapshot of what is applied; once its file is durable the core is told. */
  takeSnapshot(): void {
    const life = this.#running;
    const snapshot = life.machine.snapshot();
    const bytes = readAll(snapshot);
    snapshot.release();
    const { lastApplied: index } = life.core.view();
    life.files.push(() => {
      const point = life.core.snapshotTaken(index);
      if (point === null) this.#observer.say(`${this.id} needs no snapshot at ${index}`);
      else this.#files.set(index, { point, bytes });
    });
    this.#drain();
  }

  /** Sends the newest snapshot, in one piece. */
  sendSnapshot(to: NodeId): void {
    const { core } = this.#running;
    const file = this.#files.get(core.view().snapshotIndex);
    if (file === undefined) throw new Error(`${this.id} has no snapshot`);
    const { point, bytes } = file;
    const message: InstallSnapshot = {
      type: "InstallSnapshot",
      term: core.view().currentTerm,
      leaderId: this.id,
      ...point,
      snapshotId: `${point.lastIncludedIndex}-${point.lastIncludedTerm}`,
      totalBytes: bytes.length,
      offset: 0,
      data: bytes,
      done: true,
    };
    this.#post(to, message);
  }

  get #running(): Life {
    if (this.#life === null) throw new Error(`${this.id} is down`);
    return this.#life;
  }

  #drain(): void {
    const life = this.#running;
    this.#observer.checker.nodeTurned(this.id);
    for (;;) {
      while (life.core.hasOutput()) {
        this.#take(life, life.core.takeOutput());
        this.#observer.checker.nodeTurned(this.id);
      }
      if (this.isDiskSlow || !this.hasWrite) break;
      const file = life.files.shift();
      if (file !== undefined) file();
      else this.#finishBatch(life);
      this.#observer.checker.nodeTurned(this.id);
    }
    this.#observer.stepped(this.id);
  }

  #take(life: Life, output: Output): void {
    for (const { to, message } of output.messages) this.#post(to, message);
    life.held.push(...output.messagesAfterPersist);
    if (output.persist !== null) {
      if (life.batch !== null) throw new Error(`${this.id}: two batches in flight`);
      life.batch = output.persist;
      this.disk.write(output.persist);
    }
    for (const chunk of output.snapshotChunks) this.#receiveSnapshot(life, chunk);
    for (const to of output.snapshotsToSend) this.sendSnapshot(to);
    if (output.installed !== null) this.#install(life, output.installed);
    for (const entry of output.committedEntries) this.#apply(life, entry);
    for (const { requestId, readIndex } of output.readStates) {
      this.#observer.readAnswered(this.id, requestId, readIndex);
    }
    for (const requestId of output.abortedReads) this.#observer.readAborted(this.id, requestId);
  }

  #finishBatch(life: Life): void {
    const { batch } = life;
    if (batch === null) throw new Error(`${this.id} writes nothing`);
    this.disk.sync(1);
    life.batch = null;
    const freed = life.held.filter(({ afterSequence }) => afterSequence <= batch.sequence);
    life.held = life.held.filter(({ afterSequence }) => afterSequence > batch.sequence);
    for (const { to, message } of freed) this.#post(to, message);
    life.core.persisted(batch.sequence);
  }

  #post(to: NodeId, message: RaftMessage): void {
    this.#observer.checker.messageSent(this.id, to, message);
    this.#observer.posted(this.id, to, message);
  }

  #apply(life: Life, entry: LogEntry): void {
    const result = entry.kind === "command" ? life.machine.apply(entry) : null;
    this.#observer.checker.applied(this.id, entry, result, life.machine.stateHash());
    this.#observer.applied(this.id, entry, result);
  }

  #receiveSnapshot(life: Life, chunk: SnapshotChunk): void {
    const { message } = chunk;
    const { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex } = message;
    const point = { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex };
    life.files.push(() => {
      this.#files.set(lastIncludedIndex, { point, bytes: message.data });
      const isInstalled = life.core.snapshotReceived(chunk);
      const verb = isInstalled ? "installs" : "does not need";
      this.#observer.say(`${this.id} ${verb} the snapshot at ${lastIncludedIndex}`);
    });
  }

  #install(life: Life, point: SnapshotPoint): void {
    life.core.pauseApplying(true);
    this.#restore(point);
    life.core.pauseApplying(false);
  }

  #restore({ lastIncludedIndex }: SnapshotPoint): void {
    if (lastIncludedIndex === 0) return;
    const { machine } = this.#running;
    restoreInto(machine, this.#files.get(lastIncludedIndex)?.bytes ?? new Uint8Array(0), 4096);
    this.#observer.checker.restored(this.id, lastIncludedIndex, machine.stateHash());
  }

  /** A log may follow a snapshot only when the whole file would survive a power cut. */
  #checkSnapshotFile(): void {
    const { lastIncludedIndex } = this.disk.snapshot;
    requireInvariant(
      lastIncludedIndex === 0 || this.#files.has(lastIncludedIndex),
      "Snapshot Durable",
      () => `the log of ${this.id} follows a snapshot at ${lastIncludedIndex} that is no file`,
    );
  }
}
