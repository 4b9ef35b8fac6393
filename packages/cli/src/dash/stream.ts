import type { NodeId, NodeStatus } from "@quorate/wire";
import type { SubscribeOptions, Subscription, SubscriptionHandlers } from "@quorate/wire/client";
import { ConnectionError } from "@quorate/wire/net";
import type { LinkProblem } from "./node-link.ts";
import type { DashInput, LinkReport } from "./store.ts";

/** First pause before a lost node is tried again; it doubles with every failure. */
const RETRY_MIN_MS = 100;

/** Longest pause between two attempts. */
const RETRY_MAX_MS = 2_000;

/** Opens one node's stream, as `QuorateClient.subscribe` does. */
export type Subscribe = (
  address: string,
  handlers: SubscriptionHandlers,
  options: SubscribeOptions,
) => Subscription;

/** What the streams need from their surroundings. */
export interface NodeStreamsOptions {
  readonly subscribe: Subscribe;
  /** Takes what was heard; called from socket callbacks. */
  readonly dispatch: (input: DashInput) => void;
  /** Milliseconds, on the clock of the store. */
  readonly nowMs: () => number;
  /** 0 to 1, exclusive: spreads the attempts of many dashboards. */
  readonly random: () => number;
  /** States a node may send in a second. */
  readonly stateRateMaxHz: number;
  /** Events of before to begin with. */
  readonly eventBacklogMax: number;
}

/**
 * One subscription a node. Members named by any node are watched too; a lost node is tried again
 * until it answers, and resumes after the last event heard of the same process.
 */
export class NodeStreams {
  readonly #options: NodeStreamsOptions;
  readonly #streams: Map<string, NodeStream> = new Map();
  #isStopped = false;

  constructor(options: NodeStreamsOptions) {
    this.#options = options;
  }

  /** Watches `address`, unless it is watched already. */
  watch(address: string, nodeId: NodeId | null): void {
    if (this.#isStopped) {
      return;
    }
    this.#options.dispatch({ kind: "watch", address, nodeId });
    if (this.#streams.has(address)) {
      return;
    }
    const stream = new NodeStream(address, this.#options, (status) =>
      this.#discover(address, status),
    );
    this.#streams.set(address, stream);
    stream.open();
  }

  /** Ends every stream. Nothing is dispatched afterwards. */
  stop(): void {
    this.#isStopped = true;
    for (const stream of this.#streams.values()) {
      stream.close();
    }
    this.#streams.clear();
  }

  /** Follows the member list. A node that answers there needs no stream to where it was typed. */
  #discover(from: string, status: NodeStatus): void {
    const addresses = new Set(status.members.map((member) => member.address));
    for (const member of status.members) {
      this.watch(member.address, member.id);
    }
    for (const [address, stream] of this.#streams) {
      if (addresses.has(from) && stream.nodeId === status.nodeId && !addresses.has(address)) {
        stream.close();
        this.#streams.delete(address);
        this.#options.dispatch({ kind: "forget", address });
      }
    }
  }
}

class NodeStream {
  /** Who answers at the address; null before it has. */
  nodeId: NodeId | null = null;
  readonly #address: string;
  readonly #options: NodeStreamsOptions;
  readonly #onMembers: (status: NodeStatus) => void;
  #subscription: Subscription | null = null;
  #retry: NodeJS.Timeout | null = null;
  #failures = 0;
  #isClosed = false;
  #bootId: string | null = null;
  #sequence = 0;
  /** Whether the events that may come next happened before this stream was opened. */
  #pastIsNext = false;
  #membersSeen: NodeStatus["members"] | null = null;

  constructor(
    address: string,
    options: NodeStreamsOptions,
    onMembers: (status: NodeStatus) => void,
  ) {
    this.#address = address;
    this.#options = options;
    this.#onMembers = onMembers;
  }

  open(): void {
    const resume =
      this.#bootId === null ? null : { bootId: this.#bootId, sequence: this.#sequence };
    const { stateRateMaxHz, eventBacklogMax } = this.#options;
    this.#subscription = this.#options.subscribe(this.#address, this.#handlers(), {
      resume,
      stateRateMaxHz,
      eventBacklogMax,
    });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#retry !== null) {
      clearTimeout(this.#retry);
    }
    this.#subscription?.cancel();
  }

  #handlers(): SubscriptionHandlers {
    return {
      onState: (status) => this.#learn(status),
      onDelta: (changed) => {
        this.#pastIsNext = false;
        this.#report({ kind: "delta", changed });
      },
      onEvents: (events) => {
        this.#sequence = Math.max(this.#sequence, events.at(-1)?.sequence ?? 0);
        const arePast = this.#pastIsNext;
        this.#pastIsNext = false;
        this.#report({ kind: "events", events, arePast });
      },
      onTick: () => {
        this.#pastIsNext = false;
        this.#report({ kind: "tick" });
      },
      onGap: (lost) => this.#report({ kind: "gap", lost }),
      onDisconnect: (error) => this.#lose(error),
    };
  }

  #report(report: LinkReport): void {
    if (!this.#isClosed) {
      this.#options.dispatch({ kind: "link", address: this.#address, report });
    }
  }

  #learn(status: NodeStatus): void {
    if (this.#isClosed) {
      return;
    }
    this.#failures = 0;
    this.nodeId = status.nodeId;
    if (status.bootId !== this.#bootId) {
      this.#bootId = status.bootId;
      this.#sequence = 0;
      this.#pastIsNext = this.#options.eventBacklogMax > 0;
    }
    this.#report({ kind: "state", status });
    if (this.#membersSeen === null || !sameMembers(this.#membersSeen, status.members)) {
      this.#membersSeen = status.members;
      this.#onMembers(status);
    }
  }

  #lose(error: Error): void {
    if (this.#isClosed) {
      return;
    }
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(this.#failures, 10));
    const delayMs = pauseMs * (0.75 + this.#options.random() / 2);
    this.#failures += 1;
    this.#report({
      kind: "ended",
      problem: problemOf(error),
      retryAtMs: this.#options.nowMs() + delayMs,
    });
    this.#retry = setTimeout(() => this.open(), delayMs);
  }
}

function sameMembers(a: NodeStatus["members"], b: NodeStatus["members"]): boolean {
  return (
    a.length === b.length &&
    a.every((member, at) => member.id === b[at]?.id && member.address === b[at].address)
  );
}

/** What the end of a stream says about the node. */
function problemOf(error: Error): LinkProblem {
  if (!(error instanceof ConnectionError)) {
    return { verdict: "turnedAway", text: error.message };
  }
  switch (error.kind) {
    case "refused":
      return { verdict: "refused", text: "connection refused" };
    case "timeout":
      return error.accepted
        ? { verdict: "silent", text: "connected, but no hello" }
        : { verdict: "unreachable", text: "no answer in time" };
    case "unresolved":
      return { verdict: "unreachable", text: "the address does not resolve" };
    case "silent":
      return { verdict: "silent", text: "connected, but no sign of life" };
    case "helloRefused":
      return { verdict: "turnedAway", text: error.refusal?.message ?? error.message };
    case "protocol":
      return { verdict: "turnedAway", text: error.message };
    case "reset":
    case "closed":
    case "overflow":
      return { verdict: "connecting", text: "the connection was cut" };
  }
}
