import type { ClusterReport } from "../cluster-report.ts";
import { haveCaughtUp } from "../cluster-report.ts";
import { describeMargin } from "../cluster-wording.ts";
import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandLine } from "../command-line.ts";
import { durationArgument, wholeNumberArgument } from "../command-line.ts";
import { confirm } from "../confirm.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import type { RequestedShape } from "../local-cluster/create.ts";
import { checkShape, createCluster } from "../local-cluster/create.ts";
import type { LaunchedNode } from "../local-cluster/launch.ts";
import { launchNodes, rollBack } from "../local-cluster/launch.ts";
import { LocalCluster } from "../local-cluster/local-cluster.ts";
import { reportFields } from "../output/status-table.ts";
import { processFields, startedTable } from "../output/nodes-table.ts";
import { lock, READY_TIMEOUT_MS, targetOf } from "./lifecycle.ts";
import { stopAll } from "./down.ts";

const EXAMPLES = `
Examples:
  quorate up                                  three nodes on 127.0.0.1:7001 to 7003
  quorate up -n 5 --name five --base-port 7101
  quorate up --fresh -y                       delete the data of the last time and begin anew

The nodes go on when this command and its terminal are gone: quorate down stops them.
Repeated, it starts what is down, and says so when nothing is. Exit code 9: a port is taken, or the
cluster exists in another shape.
`;

const CLUSTER_NAME_DEFAULT = "demo";
const NODES_MAX = 99;
const WAIT_DEFAULT_MS = 20_000;
const STOP_GRACE_MS = 5_000;

interface UpOptions {
  readonly nodes?: number;
  readonly basePort?: number;
  readonly dir?: string;
  readonly fresh: boolean;
  readonly yes: boolean;
  /** False: `--no-wait`. True: neither flag. */
  readonly wait: number | boolean;
}

