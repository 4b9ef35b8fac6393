import type {
  Hello,
  HelloRefused,
  LinkFault,
  NodeId,
  RaftMessage,
  WireMessage,
} from "@quorate/wire";
import type { Connection, ConnectionHandlers, NetworkStack } from "@quorate/wire/net";
import { ConnectionError, systemStack } from "@quorate/wire/net";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Transport, TransportHandlers } from "../ports/transport.ts";
import { assert } from "../raft/index.ts";
import { Inbound } from "./inbound.ts";
import { LineFaults } from "./line-faults.ts";
import type { LostDirections, PeerLinkLimits } from "./peer-link.ts";
import { Peer } from "./peer.ts";

/** Another member, and where it is reached: `host:port`. */
export interface PeerAddress {
  readonly id: NodeId;
  readonly address: string;
}

export interface TcpTransportOptions {
  /** Every other member that is known at the start. */
  readonly peers: readonly PeerAddress[];
  /** What this node says first to a peer, each time; `bulk`: on a connection for snapshots. */
  readonly helloTo: (peer: NodeId, bulk: boolean) => Hello;
  readonly limits: PeerLinkLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** A peer does not want this node: wrong cluster, wrong data directory, no member. */
  readonly onRefused: (peer: NodeId, refusal: HelloRefused) => void;
  /** Default: the machine's own. */
  readonly stack?: NetworkStack;
}

/** Defaults of {@link PeerLinkLimits}: pauses of 20 ms to 1 s, pings each second. */
export const PEER_LINK_DEFAULTS: PeerLinkLimits = {
  connectTimeoutMs: 1000,
  backoffMinMs: 20,
  backoffMaxMs: 1000,
  refusedPauseMs: 5000,
  farewellMs: 5000,
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
  /** Why it refuses this node, and what helps, for people; null: it does not. */
  readonly refusal: string | null;
}

/**
 * The Transport port over TCP. Each node dials every peer, and messages travel only on the
 * connection that their sender dialed; who listens hands the other ones to
 * {@link TcpTransport.accept}. Snapshots have connections of their own.
 */
export class TcpTransport implements Transport {
  readonly #options: TcpTransportOptions;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #inbound = new Inbound();
  readonly #faults: LineFaults;
  readonly #lastContactMs = new Map<NodeId, number>();
  /** Where members are reached, as {@link setPeers} was told last. */
  #members: ReadonlyMap<NodeId, string>;
  #handlers: TransportHandlers | null = null;
  #batchEndScheduled = false;
  #closed = false;

  constructor(options: TcpTransportOptions) {
    this.#options = options;
    this.#faults = new LineFaults(options.clock, options.random);
    this.#members = new Map(options.peers.map(({ id, address }) => [id, address]));
    for (const { id, address } of options.peers) this.#addPeer(id, address);
  }

