import type { Hello, HelloRefused, NodeId, NodeStatus, StorageState } from "@quorate/wire";
import { PROTOCOL_VERSION } from "@quorate/wire";
import type { Connection, ConnectionError, ConnectionHandlers, Listener } from "@quorate/wire/net";
import { formatAddress, listen, parseAddress } from "@quorate/wire/net";
import type { Logger } from "pino";
import type { NodeConfig } from "../config/node-config.ts";
import type { KvResult } from "../kv/kv-result.ts";
import { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { assert } from "../raft/index.ts";
import type { SqliteStorage } from "../storage/index.ts";
import { Admission } from "../transport/peer-admission.ts";
import { PEER_LINK_DEFAULTS, TcpTransport } from "../transport/tcp-transport.ts";
import { BULK_CAPABILITY } from "../transport/inbound.ts";
import { ClientSession } from "./client-session.ts";
import { silentLogger } from "./log.ts";
import { FaultSwitch } from "./fault-switch.ts";
import { addressIn, MemberWatch, peersOf } from "./member-watch.ts";
import { Membership } from "./membership.ts";
import { identityOf, lastIndexOf, raftConfigOf } from "./node-setup.ts";
import { assembleStatus, isRetired } from "./node-status.ts";
import type { NodeGauges, NodeIdentity } from "./node-status.ts";
import { Observers } from "./observers.ts";
import { openDirectory } from "./open-directory.ts";
import { RaftDriver } from "./raft-driver.ts";
import { ReadFreshness } from "./read-freshness.ts";
import { RequestRouter } from "./request-router.ts";
import { ResidentMemory } from "./resident-memory.ts";
import { systemClock } from "./system-clock.ts";
import { systemRandom } from "./system-random.ts";
import { Telemetry } from "./telemetry.ts";

/** What a server may be given instead of the machine's own. */
export interface ServerDependencies {
  /** Default: no log. */
  readonly log?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /**
   * Called once when the disk failed: nothing more is acknowledged. End the process with
   * `process.abort()`. Default: that.
   */
  readonly onFailure?: (error: Error) => void;
}

/** Sockets at once, of peers, clients and strangers. */
const CONNECTIONS_MAX = 4096;

/** A socket without a hello is closed after this. */
const HELLO_TIMEOUT_MS = 5000;

/** A client that was not heard, or has not read its answers, for `silenceMs` is let go. */
const KEEP_ALIVE = { intervalMs: 2000, silenceMs: 10_000 };

/** A start that takes longer says how far it is, this often. */
const PROGRESS_INTERVAL_MS = 1000;

/** Newest entries of the log that a status describes. */
const LOG_TAIL_ENTRIES = 256;

/**
 * Starts one server: opens its data directory, listens, calls its peers and takes part in the
 * cluster. On return it answers; it may not know a leader yet.
 *
 * @throws StorageError when the data directory is not usable, or another cluster's or node's.
 * @throws ListenError when the address is taken.
 */
export async function startServer(
  config: NodeConfig,
  dependencies: ServerDependencies = {},
): Promise<QuorateServer> {
  const onFailure = dependencies.onFailure ?? ((): void => process.abort());
  const storage = await openDirectory(config, onFailure);
  try {
    const server = new QuorateServer(config, storage, dependencies);
    await server.open();
    return server;
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** One running server. Made by {@link startServer}. */
export class QuorateServer {
  readonly #config: NodeConfig;
  readonly #storage: SqliteStorage;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #identity: NodeIdentity;
  readonly #startedMs: number;
  readonly #memory: ResidentMemory;
  readonly #store = new KvStateMachine();
  readonly #transport: TcpTransport;
  readonly #telemetry: Telemetry;
  readonly #driver: RaftDriver<KvResult>;
  readonly #router: RequestRouter;
  readonly #admission: Admission;
  readonly #membership: Membership;
  readonly #freshness: ReadFreshness;
  readonly #faults: FaultSwitch;
  #listener: Listener | null = null;
  #stopped: Promise<void> | null = null;

  /** By {@link startServer} only. */
  constructor(config: NodeConfig, storage: SqliteStorage, dependencies: ServerDependencies) {
    this.#config = config;
    this.#storage = storage;
    this.#clock = dependencies.clock ?? systemClock;
    this.#log = dependencies.log ?? silentLogger();
    this.#startedMs = this.#clock.nowMs();
    this.#identity = identityOf(config, storage);
    this.#memory = new ResidentMemory(this.#clock);
    this.#freshness = new ReadFreshness(config.electionTimeoutMs, () => this.#clock.nowMs());
    const random = dependencies.random ?? systemRandom;
    this.#transport = this.#createTransport(random);
    this.#faults = new FaultSwitch({
      nodeId: config.nodeId,
      clock: this.#clock,
      log: this.#log,
      apply: (rules) => {
        this.#transport.setFaults(rules);
      },
    });
    this.#telemetry = new Telemetry({
      nodeId: config.nodeId,
      clock: this.#clock,
      log: this.#log,
      view: () => this.#driver.view(),
      persistSlowMs: 2 * config.heartbeatIntervalMs,
      recoveredLastIndex: lastIndexOf(storage),
    });
    this.#driver = new RaftDriver<KvResult>({
      config: raftConfigOf(config),
      tickIntervalMs: config.tickIntervalMs,
      storage,
      transport: this.#transport,
      clock: this.#clock,
      random,
      stateMachine: this.#store,
      snapshots: storage.snapshots,
      snapshotLogBytes: config.snapshotLogBytes,
      snapshotSendBytesPerSecond: config.snapshotSendBytesPerSecond,
      observer: new Observers<KvResult>([this.#telemetry, this.#watchMembers()]),
    });
    this.#membership = this.#createMembership();
    this.#router = new RequestRouter({
      driver: this.#driver,
      store: this.#store,
      membership: this.#membership,
      telemetry: this.#telemetry,
      clock: this.#clock,
      status: () => this.status(),
      addressOf: (id) => this.#addressOf(id),
      ageMs: () => this.#freshness.ageMs(this.#driver.view(), this.#driver.lastApplied),
      storageState: () => this.#storageState(),
      setFaults: config.allowFaults ? (rules, ttlMs) => this.#faults.set(rules, ttlMs) : null,
      isRetired: () => isRetired(this.#driver.view(), config.nodeId),
    });
    this.#admission = new Admission({
      clusterId: config.clusterId,
      nodeId: config.nodeId,
      members: () => {
        const { configuration, configurationIndex, commitIndex } = this.#driver.view();
        const isCommitted = configurationIndex <= commitIndex;
        return { configuration, configurationIndex, isCommitted };
      },
      peerStart: (id) => storage.peerIdentity(id),
      rememberPeer: (id, start) =>
        new Promise((resolve) => {
          storage.rememberPeer(id, start, resolve);
        }),
    });
  }

  /** New with each start. */
  get bootId(): string {
    return this.#identity.bootId;
  }

  /** Where it listens, as `host:port`. */
  get listenAddress(): string {
    const { host, port } = this.#openListener();
    return formatAddress({ host, port });
  }

  /** A hash of the store: equal on servers that have applied the same entries. */
  get stateHash(): string {
    return this.#store.stateHash();
  }

  /** By {@link startServer} only: listens, then takes part. */
  async open(): Promise<void> {
    const address = parseAddress(this.#config.listenAddress);
    assert(address !== null, `${this.#config.listenAddress} went through the checks`);
    await this.#restoreState();
    this.#listener = await listen({
      ...address,
      connectionsMax: CONNECTIONS_MAX,
      helloTimeoutMs: HELLO_TIMEOUT_MS,
      keepAlive: KEEP_ALIVE,
      accept: (hello) => this.#greet(hello),
      onConnection: (connection) => this.#onConnection(connection),
      onRejected: (error) => {
        this.#rejected(error);
      },
    });
    const { hardState } = this.#storage.recovered;
    const lastIndex = lastIndexOf(this.#storage);
    this.#telemetry.emit({
      kind: "started",
      severity: "info",
      text: `started in term ${hardState.currentTerm} with a log up to ${lastIndex}`,
      details: { bootId: this.#identity.bootId, lastLogIndex: lastIndex, pid: process.pid },
    });
    const { configuration } = this.#driver.view();
    const peers = peersOf(configuration, this.#config.nodeId, (id) => this.#addressOf(id));
    this.#transport.setPeers(peers, []);
    this.#driver.start();
  }

  /** Everything that this server reports about itself. */
  status(): NodeStatus {
    return assembleStatus({
      identity: this.#identity,
      view: this.#driver.view(),
      lastApplied: this.#driver.lastApplied,
      logTail: this.#driver.termRuns(LOG_TAIL_ENTRIES),
      snapshots: this.#driver.snapshotStatus(),
      addressOf: (id) => this.#addressOf(id),
      contactOf: (id) => this.#transport.contact(id),
      gauges: this.#gauges(),
      storageState: this.#storageState(),
      sessions: this.#store.sessionCount,
      stateHash: this.#store.stateHash(),
      faultsAllowed: this.#config.allowFaults,
      faults: this.#transport.faults,
    });
  }

  /**
   * Stops in order: refuses writes, hands leadership to a peer where it leads (for one election
   * timeout at most), answers what waits, makes what is pending durable, and releases port and
   * directory. A crash instead of it loses nothing that was acknowledged.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Before anybody can ask: a store that is half there answers nobody. */
  async #restoreState(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let timer: Timer | null = null;
    const tellProgress = (): void => {
      timer = this.#clock.after(PROGRESS_INTERVAL_MS, tellProgress);
      const { installing } = this.#driver.snapshotStatus();
      if (installing !== null) this.#log.info(installing, "takes in its snapshot");
    };
    timer = this.#clock.after(PROGRESS_INTERVAL_MS, tellProgress);
    this.#driver.restore(resolve);
    await promise;
    timer.cancel();
  }

  async #stop(): Promise<void> {
    const { currentTerm, role } = this.#driver.view();
    this.#telemetry.emit({
      kind: "stopping",
      severity: "info",
      text: "began to stop",
      details: { term: currentTerm, role },
    });
    this.#router.stopWrites();
    await this.#handOver();
    await this.#driver.stop();
    this.#telemetry.stop();
    this.#faults.stop();
    await this.#transport.close();
    await this.#listener?.close();
    await this.#storage.close();
  }

  #handOver(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { role, configuration } = this.#driver.view();
    if (role !== "leader" || configuration.voters.length < 2) return Promise.resolve();
    const limit = this.#clock.after(this.#config.electionTimeoutMs, resolve);
    this.#driver.transferLeadership(null, (outcome) => {
      if (outcome.kind === "failed") this.#log.warn({ reason: outcome.reason }, "kept leadership");
      resolve();
    });
    return promise.finally(() => {
      limit.cancel();
    });
  }

  #createTransport(random: Random): TcpTransport {
    return new TcpTransport({
      // The driver's core tells who they are before the transport is started.
      peers: [],
      helloTo: (peer, bulk) => this.#hello(peer, bulk),
      limits: PEER_LINK_DEFAULTS,
      clock: this.#clock,
      random,
      onRefused: (peer, refusal) => {
        this.#refusedBy(peer, refusal);
      },
    });
  }

  async #greet(hello: Hello): Promise<Hello | HelloRefused> {
    // A line that is cut carries no answer.
    if (hello.role === "peer" && this.#transport.isCutOff(hello.from)) await never();
    return (await this.#admission.check(hello)) ?? this.#hello(null, false);
  }

  #onConnection(connection: Connection): ConnectionHandlers {
    if (connection.remoteHello.role === "peer") return this.#transport.accept(connection);
    return new ClientSession({
      connection,
      router: this.#router,
      telemetry: this.#telemetry,
      streams: {
        bootId: this.#identity.bootId,
        clock: this.#clock,
        events: this.#telemetry.events,
        status: () => this.status(),
      },
    });
  }

  #hello(to: NodeId | null, bulk: boolean): Hello {
    const { configurationIndex } = this.#driver.view();
    const { clusterId, nodeId, incarnation, bootId, address, softwareVersion } = this.#identity;
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
      bootNumber: this.#storage.identity.bootNumber,
      configurationIndex,
    };
  }

  #refusedBy(peer: NodeId, { code, message, remedy }: HelloRefused): void {
    this.#telemetry.emit({
      kind: "peerRefused",
      severity: "bad",
      text: `was refused by ${peer}: ${message}; ${remedy}`,
      details: { peer, code },
    });
  }

  #rejected(error: ConnectionError): void {
    const { address, kind, message } = error;
    this.#log.debug({ address, kind }, `turned a connection away: ${message}`);
  }

  #gauges(): NodeGauges {
    return {
      ...this.#telemetry.counters(),
      uptimeMs: Math.round(this.#clock.nowMs() - this.#startedMs),
      revision: this.#store.revision,
      keyCount: this.#store.keyCount,
      clientConnections: this.#clientConnections(),
      residentBytes: this.#memory.bytes,
      storageBytes: this.#storage.sizeBytes(),
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
    const { configuration } = this.#driver.view();
    return addressIn(configuration, id) ?? this.#storage.addresses.get(id) ?? null;
  }

  #storageState(): StorageState {
    const state = this.#storage.state();
    return state === "ok" && this.#driver.view().isStalled ? "stalled" : state;
  }

  #watchMembers(): MemberWatch {
    return new MemberWatch({
      nodeId: this.#config.nodeId,
      addressOf: (id) => this.#addressOf(id),
      setPeers: (peers, retired) => {
        this.#transport.setPeers(peers, retired);
      },
      freshness: this.#freshness,
      view: () => this.#driver.view(),
      lastApplied: () => this.#driver.lastApplied,
      onApplied: () => {
        this.#router.applied();
      },
      onStep: (view) => {
        this.#membership.observe(view);
      },
    });
  }

  #createMembership(): Membership {
    return new Membership({
      nodeId: this.#config.nodeId,
      view: () => this.#driver.view(),
      changeMembers: (target, options, done) => {
        this.#driver.changeMembers(target, options, done);
      },
      addressOf: (id) => this.#addressOf(id),
      soon: (fn) => {
        this.#clock.soon(fn);
      },
      onReplaced: (id, withId, failure) => {
        const text =
          failure === null ? `put ${withId} in the place of ${id}` : `left ${id} in place`;
        this.#telemetry.emit({
          kind: "membersChanged",
          severity: failure === null ? "good" : "warning",
          text: failure === null ? text : `${text}: ${failure}`,
          details: { id, withId },
        });
      },
    });
  }

  #openListener(): Listener {
    assert(this.#listener !== null, "the server is not open");
    return this.#listener;
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
