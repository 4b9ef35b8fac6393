import type { NodeStatus } from "@quorate/wire";
import { formatAddress, parseAddress, systemStack } from "@quorate/wire/net";
import type { Logger } from "pino";
import type { NodeConfig } from "../config/node-config.ts";
import { KvStateMachine } from "../kv/kv-state-machine.ts";
import { KvSnapshotError } from "../kv/snapshot-error.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { assert } from "../raft/index.ts";
import type { SqliteStorage } from "../storage/index.ts";
import { PEER_LINK_DEFAULTS } from "../transport/tcp-transport.ts";
import { handOver } from "./hand-over.ts";
import { silentLogger } from "./log.ts";
import { NodeAssembly, PORT_LIMITS } from "./node-assembly.ts";
import { identityOf, raftConfigOf } from "./node-setup.ts";
import { openDirectory } from "./open-directory.ts";
import { ResidentMemory } from "./resident-memory.ts";
import { systemClock } from "./system-clock.ts";
import { systemRandom } from "./system-random.ts";
import { unusableSnapshot } from "./unusable-snapshot.ts";

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

/** A start that takes longer says how far it is, this often. */
const PROGRESS_INTERVAL_MS = 1000;

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
  const { warning } = storage;
  if (warning !== null) {
    const text = `${config.dataDirectory} was damaged: ${warning}; the others make it good. Check the disk`;
    (dependencies.log ?? silentLogger()).warn({ code: "damaged" }, text);
  }
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
  readonly #node: NodeAssembly;
  readonly #bootId: string;
  #stopped: Promise<void> | null = null;

  /** By {@link startServer} only. */
  constructor(config: NodeConfig, storage: SqliteStorage, dependencies: ServerDependencies) {
    this.#config = config;
    this.#storage = storage;
    this.#clock = dependencies.clock ?? systemClock;
    this.#log = dependencies.log ?? silentLogger();
    const identity = identityOf(config, storage);
    this.#bootId = identity.bootId;
    const memory = new ResidentMemory(this.#clock);
    this.#node = new NodeAssembly({
      identity,
      directory: storage,
      store: new KvStateMachine(),
      raft: raftConfigOf(config),
      tickIntervalMs: config.tickIntervalMs,
      snapshotLogBytes: config.snapshotLogBytes,
      snapshotSendBytesPerSecond: config.snapshotSendBytesPerSecond,
      port: PORT_LIMITS,
      links: PEER_LINK_DEFAULTS,
      allowFaults: config.allowFaults,
      clock: this.#clock,
      random: dependencies.random ?? systemRandom,
      stack: systemStack,
      log: this.#log,
      wallMs: () => Date.now(),
      residentBytes: () => memory.bytes,
    });
  }

  /** New with each start. */
  get bootId(): string {
    return this.#bootId;
  }

  /** Where it listens, as `host:port`. */
  get listenAddress(): string {
    const { listener } = this.#node;
    assert(listener !== null, "the server is not open");
    return formatAddress(listener);
  }

  /** A hash of the store: equal on servers that have applied the same entries. */
  get stateHash(): string {
    return this.#node.store.stateHash();
  }

  /** By {@link startServer} only: listens, then takes part. */
  async open(): Promise<void> {
    const address = parseAddress(this.#config.listenAddress);
    assert(address !== null, `${this.#config.listenAddress} went through the checks`);
    await this.#restoreState();
    await this.#node.listen(address.host, address.port);
    this.#node.begin();
  }

  /** Everything that this server reports about itself. */
  status(): NodeStatus {
    return this.#node.status();
  }

  /**
   * Stops in order: refuses writes, transfers and changes of members, hands leadership to a peer
   * where it leads (within a few election timeouts, or not), answers what waits, makes what is
   * pending durable, and releases port and directory. A crash instead of it loses nothing that was
   * acknowledged.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Before anybody can ask: a store that is half there answers nobody. */
  async #restoreState(): Promise<void> {
    const { driver } = this.#node;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let timer: Timer | null = null;
    const tellProgress = (): void => {
      timer = this.#clock.after(PROGRESS_INTERVAL_MS, tellProgress);
      const { installing } = driver.snapshotStatus();
      if (installing !== null) this.#log.info(installing, "takes in its snapshot");
    };
    timer = this.#clock.after(PROGRESS_INTERVAL_MS, tellProgress);
    driver.restore(resolve, reject);
    try {
      await promise;
    } catch (error) {
      throw error instanceof KvSnapshotError
        ? unusableSnapshot(this.#config.dataDirectory, error)
        : error;
    } finally {
      timer.cancel();
    }
  }

  async #stop(): Promise<void> {
    const { driver, telemetry, router } = this.#node;
    const { currentTerm, role } = driver.view();
    telemetry.emit({
      kind: "stopping",
      severity: "info",
      text: "began to stop",
      details: { term: currentTerm, role },
    });
    router.beginStop();
    const { electionTimeoutMs } = this.#config;
    await handOver({ driver, clock: this.#clock, electionTimeoutMs, log: this.#log });
    await this.#node.stop();
    await this.#storage.close();
  }
}
