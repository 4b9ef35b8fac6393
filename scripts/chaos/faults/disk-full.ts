import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ChaosProblem } from "../patience.ts";
import type { ChaosNode } from "../chaos-node.ts";
import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { claiming, hold, POSTPONED } from "./fault.ts";

/** No room is left on a node's disk; some time later there is again. */
export const DISKS_FULL: readonly Fault[] = [
  {
    kind: "disk-full",
    shape: "while running",
    impossible: ({ tools }) => tools.tmpfs,
    run: (context) => fillDisk(context, false),
  },
  {
    kind: "disk-full",
    shape: "over a kill",
    impossible: ({ tools }) => tools.tmpfs,
    run: (context) => fillDisk(context, true),
  },
];

async function fillDisk(context: FaultContext, kills: boolean): Promise<FaultOutcome> {
  const { cluster, random } = context;
  const candidates = cluster.free().filter(({ hasSmallDisk }) => hasSmallDisk);
  if (cluster.sparable === 0 || candidates.length === 0) return POSTPONED;
  const node = random.pick(candidates);
  return await claiming(context, [node], async () => {
    context.onset([node.id], `the disk of ${node.id} is filled`);
    const ballast = join(node.disk, "ballast");
    const logLength = node.logLength();
    const bytes = fill(ballast);
    let seen: string | null = null;
    try {
      seen = kills ? await restartOnFullDisk(context, node) : await watchWhileFull(context, node);
    } finally {
      rmSync(ballast, { force: true });
    }
    if (!node.isRunning) node.launch();
    await cluster.answers(node);
    await context.cluster.caughtUp(node);
    seen ??= node.complaintSince(logLength, /full|no room/u);
    return seen === null
      ? { kind: "idle", why: `${node.id} needed no room meanwhile` }
      : { kind: "fired", effect: `${(bytes / 2 ** 20).toFixed(0)} MiB filled: ${seen}` };
  });
}

const ROUNDS_MAX = 16;

/** Until the node has said that it is full, also while others heal; then on for a while. */
async function watchWhileFull(context: FaultContext, node: ChaosNode): Promise<string | null> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    await hold(context, 500, 500);
    const status = await context.cluster.status(node).catch(() => null);
    if (status?.storageState !== "full") continue;
    await hold(context, 0, 5000);
    return 'the node says that its storage is "full"';
  }
  return null;
}

/** A start on a full disk is refused with the reason, or works: never something in between. */
async function restartOnFullDisk(context: FaultContext, node: ChaosNode): Promise<string | null> {
  await node.end("SIGKILL");
  const logLength = node.logLength();
  node.launch({ mayEnd: true });
  const end = await context.cluster.answersOrEnds(node);
  if (end === null) return await watchWhileFull(context, node);
  const reason = node.complaintSince(logLength, /"code":"full"/u);
  if (reason === null) throw new ChaosProblem(`${node.id} ended by ${end} without a reason`);
  return `start refused with exit code ${end}: ${reason}`;
}

const STEP_BYTES = 64 * 1024;

/** Writes until the file system has no room; gives how much it took. */
function fill(path: string): number {
  const file = openSync(path, "w");
  const zeros = new Uint8Array(STEP_BYTES);
  let bytes = 0;
  try {
    for (let step = STEP_BYTES; step >= 1;) {
      try {
        bytes += writeSync(file, zeros, 0, step);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        step = Math.floor(step / 2);
      }
    }
  } finally {
    closeSync(file);
  }
  return bytes;
}
