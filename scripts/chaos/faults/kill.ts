import { setTimeout as pause } from "node:timers/promises";
import type { ChaosNode } from "../chaos-node.ts";
import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { claiming, hold, POSTPONED, spareLeader, spareNode } from "./fault.ts";

const always = (): null => null;

/** SIGKILL, and a start some time later. */
export const KILLS: readonly Fault[] = [
  { kind: "kill", shape: "one", impossible: always, run: killOne },
  { kind: "kill", shape: "leader", impossible: always, run: killLeader },
  { kind: "kill", shape: "majority", impossible: always, run: (context) => killMany(context, 0.5) },
  { kind: "kill", shape: "all", impossible: always, run: (context) => killMany(context, 1) },
  { kind: "kill", shape: "while starting", impossible: always, run: killWhileStarting },
];

async function killOne(context: FaultContext): Promise<FaultOutcome> {
  const node = spareNode(context);
  return node === null ? POSTPONED : kill(context, [node], 6000);
}

async function killLeader(context: FaultContext): Promise<FaultOutcome> {
  const node = await spareLeader(context);
  return node === null ? POSTPONED : kill(context, [node], 6000);
}

/** More than half of all nodes, or every one that no other fault holds: short, as nobody serves. */
async function killMany(context: FaultContext, share: number): Promise<FaultOutcome> {
  const { cluster, random } = context;
  const majority = Math.floor(cluster.nodes.length / 2) + 1;
  const free = random.shuffle(cluster.free());
  const count = share === 1 ? free.length : majority;
  if (free.length < majority) return POSTPONED;
  return kill(context, free.slice(0, count), 2000);
}

async function kill(
  context: FaultContext,
  nodes: readonly ChaosNode[],
  downMaxMs: number,
): Promise<FaultOutcome> {
  return await claiming(context, nodes, async () => {
    const ids = nodes.map(({ id }) => id);
    context.onset(ids, `SIGKILL to ${ids.join(" ")}`);
    const pids = nodes.map(({ pid }) => pid);
    const ends = await Promise.all(nodes.map((node) => node.end("SIGKILL")));
    await hold(context, 0, downMaxMs);
    for (const node of nodes) node.launch();
    for (const node of nodes) await context.cluster.answers(node);
    const gone = pids.filter((_pid, at) => ends[at] === "SIGKILL");
    if (gone.length < nodes.length) return { kind: "idle", why: `ended by ${ends.join(" ")}` };
    return { kind: "fired", effect: `process ${gone.join(" ")} gone by SIGKILL` };
  });
}

const STARTS_MAX = 4;
const START_MAX_MS = 400;

/** Killed at some moment of its start, several times: what a start does must be repeatable. */
async function killWhileStarting(context: FaultContext): Promise<FaultOutcome> {
  const node = spareNode(context);
  if (node === null) return POSTPONED;
  return await claiming(context, [node], async () => {
    context.onset([node.id], `SIGKILL to ${node.id} whenever it starts`);
    await node.end("SIGKILL");
    const logLength = node.logLength();
    const starts = context.random.between(2, STARTS_MAX);
    let killed = 0;
    for (let start = 0; start < starts && !context.healing.aborted; start += 1) {
      node.launch();
      await pause(context.random.between(20, START_MAX_MS));
      if ((await node.end("SIGKILL")) === "SIGKILL") killed += 1;
    }
    const ready = node.loggedSince(logLength).filter(({ msg }) => msg === "ready").length;
    node.launch();
    await context.cluster.answers(node);
    const early = killed - ready;
    return early > 0
      ? { kind: "fired", effect: `${early} of ${starts} starts killed before they were ready` }
      : { kind: "idle", why: "every start was over before it was killed" };
  });
}
