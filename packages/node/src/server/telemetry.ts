import type { LogEntry, NodeEvent, NodeId, NodeStatus, RaftMessage } from "@quorate/wire";
import type { KvResult } from "../kv/kv-result.ts";
import type { Clock } from "../ports/clock.ts";
import type { PersistBatch, RaftView } from "../raft/index.ts";
import type { SnapshotName } from "../ports/snapshot-store.ts";
import type { DriverObserver, SnapshotWork } from "./driver-outcomes.ts";
import { EventRing } from "./event-ring.ts";
import { EventSource } from "./event-source.ts";
import type { EventDraft } from "./event-text.ts";
import { LatencyWindow } from "./latency-window.ts";
import type { Log } from "./log.ts";
import {
  snapshotDamaged,
  snapshotInstalled,
  snapshotSending,
  snapshotTaken,
} from "./snapshot-events.ts";

/** Who is told that there is something new; it fetches it when it can. */
export interface TelemetryListener {
  onStateChanged(): void;
  onEvents(): void;
}

/** The parts of a status that are counted here. Writes are those applied, reads those answered. */
export type TelemetryCounters = Pick<
  NodeStatus,
  | "subscribers"
  | "writesApplied"
  | "readsServed"
  | "requestsFailed"
  | "persistP50Ms"
  | "persistP99Ms"
  | "commitP50Ms"
  | "commitP99Ms"
>;

export interface TelemetryOptions {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly log: Log;
  /** Wall clock in ms since 1970, for people. */
  readonly wallMs: () => number;
  readonly view: () => RaftView;
  /** A write to disk that takes longer is an event. Milliseconds. */
  readonly persistSlowMs: number;
  readonly recoveredLastIndex: number;
}

/**
 * What a node knows about its own work: events, counters, latencies. It watches the driver and
 * costs next to nothing while nobody listens; no listener can make the driver wait.
 */
export class Telemetry implements DriverObserver<KvResult> {
  readonly events: EventRing = new EventRing();
  #readsServed = 0;
  #requestsFailed = 0;
  #writesApplied = 0;
  readonly #options: TelemetryOptions;
  readonly #source: EventSource;
  readonly #listeners = new Set<TelemetryListener>();
  readonly #persistMs = new LatencyWindow();
  readonly #commitMs = new LatencyWindow();

  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#source = new EventSource({
      ...options,
      emit: (draft) => {
        this.emit(draft);
      },
    });
  }

  addListener(listener: TelemetryListener): void {
    this.#listeners.add(listener);
  }

  removeListener(listener: TelemetryListener): void {
    this.#listeners.delete(listener);
  }

  /** Tells an event that does not come from the driver: to the log, the ring and the listeners. */
  emit(draft: EventDraft): NodeEvent {
    const { log, clock, view, wallMs } = this.#options;
    const event = this.events.append({
      ...draft,
      term: view().currentTerm,
      wallMs: wallMs(),
      monotonicMs: Math.round(clock.nowMs()),
    });
    const { kind, severity, term, text, details } = event;
    const warns = severity === "warning" || severity === "bad";
    const level = kind === "committed" ? "debug" : warns ? "warn" : "info";
    log[level]({ event: kind, term, ...details }, text);
    for (const listener of this.#listeners) listener.onEvents();
    return event;
  }

  noteRead(): void {
    this.#readsServed += 1;
  }

  noteFailure(): void {
    this.#requestsFailed += 1;
  }

  /** A write at this leader was applied, `durationMs` after it was proposed. */
  noteCommit(durationMs: number): void {
    this.#commitMs.add(durationMs);
  }

  /** What was counted and measured since the process started. */
  counters(): TelemetryCounters {
    const [persistP50Ms = null, persistP99Ms = null] = this.#persistMs.percentiles([50, 99]);
    const [commitP50Ms = null, commitP99Ms = null] = this.#commitMs.percentiles([50, 99]);
    return {
      subscribers: this.#listeners.size,
      writesApplied: this.#writesApplied,
      readsServed: this.#readsServed,
      requestsFailed: this.#requestsFailed,
      persistP50Ms,
      persistP99Ms,
      commitP50Ms,
      commitP99Ms,
    };
  }

  onStep(before: RaftView, after: RaftView): void {
    this.#source.onStep(before, after);
    for (const listener of this.#listeners) listener.onStateChanged();
  }

  onMessageReceived(from: NodeId, message: RaftMessage): void {
    this.#source.onMessageReceived(from, message);
  }

  onMessageSent(to: NodeId, message: RaftMessage): void {
    this.#source.onMessageSent(to, message);
  }

  onPersisted(batch: PersistBatch, durationMs: number): void {
    this.#persistMs.add(durationMs);
    this.#source.onPersisted(batch, durationMs);
  }

  onApplied(_entry: LogEntry, result: KvResult | null): void {
    if (result !== null) this.#writesApplied += 1;
  }

  onSnapshotTaken(name: SnapshotName, work: SnapshotWork): void {
    this.emit(snapshotTaken(name, work));
  }

  onSnapshotInstalled(name: SnapshotName, work: SnapshotWork): void {
    this.emit(snapshotInstalled(name, work));
  }

  onSnapshotSending(to: NodeId, name: SnapshotName, totalBytes: number): void {
    this.emit(snapshotSending(to, name, totalBytes));
  }

  onSnapshotDamaged(from: NodeId, name: SnapshotName): void {
    this.emit(snapshotDamaged(from, name));
  }

  onPeerConnected(peer: NodeId): void {
    this.#source.onPeerConnected(peer);
  }

  onPeerDown(peer: NodeId, refused: boolean): void {
    this.#source.onPeerDown(peer, refused);
  }

  /** Tells what was held back to be folded, and ends the timers. */
  stop(): void {
    this.#source.stop();
  }
}
