import type { LinkFault, NodeId } from "@quorate/wire";
import { FAULTS_TTL_MAX_MS } from "@quorate/wire";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "./log.ts";

export type FaultsOutcome =
  | { readonly kind: "set"; readonly ttlMs: number }
  | { readonly kind: "refused"; readonly message: string };

export interface FaultSwitchOptions {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly log: Log;
  readonly apply: (rules: readonly LinkFault[]) => void;
}

/** Rules of one request: a line each way to every member of the largest cluster, with room. */
const RULES_MAX_COUNT = 256;
const DELAY_MAX_MS = 60_000;

/** Sets the faults of a node's lines, and ends them when their time is over. */
export class FaultSwitch {
  readonly #options: FaultSwitchOptions;
  #expiry: Timer | null = null;
  #isStopped = false;

  constructor(options: FaultSwitchOptions) {
    this.#options = options;
  }

  /** These instead of those before, for `ttlMs`. */
  set(rules: readonly LinkFault[], ttlMs: number): FaultsOutcome {
    // Nobody would end them.
    if (this.#isStopped) return { kind: "refused", message: "the node is stopping" };
    const fault = this.#faultOf(rules, ttlMs);
    if (fault !== null) return { kind: "refused", message: fault };
    const { clock, log, apply } = this.#options;
    this.#expiry?.cancel();
    this.#expiry = null;
    apply(rules);
    if (rules.length === 0) {
      log.warn("its lines are well again: a client said so");
      return { kind: "set", ttlMs: 0 };
    }
    log.warn({ rules, ttlMs }, "a client made its lines fail");
    this.#expiry = clock.after(ttlMs, () => {
      this.#expiry = null;
      log.warn("its lines are well again: the time of the faults is over");
      apply([]);
    });
    return { kind: "set", ttlMs };
  }

  /** Refuses everything from now on; the faults that there are stay. */
  stop(): void {
    this.#isStopped = true;
    this.#expiry?.cancel();
  }

  #faultOf(rules: readonly LinkFault[], ttlMs: number): string | null {
    const { nodeId } = this.#options;
    if (rules.length > RULES_MAX_COUNT) return `more than ${RULES_MAX_COUNT} rules`;
    if (rules.length > 0 && (ttlMs <= 0 || ttlMs > FAULTS_TTL_MAX_MS)) {
      return `faults last more than 0 and at most ${FAULTS_TTL_MAX_MS} ms`;
    }
    const lines = rules.map(({ peer, direction }) => `${direction} ${peer}`);
    const twice = lines.find((line, at) => lines.indexOf(line) !== at);
    if (twice !== undefined) return `two rules for the line ${twice}`;
    if (rules.some(({ peer }) => peer === nodeId)) return `${nodeId} has no line to itself`;
    const isTooSlow = rules.some(({ delayMs }) => delayMs > DELAY_MAX_MS);
    return isTooSlow ? `a delay of more than ${DELAY_MAX_MS} ms` : null;
  }
}
