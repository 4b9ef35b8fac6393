import type { NodeId, RequestId } from "@quorate/wire";
import type { Output, RaftView } from "../../../raft/index.ts";
import { requireRule } from "./step.ts";

/**
 * Reads of one life of a server (Diss. §6.4): each gets one end, and when the leader that was asked
 * leads no more, or the term has ended, those that wait are given up at once.
 */
export class ReadRules {
  readonly #node: NodeId;
  /** Of all its lives: a late answer must not meet another question of the same number. */
  readonly #used: Set<RequestId>;
  /** What waits, and under which reign it was asked; oldest first. */
  readonly #waiting = new Map<RequestId, number>();
  #reign = 0;

  constructor(node: NodeId, used: Set<RequestId>) {
    this.#node = node;
    this.#used = used;
  }

  asked(id: RequestId): void {
    requireRule(!this.#used.has(id), () => `${this.#node} gives a second read the number ${id}`);
    this.#used.add(id);
    this.#waiting.set(id, this.#reign);
  }

  changed(before: RaftView, after: RaftView): void {
    const isSame =
      after.leaderId === before.leaderId &&
      after.currentTerm === before.currentTerm &&
      (after.role === "leader") === (before.role === "leader");
    if (!isSame) this.#reign += 1;
  }

  outputTaken({ readStates, abortedReads }: Output): void {
    for (const { requestId } of readStates) this.#ended(requestId);
    for (const requestId of abortedReads) this.#ended(requestId);
    const [oldest] = this.#waiting;
    if (oldest === undefined) return;
    const [id, reign] = oldest;
    requireRule(
      reign === this.#reign,
      () => `${this.#node} goes on with read ${id}, whose leader leads no more`,
    );
  }

  #ended(id: RequestId): void {
    requireRule(
      this.#waiting.delete(id),
      () => `${this.#node} ends read ${id}, which does not wait`,
    );
  }
}