/** A cluster on its way up, and what has to be undone if it does not get there. */
interface Ascent {
  readonly cluster: LocalCluster;
  readonly isNew: boolean;
  readonly began: number;
  readonly launched: readonly LaunchedNode[];
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

async function removeOld(context: CommandContext, name: string): Promise<void> {
  const old = LocalCluster.open(context.stateRoot, name);
  if (old === null) return;
  await stopAll(old, STOP_GRACE_MS, "quorate up --fresh");
  old.delete();
  context.printer.line(`Deleted the data of cluster "${name}".`);
}

async function openOrCreate(
  context: CommandContext,
  name: string,
  shape: RequestedShape,
): Promise<{ cluster: LocalCluster; isNew: boolean }> {
  const existing = LocalCluster.open(context.stateRoot, name);
  if (existing !== null) {
    checkShape(existing, shape);
    return { cluster: existing, isNew: false };
  }
  return { cluster: await createCluster(context.stateRoot, name, shape), isNew: true };
}

async function launch(
  context: CommandContext,
  opened: { readonly cluster: LocalCluster; readonly isNew: boolean },
  signal: AbortSignal,
): Promise<LaunchedNode[]> {
  const { cluster, isNew } = opened;
  const down = cluster.nodes().filter((node) => node.state === "down");
  if (down.length === 0) return [];
  const verb = isNew ? "Starting" : "Starting what is down of";
  context.printer.line(`${verb} cluster "${cluster.name}" in ${cluster.file.directory}`);
  try {
    const launched = await launchNodes(
      cluster,
      down.map(({ id }) => id),
      { readyTimeoutMs: READY_TIMEOUT_MS, signal, reason: "quorate up" },
    );
    if (!cluster.file.bootstrapped) cluster.noteBootstrapped();
    const check = context.printer.paint("good", "✓");
    context.printer.line(launched.map(({ id, run }) => `${check} ${id} pid ${run.pid}`).join("  "));
    return launched;
  } catch (error) {
    // The log of a node that could not start is kept: it says why.
    if (isNew && signal.aborted) cluster.delete();
    throw error;
  }
}

function hasSettled(report: ClusterReport): boolean {
  const running = report.nodes.filter((node) => node.localState === "running");
  return haveCaughtUp(
    report,
    running.map(({ id }) => id),
  );
}

/** Waits until a leader leads and every running node has caught up. */
async function waitForLeader(ascent: Ascent): Promise<ClusterReport> {
  const watch = new ClusterWatch(targetOf(ascent.cluster));
  const look = (report: ClusterReport): ClusterReport | null =>
    hasSettled(report) ? report : null;
  try {
    const settled = await watch.until(look, ascent.waitMs, ascent.signal);
    if (settled !== null) return settled;
    throw new CommandError("checkFailed", "the nodes run, but no leader was elected in time", {
      why: [describeMargin(watch.report()), `waited ${formatDuration(ascent.waitMs)}`],
      try: ["quorate status", "quorate logs", "quorate resume all"],
    });
  } finally {
    await watch.close();
  }
}

function printRunning(context: CommandContext, ascent: Ascent, report: ClusterReport | null): void {
  const { printer } = context;
  const { cluster, launched, began } = ascent;
  const nodes = cluster.nodes();
  if (launched.length === 0) printer.line(`Cluster "${cluster.name}" already runs.`);
  if (report?.leader !== null && report !== null) {
    const took = formatDuration(performance.now() - began);
    const since = launched.length === 0 ? "" : ` after ${took}`;
    const led = `${report.leader.id} leads term ${report.leader.term ?? "-"}${since}`;
    printer.line(`${printer.paint("good", "✓")} ${led}. ${describeMargin(report)}.`);
  }
  for (const node of nodes.filter((candidate) => candidate.state === "paused")) {
    printer.line(
      `${printer.paint("warning", "!")} ${node.id} is paused: quorate resume ${node.id}`,
    );
  }
  printer.table(startedTable(nodes, report?.nodes ?? []), "readable");
  const named = context.options.clusterName === null ? "" : ` --name ${cluster.name}`;
  const next = ["put hello world", "get hello", "kill leader --wait", "dash", "down"];
  // From a clone the command is reached through npx: what is printed is there to be copied.
  const npmEvent = context.environment["npm_lifecycle_event"] ?? "";
  const command = ["start", "npx"].includes(npmEvent) ? "npx quorate" : "quorate";
  printer.line(`Next:  ${next.map((words) => `${command} ${words}${named}`).join("  ·  ")}`);
  printer.document("UpResult", {
    name: cluster.name,
    directory: cluster.file.directory,
    alreadyRunning: launched.length === 0,
    started: launched.map(({ id }) => id),
    processes: nodes.map(processFields),
    status: report === null ? null : reportFields(report),
  });
}

async function ascend(
  context: CommandContext,
  opened: { readonly cluster: LocalCluster; readonly isNew: boolean },
  options: UpOptions,
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now();
  const launched = await launch(context, opened, signal);
  const waitMs = typeof options.wait === "number" ? options.wait : WAIT_DEFAULT_MS;
  const ascent: Ascent = { ...opened, began, launched, waitMs, signal };
  try {
    const report = options.wait === false ? null : await waitForLeader(ascent);
    printRunning(context, ascent, report);
  } catch (error) {
    if (!signal.aborted) throw error;
    const started = launched.filter((node) => !node.adopted).map(({ id }) => id);
    await rollBack(opened.cluster, started, "quorate up");
    if (opened.isNew) opened.cluster.delete();
    throw error;
  }
}

async function up(context: CommandContext, options: UpOptions): Promise<void> {
  const name = context.options.clusterName ?? CLUSTER_NAME_DEFAULT;
  const shape: RequestedShape = {
    nodeCount: options.nodes ?? null,
    basePort: options.basePort ?? null,
    directory: options.dir ?? null,
  };
  if (options.fresh && LocalCluster.open(context.stateRoot, name) !== null) {
    await confirm(context, `Delete all data of cluster "${name}"?`, options.yes);
  }
  const signal = context.interrupts.claim();
  const held = await lock(context, name, signal);
  try {
    if (options.fresh) await removeOld(context, name);
    await ascend(context, await openOrCreate(context, name, shape), options, signal);
  } finally {
    held.release();
  }
}

export function addUpCommand({ program, act }: CommandLine): void {
  program
    .command("up")
    .summary("start a cluster on this machine")
    .description("Starts a cluster of processes on this machine and waits for its leader.")
    .option(
      "-n, --nodes <count>",
      "how many nodes (default: 3)",
      wholeNumberArgument("-n", 1, NODES_MAX),
    )
    .option(
      "--base-port <port>",
      "port of the first node; the others follow (default: 7001)",
      wholeNumberArgument("--base-port", 1, 65_535),
    )
    .option("--dir <folder>", "where logs and data go (default: the user's state folder)")
    .option("--fresh", "delete the data of the cluster first", false)
    .option("-y, --yes", "do not ask before deleting", false)
    .option("--wait [duration]", "how long to wait for the leader (default: 20s)", durationArgument)
    .option("--no-wait", "return as soon as the processes answer")
    .addHelpText("after", EXAMPLES)
    .action((options: UpOptions) => act((context) => up(context, options)));
}
