import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { LocalCluster } from "../local-cluster/local-cluster.ts";
import { listClusterNames } from "../local-cluster/state-directory.ts";
import { processFields, processTable } from "../output/nodes-table.ts";
import { findLocalCluster } from "../target.ts";

const EXAMPLES = `
Examples:
  quorate ps         processes of the local cluster
  quorate ps -a      of every local cluster, running or not
`;

interface PsOptions {
  readonly all: boolean;
}

function clustersToShow(context: CommandContext, options: PsOptions): LocalCluster[] {
  if (options.all) {
    return listClusterNames(context.stateRoot)
      .map((name) => LocalCluster.open(context.stateRoot, name))
      .filter((cluster) => cluster !== null);
  }
  const cluster = findLocalCluster(context);
  return cluster === null ? [] : [cluster];
}

function ps(context: CommandContext, options: PsOptions): void {
  const { printer } = context;
  const clusters = clustersToShow(context, options);
  if (clusters.length === 0) printer.note("There is no local cluster. Start one: quorate up");
  else printer.table(processTable(clusters, printer.paint, Date.now()));
  printer.document("ProcessList", {
    clusters: clusters.map((cluster) => ({
      name: cluster.name,
      clusterId: cluster.file.clusterId,
      directory: cluster.file.directory,
      nodes: cluster.nodes().map(processFields),
    })),
  });
}

export function addPsCommand({ program, act }: CommandLine): void {
  program
    .command("ps")
    .summary("processes of local clusters")
    .description("Lists the processes of a local cluster: state, pid, address, data.")
    .option("-a, --all", "every local cluster", false)
    .addHelpText("after", EXAMPLES)
    .action((options: PsOptions) => act((context) => ps(context, options)));
}
