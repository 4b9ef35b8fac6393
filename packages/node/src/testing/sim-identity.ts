import type { NodeId } from "@quorate/wire";
import type { PeerStart } from "../transport/peer-admission.ts";

/**
 * What a data directory keeps beside the log: its own name, how often it was started, and which
 * start of each peer was let in last.
 */
export class SimIdentity {
  readonly #node: NodeId;
  #bootNumber = 0;
  readonly #peers = new Map<NodeId, PeerStart>();

  constructor(node: NodeId) {
    this.#node = node;
  }

  get incarnation(): string {
    return `${this.#node}-directory`;
  }

  get bootNumber(): number {
    return this.#bootNumber;
  }

  /** Durable before the process does anything else. */
  started(): void {
    this.#bootNumber++;
  }

  peer(id: NodeId): PeerStart | null {
    return this.#peers.get(id) ?? null;
  }

  /** Durable from now on. */
  remember(id: NodeId, start: PeerStart): void {
    this.#peers.set(id, start);
  }
}
