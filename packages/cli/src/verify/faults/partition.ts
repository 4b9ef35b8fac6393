import type { NodeId, NodeStatus } from "@quorate/wire";
import { RequestError } from "@quorate/wire/client";
import { setTimeout as sleep } from "node:timers/promises";

import type { LineCut } from "../../line-cuts.ts";
import { cutsIn, describeCuts, setCuts } from "../../line-cuts.ts";
import type { FaultContext, FaultEvent, FaultKind, FaultTarget } from "./fault-kind.ts";
import type { PartitionedCluster, PartitionShape } from "./partition-shapes.ts";
import { PARTITION_SHAPES, partitionOf } from "./partition-shapes.ts";
import { Rotation } from "./rotation.ts";

/** A cut ends by itself after this: longer than any is held, shorter than patience is. */
const TTL_MS = 60_000;
const EFFECT_WAIT_MS = 3_000;
const POLL_MS = 20;
const HEAL_ATTEMPTS = 20;
const HEAL_RETRY_MS = 100;

/** Heartbeats that a node has not heard before its contact counts as lost. */
const HEARTBEATS_MISSED = 3;

/** Lines between nodes, cut by their own doing: in halves, around the leader, one way, … */
export class PartitionFault implements FaultKind {
  readonly name = "partition";
  readonly holdMs = { min: 500, max: 5_000 };
  readonly #shapes = new Rotation<PartitionShape>(PARTITION_SHAPES);
  #isCut = false;

  isPossible({ allowsCuts, nodes }: FaultTarget): true | string {
    if (nodes.length < 2) return "one node alone has no lines";
    return allowsCuts || "not all of its nodes were started with --allow-faults";
  }

  async inject(context: FaultContext): Promise<FaultEvent> {
    const { target, dice } = context;
    const leader = target.watch.report().leader?.id ?? null;
    const ids = target.nodes.map(({ id }) => id);
    if (leader === null || !ids.includes(leader)) {
      return { kind: "missed", shape: "any", why: "no node leads now" };
    }
    const { shape, cuts } = this.#choose({ leader, ids, dice });
    const missed = (why: string): FaultEvent => ({ kind: "missed", shape, why });
    this.#isCut = true;
    const outcomes = await setCuts(target.client, target.nodes, cuts, TTL_MS);
    const told = outcomes.filter(({ error }) => error === null).length;
    if (told === 0) return missed("no node took it");
    const proof = await awaitEffect(context, leader, cuts);
    if (proof === null) return missed("no node has reported that it lost contact");
    return {
      kind: "happened",
      shape,
      nodes: [...new Set(cuts.flatMap(({ from, to }) => [from, to]))].toSorted(),
      text: `cut ${describeCuts(ids, cuts)}`,
      proof,
    };
  }

  /** The next shape that so many nodes can have: an isolated leader always is one. */
  #choose(cluster: PartitionedCluster): { shape: PartitionShape; cuts: readonly LineCut[] } {
    for (;;) {
      const shape = this.#shapes.next(cluster.dice);
      const cuts = partitionOf(shape, cluster);
      if (cuts !== null) return { shape, cuts };
    }
  }

  async heal({ client, nodes }: FaultTarget): Promise<void> {
    if (!this.#isCut) return;
    let left = nodes;
    for (let attempt = 0; attempt < HEAL_ATTEMPTS && left.length > 0; attempt += 1) {
      if (attempt > 0) await sleep(HEAL_RETRY_MS);
      const outcomes = await setCuts(client, left, [], 0);
      // A process that is gone has no faults any more.
      left = outcomes.filter(({ error }) => error !== null && error.code !== "unreachable");
    }
    this.#isCut = false;
  }
}

/**
 * What the nodes say that shows the cut: its rules, and on a line of the leader that one end has
 * not heard the other for some heartbeats, or that the leader is not the same any more.
 */
async function awaitEffect(
  { target, signal }: FaultContext,
  leader: NodeId,
  cuts: readonly LineCut[],
): Promise<string | null> {
  const deadline = performance.now() + EFFECT_WAIT_MS;
  while (performance.now() < deadline && !signal.aborted) {
    const statuses = await askAll(target);
    const reported = cutsIn(statuses);
    const inForce = cuts.filter((cut) =>
      reported.some(({ from, to }) => from === cut.from && to === cut.to),
    );
    const lost = inForce.length < cuts.length ? null : lostContact(statuses, leader, inForce);
    if (lost !== null) return lost;
    await sleep(POLL_MS);
  }
  return null;
}

async function askAll({ client, nodes }: FaultTarget): Promise<NodeStatus[]> {
  const answers = await Promise.all(
    nodes.map(({ address }) =>
      client.status(address).catch((error: unknown) => {
        if (error instanceof RequestError) return null;
        throw error;
      }),
    ),
  );
  return answers.filter((status) => status !== null);
}

function lostContact(
  statuses: readonly NodeStatus[],
  leader: NodeId,
  cuts: readonly LineCut[],
): string | null {
  const old = statuses.find(({ nodeId }) => nodeId === leader);
  if (old !== undefined && old.role !== "leader") return `${leader} leads no more`;
  for (const { from, to } of cuts) {
    if (from !== leader && to !== leader) continue;
    const receiver = statuses.find(({ nodeId }) => nodeId === to);
    if (receiver === undefined) continue;
    if (from === leader && receiver.leaderId !== leader) return `${to} follows ${leader} no more`;
    const silentMs = receiver.peers.find(({ id }) => id === from)?.lastContactMs ?? 0;
    if (silentMs > HEARTBEATS_MISSED * receiver.heartbeatIntervalMs) {
      return `${to} has not heard ${from} for ${Math.round(silentMs)} ms`;
    }
  }
  return null;
}
