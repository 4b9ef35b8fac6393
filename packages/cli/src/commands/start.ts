import type { NodeId } from "@quorate/wire";

import type { ClusterReport } from "../cluster-report.ts";
import { describeMargin } from "../cluster-wording.ts";
import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../errors.ts";
import type { LaunchedNode } from "../local-cluster/launch.ts";
import { launchNodes } from "../local-cluster/launch.ts";
import type { LocalCluster, LocalNodeReport } from "../local-cluster/local-cluster.ts";
import { selectNodes } from "../node-selector.ts";
import { processFields } from "../output/nodes-table.ts";
import { reportFields } from "../output/status-table.ts";
import { requireLocalCluster } from "../target.ts";
import { lock, READY_TIMEOUT_MS, reportCatchUp, targetOf } from "./lifecycle.ts";

const EXAMPLES = `
Examples:
  quorate start            every node that is down
  quorate start n2
  quorate start all --no-wait

A node comes back with its data and its port, and is sent what it missed.
A paused node is not down: quorate resume.
`;

interface StartOptions {
  readonly wait: boolean;
}

function nodesToStart(cluster: LocalCluster, selectors: readonly string[]): NodeId[] {
  const nodes = cluster.nodes().map(({ id, state }) => ({ id, state, role: null }));
  const wanted = selectors.length === 0 ? ["all"] : selectors;
  const role = wanted.find((selector) => selector === "leader" || selector === "follower");
  if (role !== undefined) {
    throw new CommandError("usage", `start ${role}: a node that is down has no role`, {
      try: ["quorate start", "quorate ps"],
    });
  }
  return selectNodes({
    selectors: wanted,
    nodes,
    states: ["down"],
    pick: (count) => Math.floor(Math.random() * count),
  });
}

function describeNotDown(node: LocalNodeReport): string {
  return node.state === "paused"
    ? `! ${node.id} is paused, not down: quorate resume ${node.id}`
    : `${node.id} already runs (pid ${node.pid ?? "-"}).`;
}

function printLaunched(
  context: CommandContext,
  cluster: LocalCluster,
  launched: readonly LaunchedNode[],
): void {
  const { printer } = context;
  for (const { id, run, adopted } of launched) {
    const how = adopted ? "was running without a note of it" : "answers";
    const { address } = cluster.node(id);
    printer.line(`${printer.paint("good", "✓")} ${id} ${how} on ${address} (pid ${run.pid})`);
  }
}

/** What is left to say of nodes that were named, or meant, and are not down. */
function printNotDown(
  context: CommandContext,
  cluster: LocalCluster,
  ids: readonly NodeId[],
): void {
  const others = cluster.nodes().filter((node) => node.state !== "down");
  const named = others.filter((node) => ids.includes(node.id));
  const paused = others.filter((node) => node.state === "paused" && !ids.includes(node.id));
  for (const node of [...named, ...paused]) context.printer.line(describeNotDown(node));
  if (named.length + paused.length === 0) context.printer.line("No node is down.");
}

async function waitForCatchUp(
  context: CommandContext,
  cluster: LocalCluster,
  ids: readonly NodeId[],
  signal: AbortSignal,
): Promise<ClusterReport | null> {
  const running = cluster.nodes().filter((node) => node.state === "running").length;
  if (running < Math.floor(cluster.file.nodes.length / 2) + 1) return null;
  const watch = new ClusterWatch(targetOf(cluster));
  try {
    return await reportCatchUp(context, watch, ids, signal);
  } finally {
    await watch.close();
  }
}

/** Starts nodes that are down, under the cluster's lock, and tells how they come back. */
export async function startNodes(
  context: CommandContext,
  cluster: LocalCluster,
  ids: readonly NodeId[],
  options: StartOptions,
): Promise<void> {
  const { printer } = context;
  const signal = context.interrupts.claim();
  const down = ids.filter((id) => cluster.node(id).state === "down");
  const launched = await launchNodes(cluster, down, {
    readyTimeoutMs: READY_TIMEOUT_MS,
    signal,
    reason: "quorate start",
  });
  printLaunched(context, cluster, launched);
  const report =
    options.wait && down.length > 0 ? await waitForCatchUp(context, cluster, down, signal) : null;
  if (report !== null) printer.line(`${describeMargin(report)}.`);
  printer.document("StartResult", {
    started: launched.map(({ id }) => id),
    processes: cluster.nodes().map(processFields),
    status: report === null ? null : reportFields(report),
  });
}

async function start(
  context: CommandContext,
  selectors: readonly string[],
  options: StartOptions,
): Promise<void> {
  const cluster = requireLocalCluster(context);
  const held = await lock(context, cluster.name, null);
  try {
    const ids = nodesToStart(cluster, selectors);
    const isNothingToDo = ids.every((id) => cluster.node(id).state !== "down");
    if (isNothingToDo) printNotDown(context, cluster, ids);
    await startNodes(context, cluster, ids, options);
  } finally {
    held.release();
  }
}

export function addStartCommand({ program, act }: CommandLine): void {
  program
    .command("start")
    .summary("start nodes of a local cluster that are down")
    .description("Starts nodes that are down, all of them if none is named.")
    .argument("[nodes...]", "name of a node, random or all; several allowed")
    .option("--no-wait", "do not wait (at most --timeout) until they have caught up")
    .addHelpText("after", EXAMPLES)
    .action((nodes: string[], options: StartOptions) =>
      act((context) => start(context, nodes, options)),
    );
}
