import type { NodeId } from "@quorate/wire";
import { setTimeout as sleep } from "node:timers/promises";

import { chooseVictims, ELSEWHERE } from "./victims.ts";
import type { VictimShape } from "./victims.ts";
import type { FaultContext, FaultEvent, FaultKind, FaultTarget } from "./fault-kind.ts";
import { Rotation } from "./rotation.ts";

/** A signal is there at once; a process in a disk operation stops behind it. */
const STOP_WAIT_MS = 2_000;
const POLL_MS = 5;

/** SIGSTOP, of the leader or a follower: it keeps its connections and is silent. */
export class PauseFault implements FaultKind {
  readonly name = "pause";
  readonly holdMs = { min: 100, max: 5_000 };
  readonly #shapes = new Rotation<VictimShape>(["leader", "follower"]);
  readonly #paused = new Set<NodeId>();

  isPossible({ cluster }: FaultTarget): true | string {
    if (process.platform === "win32") return "processes cannot be paused on Windows";
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
    const stopped: string[] = [];
    for (const id of chosen.ids) {
      this.#paused.add(id);
      const process = cluster.signal(id, "SIGSTOP");
      const deadline = performance.now() + STOP_WAIT_MS;
      while (cluster.node(id).state === "running" && performance.now() < deadline) {
        await sleep(POLL_MS);
      }
      if (process === null || cluster.node(id).state !== "paused") {
        return { kind: "missed", shape, why: `${id} did not stop at SIGSTOP` };
      }
      stopped.push(`pid ${process.pid} stopped`);
    }
    const text = `paused ${chosen.text}`;
    return { kind: "happened", shape, nodes: chosen.ids, text, proof: stopped.join(", ") };
  }

  heal({ cluster }: FaultTarget): Promise<void> {
    for (const id of this.#paused) cluster?.signal(id, "SIGCONT");
    this.#paused.clear();
    return Promise.resolve();
  }
}
