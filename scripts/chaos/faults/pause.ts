import { readFileSync } from "node:fs";
import type { ChaosNode } from "../chaos-node.ts";
import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { claiming, hold, POSTPONED, spareLeader, spareNode } from "./fault.ts";

/** SIGSTOP for 0.1 to 5 s, then SIGCONT: the process does not know that time has passed. */
export const PAUSES: readonly Fault[] = [
  {
    kind: "pause",
    shape: "one",
    impossible: () => null,
    run: async (context) => {
      const node = spareNode(context);
      return node === null ? POSTPONED : await pauseNode(context, node);
    },
  },
  {
    kind: "pause",
    shape: "leader",
    impossible: () => null,
    run: async (context) => {
      const node = await spareLeader(context);
      return node === null ? POSTPONED : await pauseNode(context, node);
    },
  },
];

async function pauseNode(context: FaultContext, node: ChaosNode): Promise<FaultOutcome> {
  return await claiming(context, [node], async () => {
    context.onset([node.id], `SIGSTOP to ${node.id}`);
    node.pause();
    await hold(context, 100, 5000);
    const isStopped = isStoppedNow(node.pid);
    node.resume();
    await context.cluster.answers(node);
    return isStopped
      ? { kind: "fired", effect: `process ${node.pid} stood still` }
      : { kind: "idle", why: `process ${node.pid} was not stopped` };
  });
}

/** As the kernel says; elsewhere than on Linux, as the signal was sent. */
function isStoppedNow(pid: number): boolean {
  if (process.platform !== "linux") return true;
  return /\) T /u.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}
