import type { NodeEvent } from "@quorate/wire";
import type { ChaosNode } from "../chaos-node.ts";
import type { WallClock } from "../wall-clock.ts";
import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { claiming, hold, POSTPONED, spareLeader, spareNode } from "./fault.ts";

const DAY_MS = 86_400_000;

/** The wall clock of a process jumps, and jumps back later. Nothing may depend on it. */
export const CLOCKS: readonly Fault[] = [
  {
    kind: "clock",
    shape: "ahead",
    impossible: ({ tools }) => tools.faketime,
    run: (context) => moveClock(context, context.random.between(60_000, 400 * DAY_MS)),
  },
  {
    kind: "clock",
    shape: "behind",
    impossible: ({ tools }) => tools.faketime,
    run: (context) => moveClock(context, -context.random.between(60_000, 400 * DAY_MS)),
  },
];

async function moveClock(context: FaultContext, offsetMs: number): Promise<FaultOutcome> {
  const leader = context.random.chance(0.5) ? await spareLeader(context) : null;
  const node = leader ?? spareNode(context);
  const clock = node?.clock ?? null;
  if (node === null || clock === null) return POSTPONED;
  return await claiming(context, [node], async () => {
    context.onset([node.id], `the clock of ${node.id} by ${(offsetMs / 1000).toFixed(0)} s`);
    const seen = await watchClock(context, node, clock, offsetMs);
    return seen === null
      ? { kind: "idle", why: `${node.id} told no time that was off` }
      : { kind: "fired", effect: `the node's events were ${(seen / 1000).toFixed(0)} s off` };
  });
}

/** The jump as the node's own events tell it: each carries its wall clock's time. */
async function watchClock(
  context: FaultContext,
  node: ChaosNode,
  clock: WallClock,
  offsetMs: number,
): Promise<number | null> {
  let seen: number | null = null;
  const look = (events: readonly NodeEvent[]): void => {
    for (const { wallMs } of events) {
      const off = wallMs - Date.now();
      if (Math.abs(off - offsetMs) < Math.abs(offsetMs) / 2) seen = off;
    }
  };
  const subscription = context.cluster.client.subscribe(node.address, {
    onState: () => undefined,
    onDelta: () => undefined,
    onEvents: look,
    onTick: () => undefined,
    onGap: () => undefined,
    onDisconnect: () => undefined,
  });
  clock.set(offsetMs);
  await hold(context, 3000, 6000);
  clock.set(0);
  subscription.cancel();
  return seen;
}
