import type { NodeStatus } from "../client-messages.ts";
import type { ConnectionError, StackTimer } from "../net/index.ts";
import { AttemptLog } from "./attempt-log.ts";
import type { ClientPlatform } from "./client-platform.ts";
import type { KnownNodes } from "./known-nodes.ts";
import type { LinkRequest } from "./node-link.ts";
import { AnswerError, type Attempt } from "./request-error.ts";

/** Whom a request needs: the leader, a node that knows of one, or any node that answers. */
export type NodeNeed = "leader" | "led" | "any";

/** An election takes a few hundred milliseconds: in that time nodes are asked this often. */
const EAGER_MS = 1000;
const EAGER_PAUSE_MS = 10;
const PATIENT_PAUSE_MS = 100;

/** A request that waits for a node. */
export interface Waiter {
  readonly need: NodeNeed;
  /** Not this one, unless it leads: it has just failed the request. */
  readonly avoid: string | null;
  onFound(endpoint: string): void;
}

interface Probe {
  request: LinkRequest | null;
  pause: StackTimer | null;
}

/**
 * Looks for a node on behalf of every request that waits for one: asks all known nodes for their
 * status side by side, again and again, so that a thousand waiting requests ask no more than one.
 * Only a leader's own word counts for `leader`: others may still name one that is gone.
 */
export class NodeSearch {
  readonly #nodes: KnownNodes;
  readonly #platform: ClientPlatform;
  readonly #waiters: Set<Waiter> = new Set();
  readonly #probes: Map<string, Probe> = new Map();
  readonly #log: AttemptLog = new AttemptLog();
  #startedAt = 0;

  constructor(nodes: KnownNodes, platform: ClientPlatform) {
    this.#nodes = nodes;
    this.#platform = platform;
  }

  /** Calls `waiter.onFound` once, later. The function that is returned takes that back. */
  wait(waiter: Waiter): () => void {
    this.#waiters.add(waiter);
    if (this.#waiters.size === 1) this.#start();
    return () => {
      this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) this.#stop();
    };
  }

  /** What each node asked in this search has said. */
  answers(): Attempt[] {
    return this.#log.list();
  }

  /** The same, and who has not answered. */
  attempts(): Attempt[] {
    const all = new AttemptLog();
    all.merge(this.answers());
    for (const [endpoint, probe] of this.#probes) {
      if (probe.request === null || all.has(endpoint)) continue;
      const error = this.#nodes.link(endpoint).timedOut("no answer yet");
      all.add(endpoint, this.#nodes.nodeIdAt(endpoint), error);
    }
    return all.list();
  }

  #start(): void {
    this.#startedAt = this.#platform.stack.nowMs();
    this.#log.clear();
    this.#probeNew();
  }

  #stop(): void {
    for (const probe of this.#probes.values()) {
      probe.request?.abandon();
      probe.pause?.cancel();
    }
    this.#probes.clear();
  }

  #probeNew(): void {
    for (const endpoint of this.#nodes.endpoints) {
      if (this.#probes.has(endpoint)) continue;
      const probe: Probe = { request: null, pause: null };
      this.#probes.set(endpoint, probe);
      this.#ask(endpoint, probe);
    }
  }

  #ask(endpoint: string, probe: Probe): void {
    probe.pause = null;
    probe.request = this.#nodes
      .link(endpoint)
      .request((requestId) => ({ type: "Status", requestId }), {
        onReply: (reply) => {
          if (reply.type === "StatusReply") this.#learn(endpoint, reply.status);
          else if (reply.type === "ErrorReply") this.#failed(endpoint, new AnswerError(reply));
          this.#askAgain(endpoint, probe);
        },
        onFailure: (error) => {
          this.#failed(endpoint, error);
          this.#askAgain(endpoint, probe);
        },
      });
  }

  #askAgain(endpoint: string, probe: Probe): void {
    probe.request = null;
    if (this.#probes.get(endpoint) !== probe) return;
    const { stack, random } = this.#platform;
    const isEager = stack.nowMs() - this.#startedAt < EAGER_MS;
    const pauseMs = isEager ? EAGER_PAUSE_MS : PATIENT_PAUSE_MS;
    probe.pause = stack.after(pauseMs * (1 + random()), () => this.#ask(endpoint, probe));
  }

  #failed(endpoint: string, error: ConnectionError | AnswerError): void {
    this.#log.add(endpoint, this.#nodes.nodeIdAt(endpoint), error);
  }

  #learn(endpoint: string, status: NodeStatus): void {
    this.#nodes.learn(endpoint, status);
    const isLeader = this.#nodes.leader === endpoint;
    if (!isLeader) this.#failed(endpoint, notLeading(status));
    for (const waiter of this.#waiters) {
      if (!isLeader && (waiter.avoid === endpoint || !meets(waiter.need, status))) continue;
      this.#waiters.delete(waiter);
      waiter.onFound(endpoint);
    }
    if (this.#waiters.size === 0) this.#stop();
    else this.#probeNew();
  }
}

/** Whether a node that does not lead will do. */
function meets(need: NodeNeed, { leaderId, nodeId }: NodeStatus): boolean {
  switch (need) {
    case "leader":
      return false;
    case "led":
      return leaderId !== null && leaderId !== nodeId;
    case "any":
      return true;
  }
}

function notLeading({ leaderId, members, role, nodeId, currentTerm }: NodeStatus): AnswerError {
  const leaderAddress = members.find(({ id }) => id === leaderId)?.address ?? null;
  const knowsOther = leaderId !== null && leaderId !== nodeId;
  const message =
    role === "leader"
      ? `leads term ${currentTerm}, which is over`
      : knowsOther
        ? `follows ${leaderId} in term ${currentTerm}`
        : `knows no leader in term ${currentTerm}`;
  return new AnswerError({
    type: "ErrorReply",
    requestId: 0,
    code: knowsOther ? "notLeader" : "noLeader",
    outcome: "notApplied",
    message,
    leaderId: knowsOther ? leaderId : null,
    leaderAddress: knowsOther ? leaderAddress : null,
  });
}
