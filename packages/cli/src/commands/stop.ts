import type { NodeId } from "@quorate/wire";

import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import type { LocalCluster, LocalNodeState } from "../local-cluster/local-cluster.ts";
import { needsRoles } from "../node-selector.ts";
import { requireLocalCluster } from "../target.ts";
import {
  graceOption,
  lock,
  requireSelectors,
  resolveNodes,
  SELECTOR_HELP,
  targetOf,
} from "./lifecycle.ts";
import { startNodes } from "./start.ts";

const STOP_EXAMPLES = `
Examples:
  quorate stop n2
  quorate stop leader        it hands leadership over first
  quorate stop all -t 10s

Undo: quorate start
`;

const RESTART_EXAMPLES = `
Examples:
  quorate restart n2
  quorate restart leader
`;

interface StopOptions {
  readonly grace: number;
}

/** The nodes that selectors mean, with a look at their roles where a selector needs it. */
export async function selectLocal(
  context: CommandContext,
  cluster: LocalCluster,
  selectors: readonly string[],
  states: readonly LocalNodeState[],
): Promise<NodeId[]> {
  const watch = needsRoles(selectors) ? new ClusterWatch(targetOf(cluster)) : null;
  try {
    return await resolveNodes(context, { cluster, selectors, states, watch });
  } finally {
    await watch?.close();
  }
}

async function stopNodes(
  context: CommandContext,
  cluster: LocalCluster,
  ids: readonly NodeId[],
  graceMs: number,
): Promise<{ id: NodeId; ending: string }[]> {
  const endings = await Promise.all(
    ids.map(async (id) => {
      const { pid } = cluster.node(id);
      const ending = await cluster.stop(id, graceMs, "quorate stop");
      const words = { stopped: "Stopped", killed: "Did not stop in time, so killed" } as const;
      context.printer.line(
        ending === null ? `${id} was not running.` : `${words[ending]} ${id} (pid ${pid ?? "-"}).`,
      );
      return { id, ending: ending ?? "notRunning" };
    }),
  );
  return endings;
}

async function stop(
  context: CommandContext,
  selectors: readonly string[],
  options: StopOptions,
): Promise<void> {
  requireSelectors(selectors, "stop");
  const cluster = requireLocalCluster(context);
  const held = await lock(context, cluster.name, null);
  try {
    const ids = await selectLocal(context, cluster, selectors, ["running", "paused"]);
    const stopped = await stopNodes(context, cluster, ids, options.grace);
    context.printer.document("StopResult", { stopped });
  } finally {
    held.release();
  }
}

async function restart(
  context: CommandContext,
  selectors: readonly string[],
  options: StopOptions & { readonly wait: boolean },
): Promise<void> {
  requireSelectors(selectors, "restart");
  const cluster = requireLocalCluster(context);
  const held = await lock(context, cluster.name, null);
  try {
    const ids = await selectLocal(context, cluster, selectors, ["running", "paused"]);
    await stopNodes(context, cluster, ids, options.grace);
    await startNodes(context, cluster, ids, options);
  } finally {
    held.release();
  }
}

export function addStopCommand({ program, act }: CommandLine): void {
  program
    .command("stop")
    .summary("stop nodes of a local cluster gracefully")
    .description("SIGTERM: a leader hands over, everything is flushed. SIGKILL after -t.")
    .argument("[nodes...]", SELECTOR_HELP)
    .addOption(graceOption())
    .addHelpText("after", STOP_EXAMPLES)
    .action((nodes: string[], options: StopOptions) =>
      act((context) => stop(context, nodes, options)),
    );
}

export function addRestartCommand({ program, act }: CommandLine): void {
  program
    .command("restart")
    .summary("stop nodes and start them again")
    .description("Stops nodes gracefully and starts them again with their data.")
    .argument("[nodes...]", SELECTOR_HELP)
    .addOption(graceOption())
    .option("--no-wait", "do not wait (at most --timeout) until they have caught up")
    .addHelpText("after", RESTART_EXAMPLES)
    .action((nodes: string[], options: StopOptions & { readonly wait: boolean }) =>
      act((context) => restart(context, nodes, options)),
    );
}
