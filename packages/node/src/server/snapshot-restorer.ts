import type { LogIndex } from "@quorate/wire";
import type { Clock } from "../ports/clock.ts";
import type { SnapshotName, SnapshotReader, SnapshotStore } from "../ports/snapshot-store.ts";
import type { StateMachine, StateRestorer } from "../ports/state-machine.ts";
import { assert } from "../raft/index.ts";
import type { ByteProgress, SnapshotWork } from "./driver-outcomes.ts";

/** Given to the state machine in one turn of the loop, while others are served as well. */
export const INSTALL_PIECE_BYTES: number = 256 * 1024;

/** The same at start, when nobody waits for the loop. */
export const RECOVERY_PIECE_BYTES: number = 1024 * 1024;

export interface SnapshotRestorerOptions {
  readonly store: SnapshotStore;
  readonly stateMachine: Pick<StateMachine<unknown>, "restore">;
  readonly clock: Clock;
}

interface Restoring {
  /** One is filled while the other is taken in. */
  readonly buffers: readonly [Uint8Array, Uint8Array];
  readonly reader: SnapshotReader;
  readonly restorer: StateRestorer;
  readonly startedMs: number;
  readonly done: (name: SnapshotName, work: SnapshotWork) => void;
  readonly failed: ((error: unknown) => void) | null;
  /** Taken in so far. */
  bytes: number;
  pieces: number;
}

/** Makes the stored snapshot the state machine's state, a piece a turn (Raft §7). */
export class SnapshotRestorer {
  readonly #options: SnapshotRestorerOptions;
  #restoring: Restoring | null = null;

  constructor(options: SnapshotRestorerOptions) {
    this.#options = options;
  }

  get progress(): (ByteProgress & { readonly index: LogIndex }) | null {
    if (this.#restoring === null) return null;
    const { reader, bytes } = this.#restoring;
    return { index: reader.name.lastIncludedIndex, bytes, totalBytes: reader.totalBytes };
  }

  /**
   * The stored snapshot, which ends at `index`. `done` is called when reads see its state; `failed`
   * where the state machine does not take it: without it, that is thrown.
   */
  start(
    index: LogIndex,
    pieceBytes: number,
    done: Restoring["done"],
    failed?: (error: unknown) => void,
  ): void {
    assert(this.#restoring === null, "two snapshots are restored at once");
    const { store, stateMachine, clock } = this.#options;
    const reader = store.open();
    assert(
      reader?.name.lastIncludedIndex === index,
      `the stored snapshot ends at ${reader?.name.lastIncludedIndex ?? "nothing"}, not at ${index}`,
    );
    const restorer = stateMachine.restore();
    const startedMs = clock.nowMs();
    const bufferBytes = Math.min(pieceBytes, reader.totalBytes);
    const buffers = [new Uint8Array(bufferBytes), new Uint8Array(bufferBytes)] as const;
    const restoring = {
      buffers,
      reader,
      restorer,
      startedMs,
      done,
      failed: failed ?? null,
      bytes: 0,
      pieces: 0,
    };
    this.#restoring = restoring;
    this.#readPiece(restoring, 0);
  }

  /** Nothing more is restored. The state machine is not to be used again. */
  stop(): void {
    this.#restoring = null;
  }

  #readPiece(restoring: Restoring, offset: number): void {
    const { reader, buffers, pieces } = restoring;
    reader.read(offset, buffers[pieces % 2] ?? buffers[0], (piece) => {
      // Its own turn: what the sockets have ready comes before the next piece.
      this.#options.clock.soon(() => {
        if (this.#restoring === restoring) this.#take(restoring, piece);
        else reader.close();
      });
    });
  }

  #take(restoring: Restoring, piece: Uint8Array): void {
    const { reader, restorer, startedMs, done, failed } = restoring;
    restoring.bytes += piece.length;
    restoring.pieces += 1;
    const isLast = piece.length === 0 || restoring.bytes === reader.totalBytes;
    // The disk fills the other buffer meanwhile.
    if (!isLast) this.#readPiece(restoring, restoring.bytes);
    if (piece.length > 0) restorer.write(piece);
    if (!isLast) return;
    reader.close();
    this.#restoring = null;
    try {
      restorer.finish();
    } catch (error) {
      if (failed === null) throw error;
      failed(error);
      return;
    }
    const durationMs = this.#options.clock.nowMs() - startedMs;
    done(reader.name, { bytes: restoring.bytes, durationMs });
  }
}
