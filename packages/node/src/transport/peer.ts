import type { Hello, HelloRefused, NodeId, RaftMessage } from "@quorate/wire";
import { PeerLink } from "./peer-link.ts";
import type { LostDirections, PeerLinkEvents, PeerLinkOptions } from "./peer-link.ts";

export interface PeerOptions extends Omit<PeerLinkOptions, "peer" | "hello"> {
  readonly id: NodeId;
  readonly helloTo: (peer: NodeId, bulk: boolean) => Hello;
}

/** Of snapshots: pieces are sent one after the other, so that more than a few never wait. */
const BULK_QUEUE_MAX_BYTES = 4 * 1024 * 1024;

/** Nobody depends on the connection for snapshots: the other one tells how the peer is. */
const UNHEARD: PeerLinkEvents = {
  onConnected: () => undefined,
  onDown: () => undefined,
  onRefused: () => undefined,
};

/**
 * This node's connections to one peer: one for messages, and from the first snapshot on one for
 * snapshots, so that a heartbeat never queues behind their bytes.
 */
export class Peer {
  readonly #options: PeerOptions;
  readonly #link: PeerLink;
  #bulk: PeerLink | null = null;
  #isClosed = false;

  constructor(options: PeerOptions) {
    this.#options = options;
    const { id, helloTo } = options;
    this.#link = new PeerLink({ ...options, peer: id, hello: () => helloTo(id, false) });
  }

  get address(): string {
    return this.#options.address;
  }

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  get roundTripMs(): number | null {
    return this.#link.roundTripMs;
  }

  get refusal(): HelloRefused | null {
    return this.#link.refusal;
  }

  start(): void {
    this.#link.start();
  }

  wake(): void {
    this.#link.wake();
  }

  send(message: RaftMessage): void {
    this.#link.send(message);
  }

  sendBulk(message: RaftMessage): void {
    if (this.#isClosed) return;
    this.#bulk ??= this.#openBulk();
    this.#bulk.sendFirst(message);
  }

  flush(): void {
    this.#link.flush();
    this.#bulk?.flush();
  }

  /** The line to the peer loses this from now on. */
  lose(lost: LostDirections): void {
    this.#link.lose(lost);
    this.#bulk?.lose(lost);
  }

  /** The line to the peer, that was cut, is well again. */
  healed(): void {
    this.#link.wake();
    this.#bulk?.wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#link.close();
    this.#bulk?.close();
  }

  #openBulk(): PeerLink {
    const { id, helloTo, limits } = this.#options;
    const link = new PeerLink({
      ...this.#options,
      peer: id,
      hello: () => helloTo(id, true),
      limits: { ...limits, queueMaxBytes: Math.min(BULK_QUEUE_MAX_BYTES, limits.queueMaxBytes) },
      events: UNHEARD,
    });
    link.start();
    return link;
  }
}
