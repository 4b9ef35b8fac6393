import { randomUUID } from "node:crypto";
import type { Configuration, LogIndex, NodeId } from "@quorate/wire";
import type { NodeConfig } from "../config/node-config.ts";
import type { Storage } from "../ports/storage.ts";
import type { RaftConfig } from "../raft/index.ts";
import { RAFT_DEFAULTS } from "../raft/index.ts";
import type { SqliteStorage } from "../storage/index.ts";
import type { NodeIdentity } from "./node-status.ts";
import { SOFTWARE_VERSION } from "./version.ts";

/** What a process says of itself for as long as it runs: a new `bootId` with each call. */
export function identityOf(config: NodeConfig, storage: SqliteStorage): NodeIdentity {
  const { clusterId, nodeId, advertiseAddress, dataDirectory } = config;
  return {
    clusterId,
    nodeId,
    incarnation: storage.identity.incarnation,
    bootId: randomUUID(),
    softwareVersion: SOFTWARE_VERSION,
    pid: process.pid,
    address: advertiseAddress,
    dataDirectory,
    electionTimeoutMs: config.electionTimeoutMs,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
  };
}

/** The core's numbers: times become ticks, and the rest are its defaults. */
export function raftConfigOf(config: NodeConfig): RaftConfig {
  const { nodeId, tickIntervalMs, heartbeatIntervalMs, electionTimeoutMs } = config;
  const { leaseReads, trailingEntries } = config;
  return {
    ...RAFT_DEFAULTS,
    nodeId,
    heartbeatTicks: heartbeatIntervalMs / tickIntervalMs,
    electionTicks: electionTimeoutMs / tickIntervalMs,
    leaseReads,
    trailingEntries,
  };
}

/** Last entry that the disk held when it was opened. */
export function lastIndexOf({ recovered }: Pick<Storage, "recovered">): LogIndex {
  return recovered.entries.at(-1)?.index ?? recovered.snapshot.lastIncludedIndex;
}

/** Everybody in a configuration: voters of both sides of a change, and learners. */
export function membersOf(configuration: Configuration): Set<NodeId> {
  const { voters, votersOutgoing, learners } = configuration;
  return new Set([...voters, ...votersOutgoing, ...learners]);
}
