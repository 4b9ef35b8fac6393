import type { NodeStatus } from "../client-messages.ts";
import type { ClusterId, NodeId, Term } from "../ids.ts";
import { NodeLink, type LinkOptions } from "./node-link.ts";

/** The endpoints given and learned, their links, and who leads as far as is known. */
export class KnownNodes {
  readonly #linkOptions: Omit<LinkOptions, "endpoint" | "onConnected" | "onLost">;
  readonly #links: Map<string, NodeLink> = new Map();
  readonly #nodeIds: Map<string, NodeId> = new Map();
  #leader: string | null = null;
  /** Highest term that is known to have a leader: one of an earlier term leads no more. */
  #leaderTerm: Term = 0;
  #clusterId: ClusterId | null = null;
  #turn = 0;

  constructor(
    endpoints: readonly string[],
    linkOptions: Omit<LinkOptions, "endpoint" | "onConnected" | "onLost">,
  ) {
    this.#linkOptions = linkOptions;
    for (const endpoint of endpoints) this.link(endpoint);
  }

  get endpoints(): string[] {
    return [...this.#links.keys()];
  }

  /** Endpoint of the leader, as far as is known. */
  get leader(): string | null {
    return this.#leader;
  }

  nodeIdAt(endpoint: string): NodeId | null {
    return this.#nodeIds.get(endpoint) ?? null;
  }

  /** The link to `endpoint`, which is known from now on. */
  link(endpoint: string): NodeLink {
    const known = this.#links.get(endpoint);
    if (known !== undefined) return known;
    const link = new NodeLink({
      ...this.#linkOptions,
      endpoint,
      onConnected: (nodeId) => this.#nodeIds.set(endpoint, nodeId),
      onLost: () => this.#lost(endpoint),
    });
    this.#links.set(endpoint, link);
    return link;
  }

  /** A connected endpoint, each in its turn; null when there is none. */
  anyConnected(): string | null {
    const connected = [...this.#links.values()].filter((link) => link.isConnected);
    this.#turn += 1;
    return connected[this.#turn % connected.length]?.endpoint ?? null;
  }

  /** Takes in who the members are, and whether `endpoint` leads. */
  learn(endpoint: string, status: NodeStatus): void {
    this.#nodeIds.set(endpoint, status.nodeId);
    for (const member of status.members) this.link(this.#endpointOf(member.id, member.address));
    if (status.clusterId !== this.#clusterId) {
      this.#clusterId = status.clusterId;
      this.#leaderTerm = 0;
    }
    const isLeader = status.role === "leader" && status.currentTerm >= this.#leaderTerm;
    if (isLeader) this.#leader = endpoint;
    else this.forgetLeader(endpoint);
    if (isLeader || status.leaderId !== null) {
      this.#leaderTerm = Math.max(this.#leaderTerm, status.currentTerm);
    }
  }

  /** Another node said who leads. The endpoint to try. */
  leaderNamed(leaderId: NodeId | null, address: string): string {
    const endpoint = leaderId === null ? address : this.#endpointOf(leaderId, address);
    this.link(endpoint);
    this.#leader = endpoint;
    return endpoint;
  }

  /** `endpoint` does not lead. */
  forgetLeader(endpoint: string): void {
    if (this.#leader === endpoint) this.#leader = null;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }

  /**
   * Nodes are one and the same under different addresses: what the caller gave and has worked is
   * preferred to what the cluster calls itself, which may not be reachable from here.
   */
  #endpointOf(nodeId: NodeId, address: string): string {
    if (this.#nodeIds.get(address) === nodeId) return address;
    for (const [endpoint, id] of this.#nodeIds) if (id === nodeId) return endpoint;
    this.#nodeIds.set(address, nodeId);
    return address;
  }

  /** With the leader gone another will be needed soon: connecting is done by then. */
  #lost(endpoint: string): void {
    if (this.#leader !== endpoint) return;
    this.#leader = null;
    for (const link of this.#links.values()) if (link.endpoint !== endpoint) link.warm();
  }
}
