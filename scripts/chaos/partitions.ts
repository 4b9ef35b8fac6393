import type { SeededRandom } from "@quorate/node/testing";

/** One direction between two nodes: what `from` sends does not arrive at `to`. */
export interface Link {
  readonly from: string;
  readonly to: string;
}

/** Links that are cut together, and how to say it. */
export interface Partition {
  readonly links: readonly Link[];
  readonly text: string;
}

export const PARTITION_SHAPES = ["halves", "leader", "one-way", "bridge", "ring"] as const;
export type PartitionShape = (typeof PARTITION_SHAPES)[number];

/** A partition of the nodes `ids` (3 or more). `leader` may be null: then any node is taken. */
export function partitionOf(
  shape: PartitionShape,
  ids: readonly string[],
  leader: string | null,
  random: SeededRandom,
): Partition {
  const shuffled = random.shuffle(ids);
  const [first = "", ...others] = shuffled;
  switch (shape) {
    case "halves": {
      const smaller = shuffled.slice(0, Math.floor(ids.length / 2));
      const larger = shuffled.slice(smaller.length);
      return { links: between(smaller, larger), text: `${show(smaller)} | ${show(larger)}` };
    }
    case "leader": {
      const alone = leader ?? first;
      const rest = ids.filter((id) => id !== alone);
      return { links: between([alone], rest), text: `${alone} | ${show(rest)}` };
    }
    case "one-way": {
      const alone = random.chance(0.5) ? (leader ?? first) : first;
      const rest = ids.filter((id) => id !== alone);
      return random.chance(0.5)
        ? { links: from([alone], rest), text: `${alone} -x-> ${show(rest)}` }
        : { links: from(rest, [alone]), text: `${show(rest)} -x-> ${alone}` };
    }
    case "bridge": {
      const left = others.slice(0, Math.floor(others.length / 2));
      const right = others.slice(left.length);
      return {
        links: between(left, right),
        text: `${show(left)} | ${show(right)}, both see ${first}`,
      };
    }
    case "ring":
      return ringOf(shuffled);
  }
}

/**
 * Each node has only its two neighbours: of five nodes each sees another majority. In a smaller
 * ring everybody would see everybody: there each is heard by the next one only.
 */
function ringOf(ring: readonly string[]): Partition {
  const isOneWay = ring.length <= 3;
  const links: Link[] = [];
  for (const [at, id] of ring.entries()) {
    for (const [otherAt, other] of ring.entries()) {
      const step = (otherAt - at + ring.length) % ring.length;
      const isNeighbour = step === 1 || (!isOneWay && step === ring.length - 1);
      if (id !== other && !isNeighbour) links.push({ from: id, to: other });
    }
  }
  return { links, text: ring.join(isOneWay ? " -> " : " - ") };
}

function from(senders: readonly string[], receivers: readonly string[]): Link[] {
  return senders.flatMap((sender) => receivers.map((to) => ({ from: sender, to })));
}

function between(some: readonly string[], others: readonly string[]): Link[] {
  return [...from(some, others), ...from(others, some)];
}

function show(ids: readonly string[]): string {
  return ids.toSorted().join(" ");
}
