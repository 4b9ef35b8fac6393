import type { LogEntry, LogIndex, NodeId, RaftMessage, TermRun } from "@quorate/wire";
import { decodeConfiguration, encodeConfiguration } from "@quorate/wire";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { SnapshotStore } from "../ports/snapshot-store.ts";
import type { StateMachine } from "../ports/state-machine.ts";
import type { Storage } from "../ports/storage.ts";
import type { Transport } from "../ports/transport.ts";
import type {
  ChangeOptions,
  ConfigurationTarget,
  DeferredEnvelope,
  Output,
  PersistBatch,
  RaftConfig,
  RaftView,
} from "../raft/index.ts";
import { assert, RaftCore } from "../raft/index.ts";
import type {
  ChangeOutcome,
  DriverObserver,
  ProposalOutcome,
  ReadOutcome,
  SnapshotStatus,
  TransferOutcome,
} from "./driver-outcomes.ts";
import { DriverSnapshots } from "./driver-snapshots.ts";
import { EntryApplier } from "./entry-applier.ts";
import { LeaderLease } from "./leader-lease.ts";
import { PendingProposals } from "./pending-proposals.ts";
import { PendingReads } from "./pending-reads.ts";
import { PendingTransfers } from "./pending-transfers.ts";
import { PIECE_MAX_BYTES } from "./snapshot-transfer.ts";
import { TickSource } from "./tick-source.ts";

export type CreateCore = (...given: ConstructorParameters<typeof RaftCore>) => RaftCore;

export interface RaftDriverOptions<Result> {
  readonly config: RaftConfig;
  /** Milliseconds that a tick of `config` stands for. */
  readonly tickIntervalMs: number;
  /** Opened by the owner, who also closes it and ends the process when it fails. */
  readonly storage: Storage;
  /** Started by the driver, closed by the owner. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  /** Empty: the stored snapshot and the committed entries of the recovered log make its state. */
  readonly stateMachine: StateMachine<Result>;
  /** Opened with `storage`. */
  readonly snapshots: SnapshotStore;
  /** Bytes of applied entries after which a snapshot takes the place of the log (Raft §7). */
  readonly snapshotLogBytes: number;
  /** Snapshots take no more of the network than this, all followers together. */
  readonly snapshotSendBytesPerSecond: number;
  /** Bytes of a snapshot in one message at most. Default: {@link PIECE_MAX_BYTES}. */
  readonly snapshotPieceMaxBytes?: number;
  readonly observer: DriverObserver<Result>;
  /** Makes the core: replaced where a checker wants to look into it. */
  readonly createCore?: CreateCore;
}

/**
 * Runs one core on its ports. Inputs go into the core at once; what it asks for in return is done
 * once for each turn of the loop, so that everything which arrived in a turn shares one write to
 * each socket and one sync of the disk. Inputs go on while a batch is being made durable.
 *
 * Nothing here is asynchronous but the ports, and a broken invariant is thrown out of the port's
 * callback: the process must end.
 */
export class RaftDriver<Result> {
  readonly #core: RaftCore;
  readonly #storage: Storage;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #observer: DriverObserver<Result>;
  readonly #proposals: PendingProposals<Result>;
  readonly #reads = new PendingReads();
  readonly #changes: PendingProposals<null>;
  readonly #transfers: PendingTransfers;
  readonly #applier: EntryApplier<Result>;
  readonly #snapshots: DriverSnapshots;
  readonly #lease: LeaderLease | null;
  readonly #ticks: TickSource;
  #tickCount = 0;
  #stepScheduled = false;
  #stopping = false;
  #lastView: RaftView;
  #isRestored = false;
  /** In the order in which the core gave them out. */
  #deferred: DeferredEnvelope[] = [];
  #durableSequence = 0;
  #persistInFlight = false;
  #stopped: Promise<void> | null = null;
  #onIdle: (() => void) | null = null;

