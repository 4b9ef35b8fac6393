import type { NodeId } from "@quorate/wire";

import type { LineCut } from "../../line-cuts.ts";
import { cutsBetween, cutsOneWay } from "../../line-cuts.ts";
import type { Dice } from "../dice.ts";

/**
 * `halves`: two sides, as even as can be. `leader`: it alone. `oneWay`: what the leader sends is
 * lost, or what it would receive. `bridge`: two sides, and one node that both reach. `ring`: each
 * node reaches its two neighbours, and so another majority than the next (from four nodes on).
 */
export type PartitionShape = "halves" | "leader" | "oneWay" | "bridge" | "ring";

export const PARTITION_SHAPES: readonly PartitionShape[] = [
  "halves",
  "leader",
  "oneWay",
  "bridge",
  "ring",
];

export interface PartitionedCluster {
  readonly leader: NodeId;
  readonly ids: readonly NodeId[];
  readonly dice: Dice;
}

/**
 * The lines to cut, lines of the leader among them: what it loses is seen. Null: there are too
 * few nodes for that shape.
 */
export function partitionOf(
  shape: PartitionShape,
  { leader, ids, dice }: PartitionedCluster,
): LineCut[] | null {
  const others = dice.shuffle(ids.filter((id) => id !== leader));
  if (others.length === 0) return null;
  switch (shape) {
    case "halves": {
      const mates = others.slice(0, Math.floor(ids.length / 2) - (dice.chance(0.5) ? 1 : 0));
      const side = [leader, ...mates].slice(0, ids.length - 1);
      return cutsBetween([side, ids.filter((id) => !side.includes(id))]);
    }
    case "leader":
      return cutsBetween([[leader], others]);
    case "oneWay": {
      const some = others.slice(0, 1 + dice.below(others.length));
      return dice.chance(0.5) ? cutsOneWay([leader], some) : cutsOneWay(some, [leader]);
    }
    case "bridge": {
      const [, ...apart] = others;
      if (apart.length === 0) return null;
      const mates = apart.slice(0, Math.floor((apart.length - 1) / 2));
      return cutsBetween([[leader, ...mates], apart.filter((id) => !mates.includes(id))]);
    }
    case "ring":
      return ringOf([leader, ...others]);
  }
}

function ringOf(ring: readonly NodeId[]): LineCut[] | null {
  if (ring.length < 4) return null;
  return ring.flatMap((from, at) =>
    ring
      .filter((_to, toAt) => {
        const steps = Math.abs(at - toAt);
        return steps > 1 && steps < ring.length - 1;
      })
      .map((to) => ({ from, to })),
  );
}
