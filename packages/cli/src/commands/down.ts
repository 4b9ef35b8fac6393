import type { CommandLine } from "../command-line.ts";
import { confirm } from "../confirm.ts";
import type { CommandContext } from "../context.ts";
import type { LocalCluster } from "../local-cluster/local-cluster.ts";
import { findLocalCluster } from "../target.ts";
import { graceOption, lock } from "./lifecycle.ts";

const EXAMPLES = `
Examples:
  quorate down                 stop all nodes, keep their data: quorate up brings them back
  quorate down --purge -y      and delete data and logs
`;

interface DownOptions {
  readonly purge: boolean;
  readonly yes: boolean;
  readonly grace: number;
}

/** A node that was stopped, and whether it had to be killed. */
export interface StoppedNode {
  readonly id: string;
  readonly ending: "stopped" | "killed";
}

/** Stops every node side by side: SIGTERM, after `graceMs` SIGKILL. */
export async function stopAll(
  cluster: LocalCluster,
  graceMs: number,
  reason: string,
): Promise<StoppedNode[]> {
  const stopped = await Promise.all(
    cluster
      .nodes()
      .map(async ({ id }) => ({ id, ending: await cluster.stop(id, graceMs, reason) })),
  );
  return stopped.flatMap(({ id, ending }) => (ending === null ? [] : [{ id, ending }]));
}

function describeStopped(stopped: readonly StoppedNode[]): string {
  if (stopped.length === 0) return "No node was running.";
  const parts = stopped.map(({ id, ending }) => (ending === "killed" ? `${id} (killed)` : id));
  return `Stopped ${parts.join(", ")}.`;
}

async function down(context: CommandContext, options: DownOptions): Promise<void> {
  const { printer } = context;
  const cluster = findLocalCluster(context);
  if (cluster === null) {
    printer.line("There is no local cluster: nothing to stop.");
    printer.document("DownResult", { name: null, stopped: [], purged: false });
    return;
  }
  if (options.purge) {
    await confirm(context, `Delete all data of cluster "${cluster.name}"?`, options.yes);
  }
  const held = await lock(context, cluster.name, null);
  try {
    const stopped = await stopAll(cluster, options.grace, "quorate down");
    printer.line(describeStopped(stopped));
    if (options.purge) {
      cluster.delete();
      printer.line(`Deleted cluster "${cluster.name}" and its data.`);
    } else {
      printer.line(`The data is kept in ${cluster.file.directory}   Back again: quorate up`);
    }
    printer.document("DownResult", {
      name: cluster.name,
      stopped: stopped.map(({ id, ending }) => ({ id, ending })),
      purged: options.purge,
    });
  } finally {
    held.release();
  }
}

export function addDownCommand({ program, act }: CommandLine): void {
  program
    .command("down")
    .summary("stop a local cluster")
    .description("Stops every node of a local cluster. Its data stays, unless --purge is given.")
    .option("--purge", "delete data and logs too", false)
    .option("-y, --yes", "do not ask before deleting", false)
    .addOption(graceOption())
    .addHelpText("after", EXAMPLES)
    .action((options: DownOptions) => act((context) => down(context, options)));
}
