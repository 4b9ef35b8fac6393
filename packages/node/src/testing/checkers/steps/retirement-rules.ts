import type { NodeId } from "@quorate/wire";
import type { Output } from "../../../raft/index.ts";
import { isVoter } from "../../../raft/index.ts";
import type { Step } from "./step.ts";
import { requireRule } from "./step.ts";

/**
 * A leader whose own removal is committed goes, and asks one of those that stay to lead: nobody
 * has to wait for an election timeout (Diss. §4.2.2).
 */
export class RetirementRules {
  readonly #node: NodeId;
  /** Whom it may ask; empty: nobody has to be asked. */
  #successors: readonly NodeId[] = [];

  constructor(node: NodeId) {
    this.#node = node;
  }

  stepped({ node, input, before, after }: Step): void {
    const hasRetired =
      before.role === "leader" &&
      after.role === "follower" &&
      after.currentTerm === before.currentTerm &&
      before.commitIndex < after.configurationIndex &&
      after.configurationIndex <= after.commitIndex &&
      !isVoter(after.configuration, node);
    if (!hasRetired) return;
    const { voters } = after.configuration;
    // Whose answer committed it is heard now, however silent it was.
    const sender = input.kind === "message" ? input.from : null;
    const heard = before.peers.filter(
      ({ id, recentlyActive }) => (recentlyActive || id === sender) && voters.includes(id),
    );
    this.#successors = heard.map(({ id }) => id);
  }

  outputTaken({ messages }: Output): void {
    if (this.#successors.length === 0) return;
    // An operator's transfer, to whomever, may have been under way.
    const isAsked = messages.some(
      ({ to, message }) => message.type === "TimeoutNow" && this.#successors.includes(to),
    );
    requireRule(
      isAsked,
      () => `${this.#node} is removed and leaves ${this.#successors.join(", ")} without a leader`,
    );
    this.#successors = [];
  }
}
