import type { RequestId } from "@quorate/wire";
import type { DeferredEnvelope, Envelope, ReadState } from "./output.ts";

/** Collects what a group of steps asks for, until the driver takes it. */
export class Outbox {
  messages: Envelope[] = [];
  messagesAfterPersist: DeferredEnvelope[] = [];
  readStates: ReadState[] = [];
  abortedReads: RequestId[] = [];

  get isEmpty(): boolean {
    return (
      this.messages.length === 0 &&
      this.messagesAfterPersist.length === 0 &&
      this.readStates.length === 0 &&
      this.abortedReads.length === 0
    );
  }

  /** What was collected is handed out: start over. */
  clear(): void {
    this.messages = [];
    this.messagesAfterPersist = [];
    this.readStates = [];
    this.abortedReads = [];
  }

  /**
   * Adds a message that waits for a batch. Acknowledgements of appends are cumulative: one that
   * waits for the same batch is replaced by the newer.
   */
  defer(envelope: DeferredEnvelope): void {
    const last = this.messagesAfterPersist.at(-1);
    if (last !== undefined && isCoveredBy(last, envelope)) this.messagesAfterPersist.pop();
    this.messagesAfterPersist.push(envelope);
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
