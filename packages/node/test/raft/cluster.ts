import assert from "node:assert/strict";
import type { InstallSnapshot, LogEntry, LogIndex, NodeId, RequestId, Term } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type {
  Envelope,
  Output,
  RaftConfig,
  RaftView,
  SnapshotChunk,
  SnapshotPoint,
} from "../../src/raft/index.ts";
import { checkState, checkTransition, RaftCore } from "../../src/raft/index.ts";
import { ClusterDisk } from "./cluster-disk.ts";
import { CODEC, logOf, TICKS } from "./server-under-test.ts";

type Address = { readonly from: NodeId; readonly to: NodeId };
export type Posted = Envelope & Address;

interface Server {
  core: RaftCore;
  isUp: boolean;
  readonly disk: ClusterDisk;
  inFlight: { sequence: number; write: () => void } | null;
  held: (Posted & { readonly afterSequence: number })[];
  readonly applied: LogEntry[];
  /** The newest snapshot: what this server sends. */
  snapshot: SnapshotPoint;
  /** Snapshots that have arrived, whole, and are being stored. */
  arrived: SnapshotChunk[];
  /** Installed, and being taken in by the state machine. */
  restoring: SnapshotPoint | null;
  readonly answeredReads: Map<RequestId, LogIndex>;
  readonly abortedReads: RequestId[];
}

export interface ClusterStart {
  /** Term of each entry of each server's log, by name: a figure of the paper can be set up. */
  readonly logs: Readonly<Record<NodeId, readonly Term[]>>;
  /** Who votes at the start, all if not told; the others wait to be added. */
  readonly voters?: readonly NodeId[];
  readonly currentTerms?: Readonly<Record<NodeId, Term>>;
  readonly config?: Partial<RaftConfig>;
  /**
   * Dice of every server. If not told, the longest election timeout: voters stop being loyal to
   * a silent leader well before they campaign themselves.
   */
  readonly below?: (exclusiveMax: number) => number;
}

/**
 * Cores that talk over a network whose every message is delivered, held back or dropped by the
 * test. After every step it checks each core's invariants and the properties of Raft Figure 3.
 */
export class Cluster {
  readonly ids: readonly NodeId[];
  /** Sent and not delivered yet, oldest first. */
  network: Posted[] = [];
  /** Snapshots that were installed anywhere. */
  installs = 0;
  readonly #servers: Map<NodeId, Server> = new Map();
  readonly #start: ClusterStart;
  readonly #leaders: Map<Term, NodeId> = new Map();
  readonly #committed: LogEntry[] = [];
  readonly #isolated: Set<NodeId> = new Set();

