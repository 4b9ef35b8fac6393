import type { LogIndex, NodeId, RequestId } from "@quorate/wire";
import type {
  DeferredEnvelope,
  Envelope,
  ReadState,
  SnapshotAck,
  SnapshotChunk,
  SnapshotPoint,
} from "./output.ts";

/** Collects what a group of steps asks for, until the driver takes it. */
export class Outbox {
  messages: Envelope[] = [];
  readStates: ReadState[] = [];
  abortedReads: RequestId[] = [];
  installed: SnapshotPoint | null = null;
  snapshotChunks: SnapshotChunk[] = [];
  snapshotsToSend: NodeId[] = [];
  snapshotAcks: SnapshotAck[] = [];
  #deferred: DeferredEnvelope[] = [];

  /** Whether there is anything to take, now that batches up to `handedSequence` are handed out. */
  isEmpty(handedSequence: number): boolean {
    return (
      this.messages.length === 0 &&
      this.readStates.length === 0 &&
      this.abortedReads.length === 0 &&
      this.installed === null &&
      this.snapshotChunks.length === 0 &&
      this.snapshotsToSend.length === 0 &&
      this.snapshotAcks.length === 0 &&
      !this.#deferred.some(({ afterSequence }) => afterSequence <= handedSequence)
    );
  }

  /** What was collected is handed out: start over. See {@link takeDeferred} for the rest. */
  clear(): void {
    this.messages = [];
    this.readStates = [];
    this.abortedReads = [];
    this.installed = null;
    this.snapshotChunks = [];
    this.snapshotsToSend = [];
    this.snapshotAcks = [];
  }

  /** Takes the messages whose batch is handed out. Until it is, what they promise may be cut. */
  takeDeferred(handedSequence: number): DeferredEnvelope[] {
    const taken = this.#deferred.filter(({ afterSequence }) => afterSequence <= handedSequence);
    if (taken.length > 0) {
      this.#deferred = this.#deferred.filter(({ afterSequence }) => afterSequence > handedSequence);
    }
    return taken;
  }

  /**
   * The log was cut from `index` on. Acknowledgements of what was there, and is in no batch up to
   * `handedSequence`, would promise entries that no disk will ever see.
   */
  dropAcknowledgements(index: LogIndex, handedSequence: number): void {
    this.#deferred = this.#deferred.filter(
      ({ afterSequence, message }) =>
        afterSequence <= handedSequence ||
        message.type !== "AppendEntriesReply" ||
        message.matchIndex < index,
    );
  }

  /**
   * Adds a message that waits for a batch. Acknowledgements of appends are cumulative: one that
   * waits for the same batch is replaced by the newer.
   */
  defer(envelope: DeferredEnvelope): void {
    const last = this.#deferred.at(-1);
    if (last !== undefined && isCoveredBy(last, envelope)) this.#deferred.pop();
    this.#deferred.push(envelope);
  }
}

function isCoveredBy(earlier: DeferredEnvelope, later: DeferredEnvelope): boolean {
  return (
    earlier.to === later.to &&
    earlier.afterSequence === later.afterSequence &&
    earlier.message.type === "AppendEntriesReply" &&
    later.message.type === "AppendEntriesReply" &&
    earlier.message.success &&
    later.message.success &&
    earlier.message.term === later.message.term &&
    earlier.message.matchIndex <= later.message.matchIndex &&
    earlier.message.round <= later.message.round
  );
}
