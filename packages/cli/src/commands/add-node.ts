import type { NodeId } from "@quorate/wire";

import type { ClusterReport } from "../cluster-report.ts";
import { reportCluster } from "../cluster-report.ts";
import { describeMargin } from "../cluster-wording.ts";
import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandLine } from "../command-line.ts";
import { durationArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import { addressOf } from "../local-cluster/cluster-file.ts";
import type { LocalNode } from "../local-cluster/cluster-file.ts";
import { newNode } from "../local-cluster/grow.ts";
import type { LaunchedNode } from "../local-cluster/launch.ts";
import { launchNodes } from "../local-cluster/launch.ts";
import type { LocalCluster } from "../local-cluster/local-cluster.ts";
import type { Admission } from "../member-progress.ts";
import { admissionOf } from "../member-progress.ts";
import { observeCluster } from "../observe.ts";
import { processFields } from "../output/nodes-table.ts";
import { reportFields } from "../output/status-table.ts";
import { requireLocalCluster } from "../target.ts";
import { lock, READY_TIMEOUT_MS, targetOf } from "./lifecycle.ts";
import { PLAIN_CHANGE, requestChange } from "./member-request.ts";

const EXAMPLES = `
Examples:
  quorate add-node             the next free name: n4, n5, …
  quorate add-node n7
  quorate add-node --learner   it follows and never votes, until: quorate member promote

The new node is sent everything while the others go on, and votes when it has caught up. A name
is used once, even after remove-node.
`;

const WAIT_DEFAULT_MS = 120_000;

interface AddNodeOptions {
  readonly learner: boolean;
  /** False: `--no-wait`. True: neither flag. */
  readonly wait: number | boolean;
}

export const ADD_AND_WAIT: AddNodeOptions = { learner: false, wait: true };

/** Undoes the start of a node that the cluster did not take: nobody knows of it. */
async function takeBack(cluster: LocalCluster, id: NodeId): Promise<void> {
  await cluster.kill(id, "quorate add-node (taken back)");
  cluster.removeNode(id, { wasMember: false, purge: true });
}

async function launchJoining(
  context: CommandContext,
  cluster: LocalCluster,
  node: LocalNode,
  signal: AbortSignal,
): Promise<LaunchedNode> {
  cluster.addNode(node);
  try {
    const options = { readyTimeoutMs: READY_TIMEOUT_MS, signal, reason: "quorate add-node" };
    const [launched] = await launchNodes(cluster, [node.id], options);
    if (launched === undefined) throw new Error(`${node.id} was not started`);
    const where = `${node.id} answers on ${addressOf(node)} (pid ${launched.run.pid})`;
    context.printer.line(`${context.printer.paint("good", "✓")} ${where}`);
    return launched;
  } catch (error) {
    await takeBack(cluster, node.id);
    throw error;
  }
}

/** Asks the members to take the node. Where they refuse it, it is as if it had never been. */
async function admit(
  context: CommandContext,
  cluster: LocalCluster,
  node: LocalNode,
  asLearner: boolean,
): Promise<void> {
  const change = { kind: "add", id: node.id, address: addressOf(node), asLearner } as const;
  try {
    await requestChange(context, targetOf(cluster), change, PLAIN_CHANGE);
  } catch (error) {
    const mayBeMember = error instanceof CommandError && error.code === "outcomeUnknown";
    if (!mayBeMember) await takeBack(cluster, node.id);
    throw error;
  }
}

function givenUp(id: NodeId, admission: Admission | null, waitedMs: number): CommandError {
  const isGivenUp = admission?.kind === "learner";
  const what = isGivenUp
    ? `${id} follows, but has no vote: it was too slow or silent for ten rounds`
    : `${id} has no vote after ${formatDuration(waitedMs)}`;
  const progress = admission?.kind === "staging" ? [admission.progress] : [];
  return new CommandError("checkFailed", what, {
    why: isGivenUp ? [] : [...progress, "it is made a voter as soon as it has caught up"],
    try: [...(isGivenUp ? [`quorate member promote ${id}`] : []), "quorate member list"],
  });
}

/** Waits until the new member votes, and tells each step of its catching up on a terminal. */
async function waitForVote(
  context: CommandContext,
  cluster: LocalCluster,
  id: NodeId,
  waitMs: number,
): Promise<ClusterReport> {
  const began = performance.now();
  const watch = new ClusterWatch(targetOf(cluster));
  let toldProgress = "";
  let wasStaging = false;
  const look = (report: ClusterReport): Admission | null => {
    const admission = admissionOf(report, id);
    if (admission === null) return null;
    if (admission.kind === "staging") {
      wasStaging = true;
      if (admission.progress !== toldProgress)
        context.printer.progress(`${id} ${admission.progress}`);
      toldProgress = admission.progress;
      return null;
    }
    // Before it was seen staging, its absence is the news of a leader that has not heard of it yet.
    return admission.kind === "voter" || wasStaging ? admission : null;
  };
  try {
    const admission = await watch.until(look, waitMs, null);
    const report = watch.report();
    if (admission?.kind !== "voter") throw givenUp(id, admissionOf(report, id), waitMs);
    const took = formatDuration(performance.now() - began);
    const { printer } = context;
    printer.line(
      `${printer.paint("good", "✓")} ${id} votes after ${took}. ${describeMargin(report)}.`,
    );
    return report;
  } finally {
    await watch.close();
  }
}

/**
 * Starts a new node, lets it join, and waits until it votes. The caller holds the cluster's lock.
 * Resolves with the node's name.
 */
export async function growByOne(
  context: CommandContext,
  cluster: LocalCluster,
  id: NodeId | null,
  options: AddNodeOptions,
): Promise<{ id: NodeId; report: ClusterReport }> {
  const signal = context.interrupts.claim();
  const node = await newNode(cluster, id);
  await launchJoining(context, cluster, node, signal);
  await admit(context, cluster, node, options.learner);
  const isAwaited = !options.learner && options.wait !== false;
  const waitMs = typeof options.wait === "number" ? options.wait : WAIT_DEFAULT_MS;
  if (isAwaited) {
    return { id: node.id, report: await waitForVote(context, cluster, node.id, waitMs) };
  }
  const how = options.learner ? "follows as a learner" : "catches up, and votes when it has";
  context.printer.line(`${context.printer.paint("good", "✓")} ${node.id} ${how}.`);
  return { id: node.id, report: reportCluster(await observeCluster(targetOf(cluster))) };
}

async function addNode(
  context: CommandContext,
  id: string | undefined,
  options: AddNodeOptions,
): Promise<void> {
  const cluster = requireLocalCluster(context);
  const held = await lock(context, cluster.name, null);
  try {
    cluster.reload();
    const grown = await growByOne(context, cluster, id ?? null, options);
    const undo = `Undo: quorate remove-node ${grown.id}`;
    context.printer.line(context.printer.paint("dim", undo));
    context.printer.document("AddNodeResult", {
      id: grown.id,
      process: processFields(cluster.node(grown.id)),
      status: reportFields(grown.report),
    });
  } finally {
    held.release();
  }
}

export function addAddNodeCommand({ program, act }: CommandLine): void {
  program
    .command("add-node")
    .summary("start one more node and let it join the cluster")
    .description("Starts a node on this machine, has it catch up, and makes it a voter.")
    .argument("[id]", "its name; default: the next one that was never used")
    .option("--learner", "it follows without a vote", false)
    .option("--wait [duration]", "how long to wait for its vote (default: 2m)", durationArgument)
    .option("--no-wait", "return as soon as it is a member")
    .addHelpText("after", EXAMPLES)
    .action((id: string | undefined, options: AddNodeOptions) =>
      act((context) => addNode(context, id, options)),
    );
}
