import type { SeededRandom } from "@quorate/node/testing";
import { setTimeout as pause } from "node:timers/promises";
import type { ChaosCluster } from "../chaos-cluster.ts";
import type { ChaosNode } from "../chaos-node.ts";

/** What a fault has to work with. */
export interface FaultContext {
  readonly cluster: ChaosCluster;
  /** Of this fault alone. */
  readonly random: SeededRandom;
  /** Aborted when all faults are to end early. */
  readonly healing: AbortSignal;
  /** Says to whom it happens, from which moment on. */
  readonly onset: (targets: readonly string[], text: string) => void;
}

/**
 * - `fired`: it took effect; `effect` is what was seen of it, not what was meant.
 * - `postponed`: there was nobody to do it to now; nothing was done.
 * - `idle`: it was done, and nothing was seen of it.
 */
export type FaultOutcome =
  | { readonly kind: "fired"; readonly effect: string }
  | { readonly kind: "postponed" }
  | { readonly kind: "idle"; readonly why: string };

/** One way in which things go wrong: a row of the report. */
export interface Fault {
  /** `kill leader`: a kind that can be asked for, and one of its shapes. */
  readonly kind: FaultKindName;
  readonly shape: string;
  /** Why it cannot be done on this rig; null: it can. */
  impossible(cluster: Pick<ChaosCluster, "network" | "tools">): string | null;
  /** Does it, undoes it, and waits until its nodes are back. @throws ChaosProblem */
  run(context: FaultContext): Promise<FaultOutcome>;
}

export const FAULT_KINDS = [
  "kill",
  "pause",
  "partition",
  "loss",
  "delay",
  "slow-disk",
  "disk-error",
  "disk-full",
  "corrupt",
  "clock",
  "members",
] as const;
export type FaultKindName = (typeof FAULT_KINDS)[number];

export const POSTPONED: FaultOutcome = { kind: "postponed" };

/** Waits for a time from a range; only for the shortest when all faults are to end. */
export async function hold(
  { random, healing }: FaultContext,
  minMs: number,
  maxMs: number,
): Promise<void> {
  const ms = random.between(minMs, maxMs);
  await pause(minMs);
  try {
    await pause(ms - minMs, undefined, { signal: healing });
  } catch {
    // Healed early.
  }
}

/** Does something to nodes that nothing else is done to meanwhile. */
export async function claiming<T>(
  { cluster }: FaultContext,
  nodes: readonly ChaosNode[],
  run: () => Promise<T>,
): Promise<T> {
  cluster.claim(nodes);
  try {
    return await run();
  } finally {
    cluster.release(nodes);
  }
}

/** One node that can be spared, at random; null: none. */
export function spareNode({ cluster, random }: FaultContext): ChaosNode | null {
  const free = cluster.free();
  return cluster.sparable === 0 || free.length === 0 ? null : random.pick(free);
}

/** The leader, where it can be spared. */
export async function spareLeader({ cluster }: FaultContext): Promise<ChaosNode | null> {
  const leader = await cluster.leaderNow();
  const node = cluster.free().find(({ id }) => id === leader?.nodeId) ?? null;
  return cluster.sparable === 0 ? null : node;
}
