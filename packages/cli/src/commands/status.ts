import type { CommandLine } from "../command-line.ts";
import { Option } from "commander";
import type { ClusterReport } from "../cluster-report.ts";
import { isSettled, reportCluster } from "../cluster-report.ts";
import { describeHealth, repairCommands } from "../cluster-wording.ts";
import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandContext, Target } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import { observeCluster } from "../observe.ts";
import { healthLine, reportFields, statusTable } from "../output/status-table.ts";
import { resolveTarget } from "../target.ts";

const EXAMPLES = `
Examples:
  quorate status
  quorate status --wait healthy --timeout 20s   until all members are up and level, or exit code 8
  quorate status --wait leader
  quorate status -o json | jq -r .leader

Works without a quorum and with any node that answers; exit code 4 if none does.
`;

type Awaited = "healthy" | "leader";

interface StatusOptions {
  readonly wait?: Awaited;
}

const CONDITIONS: Readonly<Record<Awaited, (report: ClusterReport) => boolean>> = {
  healthy: isSettled,
  leader: (report) => report.leader !== null && report.lossesSafe >= 0,
};

async function waitFor(context: CommandContext, target: Target, wait: Awaited): Promise<void> {
  const { timeoutMs } = context.options;
  const isMet = CONDITIONS[wait];
  const watch = new ClusterWatch(target);
  try {
    const met = await watch.until((report) => (isMet(report) ? report : null), timeoutMs, null);
    if (met !== null) return;
    const report = watch.report();
    printReport(context, report);
    throw new CommandError("checkFailed", `not ${wait} after ${formatDuration(timeoutMs)}`, {
      why: [describeHealth(report).text],
      try: [...repairCommands(report.nodes), "quorate status"],
    });
  } finally {
    await watch.close();
  }
}

function printReport(context: CommandContext, report: ClusterReport): void {
  const { printer } = context;
  printer.table(statusTable(report, printer.paint));
  if (printer.isTerminal || printer.format === "table") {
    printer.line(healthLine(report, printer.paint));
  } else if (printer.format === "simple") {
    printer.note(healthLine(report, printer.paintError));
  }
  printer.document("ClusterStatus", reportFields(report));
}

async function status(context: CommandContext, options: StatusOptions): Promise<void> {
  const target = resolveTarget(context);
  if (options.wait !== undefined) await waitFor(context, target, options.wait);
  const report = reportCluster(await observeCluster(target, context.options.timeoutMs));
  printReport(context, report);
  if (report.health !== "unreachable") return;
  throw new CommandError("unreachable", "no node answers", {
    why: [`endpoints: ${target.rule}`],
    try: [...repairCommands(report.nodes), "quorate ps -a"],
  });
}

export function addStatusCommand({ program, act }: CommandLine): void {
  program
    .command("status")
    .summary("who leads, who is up, how far each node is")
    .description("Asks every node and prints one row for each.")
    .addOption(
      new Option("--wait <condition>", "wait (at most --timeout) until it holds").choices([
        "healthy",
        "leader",
      ]),
    )
    .addHelpText("after", EXAMPLES)
    .action((options: StatusOptions) => act((context) => status(context, options)));
}
