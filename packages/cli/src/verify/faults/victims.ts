import type { NodeId } from "@quorate/wire";

import type { Dice } from "../dice.ts";
import type { FaultTarget } from "./fault-kind.ts";

export type VictimShape = "leader" | "follower" | "majority" | "all";

/** Why no signal reaches the nodes. */
export const ELSEWHERE =
  "its processes were not started on this machine by quorate up: no signal reaches them";

/** Who is meant, in words too. */
export interface Victims {
  readonly ids: readonly NodeId[];
  readonly text: string;
}

/** The nodes that a shape means now, of those that run; or why there are none. */
export function chooseVictims(
  shape: VictimShape,
  { watch, nodes }: FaultTarget,
  dice: Dice,
): Victims | string {
  const report = watch.report();
  const running = report.nodes.filter((node) => node.localState === "running");
  const ids = running.map(({ id }) => id).filter((id) => nodes.some((node) => node.id === id));
  const leader = report.leader?.id ?? null;
  switch (shape) {
    case "leader":
      if (leader === null || !ids.includes(leader)) return "no node leads now";
      return { ids: [leader], text: `${leader}, the leader` };
    case "follower": {
      const id = dice.pick(ids.filter((one) => one !== leader));
      return id === undefined ? "no follower runs" : { ids: [id], text: `${id}, a follower` };
    }
    case "majority": {
      const count = Math.floor(nodes.length / 2) + 1;
      if (ids.length < count) return "no majority runs";
      const some = dice.shuffle(ids).slice(0, count).toSorted();
      return { ids: some, text: `${some.join(", ")}, a majority` };
    }
    case "all":
      return ids.length < nodes.length ? "not all run" : { ids, text: "all nodes" };
  }
}
