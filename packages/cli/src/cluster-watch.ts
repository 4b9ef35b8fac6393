import type { NodeStatus } from "@quorate/wire";
import type { Subscription } from "@quorate/wire/client";
import { QuorateClient } from "@quorate/wire/client";

import type { ClusterReport } from "./cluster-report.ts";
import type { NodeAnswer, NodeObservation } from "./node-health.ts";
import { reportCluster } from "./cluster-report.ts";
import type { Target } from "./context.ts";
import type { KnownNode } from "./observe.ts";
import { answerOfFailure, checkAnswer, knownNodes } from "./observe.ts";

const RECONNECT_MS = 50;
const CONNECT_TIMEOUT_MS = 1_000;
const STATE_RATE_HZ = 50;

/**
 * Follows the state of every node over streams that stay open, so that a change is seen when the
 * node tells it and not when somebody asks next.
 */
export class ClusterWatch {
  readonly #target: Target;
  readonly #client: QuorateClient;
  readonly #stateRateHz: number;
  readonly #answers: Map<string, NodeAnswer> = new Map();
  readonly #subscriptions: Map<string, Subscription> = new Map();
  readonly #reconnects: Map<string, NodeJS.Timeout> = new Map();
  readonly #listeners: Set<() => void> = new Set();
  #isClosed = false;

  /** At most `stateRateHz` states of a node a second are told. */
  constructor(target: Target, stateRateHz: number = STATE_RATE_HZ) {
    this.#target = target;
    this.#stateRateHz = stateRateHz;
    const addresses = knownNodes(target).map((node) => node.address);
    this.#client = new QuorateClient({
      endpoints: addresses,
      timeoutMs: CONNECT_TIMEOUT_MS,
      clientName: "quorate-watch",
    });
    for (const address of addresses) this.#subscribe(address);
  }

  /** The cluster as the newest state of each node tells it. */
  report(): ClusterReport {
    return reportCluster(knownNodes(this.#target).map((node) => this.#observe(node)));
  }

  /** Whether every node has answered, or is known not to: what is counted is then no guess. */
  hasHeardAll(): boolean {
    return knownNodes(this.#target).every(
      ({ address, local }) =>
        this.#answers.has(address) || (local?.state ?? "running") !== "running",
    );
  }

  #observe(node: KnownNode): NodeObservation {
    const answer = this.#answers.get(node.address) ?? { kind: "silent" };
    const localState = node.local?.state ?? null;
    const dataLost = node.local?.dataLost === true;
    // What a process said before it was killed or paused is no news of it.
    const isMute = localState === "down" || localState === "paused";
    if (isMute || answer.kind !== "answered") {
      const muteAnswer: NodeAnswer = isMute ? { kind: "silent" } : answer;
      return { id: node.id, address: node.address, answer: muteAnswer, localState, dataLost };
    }
    const checked = checkAnswer(node, answer.status);
    const id = node.local === null ? answer.status.nodeId : node.id;
    return { id, address: node.address, answer: checked, localState, dataLost };
  }

  /**
   * Resolves with what `look` finds, as soon as it is not null; with null after `timeoutMs`.
   * `look` is called at once and after every change.
   */
  until<T>(
    look: (report: ClusterReport) => T | null,
    timeoutMs: number,
    signal: AbortSignal | null,
  ): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#listeners.delete(onChange);
        settle();
      };
      const onChange = (): void => {
        const found = look(this.report());
        if (found !== null) finish(() => resolve(found));
      };
      const onAbort = (): void => finish(() => reject(signal?.reason as Error));
      const timer = setTimeout(() => finish(() => resolve(null)), timeoutMs);
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener("abort", onAbort);
      this.#listeners.add(onChange);
      onChange();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#reconnects.values()) clearTimeout(timer);
    for (const subscription of this.#subscriptions.values()) subscription.cancel();
    await this.#client.close();
  }

  #subscribe(address: string): void {
    this.#subscriptions.set(
      address,
      this.#client.subscribe(
        address,
        {
          onState: (status) => this.#learn(address, { kind: "answered", status }),
          onDelta: (changed) => this.#change(address, changed),
          onEvents: () => undefined,
          onTick: () => undefined,
          onGap: () => undefined,
          onDisconnect: (error) => this.#lose(address, error),
        },
        { stateRateMaxHz: this.#stateRateHz },
      ),
    );
  }

  #learn(address: string, answer: NodeAnswer): void {
    this.#answers.set(address, answer);
    for (const listener of this.#listeners) listener();
  }

  #change(address: string, changed: Partial<NodeStatus>): void {
    const before = this.#answers.get(address);
    if (before?.kind !== "answered") return;
    this.#learn(address, { kind: "answered", status: { ...before.status, ...changed } });
  }

  #lose(address: string, error: unknown): void {
    if (this.#isClosed) return;
    this.#learn(address, answerOfFailure(error));
    this.#reconnects.set(
      address,
      setTimeout(() => this.#subscribe(address), RECONNECT_MS),
    );
  }
}
