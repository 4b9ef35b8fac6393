import { join } from "node:path";
import { ChaosProblem } from "../patience.ts";
import type { ChaosNode } from "../chaos-node.ts";
import { Tracer } from "../tracer.ts";
import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { claiming, hold, POSTPONED, spareLeader, spareNode } from "./fault.ts";

/** Syncs that take long: each a little, or one of them longer than an election. */
export const SLOW_DISKS: readonly Fault[] = [
  {
    kind: "slow-disk",
    shape: "every sync",
    impossible: ({ tools }) => tools.strace,
    run: (context) =>
      slowDisk(context, `delay_enter=${context.random.between(20, 200) * 1000}`, 1000, 5000),
  },
  {
    kind: "slow-disk",
    shape: "one stall",
    impossible: ({ tools }) => tools.strace,
    run: (context) =>
      slowDisk(
        context,
        `delay_enter=${context.random.between(1000, 3000) * 1000}:when=1`,
        3000,
        4000,
      ),
  },
];

/** A sync or a write that fails: the node has to end itself and say why. */
export const DISK_ERRORS: readonly Fault[] = [
  {
    kind: "disk-error",
    shape: "EIO on a sync",
    impossible: ({ tools }) => tools.strace,
    run: (context) => failDisk(context, "fdatasync"),
  },
  {
    kind: "disk-error",
    shape: "EIO on a write",
    impossible: ({ tools }) => tools.strace,
    run: (context) => failDisk(context, "pwrite64"),
  },
];

async function slowDisk(
  context: FaultContext,
  delay: string,
  minMs: number,
  maxMs: number,
): Promise<FaultOutcome> {
  const node = (await pickLeaderAtTimes(context)) ?? spareNode(context);
  if (node === null) return POSTPONED;
  return await claiming(context, [node], async () => {
    context.onset([node.id], `fdatasync of ${node.id} with ${delay} µs`);
    const tracer = await attach(node, `fdatasync:${delay}`);
    await hold(context, minMs, maxMs);
    const delayed = await tracer.detach();
    await context.cluster.answers(node);
    return delayed === 0
      ? { kind: "idle", why: `${node.id} synced nothing` }
      : { kind: "fired", effect: `${delayed} syncs delayed` };
  });
}

const WHEN_MAX = 8;
const FAILURE_WAIT_MS = 12_000;

async function failDisk(context: FaultContext, call: string): Promise<FaultOutcome> {
  const node = (await pickLeaderAtTimes(context)) ?? spareNode(context);
  if (node === null) return POSTPONED;
  return await claiming(context, [node], async () => {
    const when = context.random.between(1, WHEN_MAX);
    context.onset([node.id], `EIO on ${call} number ${when} of ${node.id}`);
    const logLength = node.logLength();
    node.allowEnd();
    const tracer = await attach(node, `${call}:error=EIO:when=${when}`);
    let end = await node.awaitEnd(FAILURE_WAIT_MS);
    const injected = await tracer.detach();
    if (injected === 0 && node.isRunning) {
      node.expectNoEnd();
      return { kind: "idle", why: `${node.id} made no ${call} number ${when}` };
    }
    end ??= await node.awaitEnd(FAILURE_WAIT_MS);
    if (end === null) throw new ChaosProblem(`${node.id} goes on after a failed ${call}`);
    const reason = node.complaintSince(logLength, /failed disk/u);
    if (reason === null) throw new ChaosProblem(`${node.id} ended by ${end} without a reason`);
    await hold(context, 0, 3000);
    node.launch();
    await context.cluster.answers(node);
    return { kind: "fired", effect: `ended by ${end}: ${reason}` };
  });
}

/** A leader's disk matters most. */
async function pickLeaderAtTimes(context: FaultContext): Promise<ChaosNode | null> {
  return context.random.chance(0.4) ? await spareLeader(context) : null;
}

async function attach(node: ChaosNode, inject: string): Promise<Tracer> {
  return await Tracer.attach(node.pid, inject, join(node.directory, "strace.log"));
}
