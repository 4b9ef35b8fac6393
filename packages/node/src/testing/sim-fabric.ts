import type { Configuration, NodeId } from "@quorate/wire";
import type { KvResult } from "../kv/kv-result.ts";
import type { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { RaftConfig } from "../raft/index.ts";
import type { DriverObserver } from "../server/driver-outcomes.ts";
import { NodeAssembly, PORT_LIMITS } from "../server/node-assembly.ts";
import { membersOf } from "../server/node-setup.ts";
import type { CreateCore } from "../server/raft-driver.ts";
import { RaftDriver } from "../server/raft-driver.ts";
import { PEER_LINK_DEFAULTS } from "../transport/tcp-transport.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimDirectory } from "./sim-directory.ts";
import type { SimDirectoryOptions } from "./sim-directory.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SnapshotHabits } from "./sim-life.ts";
import type { SimProcess } from "./sim-process.ts";
import { SimStack } from "./sim-stack.ts";
import type { SimStreams } from "./sim-streams.ts";
import { SimTransport } from "./sim-transport.ts";

/** The port on which every simulated node listens. */
export const SIM_PORT = 7001;
/** Sockets at once: room for every server twice, for the clients, and for no crowd. */
export const SIM_CONNECTIONS_MAX = 40;
export const SIM_CLUSTER_ID = "simulated";

/** What a process of a node is made of, however it is reached. */
export interface NodeIngredients {
  readonly config: RaftConfig;
  readonly tickIntervalMs: number;
  readonly snapshots: SnapshotHabits;
  /** Of sessions that the node opens for clients by itself. */
  readonly sessionTtlMs: number;
  readonly process: SimProcess;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly machine: KvStateMachine;
  readonly directory: Omit<SimDirectoryOptions, "addresses">;
  readonly observer: DriverObserver<KvResult>;
  readonly createCore: CreateCore;
}

/** A node's driver, and how others reach it. */
export interface NodeFabric {
  readonly driver: RaftDriver<KvResult>;
  /** Its state is restored: it listens and takes part. */
  begin(): void;
  /** The others' connection to it is gone, as its own network did not notice by itself. */
  peerDown(peer: NodeId, refused: boolean): void;
}

/** Whole messages over a network that loses, repeats and reorders them: harsher than TCP is. */
export function messageFabric(ingredients: NodeIngredients, network: SimNetwork): NodeFabric {
  const { config, process, random, snapshots, directory } = ingredients;
  const transport = new SimTransport(config.nodeId, network, process);
  const driver = new RaftDriver<KvResult>({
    config,
    tickIntervalMs: ingredients.tickIntervalMs,
    storage: directory.storage,
    transport,
    clock: ingredients.clock,
    random: random.fork("core"),
    stateMachine: ingredients.machine,
    snapshots: directory.snapshots,
    snapshotLogBytes: snapshots.logBytes,
    snapshotPieceMaxBytes: snapshots.pieceMaxBytes,
    snapshotSendBytesPerSecond: snapshots.sendBytesPerSecond,
    createCore: ingredients.createCore,
    observer: ingredients.observer,
  });
  return {
    driver,
    begin: () => {
      driver.start();
    },
    peerDown: (peer, refused) => {
      transport.peerDown(peer, refused);
    },
  };
}

/** The daemon's own parts, from its sockets on, over streams of bytes. */
export function streamFabric(
  ingredients: NodeIngredients,
  streams: SimStreams,
  bootstrap: Configuration,
): NodeFabric {
  const { config, process, clock, snapshots, directory } = ingredients;
  const { nodeId } = config;
  const { identity } = directory;
  const addresses = new Map([...membersOf(bootstrap)].map((id) => [id, simAddress(id)]));
  const assembly = new NodeAssembly({
    identity: {
      clusterId: SIM_CLUSTER_ID,
      nodeId,
      incarnation: identity.incarnation,
      bootId: `${identity.incarnation}-${identity.bootNumber}`,
      softwareVersion: "simulated",
      pid: identity.bootNumber,
      address: simAddress(nodeId),
      dataDirectory: `/${nodeId}`,
      electionTimeoutMs: config.electionTicks * ingredients.tickIntervalMs,
      heartbeatIntervalMs: config.heartbeatTicks * ingredients.tickIntervalMs,
    },
    directory: new SimDirectory({ ...directory, addresses }),
    store: ingredients.machine,
    raft: config,
    tickIntervalMs: ingredients.tickIntervalMs,
    snapshotLogBytes: snapshots.logBytes,
    snapshotPieceMaxBytes: snapshots.pieceMaxBytes,
    snapshotSendBytesPerSecond: snapshots.sendBytesPerSecond,
    sessionTtlMs: ingredients.sessionTtlMs,
    port: { ...PORT_LIMITS, connectionsMax: SIM_CONNECTIONS_MAX },
    links: PEER_LINK_DEFAULTS,
    allowFaults: false,
    clock,
    random: ingredients.random.fork("core"),
    stack: new SimStack(streams, nodeId, process, clock),
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
    wallMs: () => Math.round(clock.nowMs()),
    residentBytes: () => 0,
    observers: [ingredients.observer],
    createCore: ingredients.createCore,
  });
  return {
    driver: assembly.driver,
    begin: () => {
      void assembly.listen(nodeId, SIM_PORT).then(() => {
        assembly.begin();
      });
    },
    // Its own connections tell it.
    peerDown: () => undefined,
  };
}

/** Where a node is reached. */
export function simAddress(id: NodeId): string {
  return `${id}:${SIM_PORT}`;
}
