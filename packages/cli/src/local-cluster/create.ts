import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";

import { CommandError } from "../errors.ts";
import type { ClusterFile, LocalNode } from "./cluster-file.ts";
import { addressOf, writeClusterFile } from "./cluster-file.ts";
import { greet } from "./greeting.ts";
import { LocalCluster } from "./local-cluster.ts";
import { findFreeBasePort, findPortOwner, firstTakenPort } from "./ports.ts";

/** What `up` was asked for. Null: whatever the cluster has, or the default for a new one. */
export interface RequestedShape {
  readonly nodeCount: number | null;
  readonly basePort: number | null;
  readonly directory: string | null;
}

export const LOCAL_HOST = "127.0.0.1";
const NODE_COUNT_DEFAULT = 3;
const BASE_PORT_DEFAULT = 7_001;
const PORT_MAX = 65_535;
const GREETING_TIMEOUT_MS = 300;

/** Commands that start a cluster of this name next to whatever is in the way. */
async function otherPortsCommand(nodeCount: number, basePort: number): Promise<string[]> {
  const free = await findFreeBasePort(LOCAL_HOST, nodeCount, basePort + 100);
  return free === null ? [] : [`quorate up --base-port ${free}`];
}

async function describeOwner(port: number): Promise<string> {
  const owner = findPortOwner(port);
  const target = { address: `${LOCAL_HOST}:${port}`, clusterId: null, nodeId: null };
  const hello = await greet(target, GREETING_TIMEOUT_MS).catch(() => null);
  const program = owner === null ? "another program" : `${owner.program} (pid ${owner.pid})`;
  return hello === null
    ? program
    : `${program}: node ${hello.from} of Quorate cluster ${hello.clusterId ?? "-"}`;
}

/** @throws CommandError `localConflict` where a node's port is taken. Nothing was started. */
export async function checkPorts(nodes: readonly LocalNode[]): Promise<void> {
  const ports = nodes.map((node) => node.port);
  const taken = await firstTakenPort(LOCAL_HOST, ports);
  if (taken === null) return;
  const owner = await describeOwner(taken);
  throw new CommandError("localConflict", `port ${taken} is taken by ${owner}`, {
    why: ["nothing was started"],
    try: [...(await otherPortsCommand(ports.length, ports[0] ?? taken)), "quorate ps -a"],
  });
}

function newNodes(nodeCount: number, basePort: number): LocalNode[] {
  if (basePort + nodeCount - 1 > PORT_MAX) {
    throw new CommandError("usage", `${nodeCount} ports from ${basePort} on end beyond 65535`, {
      try: [`quorate up -n ${nodeCount} --base-port ${BASE_PORT_DEFAULT}`],
    });
  }
  return Array.from({ length: nodeCount }, (_unused, offset) => ({
    id: `n${offset + 1}`,
    host: LOCAL_HOST,
    port: basePort + offset,
    joining: false,
  }));
}

/**
 * Makes the folder of a new cluster, with ports fixed for its life and a cluster id of its own.
 *
 * @throws CommandError `localConflict` where a port is taken.
 */
export async function createCluster(
  stateRoot: string,
  name: string,
  shape: RequestedShape,
): Promise<LocalCluster> {
  const nodes = newNodes(
    shape.nodeCount ?? NODE_COUNT_DEFAULT,
    shape.basePort ?? BASE_PORT_DEFAULT,
  );
  await checkPorts(nodes);
  const file: ClusterFile = {
    name,
    clusterId: `${name.slice(0, 40)}-${randomBytes(6).toString("hex")}`,
    createdAt: new Date().toISOString(),
    directory: shape.directory === null ? join(stateRoot, name) : resolve(shape.directory),
    nodes,
    removedIds: [],
    bootstrapped: false,
  };
  writeClusterFile(stateRoot, file);
  return new LocalCluster(stateRoot, file);
}

/** @throws CommandError `localConflict` where the cluster has another shape than asked for. */
export function checkShape(cluster: LocalCluster, shape: RequestedShape): void {
  const { name, file } = cluster;
  const differences = shapeDifferences(file, shape);
  if (differences.length === 0) return;
  const nodeCount = shape.nodeCount ?? file.nodes.length;
  throw new CommandError("localConflict", `cluster "${name}" exists in another shape`, {
    why: differences,
    try: [
      `quorate up --name ${name}   (as it is)`,
      `quorate up --name ${name} --fresh -n ${nodeCount}   (deletes its data)`,
      `quorate up --name ${name}2 -n ${nodeCount} --base-port ${(file.nodes[0]?.port ?? 0) + 100}`,
    ],
  });
}

function shapeDifferences(file: ClusterFile, shape: RequestedShape): string[] {
  const differences: string[] = [];
  const first = file.nodes[0];
  if (shape.nodeCount !== null && shape.nodeCount !== file.nodes.length) {
    differences.push(`it has ${file.nodes.length} nodes, not ${shape.nodeCount}`);
  }
  if (first !== undefined && shape.basePort !== null && shape.basePort !== first.port) {
    differences.push(`its first node is at ${addressOf(first)}, not at port ${shape.basePort}`);
  }
  if (shape.directory !== null && resolve(shape.directory) !== file.directory) {
    differences.push(`its data is in ${file.directory}`);
  }
  return differences;
}
