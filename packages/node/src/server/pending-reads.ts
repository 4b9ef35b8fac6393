import type { LogIndex, NodeId, RequestId } from "@quorate/wire";
import type { ReadState } from "../raft/index.ts";
import type { ReadOutcome } from "./driver-outcomes.ts";

type Done = (outcome: ReadOutcome) => void;

interface ConfirmedRead {
  readonly readIndex: LogIndex;
  readonly done: Done;
}

/** Linearizable reads on their way: first to a confirmed read index, then to its application. */
export class PendingReads {
  readonly #unconfirmed = new Map<RequestId, Done>();
  /** Sorted by `readIndex`: the first may be answered first. */
  readonly #confirmed: ConfirmedRead[] = [];

  add(requestId: RequestId, done: Done): void {
    this.#unconfirmed.set(requestId, done);
  }

  /** The core confirmed `state.readIndex`; answered by {@link answer}. */
  confirm(state: ReadState): void {
    const done = this.#take(state.requestId);
    if (done === undefined) return;
    let offset = this.#confirmed.length;
    while (offset > 0 && (this.#confirmed[offset - 1]?.readIndex ?? 0) > state.readIndex) offset--;
    this.#confirmed.splice(offset, 0, { readIndex: state.readIndex, done });
  }

  /** Answers every confirmed read that `appliedIndex` reaches. */
  answer(appliedIndex: LogIndex): void {
    let count = 0;
    while ((this.#confirmed[count]?.readIndex ?? Number.POSITIVE_INFINITY) <= appliedIndex) count++;
    if (count === 0) return;
    for (const { readIndex, done } of this.#confirmed.splice(0, count)) {
      done({ kind: "ready", readIndex, appliedIndex });
    }
  }

  abort(requestId: RequestId, leaderId: NodeId | null): void {
    const code = leaderId === null ? "noLeader" : "leadershipLost";
    this.#take(requestId)?.({ kind: "failed", code, leaderId });
  }

  stop(leaderId: NodeId | null): void {
    const all = [...this.#unconfirmed.values(), ...this.#confirmed.map(({ done }) => done)];
    this.#unconfirmed.clear();
    this.#confirmed.length = 0;
    for (const done of all) done({ kind: "failed", code: "stopping", leaderId });
  }

  #take(requestId: RequestId): Done | undefined {
    const done = this.#unconfirmed.get(requestId);
    this.#unconfirmed.delete(requestId);
    return done;
  }
}
