import type { NodeStatus } from "@quorate/wire";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import { ConnectionError } from "@quorate/wire/net";

import type { NodeAnswer, NodeObservation } from "./node-health.ts";
import type { Target } from "./context.ts";
import type { LocalNodeReport } from "./local-cluster/local-cluster.ts";

/** A node without an answer counts as silent after this: loopback and local networks are faster. */
const STATUS_TIMEOUT_MS = 1_000;

/** A node and where it is, before it was asked anything. */
export interface KnownNode {
  readonly id: string;
  readonly address: string;
  readonly local: LocalNodeReport | null;
}

/** The nodes of a target that are known before anybody was asked. */
export function knownNodes(target: Target): KnownNode[] {
  if (target.cluster !== null) {
    return target.cluster.nodes().map((local) => ({ id: local.id, address: local.address, local }));
  }
  return target.endpoints.map((address) => ({ id: address, address, local: null }));
}

function connectionErrorIn(error: unknown): ConnectionError | null {
  if (error instanceof ConnectionError) return error;
  if (!(error instanceof RequestError)) return null;
  for (const attempt of error.attempts) {
    if (attempt.error instanceof ConnectionError) return attempt.error;
  }
  return error.cause instanceof ConnectionError ? error.cause : null;
}

/** What a failed request for a status tells about the node. */
export function answerOfFailure(error: unknown): NodeAnswer {
  const connectionError = connectionErrorIn(error);
  if (connectionError === null) {
    const isTimeout = error instanceof RequestError && error.code === "timeout";
    if (isTimeout) return { kind: "silent" };
    return { kind: "unreachable", detail: error instanceof Error ? error.message : String(error) };
  }
  switch (connectionError.kind) {
    case "refused":
      return { kind: "refused" };
    case "timeout":
    case "silent":
      return { kind: "silent" };
    default:
      return { kind: "unreachable", detail: connectionError.message };
  }
}

async function ask(client: QuorateClient, node: KnownNode): Promise<NodeObservation> {
  const answer = await askStatus(client, node);
  const answeringId = answer.kind === "answered" ? answer.status.nodeId : node.id;
  const localState = node.local === null ? null : node.local.state;
  const dataLost = node.local?.dataLost === true;
  return { id: answeringId, address: node.address, answer, localState, dataLost };
}

async function askStatus(client: QuorateClient, node: KnownNode): Promise<NodeAnswer> {
  if (node.local?.state === "paused") return { kind: "silent" };
  let status: NodeStatus;
  try {
    status = await client.status(node.address);
  } catch (error) {
    return answerOfFailure(error);
  }
  return checkAnswer(node, status);
}

/**
 * Whether the answer is that of the process noted in `run.json`: another one on its port must not
 * decide which process is signalled.
 */
export function checkAnswer(node: KnownNode, status: NodeStatus): NodeAnswer {
  const run = node.local?.run ?? null;
  if (node.local === null || run === null) return { kind: "answered", status };
  const isSameProcess = run.bootId === null ? status.pid === run.pid : status.bootId === run.bootId;
  if (status.nodeId === node.id && isSameProcess) return { kind: "answered", status };
  const other = `node ${status.nodeId} of cluster ${status.clusterId}, pid ${status.pid}`;
  return { kind: "unreachable", detail: `another process answers on its port: ${other}` };
}

function membersNotAsked(observations: readonly NodeObservation[]): KnownNode[] {
  const asked = new Set(observations.flatMap((node) => [node.id, node.address]));
  const found = new Map<string, KnownNode>();
  for (const { answer } of observations) {
    if (answer.kind !== "answered") continue;
    for (const { id, address } of answer.status.members) {
      if (!asked.has(id) && !asked.has(address)) found.set(id, { id, address, local: null });
    }
  }
  return [...found.values()];
}

/** Asks every node of the target, and every member that they name, for its status. */
export async function observeCluster(
  target: Target,
  timeoutMs: number = STATUS_TIMEOUT_MS,
): Promise<NodeObservation[]> {
  const client = new QuorateClient({
    endpoints: [...target.endpoints],
    timeoutMs: Math.min(timeoutMs, STATUS_TIMEOUT_MS),
    clientName: "quorate-status",
  });
  try {
    const first = await Promise.all(knownNodes(target).map((node) => ask(client, node)));
    const more = await Promise.all(membersNotAsked(first).map((node) => ask(client, node)));
    return nameMembers([...first, ...more]);
  } finally {
    await client.close();
  }
}

/** Gives nodes that were only known by address, and do not answer, the names that others know. */
function nameMembers(observations: readonly NodeObservation[]): NodeObservation[] {
  const nameByAddress = new Map<string, string>();
  for (const { answer } of observations) {
    if (answer.kind !== "answered") continue;
    for (const { id, address } of answer.status.members) nameByAddress.set(address, id);
  }
  return observations
    .map((node) => ({ ...node, id: nameByAddress.get(node.address) ?? node.id }))
    .toSorted((left, right) => left.id.localeCompare(right.id, "en", { numeric: true }));
}
