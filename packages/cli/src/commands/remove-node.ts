import type { NodeId } from "@quorate/wire";

import type { ClusterReport } from "../cluster-report.ts";
import { reportCluster } from "../cluster-report.ts";
import { describeMargin } from "../cluster-wording.ts";
import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandLine } from "../command-line.ts";
import { confirm } from "../confirm.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import type { LocalCluster } from "../local-cluster/local-cluster.ts";
import { isOut, leaderStatus } from "../member-progress.ts";
import { observeCluster } from "../observe.ts";
import { reportFields } from "../output/status-table.ts";
import { requireLocalCluster } from "../target.ts";
import { graceOption, lock, requireSelectors, SELECTOR_HELP, targetOf } from "./lifecycle.ts";
import { PLAIN_CHANGE, requestChange } from "./member-request.ts";
import { selectLocal } from "./stop.ts";

const EXAMPLES = `
Examples:
  quorate remove-node n4
  quorate remove-node leader       the others elect another one
  quorate remove-node n4 --purge   delete its data and logs too

The members let go of the node first, then its process is stopped. Its name is never used again.
`;

const GRACE_DEFAULT_MS = 5_000;
const OUT_WAIT_MS = 30_000;

export interface RemoveNodeOptions {
  readonly force: boolean;
  readonly purge: boolean;
  readonly yes: boolean;
  readonly grace: number;
}

export const KEEP_DATA: RemoveNodeOptions = {
  force: false,
  purge: false,
  yes: true,
  grace: GRACE_DEFAULT_MS,
};

/** What the leader says now; asked anew, because a stream may be behind by a moment. */
async function askReport(cluster: LocalCluster): Promise<ClusterReport> {
  return reportCluster(await observeCluster(targetOf(cluster)));
}

/** Waits until a leader other than the node has committed that it is no member. */
async function waitUntilOut(
  context: CommandContext,
  cluster: LocalCluster,
  id: NodeId,
): Promise<ClusterReport> {
  const began = performance.now();
  const watch = new ClusterWatch(targetOf(cluster));
  try {
    const look = (report: ClusterReport): ClusterReport | null =>
      isOut(report, id) ? report : null;
    const report = await watch.until(look, OUT_WAIT_MS, null);
    if (report === null) {
      const waited = formatDuration(OUT_WAIT_MS);
      throw new CommandError("checkFailed", `${id} is still a member after ${waited}`, {
        why: [describeMargin(watch.report())],
        try: ["quorate member list", `quorate remove-node ${id}`],
      });
    }
    const { printer } = context;
    const took = formatDuration(performance.now() - began);
    printer.line(`${printer.paint("good", "✓")} ${id} is no member any more (after ${took}).`);
    return report;
  } finally {
    await watch.close();
  }
}

/** Has the members let go of the node; at once where they do not know it. */
async function leave(
  context: CommandContext,
  cluster: LocalCluster,
  id: NodeId,
  force: boolean,
): Promise<void> {
  const status = leaderStatus(await askReport(cluster));
  if (status !== null && !status.members.some((member) => member.id === id)) {
    context.printer.line(`${id} is no member: only its process is left.`);
    return;
  }
  const flags = { ...PLAIN_CHANGE, force };
  await requestChange(context, targetOf(cluster), { kind: "remove", id }, flags);
  await waitUntilOut(context, cluster, id);
}

/**
 * Takes a node out of the cluster and stops it. The caller holds the cluster's lock. Its data
 * stays on the disk unless `purge` is set.
 */
export async function shrinkByOne(
  context: CommandContext,
  cluster: LocalCluster,
  id: NodeId,
  options: RemoveNodeOptions,
): Promise<void> {
  await leave(context, cluster, id, options.force);
  const { pid, dataDirectory } = cluster.node(id);
  const ending = await cluster.stop(id, options.grace, "quorate remove-node");
  cluster.removeNode(id, { wasMember: true, purge: options.purge });
  const words = { stopped: "Stopped", killed: "Did not stop in time, so killed" } as const;
  const stopped = ending === null ? "" : `${words[ending]} ${id} (pid ${pid ?? "-"}). `;
  const data = options.purge ? "Its data is deleted." : `Its data is kept in ${dataDirectory}`;
  context.printer.line(`${stopped}${data}`);
}

async function removeNode(
  context: CommandContext,
  selector: string,
  options: RemoveNodeOptions,
): Promise<void> {
  requireSelectors([selector], "remove-node");
  const cluster = requireLocalCluster(context);
  if (options.purge) {
    await confirm(context, `Delete the data of ${selector}?`, options.yes);
  }
  const held = await lock(context, cluster.name, null);
  try {
    cluster.reload();
    const ids = await selectLocal(context, cluster, [selector], ["running", "paused", "down"]);
    const [id] = ids;
    if (id === undefined || ids.length > 1) throw oneAtATime(ids);
    await shrinkByOne(context, cluster, id, options);
    const report = await askReport(cluster);
    context.printer.line(`${describeMargin(report)}.`);
    context.printer.document("RemoveNodeResult", {
      id,
      purged: options.purge,
      status: reportFields(report),
    });
  } finally {
    held.release();
  }
}

function oneAtATime(ids: readonly NodeId[]): CommandError {
  return new CommandError("usage", `remove-node: ${ids.length} nodes are meant, and one can go`, {
    why: ["members leave one after the other, so that each majority overlaps with the next"],
    try: ids.slice(0, 1).map((id) => `quorate remove-node ${id}`),
  });
}

export function addRemoveNodeCommand({ program, act }: CommandLine): void {
  program
    .command("remove-node")
    .summary("take a node out of the cluster and stop it")
    .description("Takes a node out of the cluster, the leader too, and stops its process.")
    .argument("<node>", SELECTOR_HELP.replace(", random or all; several allowed", " or random"))
    .option("--force", "even where too few of the nodes that stay answer", false)
    .option("--purge", "delete its data and logs too", false)
    .option("-y, --yes", "do not ask before deleting", false)
    .addOption(graceOption())
    .addHelpText("after", EXAMPLES)
    .action((node: string, options: RemoveNodeOptions) =>
      act((context) => removeNode(context, node, options)),
    );
}