  start(handlers: TransportHandlers): void {
    assert(this.#handlers === null, "a transport is started once");
    this.#handlers = handlers;
    for (const peer of this.#peers.values()) peer.start();
  }

  /**
   * The other members are these from now on. New ones and new addresses are dialed at once; who is
   * a member no more stays connected for a few seconds, to be told so, and is dropped then. Nobody
   * else is dropped: a leader may be one whom this node has not heard of yet.
   */
  setPeers(peers: readonly PeerAddress[], retired: readonly NodeId[]): void {
    const before = this.#members;
    this.#members = new Map(peers.map(({ id, address }) => [id, address]));
    for (const { id, address } of peers) {
      // What a peer itself said meanwhile is newer than an address that has not changed here.
      if (!this.#peers.has(id) || before.get(id) !== address) this.#redirect(id, address);
    }
    for (const id of retired) {
      if (before.has(id) || this.#peers.has(id)) this.#bidFarewell(id);
    }
  }

  /** What {@link setFaults} was told last. */
  get faults(): readonly LinkFault[] {
    return this.#faults.rules;
  }

  /**
   * From now on the lines to peers fail like this, and like nothing before. A line that is cut in
   * either direction carries no new connection, and those that there are fall silent. One that is
   * cut no more is dialed at once; what waited on a slow line passes now.
   */
  setFaults(rules: readonly LinkFault[]): void {
    const cut = new Set([...this.#peers.keys()].filter((id) => this.isCutOff(id)));
    this.#faults.set(rules);
    for (const [id, peer] of this.#peers) {
      peer.lose(this.#lostWith(id));
      if (cut.has(id) && !this.isCutOff(id)) peer.healed();
    }
    for (const connection of this.#inbound.connections) this.#loseOn(connection);
    this.#faults.release();
  }

  /** Whether no connection to or from `peer` can come about. */
  isCutOff(peer: NodeId): boolean {
    const { sending, receiving } = this.#lostWith(peer);
    return sending || receiving;
  }

  send(to: NodeId, message: RaftMessage): void {
    if (this.#faults.areNone) this.#peers.get(to)?.send(message);
    else this.#faults.apply(to, "to", () => this.#peers.get(to)?.send(message));
  }

  /** Queued up to a bound beside the other messages; beyond it, dropped. */
  sendBulk(to: NodeId, message: RaftMessage): void {
    if (this.#faults.areNone) this.#peers.get(to)?.sendBulk(message);
    else this.#faults.apply(to, "to", () => this.#peers.get(to)?.sendBulk(message));
  }

  flush(): void {
    for (const peer of this.#peers.values()) peer.flush();
  }

  /** Ends every connection; what was sent before is still written. */
  close(): Promise<void> {
    this.#closed = true;
    this.#faults.stop();
    for (const peer of this.#peers.values()) peer.close();
    this.#inbound.close();
    return Promise.resolve();
  }

  /**
   * Takes over a connection that a peer dialed and whose hello was accepted. It replaces an older
   * one of that peer and kind: what still comes in on the old one is ignored. A peer that says it
   * is reached elsewhere than was known is dialed there.
   */
  accept(connection: Connection): ConnectionHandlers {
    const { from: id, advertiseAddress } = connection.remoteHello;
    this.#inbound.add(connection);
    this.#loseOn(connection);
    this.#meet(id, advertiseAddress);
    this.#peers.get(id)?.wake();
    return {
      onMessage: (message) => {
        if (this.#inbound.isCurrent(connection)) this.#receive(id, connection, message);
      },
      // One batch a turn, whatever number of peers wrote: see #scheduleBatchEnd.
      onBatchEnd: () => undefined,
      onClose: () => {
        this.#inbound.remove(connection);
        if (!this.#members.has(id) && !this.#inbound.has(id)) this.#drop(id);
      },
    };
  }

  contact(id: NodeId): PeerContact {
    const peer = this.#peers.get(id);
    const lastMs = this.#lastContactMs.get(id);
    const refusal = peer?.refusal ?? null;
    return {
      connected: peer?.isConnected ?? false,
      roundTripMs: peer?.roundTripMs ?? null,
      lastContactMs: lastMs === undefined ? null : this.#options.clock.nowMs() - lastMs,
      refusal: refusal === null ? null : `${refusal.message}; ${refusal.remedy}`,
    };
  }

  #lostWith(peer: NodeId): LostDirections {
    const receiving = this.#faults.isCut(peer, "from");
    return { sending: this.#faults.isCut(peer, "to"), receiving };
  }

  #loseOn(connection: Connection): void {
    connection.lose(this.#lostWith(connection.remoteHello.from));
  }

  #meet(id: NodeId, address: string | null): void {
    if (this.#closed || address === null) return;
    if (this.#peers.get(id)?.address !== address) this.#redirect(id, address);
  }

  #redirect(id: NodeId, address: string): void {
    this.#peers.get(id)?.close();
    const peer = this.#addPeer(id, address);
    if (this.#handlers !== null) peer.start();
  }

  #addPeer(id: NodeId, address: string): Peer {
    const { helloTo, limits, clock, random, onRefused, stack = systemStack } = this.#options;
    const peer = new Peer({
      lost: () => this.#lostWith(id),
      id,
      address,
      helloTo,
      limits,
      clock,
      random,
      events: {
        onConnected: () => this.#handlers?.onPeerConnected(id),
        onDown: (refused) => this.#handlers?.onPeerDown(id, refused),
        onRefused: (refusal) => {
          onRefused(id, refusal);
        },
      },
      stack,
    });
    this.#peers.set(id, peer);
    return peer;
  }

  #bidFarewell(id: NodeId): void {
    const { clock, limits } = this.#options;
    clock.after(limits.farewellMs, () => {
      if (this.#closed || this.#members.has(id)) return;
      this.#drop(id);
      this.#inbound.end(id, `${id} is no member any more`);
    });
  }

  #drop(id: NodeId): void {
    this.#peers.get(id)?.close();
    this.#peers.delete(id);
    this.#lastContactMs.delete(id);
  }

  #receive(id: NodeId, connection: Connection, message: WireMessage): void {
    const handlers = this.#handlers;
    if (handlers === null || this.#closed) return;
    if (!isRaftMessage(message)) {
      connection.destroy(
        new ConnectionError("protocol", connection.remoteAddress, {
          message: `${id} sent ${message.type} as a peer`,
        }),
      );
      return;
    }
    if (this.#faults.areNone) this.#handOver(id, message, handlers);
    else this.#faults.apply(id, "from", () => this.#handOver(id, message, handlers));
  }

  #handOver(id: NodeId, message: RaftMessage, handlers: TransportHandlers): void {
    if (this.#closed) return;
    this.#lastContactMs.set(id, this.#options.clock.nowMs());
    handlers.onMessage(id, message);
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
