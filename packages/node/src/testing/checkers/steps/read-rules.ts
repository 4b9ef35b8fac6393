import type { AppendEntriesReply, LogIndex, NodeId, ReadIndex, RequestId } from "@quorate/wire";
import type { Output, RaftView } from "../../../raft/index.ts";
import { hasQuorum } from "../../../raft/index.ts";
import { isOfEarlierRequest } from "./replication-rules.ts";
import type { Step } from "./step.ts";
import { requireRule } from "./step.ts";

/** A read that a leader was asked for, by its own clients or by a follower. */
interface AskedRead {
  readonly from: NodeId;
  readonly id: RequestId;
  /** What a quorum has to echo: a round that was sent after the question. */
  readonly round: number;
  /** What was committed when it was asked is part of the answer. */
  readonly commitIndex: LogIndex;
  readonly reign: number;
  isConfirmed: boolean;
}

/**
 * Reads of one life of a server (Diss. §6.4): each gets one end, and when the leader that was asked
 * leads no more, or the term has ended, those that wait are given up at once. A leader answers none
 * before a quorum has echoed a round that began after it was asked.
 */
export class ReadRules {
  readonly #node: NodeId;
  /** Of all its lives: a late answer must not meet another question of the same number. */
  readonly #used: Set<RequestId>;
  /** Own reads that wait, and under which reign they were asked; oldest first. */
  readonly #waiting = new Map<RequestId, number>();
  /**
   * What was asked of this server as a leader, and not answered yet; oldest first. A question that
   * the network repeats is asked anew.
   */
  #asked: AskedRead[] = [];
  /** The newest round of this reign that each of the others has echoed. */
  readonly #echoed = new Map<NodeId, number>();
  #reign = 0;

  constructor(node: NodeId, used: Set<RequestId>) {
    this.#node = node;
    this.#used = used;
  }

  /** One of its own clients has asked the server, which was as `view` says. */
  asked(id: RequestId, view: RaftView): void {
    requireRule(!this.#used.has(id), () => `${this.#node} gives a second read the number ${id}`);
    this.#used.add(id);
    this.#waiting.set(id, this.#reign);
    this.#askedOf(this.#node, id, view);
  }

  /** So has a follower, for one of its clients. */
  askedBy(from: NodeId, { term, requestId }: ReadIndex, view: RaftView): void {
    if (term === view.currentTerm) this.#askedOf(from, requestId, view);
  }

  changed(before: RaftView, after: RaftView): void {
    const isSame =
      after.leaderId === before.leaderId &&
      after.currentTerm === before.currentTerm &&
      (after.role === "leader") === (before.role === "leader");
    if (isSame) return;
    this.#reign += 1;
    this.#echoed.clear();
  }

  stepped({ input, before, after }: Step): void {
    if (after.role !== "leader" || before.currentTerm !== after.currentTerm) return;
    if (input.kind === "message" && input.message.type === "AppendEntriesReply") {
      this.#echo(input.from, input.message, before);
    }
    for (const read of this.#asked) {
      if (read.isConfirmed || read.reign !== this.#reign) continue;
      // The later ones need a later round.
      const isEchoed = hasQuorum(
        after.configuration,
        (id) => id === this.#node || (this.#echoed.get(id) ?? 0) >= read.round,
      );
      if (!isEchoed) return;
      read.isConfirmed = true;
    }
  }

  outputTaken({ messages, readStates, abortedReads }: Output): void {
    for (const { requestId, readIndex } of readStates) {
      this.#ended(requestId);
      this.#answered(this.#node, requestId, readIndex);
    }
    for (const requestId of abortedReads) this.#ended(requestId);
    for (const { to, message } of messages) {
      if (message.type !== "ReadIndexReply") continue;
      const { requestId, readIndex } = message;
      if (readIndex !== null) this.#answered(to, requestId, readIndex);
    }
    if (this.#asked[0]?.reign !== this.#reign) {
      this.#asked = this.#asked.filter(({ reign }) => reign === this.#reign);
    }
    const [oldest] = this.#waiting;
    if (oldest === undefined) return;
    const [id, reign] = oldest;
    requireRule(
      reign === this.#reign,
      () => `${this.#node} goes on with read ${id}, whose leader leads no more`,
    );
  }

  #askedOf(from: NodeId, id: RequestId, { role, round, commitIndex }: RaftView): void {
    if (role !== "leader") return;
    const needs = { round: round + 1, commitIndex, reign: this.#reign };
    this.#asked.push({ from, id, ...needs, isConfirmed: false });
  }

  #echo(from: NodeId, reply: AppendEntriesReply, before: RaftView): void {
    const isOfThisReign =
      reply.term === before.currentTerm &&
      !isOfEarlierRequest(reply) &&
      reply.round <= before.round;
    if (!isOfThisReign) return;
    this.#echoed.set(from, Math.max(this.#echoed.get(from) ?? 0, reply.round));
  }

  /** What a follower answers was asked of its leader. */
  #answered(to: NodeId, id: RequestId, readIndex: LogIndex): void {
    const read = this.#take(to, id);
    if (read === null) return;
    requireRule(
      read.isConfirmed,
      () => `${this.#node} answers a read of ${to}, and no quorum has echoed round ${read.round}`,
    );
    requireRule(
      readIndex >= read.commitIndex,
      () => `${this.#node} reads at ${readIndex} for ${to}, asked when it had ${read.commitIndex}`,
    );
  }

  /** The first of this number from there, if it was asked of a leader. */
  #take(from: NodeId, id: RequestId): AskedRead | null {
    const at = this.#asked.findIndex((read) => read.from === from && read.id === id);
    return this.#asked.splice(at, at < 0 ? 0 : 1)[0] ?? null;
  }

  #ended(id: RequestId): void {
    requireRule(
      this.#waiting.delete(id),
      () => `${this.#node} ends read ${id}, which does not wait`,
    );
  }
}
