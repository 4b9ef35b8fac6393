import type { NodeId } from "@quorate/wire";
import type { PeerStart } from "../transport/peer-admission.ts";

/**
 * What a data directory keeps beside the log: its own name, how often it was started, and which
 * start of each peer was let in last. Wiped, it is another directory.
 */
export class SimIdentity {
  readonly #node: NodeId;
  #directories = 1;
  #bootNumber = 0;
  readonly #peers = new Map<NodeId, PeerStart>();

  constructor(node: NodeId) {
    this.#node = node;
  }

  get incarnation(): string {
    return `${this.#node}-directory-${this.#directories}`;
  }

  get bootNumber(): number {
    return this.#bootNumber;
  }

  /** Durable before the process does anything else. */
  started(): void {
    this.#bootNumber++;
  }

  wipe(): void {
    this.#directories++;
    this.#bootNumber = 0;
    this.#peers.clear();
  }

  peer(id: NodeId): PeerStart | null {
    return this.#peers.get(id) ?? null;
  }

  /** Durable from now on. */
  remember(id: NodeId, start: PeerStart): void {
    this.#peers.set(id, start);
  }
}
