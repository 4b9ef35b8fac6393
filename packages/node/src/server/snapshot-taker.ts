import type { EntryId, LogEntry, LogIndex } from "@quorate/wire";
import type { Clock } from "../ports/clock.ts";
import type { SnapshotName, SnapshotStore, SnapshotWriter } from "../ports/snapshot-store.ts";
import type { StateMachine, StateSnapshot } from "../ports/state-machine.ts";
import type { SnapshotWork } from "./driver-outcomes.ts";

/** Read from the state machine in one turn of the loop. */
const PIECE_BYTES = 128 * 1024;

/** What an entry takes beside its data, about. */
const ENTRY_OVERHEAD_BYTES = 32;

/**
 * A log that is this many times over its limit, and longer than the snapshot that is being sent, is
 * compacted whatever else is going on.
 */
const OVERDUE = 4;

export interface SnapshotTakerOptions {
  readonly store: SnapshotStore;
  readonly stateMachine: Pick<StateMachine<unknown>, "snapshot">;
  readonly clock: Clock;
  /** Bytes of applied entries after which a snapshot is due. */
  readonly logBytes: number;
  /**
   * Size of the largest snapshot that is being sent, or whose follower has not the log behind it
   * yet; null: there is none. Such a follower never gets level when the log is cut sooner than the
   * snapshot is sent; so the log may grow as long as what is sent, which is reached only where more
   * is written than sent.
   */
  readonly awaitedBytes: () => number | null;
  /** The file is durable. Says whether it is of use. */
  readonly onTaken: (name: SnapshotName, work: SnapshotWork) => boolean;
}

interface Taking {
  /** Null: it was read to its end. */
  snapshot: StateSnapshot | null;
  readonly writer: SnapshotWriter;
  readonly startedMs: number;
  bytes: number;
  /** A call of the writer has not ended. */
  isCalling: boolean;
  isOver: boolean;
}

/**
 * Writes the state machine's state to a file when enough of the log has been applied since the last
 * one (Raft §7). A piece a turn, and the next once the disk took the one before: neither the loop
 * nor the memory feels the size of the state.
 */
export class SnapshotTaker {
  readonly #options: SnapshotTakerOptions;
  #appliedBytes = 0;
  #lastApplied: EntryId | null = null;
  #taking: Taking | null = null;

  constructor(options: SnapshotTakerOptions) {
    this.#options = options;
  }

  /** Index of the snapshot under way, or null. */
  get takingIndex(): LogIndex | null {
    return this.#taking?.writer.name.lastIncludedIndex ?? null;
  }

  /** `entry` was applied. */
  applied(entry: LogEntry): void {
    this.#appliedBytes += entry.data.length + ENTRY_OVERHEAD_BYTES;
    this.#lastApplied = entry;
  }

  /** Begins a snapshot of the state as it is now, if one is due. */
  startIfDue(): void {
    const { logBytes, awaitedBytes } = this.#options;
    if (this.#appliedBytes < logBytes || this.#taking !== null || this.#lastApplied === null)
      return;
    const bytes = awaitedBytes();
    if (bytes !== null && this.#appliedBytes < Math.max(OVERDUE * logBytes, bytes)) return;
    this.#start(this.#lastApplied);
  }

  /** Another state is about to take the place of this one: what is being written is of no use. */
  restart(): void {
    this.stop();
    this.#appliedBytes = 0;
    this.#lastApplied = null;
  }

  /** Gives up what is being written. */
  stop(): void {
    const taking = this.#taking;
    if (taking === null) return;
    this.#taking = null;
    taking.isOver = true;
    release(taking);
    if (!taking.isCalling) taking.writer.abort();
  }

  #start({ index, term }: EntryId): void {
    const { store, stateMachine, clock } = this.#options;
    this.#appliedBytes = 0;
    const taking: Taking = {
      snapshot: stateMachine.snapshot(),
      writer: store.create(index, term),
      startedMs: clock.nowMs(),
      bytes: 0,
      isCalling: false,
      isOver: false,
    };
    this.#taking = taking;
    this.#schedule(taking);
  }

  #schedule(taking: Taking): void {
    this.#options.clock.soon(() => {
      if (!taking.isOver) this.#writePiece(taking);
    });
  }

  #writePiece(taking: Taking): void {
    const { snapshot, writer } = taking;
    const piece = snapshot?.read(PIECE_BYTES) ?? null;
    if (piece === null) {
      release(taking);
      this.#call(
        taking,
        (done) => {
          writer.finish(done);
        },
        () => {
          this.#finished(taking);
        },
      );
    } else {
      taking.bytes += piece.length;
      this.#call(
        taking,
        (done) => {
          writer.write(piece, done);
        },
        () => {
          this.#schedule(taking);
        },
      );
    }
  }

  #call(taking: Taking, call: (done: () => void) => void, next: () => void): void {
    taking.isCalling = true;
    call(() => {
      taking.isCalling = false;
      if (taking.isOver) taking.writer.abort();
      else next();
    });
  }

  #finished(taking: Taking): void {
    const { clock, onTaken } = this.#options;
    const { writer, bytes, startedMs } = taking;
    this.#taking = null;
    taking.isOver = true;
    const isOfUse = onTaken(writer.name, { bytes, durationMs: clock.nowMs() - startedMs });
    if (!isOfUse) writer.abort();
  }
}

function release(taking: Taking): void {
  taking.snapshot?.release();
  taking.snapshot = null;
}