  constructor(start: ClusterStart) {
    this.#start = start;
    this.ids = Object.keys(start.logs).sort();
    for (const [id, terms] of Object.entries(start.logs)) {
      const entries = logOf(terms);
      const currentTerm = start.currentTerms?.[id] ?? entries.at(-1)?.term ?? 0;
      const hardState = { currentTerm, votedFor: null, commitIndex: 0 };
      const all = start.voters ?? this.ids;
      const voters = all.includes(id) ? all : [];
      const disk = new ClusterDisk(hardState, entries, configurationOf({ voters }));
      this.#servers.set(id, {
        core: this.#coreFrom(id, disk),
        isUp: true,
        disk,
        inFlight: null,
        held: [],
        applied: [],
        snapshot: disk.snapshot,
        arrived: [],
        restoring: null,
        answeredReads: new Map(),
        abortedReads: [],
      });
    }
  }

  view(id: NodeId): RaftView {
    return this.#server(id).core.view();
  }

  core(id: NodeId): RaftCore {
    return this.#server(id).core;
  }

  /** Entries that this server's state machine has applied, in order. */
  applied(id: NodeId): readonly LogEntry[] {
    return this.#server(id).applied;
  }

  answeredReads(id: NodeId): ReadonlyMap<RequestId, LogIndex> {
    return this.#server(id).answeredReads;
  }

  abortedReads(id: NodeId): readonly RequestId[] {
    return this.#server(id).abortedReads;
  }

  logTerms(id: NodeId): Term[] {
    const runs = this.#server(id).core.termRuns(Number.MAX_SAFE_INTEGER);
    return runs.flatMap(({ term, count }) => Array.from({ length: count }, () => term));
  }

  isUp(id: NodeId): boolean {
    return this.#server(id).isUp;
  }

  hasWrite(id: NodeId): boolean {
    return this.#server(id).inFlight !== null;
  }

  /** Feeds one core and posts what it sends. */
  step<Result>(id: NodeId, input: (core: RaftCore) => Result): Result {
    const server = this.#server(id);
    assert(server.isUp, `${id} is down`);
    const before = server.core.view();
    const result = input(server.core);
    while (server.core.hasOutput()) this.#take(id, server);
    checkState(server.core);
    checkTransition(before, server.core.view());
    this.#checkElectionSafety(id, server.core.view());
    return result;
  }

  /** The write in flight is durable. */
  finishWrite(id: NodeId): void {
    const server = this.#server(id);
    const { inFlight } = server;
    assert(inFlight !== null, `${id} writes nothing`);
    inFlight.write();
    server.inFlight = null;
    const freed = server.held.filter((held) => held.afterSequence <= inFlight.sequence);
    server.held = server.held.filter((held) => held.afterSequence > inFlight.sequence);
    for (const { from, to, message } of freed) this.network.push({ from, to, message });
    this.step(id, (core) => core.persisted(inFlight.sequence));
  }

  /** Whether a snapshot is being stored or restored. */
  isInstalling(id: NodeId): boolean {
    const { arrived, restoring } = this.#server(id);
    return arrived.length > 0 || restoring !== null;
  }

  /** The oldest snapshot that arrived is stored and durable, or the one installed is restored. */
  finishInstalling(id: NodeId): void {
    const server = this.#server(id);
    const { restoring } = server;
    if (restoring === null) {
      const chunk = server.arrived.shift();
      assert(chunk !== undefined, `${id} installs nothing`);
      this.step(id, (core) => core.snapshotReceived(chunk));
      return;
    }
    server.restoring = null;
    this.#restore(id, server, restoring);
    this.step(id, (core) => core.pauseApplying(false));
  }

  /** A snapshot of what was applied is durable; false: there is nothing new to take one of. */
  compact(id: NodeId): boolean {
    const server = this.#server(id);
    if (server.restoring !== null) return false;
    const point = this.step(id, (core) => core.snapshotTaken(server.applied.length));
    if (point !== null) server.snapshot = point;
    return point !== null;
  }

  /** Sends the newest snapshot, in one piece, to each follower that still waits for one. */
  sendSnapshots(id: NodeId): void {
    for (const peer of this.view(id).peers) {
      const isSent = this.network.some(
        ({ from, to, message }) =>
          from === id && to === peer.id && message.type === "InstallSnapshot",
      );
      if (peer.state === "snapshot" && !isSent) this.#sendSnapshot(id, peer.id);
    }
  }

  /** The process is gone; what was not durable is lost. */
  crash(id: NodeId): void {
    const server = this.#server(id);
    server.isUp = false;
    server.inFlight = null;
    server.held = [];
    server.arrived = [];
    server.restoring = null;
  }

  restart(id: NodeId): void {
    const server = this.#server(id);
    assert(!server.isUp, `${id} runs`);
    server.isUp = true;
    server.core = this.#coreFrom(id, server.disk);
    server.applied.length = 0;
    server.snapshot = server.disk.snapshot;
    this.#restore(id, server, server.snapshot);
    this.step(id, () => undefined);
  }

  /** Cuts servers off: whatever goes between them and the others is lost. */
  isolate(...ids: NodeId[]): void {
    this.#isolated.clear();
    for (const id of ids) this.#isolated.add(id);
  }

  /** Delivers one message, whatever stands before it. */
  deliver(posted: Posted): void {
    const at = this.network.indexOf(posted);
    assert(at >= 0, "this message is not on the network");
    this.network.splice(at, 1);
    const isCut = this.#isolated.has(posted.from) !== this.#isolated.has(posted.to);
    if (isCut || !this.#server(posted.to).isUp) return;
    this.step(posted.to, (core) => core.receive(posted.from, posted.message));
  }

  /** Delivers and writes until nothing is on its way. */
  settle(): void {
    for (let steps = 0; steps < 100_000; steps += 1) {
      const writer = this.ids.find((id) => this.isUp(id) && this.hasWrite(id));
      const installer = this.ids.find((id) => this.isUp(id) && this.isInstalling(id));
      const posted = this.network[0];
      if (writer !== undefined) this.finishWrite(writer);
      else if (installer !== undefined) this.finishInstalling(installer);
      else if (posted !== undefined) this.deliver(posted);
      else return;
    }
    throw new Error("the cluster does not come to rest");
  }

  /** Lets time pass for one server, or for all that run. */
  tick(count: number, ids: readonly NodeId[] = this.ids): void {
    for (let done = 0; done < count; done += 1) {
      for (const id of ids) {
        if (!this.isUp(id)) continue;
        this.step(id, (core) => core.tick());
        this.sendSnapshots(id);
      }
      this.settle();
    }
  }

  /** Lets time pass for all that run until `id` leads, for it first: it campaigns before others. */
  elect(id: NodeId): void {
    for (let ticks = 0; ticks < 10 * TICKS.electionTicks; ticks += 1) {
      const { role } = this.view(id);
      if (role === "leader") return;
      // Others wait for as long as they are loyal to a leader, but do not campaign themselves.
      const others = this.ids.filter(
        (other) => other !== id && this.isUp(other) && this.view(other).electionTicksLeft > 1,
      );
      this.tick(1, [id, ...others]);
    }
    assert.equal(this.view(id).role, "leader", `${id} was not elected`);
  }

  /** A command that is in the leader's log, and on its way. */
  propose(id: NodeId, text: string): LogIndex {
    const data = new TextEncoder().encode(text);
    const result = this.step(id, (core) => core.propose(data));
    assert(result.kind === "accepted", `${id} refused: ${result.kind}`);
    return result.index;
  }

  #server(id: NodeId): Server {
    const server = this.#servers.get(id);
    assert(server !== undefined, `there is no ${id}`);
    return server;
  }

  #coreFrom(id: NodeId, disk: ClusterDisk): RaftCore {
    const config: RaftConfig = {
      nodeId: id,
      ...TICKS,
      appendEntriesMaxBytes: 1024,
      inFlightMaxMessages: 4,
      inFlightMaxBytes: 4096,
      uncommittedMaxBytes: 64 * 1024,
      applyMaxBytes: 256,
      trailingEntries: 4,
      leaseReads: false,
      ...this.#start.config,
    };
    return new RaftCore(
      config,
      disk.recovered(),
      { below: this.#start.below ?? ((exclusiveMax) => exclusiveMax - 1) },
      CODEC,
    );
  }

  #take(id: NodeId, server: Server): void {
    const output = server.core.takeOutput();
    for (const { to, message } of output.messages) this.network.push({ from: id, to, message });
    for (const held of output.messagesAfterPersist) server.held.push({ from: id, ...held });
    const { persist } = output;
    if (persist !== null) {
      assert.equal(server.inFlight, null, "a batch is handed out while one is in flight");
      const write = (): void => server.disk.write(persist);
      server.inFlight = { sequence: persist.sequence, write };
    }
    this.#takeSnapshots(id, server, output);
    for (const entry of output.committedEntries) this.#apply(id, server, entry);
    for (const { requestId, readIndex } of output.readStates) {
      server.answeredReads.set(requestId, readIndex);
    }
    server.abortedReads.push(...output.abortedReads);
  }

  #takeSnapshots(id: NodeId, server: Server, output: Output): void {
    server.arrived.push(...output.snapshotChunks);
    for (const to of output.snapshotsToSend) this.#sendSnapshot(id, to);
    if (output.installed === null) return;
    this.installs += 1;
    server.snapshot = output.installed;
    server.restoring = output.installed;
    server.core.pauseApplying(true);
  }

  #sendSnapshot(from: NodeId, to: NodeId): void {
    const { lastIncludedIndex, lastIncludedTerm } = this.#server(from).snapshot;
    const message: InstallSnapshot = {
      type: "InstallSnapshot",
      term: this.view(from).currentTerm,
      leaderId: from,
      ...this.#server(from).snapshot,
      snapshotId: `${lastIncludedIndex}-${lastIncludedTerm}`,
      totalBytes: 1,
      offset: 0,
      data: new Uint8Array(1),
      done: true,
    };
    this.network.push({ from, to, message });
  }

  /** The state at a point is what any server had applied there: State Machine Safety. */
  #restore(id: NodeId, server: Server, point: SnapshotPoint): void {
    const { lastIncludedIndex, lastIncludedTerm } = point;
    assert.ok(lastIncludedIndex >= server.applied.length, `${id} restores an older state`);
    assert.ok(lastIncludedIndex <= this.#committed.length, `${id} restores what nobody applied`);
    const last = this.#committed[lastIncludedIndex - 1];
    assert.equal(lastIncludedTerm, last?.term ?? 0, `${id} restores another history`);
    server.applied.splice(0, Infinity, ...this.#committed.slice(0, lastIncludedIndex));
  }

  /** State Machine Safety: no two servers apply different entries at an index (Figure 3). */
  #apply(id: NodeId, server: Server, entry: LogEntry): void {
    assert.equal(server.restoring, null, `${id} applies while it restores a snapshot`);
    assert.equal(entry.index, server.applied.length + 1, `${id} applies out of order`);
    server.applied.push(entry);
    const known = this.#committed[entry.index - 1];
    if (known === undefined) this.#committed.push(entry);
    else assert.deepEqual(entry, known, `${id} applies another entry at ${entry.index}`);
  }

  /** Election Safety, and Leader Completeness for what was applied anywhere (Figure 3). */
  #checkElectionSafety(id: NodeId, view: RaftView): void {
    if (view.role !== "leader" || this.#leaders.get(view.currentTerm) === id) return;
    const other = this.#leaders.get(view.currentTerm);
    assert.equal(other, undefined, `${id} and ${other ?? ""} lead term ${view.currentTerm}`);
    this.#leaders.set(view.currentTerm, id);
    for (const entry of this.#committed.slice(view.firstLogIndex - 1)) {
      assert.deepEqual(this.core(id).entryAt(entry.index), entry, `${id} lacks a committed entry`);
    }
  }

  /** Log Matching: logs that agree in one entry agree in all before it (Figure 3). */
  checkLogMatching(): void {
    for (const [at, one] of this.ids.entries()) {
      for (const other of this.ids.slice(at + 1)) this.#checkPair(one, other);
    }
  }

  #checkPair(one: NodeId, other: NodeId): void {
    const from = Math.max(this.view(one).firstLogIndex, this.view(other).firstLogIndex);
    let index = Math.min(this.view(one).lastLogIndex, this.view(other).lastLogIndex);
    const [a, b] = [this.core(one), this.core(other)];
    while (index >= from && a.termAt(index) !== b.termAt(index)) index -= 1;
    for (; index >= from; index -= 1) {
      assert.deepEqual(a.entryAt(index), b.entryAt(index), `${one} and ${other} at ${index}`);
    }
  }
}
