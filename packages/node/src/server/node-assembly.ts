import type { Hello, HelloRefused, NodeId, NodeStatus, StorageState } from "@quorate/wire";
import { PROTOCOL_VERSION } from "@quorate/wire";
import type {
  Connection,
  ConnectionError,
  ConnectionHandlers,
  Listener,
  NetworkStack,
} from "@quorate/wire/net";
import { listen } from "@quorate/wire/net";
import type { KvResult } from "../kv/kv-result.ts";
import type { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { SnapshotStore } from "../ports/snapshot-store.ts";
import type { Storage } from "../ports/storage.ts";
import type { RaftConfig } from "../raft/index.ts";
import { BULK_CAPABILITY } from "../transport/inbound.ts";
import { Admission } from "../transport/peer-admission.ts";
import type { PeerStart } from "../transport/peer-admission.ts";
import type { PeerLinkLimits } from "../transport/peer-link.ts";
import { TcpTransport } from "../transport/tcp-transport.ts";
import { ClientSession } from "./client-session.ts";
import type { DriverObserver } from "./driver-outcomes.ts";
import { FaultSwitch } from "./fault-switch.ts";
import type { Log } from "./log.ts";
import { retiredEvent } from "./member-events.ts";
import { addressIn, MemberWatch, peersOf } from "./member-watch.ts";
import { Membership } from "./membership.ts";
import { lastIndexOf } from "./node-setup.ts";
import { assembleStatus, isRetired } from "./node-status.ts";
import type { NodeGauges, NodeIdentity } from "./node-status.ts";
import { Observers } from "./observers.ts";
import { RaftDriver } from "./raft-driver.ts";
import type { CreateCore } from "./raft-driver.ts";
import { ReadFreshness } from "./read-freshness.ts";
import { RequestRouter } from "./request-router.ts";
import { Telemetry } from "./telemetry.ts";

/** Newest entries of the log that a status describes. */
const LOG_TAIL_ENTRIES = 256;

/** What a node keeps on disk. */
export interface NodeDirectory extends Storage {
  /** Counts the starts of the directory. */
  readonly identity: { readonly bootNumber: number };
  readonly snapshots: SnapshotStore;
  /** Where members are reached, as far as this node was told when it was started. */
  readonly addresses: ReadonlyMap<NodeId, string>;
  /** Null: it was never remembered. */
  peerIdentity(id: NodeId): PeerStart | null;
  /** Durable when `done` is called. */
  rememberPeer(id: NodeId, start: PeerStart, done: () => void): void;
  state(): "ok" | "full";
}

/** Sockets of a node's port, and when they are given up. */
export interface PortLimits {
  /** Sockets at once, of peers, clients and strangers. */
  readonly connectionsMax: number;
  /** A socket without a hello is closed after this. */
  readonly helloTimeoutMs: number;
  /** A client that was not heard, or has not read its answers, for `silenceMs` is let go. */
  readonly keepAlive: { readonly intervalMs: number; readonly silenceMs: number };
}

export const PORT_LIMITS: PortLimits = {
  connectionsMax: 4096,
  helloTimeoutMs: 5000,
  keepAlive: { intervalMs: 2000, silenceMs: 10_000 },
};

export interface NodeAssemblyOptions {
  readonly identity: NodeIdentity;
  readonly directory: NodeDirectory;
  readonly store: KvStateMachine;
  readonly raft: RaftConfig;
  readonly tickIntervalMs: number;
  readonly snapshotLogBytes: number;
  readonly snapshotSendBytesPerSecond: number;
  /** Default: the driver's. */
  readonly snapshotPieceMaxBytes?: number;
  /** How long clients' sessions last in which nothing happens. Default: ten minutes. */
  readonly sessionTtlMs?: number;
  readonly port: PortLimits;
  readonly links: PeerLinkLimits;
  /** Lines to peers can be made to fail, so that failures can be tried out. */
  readonly allowFaults: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly stack: NetworkStack;
  readonly log: Log;
  /** Wall clock in ms since 1970, for people: it decides nothing. */
  readonly wallMs: () => number;
  readonly residentBytes: () => number;
  /** Told what the driver does after the node's own parts. */
  readonly observers?: readonly DriverObserver<KvResult>[];
  /** Default: the core as it is. */
  readonly createCore?: CreateCore;
}

/**
 * One node, put together from its parts: the driver on its directory, the connections to its
 * peers, the port with hellos and client sessions, and what it reports of itself. Whoever owns it
 * decides what it runs on and when it starts and ends.
 */
export class NodeAssembly {
  readonly store: KvStateMachine;
  readonly transport: TcpTransport;
  readonly telemetry: Telemetry;
  readonly driver: RaftDriver<KvResult>;
  readonly router: RequestRouter;
  readonly #options: NodeAssemblyOptions;
  readonly #startedMs: number;
  readonly #admission: Admission;
  readonly #membership: Membership;
  readonly #freshness: ReadFreshness;
  readonly #faults: FaultSwitch;
  #listener: Listener | null = null;
  /** A peer said so: the leader that removed this node may be gone before it told it. */
  #isToldRetired = false;

  constructor(options: NodeAssemblyOptions) {
    const { identity, directory, clock, store } = options;
    this.#options = options;
    this.store = store;
    this.#startedMs = clock.nowMs();
    this.#freshness = new ReadFreshness(identity.electionTimeoutMs, () => clock.nowMs());
    this.transport = this.#createTransport();
    this.#faults = new FaultSwitch({
      nodeId: identity.nodeId,
      clock,
      log: options.log,
      apply: (rules) => {
        this.transport.setFaults(rules);
      },
    });
    this.telemetry = new Telemetry({
      nodeId: identity.nodeId,
      clock,
      log: options.log,
      wallMs: options.wallMs,
      view: () => this.driver.view(),
      persistSlowMs: 2 * identity.heartbeatIntervalMs,
      recoveredLastIndex: lastIndexOf(directory),
    });
    this.driver = this.#createDriver();
    this.#membership = this.#createMembership();
    this.router = this.#createRouter();
    this.#admission = new Admission({
      clusterId: identity.clusterId,
      nodeId: identity.nodeId,
      members: () => {
        const { configuration, configurationIndex, commitIndex } = this.driver.view();
        const isCommitted = configurationIndex <= commitIndex;
        return { configuration, configurationIndex, isCommitted };
      },
      peerStart: (id) => directory.peerIdentity(id),
      rememberPeer: (id, start) =>
        new Promise((resolve) => {
          directory.rememberPeer(id, start, resolve);
        }),
    });
  }

  /** Null: it does not listen yet. */
  get listener(): Listener | null {
    return this.#listener;
  }

  /**
   * Takes connections from now on. Before it, the state is restored: a store that is half there
   * answers nobody.
   *
   * @throws ListenError when the address is taken.
   */
  async listen(host: string, port: number): Promise<void> {
    this.#listener = await listen({
      host,
      port,
      stack: this.#options.stack,
      ...this.#options.port,
      accept: (hello) => this.#greet(hello),
      onConnection: (connection) => this.#onConnection(connection),
      onRejected: (error) => {
        this.#rejected(error);
      },
    });
  }

  /** Calls its peers and takes part in the cluster. */
  begin(): void {
    const { identity, directory } = this.#options;
    const { hardState } = directory.recovered;
    const lastIndex = lastIndexOf(directory);
    this.telemetry.emit({
      kind: "started",
      severity: "info",
      text: `started in term ${hardState.currentTerm} with a log up to ${lastIndex}`,
      details: { bootId: identity.bootId, lastLogIndex: lastIndex, pid: identity.pid },
    });
    const { configuration } = this.driver.view();
    const peers = peersOf(configuration, identity.nodeId, (id) => this.#addressOf(id));
    this.transport.setPeers(peers, []);
    this.driver.start();
  }

  /** Everything that this node reports about itself. */
  status(): NodeStatus {
    return assembleStatus({
      identity: this.#options.identity,
      view: this.driver.view(),
      lastApplied: this.driver.lastApplied,
      logTail: this.driver.termRuns(LOG_TAIL_ENTRIES),
      snapshots: this.driver.snapshotStatus(),
      addressOf: (id) => this.#addressOf(id),
      contactOf: (id) => this.transport.contact(id),
      gauges: this.#gauges(),
      storageState: this.#storageState(),
      retired: this.#isRetired(),
      sessions: this.store.sessionCount,
      stateHash: this.store.stateHash(),
      faultsAllowed: this.#options.allowFaults,
      faults: this.transport.faults,
    });
  }

  /** Ends everything in order, but for the directory: that is its owner's. */
  async stop(): Promise<void> {
    await this.driver.stop();
    this.telemetry.stop();
    this.#faults.stop();
    await this.transport.close();
    await this.#listener?.close();
  }

  #createTransport(): TcpTransport {
    const { links, clock, random, stack } = this.#options;
    return new TcpTransport({
      // The driver's core tells who they are before the transport is started.
      peers: [],
      helloTo: (peer, bulk) => this.#hello(peer, bulk),
      limits: links,
      clock,
      random,
      onRefused: (peer, refusal) => {
        this.#refusedBy(peer, refusal);
      },
      stack,
    });
  }

  #createDriver(): RaftDriver<KvResult> {
    const { directory, observers = [], createCore, snapshotPieceMaxBytes } = this.#options;
    return new RaftDriver<KvResult>({
      config: this.#options.raft,
      tickIntervalMs: this.#options.tickIntervalMs,
      storage: directory,
      transport: this.transport,
      clock: this.#options.clock,
      random: this.#options.random,
      stateMachine: this.store,
      snapshots: directory.snapshots,
      snapshotLogBytes: this.#options.snapshotLogBytes,
      snapshotSendBytesPerSecond: this.#options.snapshotSendBytesPerSecond,
      observer: new Observers<KvResult>([this.telemetry, this.#watchMembers(), ...observers]),
      ...(snapshotPieceMaxBytes === undefined ? {} : { snapshotPieceMaxBytes }),
      ...(createCore === undefined ? {} : { createCore }),
    });
  }

  #createRouter(): RequestRouter {
    return new RequestRouter({
      driver: this.driver,
      store: this.store,
      membership: this.#membership,
      telemetry: this.telemetry,
      clock: this.#options.clock,
      sessionTtlMs: this.#options.sessionTtlMs,
      status: () => this.status(),
      addressOf: (id) => this.#addressOf(id),
      ageMs: () => this.#freshness.ageMs(this.driver.view(), this.driver.lastApplied),
      storageState: () => this.#storageState(),
      setFaults: this.#options.allowFaults
        ? (rules, ttlMs) => this.#faults.set(rules, ttlMs)
        : null,
      isRetired: () => this.#isRetired(),
    });
  }

  async #greet(hello: Hello): Promise<Hello | HelloRefused> {
    // A line that is cut carries no answer.
    if (hello.role === "peer" && this.transport.isCutOff(hello.from)) await never();
    return (await this.#admission.check(hello)) ?? this.#hello(null, false);
  }

  #onConnection(connection: Connection): ConnectionHandlers {
    if (connection.remoteHello.role === "peer") return this.transport.accept(connection);
    return new ClientSession({
      connection,
      router: this.router,
      telemetry: this.telemetry,
      streams: {
        bootId: this.#options.identity.bootId,
        clock: this.#options.clock,
        events: this.telemetry.events,
        status: () => this.status(),
      },
    });
  }

  #hello(to: NodeId | null, bulk: boolean): Hello {
    const { identity, directory } = this.#options;
    const { clusterId, nodeId, incarnation, bootId, address, softwareVersion } = identity;
    return {
      type: "Hello",
      protocolVersion: PROTOCOL_VERSION,
      clusterId,
      from: nodeId,
      to,
      role: "peer",
      incarnation,
      bootId,
      advertiseAddress: address,
      softwareVersion,
      capabilities: bulk ? [BULK_CAPABILITY] : [],
      bootNumber: directory.identity.bootNumber,
      configurationIndex: this.driver.view().configurationIndex,
    };
  }

  #refusedBy(peer: NodeId, { code, message, remedy }: HelloRefused): void {
    this.telemetry.emit({
      kind: "peerRefused",
      severity: "bad",
      text: `was refused by ${peer}: ${message}; ${remedy}`,
      details: { peer, code },
    });
    if (code === "retired" && !this.#isRetired()) {
      this.#isToldRetired = true;
      this.telemetry.emit(retiredEvent(this.driver.view().configurationIndex));
    }
  }

  #isRetired(): boolean {
    return this.#isToldRetired || isRetired(this.driver.view(), this.#options.identity.nodeId);
  }

  #rejected(error: ConnectionError): void {
    const { address, kind, message } = error;
    this.#options.log.debug({ address, kind }, `turned a connection away: ${message}`);
  }

  #gauges(): NodeGauges {
    const { clock, directory, residentBytes } = this.#options;
    return {
      ...this.telemetry.counters(),
      uptimeMs: Math.round(clock.nowMs() - this.#startedMs),
      revision: this.store.revision,
      keyCount: this.store.keyCount,
      clientConnections: this.#clientConnections(),
      residentBytes: residentBytes(),
      storageBytes: directory.sizeBytes(),
    };
  }

  #clientConnections(): number {
    let count = 0;
    for (const connection of this.#listener?.connections ?? []) {
      if (connection.remoteHello.role === "client") count += 1;
    }
    return count;
  }

  /** As the members agreed on it, or else as this node was told when it was started. */
  #addressOf(id: NodeId): string | null {
    const { configuration } = this.driver.view();
    return addressIn(configuration, id) ?? this.#options.directory.addresses.get(id) ?? null;
  }

  #storageState(): StorageState {
    const state = this.#options.directory.state();
    return state === "ok" && this.driver.view().isStalled ? "stalled" : state;
  }

  #watchMembers(): MemberWatch {
    return new MemberWatch({
      nodeId: this.#options.identity.nodeId,
      addressOf: (id) => this.#addressOf(id),
      setPeers: (peers, retired) => {
        this.transport.setPeers(peers, retired);
      },
      freshness: this.#freshness,
      view: () => this.driver.view(),
      lastApplied: () => this.driver.lastApplied,
      onApplied: () => {
        this.router.applied();
      },
      onStep: (view) => {
        this.#membership.observe(view);
      },
    });
  }

  #createMembership(): Membership {
    return new Membership({
      nodeId: this.#options.identity.nodeId,
      view: () => this.driver.view(),
      changeMembers: (target, options, done) => {
        this.driver.changeMembers(target, options, done);
      },
      addressOf: (id) => this.#addressOf(id),
      soon: (fn) => {
        this.#options.clock.soon(fn);
      },
      onReplaced: (id, withId, failure) => {
        const place = `${withId} in the place of ${id}`;
        this.telemetry.emit({
          kind: "membersChanged",
          severity: failure === null ? "good" : "warning",
          text: failure === null ? `put ${place}` : `gave up putting ${place}: ${failure}`,
          details: { id, withId },
        });
      },
    });
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
