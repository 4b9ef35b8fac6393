import type { Hello, HelloRefused, NodeId, RaftMessage, WireMessage } from "@quorate/wire";
import type { Connection, ConnectionHandlers } from "@quorate/wire/net";
import { ConnectionError } from "@quorate/wire/net";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Transport, TransportHandlers } from "../ports/transport.ts";
import { assert } from "../raft/index.ts";
import { PeerLink } from "./peer-link.ts";
import type { PeerLinkLimits } from "./peer-link.ts";

export interface TcpTransportOptions {
  /** Every other member and its `host:port`. */
  readonly peers: readonly { readonly id: NodeId; readonly address: string }[];
  /** What this node says first to a peer. */
  readonly helloTo: (peer: NodeId) => Hello;
  readonly limits: PeerLinkLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** A peer does not want this node: wrong cluster, wrong data directory, no member. */
  readonly onRefused: (peer: NodeId, refusal: HelloRefused) => void;
}

/** Defaults of {@link PeerLinkLimits}: pauses of 20 ms to 1 s, pings each second. */
export const PEER_LINK_DEFAULTS: PeerLinkLimits = {
  connectTimeoutMs: 1000,
  backoffMinMs: 20,
  backoffMaxMs: 1000,
  pingIntervalMs: 1000,
  silenceMs: 5000,
  queueMaxBytes: 32 * 1024 * 1024,
};

/** What the transport knows of one peer. */
export interface PeerContact {
  readonly connected: boolean;
  readonly roundTripMs: number | null;
  /** Milliseconds since a message of the peer came in, or null: never. */
  readonly lastContactMs: number | null;
}

/**
 * The Transport port over TCP. Each node dials every peer, and messages travel only on the
 * connection that their sender dialed; who listens hands the other ones to
 * {@link TcpTransport.accept}.
 */
export class TcpTransport implements Transport {
  readonly #options: TcpTransportOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #inbound = new Map<NodeId, Connection>();
  readonly #lastContactMs = new Map<NodeId, number>();
  #handlers: TransportHandlers | null = null;
  #batchEndScheduled = false;
  #closed = false;

  constructor(options: TcpTransportOptions) {
    this.#options = options;
    for (const { id, address } of options.peers) this.#links.set(id, this.#createLink(id, address));
  }

  start(handlers: TransportHandlers): void {
    assert(this.#handlers === null, "a transport is started once");
    this.#handlers = handlers;
    for (const link of this.#links.values()) link.start();
  }

  send(to: NodeId, message: RaftMessage): void {
    this.#links.get(to)?.send(message);
  }

  sendBulk(to: NodeId, message: RaftMessage): void {
    this.send(to, message);
  }

  flush(): void {
    for (const link of this.#links.values()) link.flush();
  }

  /** Ends every connection; what was sent before is still written. */
  close(): Promise<void> {
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
    for (const connection of this.#inbound.values()) connection.close();
    this.#inbound.clear();
    return Promise.resolve();
  }

  /**
   * Takes over a connection that a peer dialed and whose hello was accepted. It replaces an older
   * one of that peer: what still comes in on the old one is ignored.
   */
  accept(connection: Connection): ConnectionHandlers {
    const peer = connection.remoteHello.from;
    const older = this.#inbound.get(peer);
    this.#inbound.set(peer, connection);
    older?.destroy(
      new ConnectionError("closed", older.remoteAddress, {
        message: `${peer} opened a newer connection`,
      }),
    );
    this.#links.get(peer)?.wake();
    return {
      onMessage: (message) => {
        if (this.#inbound.get(peer) === connection) this.#receive(peer, connection, message);
      },
      // One batch a turn, whatever number of peers wrote: see #scheduleBatchEnd.
      onBatchEnd: () => undefined,
      onClose: () => {
        if (this.#inbound.get(peer) === connection) this.#inbound.delete(peer);
      },
    };
  }

  contact(peer: NodeId): PeerContact {
    const link = this.#links.get(peer);
    const lastMs = this.#lastContactMs.get(peer);
    return {
      connected: link?.isConnected ?? false,
      roundTripMs: link?.roundTripMs ?? null,
      lastContactMs: lastMs === undefined ? null : this.#options.clock.nowMs() - lastMs,
    };
  }

  #createLink(peer: NodeId, address: string): PeerLink {
    const { helloTo, limits, clock, random, onRefused } = this.#options;
    return new PeerLink({
      peer,
      address,
      hello: helloTo(peer),
      limits,
      clock,
      random,
      events: {
        onConnected: () => this.#handlers?.onPeerConnected(peer),
        onDown: (refused) => this.#handlers?.onPeerDown(peer, refused),
        onRefused: (refusal) => {
          onRefused(peer, refusal);
        },
      },
    });
  }

  #receive(peer: NodeId, connection: Connection, message: WireMessage): void {
    const handlers = this.#handlers;
    if (handlers === null || this.#closed) return;
    if (!isRaftMessage(message)) {
      connection.destroy(
        new ConnectionError("protocol", connection.remoteAddress, {
          message: `${peer} sent ${message.type} as a peer`,
        }),
      );
      return;
    }
    this.#lastContactMs.set(peer, this.#options.clock.nowMs());
    handlers.onMessage(peer, message);
    this.#scheduleBatchEnd();
  }

  #scheduleBatchEnd(): void {
    if (this.#batchEndScheduled) return;
    this.#batchEndScheduled = true;
    this.#options.clock.soon(() => {
      this.#batchEndScheduled = false;
      if (!this.#closed) this.#handlers?.onBatchEnd();
    });
  }
}

const RAFT_MESSAGE_TYPES: { readonly [T in RaftMessage["type"]]: true } = {
  RequestVote: true,
  RequestVoteReply: true,
  PreVote: true,
  PreVoteReply: true,
  AppendEntries: true,
  AppendEntriesReply: true,
  TimeoutNow: true,
  ReadIndex: true,
  ReadIndexReply: true,
  InstallSnapshot: true,
  InstallSnapshotReply: true,
};

function isRaftMessage(message: WireMessage): message is RaftMessage {
  return Object.hasOwn(RAFT_MESSAGE_TYPES, message.type);
}
