import type { NodeId } from "@quorate/wire";

import { lockCluster } from "../../local-cluster/cluster-lock.ts";
import { launchNodes } from "../../local-cluster/launch.ts";
import type { LocalCluster } from "../../local-cluster/local-cluster.ts";
import { chooseVictims, ELSEWHERE } from "./victims.ts";
import type { VictimShape } from "./victims.ts";
import type { FaultContext, FaultEvent, FaultKind, FaultTarget } from "./fault-kind.ts";
import { Rotation } from "./rotation.ts";

const READY_TIMEOUT_MS = 30_000;
const REASON = "quorate verify";

/** SIGKILL, of the leader, a follower, a majority or all nodes; healing starts them again. */
export class KillFault implements FaultKind {
  readonly name = "kill";
  readonly holdMs = { min: 200, max: 3_000 };
  readonly #shapes = new Rotation<VictimShape>(["leader", "follower", "majority", "all"]);
  readonly #killed = new Set<NodeId>();

  isPossible({ cluster }: FaultTarget): true | string {
    return cluster === null ? ELSEWHERE : true;
  }

  async inject({ target, dice }: FaultContext): Promise<FaultEvent> {
    const { cluster } = target;
    const shape = this.#shapes.next(dice);
    const chosen = chooseVictims(shape, target, dice);
    if (cluster === null || typeof chosen === "string") {
      this.#shapes.putBack(shape);
      return { kind: "missed", shape, why: typeof chosen === "string" ? chosen : ELSEWHERE };
    }
    for (const id of chosen.ids) this.#killed.add(id);
    const ended = await Promise.all(chosen.ids.map((id) => cluster.kill(id, REASON)));
    const pids = ended.flatMap((process) => (process === null ? [] : [process.pid]));
    if (pids.length < chosen.ids.length) {
      return { kind: "missed", shape, why: `of ${chosen.text} some did not run` };
    }
    return {
      kind: "happened",
      shape,
      nodes: chosen.ids,
      text: `killed ${chosen.text}`,
      proof: `pid ${pids.join(", ")} gone`,
    };
  }

  async heal({ cluster }: FaultTarget): Promise<void> {
    if (cluster === null || this.#killed.size === 0) return;
    const down = [...this.#killed].filter((id) => cluster.node(id).state === "down");
    if (down.length > 0) await startAgain(cluster, down);
    this.#killed.clear();
  }
}

async function startAgain(cluster: LocalCluster, ids: readonly NodeId[]): Promise<void> {
  const held = await lockCluster({
    stateRoot: cluster.stateRoot,
    clusterName: cluster.name,
    waitMs: READY_TIMEOUT_MS,
    signal: null,
    onWait: () => undefined,
  });
  try {
    const options = { readyTimeoutMs: READY_TIMEOUT_MS, signal: null, reason: REASON };
    await launchNodes(cluster, ids, options);
  } finally {
    held.release();
  }
}
