import type { Impairment } from "../network.ts";
import type { Link, PartitionShape } from "../partitions.ts";
import { PARTITION_SHAPES, partitionOf } from "../partitions.ts";
import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { hold, POSTPONED } from "./fault.ts";

/** Cut links: silently, or with connections reset. */
export const PARTITIONS: readonly Fault[] = PARTITION_SHAPES.map((shape) => ({
  kind: "partition",
  shape,
  impossible: ({ network }) => network.impossible("drop"),
  run: (context) => partition(context, shape),
}));

/** Links that lose a part of what goes over them. */
export const LOSSES: readonly Fault[] = [
  {
    kind: "loss",
    shape: "some links",
    impossible: ({ network }) => network.impossible("loss"),
    run: (context) => {
      const percent = context.random.between(2, 30);
      return weaken(context, { kind: "loss", percent }, `${percent} % lost`);
    },
  },
];

/** Links on which everything comes late. */
export const DELAYS: readonly Fault[] = [
  {
    kind: "delay",
    shape: "some links",
    impossible: ({ network }) => network.impossible("delay"),
    run: (context) => {
      const ms = context.random.between(10, 400);
      return weaken(context, { kind: "delay", ms }, `${ms} ms late`);
    },
  },
];

const NODES_MIN = 3;

async function partition(context: FaultContext, shape: PartitionShape): Promise<FaultOutcome> {
  const { cluster, random } = context;
  const ids = cluster.nodes.map(({ id }) => id);
  if (ids.length < NODES_MIN || cluster.impairedLinks > 0) return POSTPONED;
  const leader = await cluster.leaderNow();
  const isReset = random.chance(0.3) && cluster.network.impossible("reset") === null;
  const { links, text } = partitionOf(shape, ids, leader?.nodeId ?? null, random);
  const how: Impairment = { kind: isReset ? "reset" : "drop" };
  return await impair(context, links, how, `${text}${isReset ? ", by resets" : ""}`);
}

/** To some of the nodes, from all others. */
async function weaken(context: FaultContext, how: Impairment, text: string): Promise<FaultOutcome> {
  const { cluster, random } = context;
  const ids = random.shuffle(cluster.nodes.map(({ id }) => id));
  const victims = ids.slice(0, random.between(1, ids.length - 1));
  const links = victims.flatMap((to) =>
    ids.filter((from) => from !== to).map((from) => ({ from, to })),
  );
  return await impair(context, links, how, `${text} to ${victims.join(" ")}`);
}

async function impair(
  context: FaultContext,
  links: readonly Link[],
  how: Impairment,
  text: string,
): Promise<FaultOutcome> {
  const { cluster } = context;
  context.onset([...new Set(links.map(({ to }) => to))], text);
  const isCut = how.kind === "drop" || how.kind === "reset";
  const impaired = await cluster.network.impair(links, how);
  cluster.impairedLinks += isCut ? links.length : 0;
  try {
    await hold(context, 500, 7000);
  } finally {
    cluster.impairedLinks -= isCut ? links.length : 0;
  }
  const effect = await impaired.heal();
  return effect === null
    ? { kind: "idle", why: "nothing was sent over these links" }
    : { kind: "fired", effect };
}
