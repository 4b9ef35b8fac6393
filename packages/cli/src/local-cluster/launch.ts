import type { NodeId } from "@quorate/wire";
import { QuorateClient } from "@quorate/wire/client";

import { checkPorts } from "./create.ts";
import { greet } from "./greeting.ts";
import type { LocalCluster, LocalNodeReport } from "./local-cluster.ts";
import { observeProcess } from "./process-identity.ts";
import type { RunFile } from "./run-file.ts";

interface LaunchOptions {
  /** How long each process may take until it answers. */
  readonly readyTimeoutMs: number;
  readonly signal: AbortSignal | null;
  /** What the exits of a launch that failed are noted with. */
  readonly reason: string;
}

/** A node that was started, or that was found running without a note of it. */
export interface LaunchedNode {
  readonly id: NodeId;
  readonly run: RunFile;
  readonly adopted: boolean;
}

const GREETING_TIMEOUT_MS = 300;

/**
 * A process of this very node that runs without being noted, because the command that started it
 * was killed before it could write `run.json`: told by its hello, cluster id and node id.
 */
async function findUnnoted(cluster: LocalCluster, node: LocalNodeReport): Promise<RunFile | null> {
  const { clusterId } = cluster.file;
  const target = { address: node.address, clusterId, nodeId: node.id };
  const hello = await greet(target, GREETING_TIMEOUT_MS).catch(() => null);
  if (hello === null || hello.from !== node.id || hello.clusterId !== clusterId) return null;
  const client = new QuorateClient({ endpoints: [node.address], timeoutMs: GREETING_TIMEOUT_MS });
  const status = await client.status(node.address).catch(() => null);
  await client.close();
  const observed = status === null ? null : observeProcess(status.pid);
  if (status === null || observed === null) return null;
  return {
    pid: status.pid,
    startTime: observed.startTime,
    bootId: status.bootId,
    address: node.address,
    softwareVersion: status.softwareVersion,
    startedAt: new Date(Date.now() - status.uptimeMs).toISOString(),
    lastExit: null,
  };
}

async function adoptUnnoted(
  cluster: LocalCluster,
  nodes: readonly LocalNodeReport[],
): Promise<LaunchedNode[]> {
  const found = await Promise.all(nodes.map((node) => findUnnoted(cluster, node)));
  const adopted: LaunchedNode[] = [];
  nodes.forEach(({ id }, offset) => {
    const run = found[offset] ?? null;
    if (run === null) return;
    cluster.adopt(id, run);
    adopted.push({ id, run, adopted: true });
  });
  return adopted;
}

/**
 * Starts nodes that are down, side by side; resolves when all of them answer. When one does not,
 * or `signal` aborts, those that this call started are killed again and the error is thrown.
 * The caller holds the cluster's lock.
 */
export async function launchNodes(
  cluster: LocalCluster,
  ids: readonly NodeId[],
  options: LaunchOptions,
): Promise<LaunchedNode[]> {
  const adopted = await adoptUnnoted(
    cluster,
    ids.map((id) => cluster.node(id)),
  );
  const toStart = ids.filter((id) => !adopted.some((node) => node.id === id));
  await checkPorts(cluster.file.nodes.filter((node) => toStart.includes(node.id)));
  options.signal?.throwIfAborted();
  const launches = toStart.map((id) => launchOne(cluster, id, options));
  try {
    return [...adopted, ...(await Promise.all(launches))];
  } catch (error) {
    await rollBack(cluster, toStart, options.reason);
    await Promise.allSettled(launches);
    throw error;
  }
}

async function launchOne(
  cluster: LocalCluster,
  id: NodeId,
  options: LaunchOptions,
): Promise<LaunchedNode> {
  const run = await cluster.start(id, options.readyTimeoutMs, options.signal);
  return { id, run, adopted: false };
}

/** Kills what a launch started. */
export async function rollBack(
  cluster: LocalCluster,
  ids: readonly NodeId[],
  reason: string,
): Promise<void> {
  await Promise.all(ids.map((id) => cluster.kill(id, `${reason} (rolled back)`)));
}
