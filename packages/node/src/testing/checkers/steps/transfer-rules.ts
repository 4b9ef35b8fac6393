import type { Step } from "./step.ts";
import { requireRule } from "./step.ts";

/**
 * A transfer is given up after an election timeout, and the leader takes commands again: the target
 * may be gone (Diss. §3.10).
 */
export class TransferRules {
  /** Ticks of the transfer that is under way. */
  #elapsedTicks = 0;

  stepped({ node, config, input, before, after }: Step): void {
    const goesOn =
      before.transferTarget !== null &&
      after.transferTarget === before.transferTarget &&
      after.currentTerm === before.currentTerm;
    if (!goesOn) this.#elapsedTicks = 0;
    else if (input.kind === "tick") this.#elapsedTicks += 1;
    requireRule(
      this.#elapsedTicks < config.electionTicks,
      () =>
        `${node} waits for ${after.transferTarget ?? ""} to take over since ` +
        `${this.#elapsedTicks} ticks`,
    );
  }
}
