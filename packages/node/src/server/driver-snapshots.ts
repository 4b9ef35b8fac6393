import type { InstallSnapshot, LogEntry, NodeId } from "@quorate/wire";
import type { Clock } from "../ports/clock.ts";
import type { SnapshotName, SnapshotStore } from "../ports/snapshot-store.ts";
import type { StateMachine } from "../ports/state-machine.ts";
import type { Output, RaftCore, RaftView, SnapshotPoint } from "../raft/index.ts";
import type { DriverObserver, SnapshotStatus, SnapshotWork } from "./driver-outcomes.ts";
import { SnapshotIntake } from "./snapshot-intake.ts";
import {
  INSTALL_PIECE_BYTES,
  RECOVERY_PIECE_BYTES,
  SnapshotRestorer,
} from "./snapshot-restorer.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { SnapshotTaker } from "./snapshot-taker.ts";

export interface DriverSnapshotsOptions {
  readonly nodeId: NodeId;
  readonly core: RaftCore;
  readonly store: SnapshotStore;
  readonly stateMachine: StateMachine<unknown>;
  readonly clock: Clock;
  /** Bytes of applied entries after which the log is compacted. */
  readonly logBytes: number;
  readonly sendBytesPerSecond: number;
  readonly pieceMaxBytes: number;
  readonly resendTicks: number;
  readonly observer: Pick<
    DriverObserver,
    "onSnapshotTaken" | "onSnapshotInstalled" | "onSnapshotSending" | "onSnapshotDamaged"
  >;
  /** Sends beside the other messages. */
  readonly send: (to: NodeId, message: InstallSnapshot) => void;
  /** The core was given something. */
  readonly onInput: () => void;
  /** The state machine's state is that of `point`: entries after it may be applied. */
  readonly onRestored: (point: SnapshotPoint) => void;
}

/** The driver's snapshots (Raft §7): those it takes, sends, receives and makes its state. */
export class DriverSnapshots {
  readonly #options: DriverSnapshotsOptions;
  readonly #taker: SnapshotTaker;
  readonly #sender: SnapshotSender;
  readonly #intake: SnapshotIntake;
  readonly #restorer: SnapshotRestorer;
  /** The durable snapshot. */
  #stored: SnapshotPoint;
  #storedBytes = 0;
  /** Received, and to become the state once the switch to it is durable. */
  #awaited: SnapshotPoint | null = null;

  /** `stored`: the snapshot that the recovered log follows. */
  constructor(options: DriverSnapshotsOptions, stored: SnapshotPoint) {
    const { nodeId, core, store, clock, observer } = options;
    this.#options = options;
    this.#stored = stored;
    this.#restorer = new SnapshotRestorer(options);
    this.#sender = new SnapshotSender(
      {
        nodeId,
        store,
        clock,
        bytesPerSecond: options.sendBytesPerSecond,
        pieceMaxBytes: options.pieceMaxBytes,
        resendTicks: options.resendTicks,
        send: options.send,
        onSending: (to, name, totalBytes) => observer.onSnapshotSending?.(to, name, totalBytes),
      },
      stored,
    );
    this.#taker = new SnapshotTaker({
      store,
      stateMachine: options.stateMachine,
      clock,
      logBytes: options.logBytes,
      awaitedBytes: () => this.#sender.awaitedBytes,
      onTaken: (name, work) => this.#taken(name, work),
    });
    this.#intake = new SnapshotIntake({
      store,
      onStored: (chunk, nextOffset) => {
        core.snapshotChunkStored(chunk, nextOffset);
        options.onInput();
      },
      onReceived: (chunk) => {
        const isInstalled = core.snapshotReceived(chunk);
        options.onInput();
        return isInstalled;
      },
      onDamaged: (from, name) => observer.onSnapshotDamaged?.(from, name),
    });
  }

  status(): SnapshotStatus {
    return {
      index: this.#stored.lastIncludedIndex,
      bytes: this.#storedBytes,
      takingIndex: this.#taker.takingIndex,
      sending: this.#sender.progress(),
      receiving: this.#intake.progress,
      installing: this.#restorer.progress,
    };
  }

  /** Makes the stored snapshot the state, when the process starts; `done` may come at once. */
  recover(done: () => void, failed?: (error: unknown) => void): void {
    const { lastIncludedIndex } = this.#stored;
    if (lastIncludedIndex === 0) {
      done();
      return;
    }
    const restored = (_name: SnapshotName, { bytes }: SnapshotWork): void => {
      this.#storedBytes = bytes;
      done();
    };
    this.#restorer.start(lastIncludedIndex, RECOVERY_PIECE_BYTES, restored, failed);
  }

  /** What the core asks for. Entries of the same output are applied only after this. */
  take(output: Output, view: RaftView): void {
    if (output.installed !== null) {
      this.#options.core.pauseApplying(true);
      this.#taker.restart();
      this.#awaited = output.installed;
    }
    for (const chunk of output.snapshotChunks) this.#intake.take(chunk);
    for (const peer of output.snapshotsToSend) this.#sender.request(peer, view);
    for (const ack of output.snapshotAcks) this.#sender.acknowledged(ack);
  }

  /** The core is in this state now. */
  observe(view: RaftView): void {
    this.#sender.observe(view);
    this.#intake.committed(view.commitIndex);
  }

  /** The switch to the snapshot that ends at `point` is durable. */
  switched(point: SnapshotPoint, view: RaftView): void {
    this.#stored = point;
    this.#storedBytes = this.#readSize();
    this.#sender.stored(point, view);
    if (this.#awaited?.lastIncludedIndex === point.lastIncludedIndex) this.#install(point);
  }

  applied(entry: LogEntry): void {
    this.#taker.applied(entry);
  }

  /** Nothing is half applied. */
  startIfDue(): void {
    if (this.#awaited === null) this.#taker.startIfDue();
  }

  tick(): void {
    this.#sender.tick();
    // One may have become due while the one before was written, or sent, and no write may follow.
    this.startIfDue();
  }

  /** Begins nothing more. What was received so far stays for the next start. */
  stop(): void {
    this.#taker.stop();
    this.#sender.stop();
    this.#restorer.stop();
  }

  #taken(name: SnapshotName, work: SnapshotWork): boolean {
    const { core, observer, onInput } = this.#options;
    if (core.snapshotTaken(name.lastIncludedIndex) === null) return false;
    observer.onSnapshotTaken?.(name, work);
    onInput();
    return true;
  }

  #install(point: SnapshotPoint): void {
    const { observer, onRestored } = this.#options;
    this.#restorer.start(point.lastIncludedIndex, INSTALL_PIECE_BYTES, (name, work) => {
      this.#awaited = null;
      this.#intake.installed();
      onRestored(point);
      observer.onSnapshotInstalled?.(name, work);
    });
  }

  #readSize(): number {
    const reader = this.#options.store.open();
    reader?.close();
    return reader?.totalBytes ?? 0;
  }
}