  constructor(options: RaftDriverOptions<Result>) {
    const { config, storage, random, clock } = options;
    const createCore = options.createCore ?? ((...given) => new RaftCore(...given));
    const codec = { encode: encodeConfiguration, decode: decodeConfiguration };
    this.#core = createCore(config, storage.recovered, random, codec);
    this.#storage = storage;
    this.#transport = options.transport;
    this.#clock = clock;
    this.#observer = options.observer;
    this.#proposals = new PendingProposals(2 * config.electionTicks);
    this.#changes = new PendingProposals(2 * config.electionTicks);
    this.#transfers = new PendingTransfers(2 * config.electionTicks);
    this.#applier = new EntryApplier(
      {
        stateMachine: options.stateMachine,
        observer: options.observer,
        proposals: this.#proposals,
        changes: this.#changes,
        reads: this.#reads,
      },
      storage.recovered.snapshot.lastIncludedIndex,
    );
    this.#snapshots = this.#createSnapshots(options);
    this.#lease = config.leaseReads ? createLease(options) : null;
    this.#ticks = new TickSource({
      clock,
      intervalMs: options.tickIntervalMs,
      burstMaxTicks: config.heartbeatTicks,
      ticksUntilElection: () => {
        const { role, electionTicksLeft } = this.#core.view();
        return role === "leader" ? null : electionTicksLeft;
      },
      tick: () => {
        this.#tick();
      },
    });
    this.#lastView = this.#core.view();
  }

  /**
   * Makes the stored snapshot the state machine's state; `done` is called once it is, at once where
   * there is none. {@link RaftDriver.start} does so by itself: this is for owners who answer reads
   * only afterwards. `failed` is told why it cannot be; default: that is a bug.
   */
  restore(done: () => void, failed?: (error: unknown) => void): void {
    if (this.#isRestored) {
      done();
      return;
    }
    this.#snapshots.recover(() => {
      this.#isRestored = true;
      done();
    }, failed);
  }

  /** Restores the state, then starts the transport and the ticks. */
  start(): void {
    this.restore(() => {
      if (!this.#stopping) this.#begin();
    });
  }

  #begin(): void {
    this.#transport.start({
      onMessage: (from, message) => {
        this.#receive(from, message);
      },
      onBatchEnd: () => {
        this.#scheduleStep();
      },
      onPeerConnected: (peer) => {
        this.#observer.onPeerConnected?.(peer);
      },
      onPeerDown: (peer, refused) => {
        this.#peerDown(peer, refused);
      },
    });
    this.#ticks.start();
    this.#scheduleStep();
  }

  /**
   * Ends the ticks, ignores messages, and answers everything that waits with `stopping`. Resolves
   * once the batch in flight, if any, is durable; then transport and storage may be closed.
   */
  stop(): Promise<void> {
    if (this.#stopped !== null) return this.#stopped;
    this.#stopping = true;
    this.#ticks.stop();
    this.#snapshots.stop();
    const { leaderId } = this.#core.view();
    this.#proposals.stop(leaderId);
    this.#changes.stop(leaderId);
    this.#reads.stop(leaderId);
    this.#transfers.stop(leaderId);
    this.#stopped = this.#persistInFlight
      ? new Promise((resolve) => {
          this.#onIdle = resolve;
        })
      : Promise.resolve();
    return this.#stopped;
  }

  /**
   * Proposes a command; `data` belongs to the log from now on. `done` is called once, possibly
   * before this returns, and after {@link RaftDriver.stop} always with `stopping`.
   */
  propose(data: Uint8Array, done: (outcome: ProposalOutcome<Result>) => void): void {
    if (this.#stopping) {
      done({ kind: "notApplied", code: "stopping", leaderId: null });
      return;
    }
    const proposed = this.#core.propose(data);
    if (proposed.kind === "accepted") {
      this.#proposals.add(proposed.index, proposed.term, this.#tickCount, done);
      this.#scheduleStep();
      return;
    }
    const { leaderId } = this.#core.view();
    const unled = proposed.kind === "notLeader" && leaderId === null;
    done({ kind: "notApplied", code: unled ? "noLeader" : proposed.kind, leaderId });
  }

  /**
   * Begins a change of members (Raft §6). `done` as above: `applied` once its entry is committed,
   * and then a joint change goes on by itself.
   */
  changeMembers(
    target: ConfigurationTarget,
    options: ChangeOptions,
    done: (outcome: ChangeOutcome) => void,
  ): void {
    if (this.#stopping) {
      done({ kind: "notApplied", code: "stopping", leaderId: null });
      return;
    }
    const result = this.#core.changeMembers(target, options);
    if (result.kind === "accepted") {
      this.#changes.add(result.index, result.term, this.#tickCount, done);
      this.#scheduleStep();
    } else if (result.kind === "refused") {
      done(result);
    } else {
      const code = result.leaderId === null ? "noLeader" : "notLeader";
      done({ kind: "notApplied", code, leaderId: result.leaderId });
    }
  }

  /**
   * An applied index at which the state machine may be read linearizably now, before this turn
   * ends, without asking anybody (Diss. §6.4.1); null: use {@link RaftDriver.readIndex}. Always null
   * unless `leaseReads` is set, and while this node does not lead.
   */
  leaseRead(): LogIndex | null {
    if (this.#stopping || this.#lease?.holds(this.#clock.nowMs()) !== true) return null;
    const readIndex = this.#core.leaseReadIndex();
    return readIndex !== null && readIndex <= this.lastApplied ? readIndex : null;
  }

  /** Asks for a moment at which the state machine may be read linearizably; `done` as above. */
  readIndex(done: (outcome: ReadOutcome) => void): void {
    if (this.#stopping) {
      done({ kind: "failed", code: "stopping", leaderId: null });
      return;
    }
    this.#reads.add(this.#core.readIndex(), done);
    this.#scheduleStep();
  }

  /** Hands leadership to `target`, or to the best caught-up voter (null); `done` as above. */
  transferLeadership(target: NodeId | null, done: (outcome: TransferOutcome) => void): void {
    const { leaderId, currentTerm } = this.#core.view();
    if (this.#stopping) {
      done({ kind: "failed", code: "stopping", leaderId, reason: "the node stops" });
      return;
    }
    const result = this.#core.transferLeadership(target);
    if (result.kind === "started") {
      this.#lease?.spoil(currentTerm);
      this.#transfers.add(currentTerm, this.#tickCount, done);
      this.#scheduleStep();
    } else if (result.kind === "notLeader") {
      const code = leaderId === null ? "noLeader" : "notLeader";
      done({ kind: "failed", code, leaderId, reason: "this node does not lead" });
    } else {
      done({ kind: "failed", code: "transferFailed", leaderId, reason: result.reason });
    }
  }

  view(): RaftView {
    return this.#core.view();
  }

  /** Highest index that the state machine has applied. */
  get lastApplied(): LogIndex {
    return this.#applier.lastApplied;
  }

  /** Where this node is with its snapshots. */
  snapshotStatus(): SnapshotStatus {
    return this.#snapshots.status();
  }

  /** The newest `maxEntries` entries as runs of terms. */
  termRuns(maxEntries: number): TermRun[] {
    return this.#core.termRuns(maxEntries);
  }

  #createSnapshots(options: RaftDriverOptions<Result>): DriverSnapshots {
    const { config, storage, stateMachine, clock, observer } = options;
    return new DriverSnapshots(
      {
        nodeId: config.nodeId,
        core: this.#core,
        store: options.snapshots,
        stateMachine,
        clock,
        logBytes: options.snapshotLogBytes,
        sendBytesPerSecond: options.snapshotSendBytesPerSecond,
        pieceMaxBytes: options.snapshotPieceMaxBytes ?? PIECE_MAX_BYTES,
        resendTicks: config.electionTicks,
        observer,
        send: (to, message) => {
          observer.onMessageSent?.(to, message);
          this.#transport.sendBulk(to, message);
        },
        onInput: () => {
          this.#scheduleStep();
        },
        onRestored: ({ lastIncludedIndex }) => {
          this.#core.pauseApplying(false);
          this.#applier.restored(lastIncludedIndex);
          this.#scheduleStep();
        },
      },
      storage.recovered.snapshot,
    );
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    this.#tickCount++;
    this.#core.tick();
    const view = this.#core.view();
    this.#lease?.ticked(nowMs);
    this.#lease?.observe(view, nowMs);
    this.#snapshots.tick();
    this.#proposals.expire(this.#tickCount, view.leaderId);
    this.#changes.expire(this.#tickCount, view.leaderId);
    this.#transfers.settle(view, this.#tickCount);
    this.#scheduleStep();
  }

  #receive(from: NodeId, message: RaftMessage): void {
    if (this.#stopping) return;
    this.#observer.onMessageReceived?.(from, message);
    this.#core.receive(from, message);
  }

  #peerDown(peer: NodeId, refused: boolean): void {
    if (this.#stopping) return;
    this.#observer.onPeerDown?.(peer, refused);
    if (refused) {
      this.#core.peerDown(peer);
      this.#scheduleStep();
    }
  }

  #scheduleStep(): void {
    // Before the state is restored nothing may be applied to it; beginning schedules the first step.
    if (this.#stepScheduled || this.#stopping || !this.#isRestored) return;
    this.#stepScheduled = true;
    this.#clock.soon(() => {
      this.#stepScheduled = false;
      if (!this.#stopping) this.#step();
    });
  }

  #step(): void {
    const nowMs = this.#clock.nowMs();
    this.#sendDurable();
    if (!this.#core.hasOutput()) {
      this.#transport.flush();
      const view = this.#core.view();
      this.#lease?.observe(view, nowMs);
      this.#observe(view);
      return;
    }
    const output = this.#core.takeOutput();
    const view = this.#core.view();
    this.#lease?.observe(view, nowMs);
    this.#send(output);
    this.#transport.flush();
    if (output.persist !== null) this.#persist(output.persist);
    this.#observe(view);
    if (output.installed !== null) {
      this.#applier.overtaken(output.installed.lastIncludedIndex, view.leaderId);
    }
    this.#snapshots.take(output, view);
    this.#apply(output.committedEntries, view.leaderId);
    this.#answerReads(output, view.leaderId);
    if (this.#core.hasOutput()) this.#scheduleStep();
  }

  /** Sends what waited for batches that are durable now, in the order of their making. */
  #sendDurable(): void {
    if (this.#deferred.length === 0) return;
    const waiting: DeferredEnvelope[] = [];
    for (const envelope of this.#deferred) {
      if (envelope.afterSequence <= this.#durableSequence) this.#sendOne(envelope);
      else waiting.push(envelope);
    }
    this.#deferred = waiting;
  }

  #send(output: Output): void {
    for (const envelope of output.messages) this.#sendOne(envelope);
    for (const envelope of output.messagesAfterPersist) {
      if (envelope.afterSequence <= this.#durableSequence) this.#sendOne(envelope);
      else this.#deferred.push(envelope);
    }
  }

  #sendOne({ to, message }: { readonly to: NodeId; readonly message: RaftMessage }): void {
    this.#observer.onMessageSent?.(to, message);
    this.#transport.send(to, message);
  }

  #persist(batch: PersistBatch): void {
    assert(!this.#persistInFlight, `batch ${batch.sequence} while another is in flight`);
    this.#persistInFlight = true;
    const startMs = this.#clock.nowMs();
    this.#storage.persist(batch, () => {
      this.#persistInFlight = false;
      this.#durableSequence = batch.sequence;
      this.#observer.onPersisted?.(batch, this.#clock.nowMs() - startMs);
      this.#core.persisted(batch.sequence);
      if (batch.snapshot !== undefined && !this.#stopping) {
        this.#snapshots.switched(batch.snapshot.point, this.#core.view());
      }
      this.#scheduleStep();
      this.#onIdle?.();
    });
  }

  #observe(view: RaftView): void {
    const before = this.#lastView;
    this.#lastView = view;
    const ledTerm = view.role === "leader" ? view.currentTerm : null;
    this.#proposals.noteLeadership(ledTerm, this.#tickCount);
    this.#changes.noteLeadership(ledTerm, this.#tickCount);
    this.#snapshots.observe(view);
    this.#transfers.settle(view, this.#tickCount);
    this.#observer.onStep(before, view);
  }

  #apply(entries: readonly LogEntry[], leaderId: NodeId | null): void {
    for (const entry of entries) {
      this.#applier.apply(entry, leaderId);
      this.#snapshots.applied(entry);
    }
    if (entries.length === 0) return;
    this.#snapshots.startIfDue();
    this.#applier.answerReads();
  }

  #answerReads(output: Output, leaderId: NodeId | null): void {
    for (const state of output.readStates) this.#reads.confirm(state);
    if (output.readStates.length > 0) this.#applier.answerReads();
    for (const requestId of output.abortedReads) this.#reads.abort(requestId, leaderId);
  }
}

function createLease({
  config,
  tickIntervalMs,
  clock,
}: Pick<RaftDriverOptions<unknown>, "config" | "tickIntervalMs" | "clock">): LeaderLease {
  return new LeaderLease({
    electionTimeoutMs: config.electionTicks * tickIntervalMs,
    heartbeatIntervalMs: config.heartbeatTicks * tickIntervalMs,
    tickIntervalMs,
    nowMs: clock.nowMs(),
  });
}
