import { setTimeout as sleep } from "node:timers/promises";

import type { NodeId, NodeStatus } from "@quorate/wire";
import type { QuorateClient } from "@quorate/wire/client";
import { RequestError } from "@quorate/wire/client";
import type { Operation } from "@quorate/wire/history";

import type { Acknowledged, Loss } from "./acknowledged.ts";
import { OperationRunner } from "./operation-runner.ts";

/** How many reads are under way at a time. */
const READERS = 16;
const RETRY_MS = 50;
const COMPARE_INTERVAL_MS = 50;

export interface ReadBackOptions {
  readonly client: QuorateClient;
  readonly keys: readonly string[];
  readonly acknowledged: Acknowledged;
  readonly record: (operation: Operation) => void;
  /** Given up after this, in ms. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

export interface ReadBack {
  readonly losses: readonly Loss[];
  /** Keys that could not be read in time. */
  readonly unread: readonly string[];
}

/**
 * Reads every key once more, for the history and for a check of its own: whether the newest write
 * that was acknowledged is still there.
 */
export async function readBack(options: ReadBackOptions): Promise<ReadBack> {
  const deadline = performance.now() + options.timeoutMs;
  const left = options.keys.toReversed();
  const losses: Loss[] = [];
  const unread: string[] = [];
  const read = async (runner: OperationRunner, key: string): Promise<void> => {
    while (performance.now() < deadline && options.signal?.aborted !== true) {
      const { outcome, found } = await runner.get(key, {});
      if (outcome === "ok") {
        const loss = options.acknowledged.lossAt(key, found);
        if (loss !== null) losses.push(loss);
        return;
      }
      await sleep(RETRY_MS);
    }
    unread.push(key);
  };
  const work = async (number: number): Promise<void> => {
    const { client, acknowledged, record } = options;
    const runner = new OperationRunner({
      name: `final${number + 1}`,
      client,
      acknowledged,
      record,
      onAcknowledged: () => undefined,
      valueCharacters: 0,
    });
    for (let key = left.pop(); key !== undefined; key = left.pop()) await read(runner, key);
  };
  await Promise.all(Array.from({ length: READERS }, (_unused, number) => work(number)));
  return { losses, unread };
}

/** Whether all nodes have the same state, and which two have not. */
export type Comparison =
  | { readonly kind: "equal"; readonly lastApplied: number; readonly revision: number }
  | { readonly kind: "diverged"; readonly explanation: string }
  /** They were not all at the same place at any time. */
  | { readonly kind: "unsettled"; readonly explanation: string };

export interface CompareOptions {
  readonly client: QuorateClient;
  readonly nodes: readonly { readonly id: NodeId; readonly address: string }[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

/**
 * Compares the hashes of the nodes' stores where they have applied the same entries (Raft §5.4.3).
 * Waits for those that are behind.
 */
export async function compareNodes(options: CompareOptions): Promise<Comparison> {
  const deadline = performance.now() + options.timeoutMs;
  const seen = new StatesByIndex();
  for (;;) {
    const statuses = await Promise.all(options.nodes.map((node) => askStatus(options, node)));
    const answers = statuses.filter((status) => status !== null);
    for (const status of answers) {
      const explanation = seen.add(status);
      if (explanation !== null) return { kind: "diverged", explanation };
    }
    const [first] = answers;
    const isLevel = answers.every(({ lastApplied }) => lastApplied === first?.lastApplied);
    if (first !== undefined && isLevel && answers.length === options.nodes.length) {
      const { lastApplied, revision } = first;
      return { kind: "equal", lastApplied, revision };
    }
    if (performance.now() > deadline || options.signal?.aborted === true) {
      return { kind: "unsettled", explanation: describeUneven(options, statuses) };
    }
    await sleep(COMPARE_INTERVAL_MS);
  }
}

/** States that nodes have told of, by the index that they had applied. */
class StatesByIndex {
  readonly #byIndex = new Map<number, NodeStatus>();

  /** How it differs from what another node had at the same index; null: it does not. */
  add(status: NodeStatus): string | null {
    const other = this.#byIndex.get(status.lastApplied);
    this.#byIndex.set(status.lastApplied, status);
    if (other === undefined) return null;
    if (other.stateHash === status.stateHash && other.revision === status.revision) return null;
    const say = ({ nodeId, stateHash, revision }: NodeStatus): string =>
      `${nodeId} has ${stateHash} (revision ${revision})`;
    return `at entry ${status.lastApplied} ${say(other)}, ${say(status)}`;
  }
}

async function askStatus(
  { client }: CompareOptions,
  { address }: { readonly address: string },
): Promise<NodeStatus | null> {
  try {
    return await client.status(address);
  } catch (error) {
    if (error instanceof RequestError) return null;
    throw error;
  }
}

function describeUneven(
  { nodes }: CompareOptions,
  statuses: readonly (NodeStatus | null)[],
): string {
  return nodes
    .map(({ id }, at) => {
      const status = statuses[at] ?? null;
      return status === null ? `${id} does not answer` : `${id} at entry ${status.lastApplied}`;
    })
    .join(", ");
}
