import { watch } from "node:fs";

import type { CommandLine } from "../command-line.ts";
import { wholeNumberArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import type { LocalCluster } from "../local-cluster/local-cluster.ts";
import { readLogFrom, readLogTail } from "../local-cluster/node-log.ts";
import { formatLogLine } from "../output/log-line.ts";
import { requireLocalCluster } from "../target.ts";
import { SELECTOR_HELP } from "./lifecycle.ts";
import { selectLocal } from "./stop.ts";

const EXAMPLES = `
Examples:
  quorate logs                 the newest lines of every node
  quorate logs n2 -n 1000
  quorate logs leader -f       and what comes, until Ctrl-C
  quorate logs n1 --raw | jq   the lines as the node wrote them: JSON
`;

interface LogsOptions {
  readonly follow: boolean;
  readonly lines: number;
  readonly raw: boolean;
}

interface NodeLog {
  readonly id: string;
  readonly path: string;
  offset: number;
}

function printLines(
  context: CommandContext,
  lines: readonly string[],
  prefix: string,
  isRaw: boolean,
): void {
  for (const line of lines) {
    context.printer.bytes(`${prefix}${isRaw ? line : formatLogLine(line)}\n`);
  }
}

function prefixOf(context: CommandContext, log: NodeLog, logs: readonly NodeLog[]): string {
  return logs.length === 1 ? "" : `${context.printer.paint("strong", log.id)} `;
}

/** Prints what is appended, until Ctrl-C: that is how following ends, so it is no failure. */
function follow(context: CommandContext, logs: readonly NodeLog[], isRaw: boolean): Promise<void> {
  const signal = context.interrupts.claim();
  const printNew = (log: NodeLog): void => {
    const read = readLogFrom(log.path, log.offset);
    log.offset = read.endOffset;
    printLines(context, read.lines, prefixOf(context, log, logs), isRaw);
  };
  return new Promise((resolve) => {
    const watchers = logs.map((log) => watch(log.path, () => printNew(log)));
    for (const log of logs) printNew(log);
    signal.addEventListener("abort", () => {
      for (const watcher of watchers) watcher.close();
      resolve();
    });
  });
}

function logOf(cluster: LocalCluster, id: string): NodeLog {
  return { id, path: cluster.node(id).logPath, offset: 0 };
}

async function printLogs(
  context: CommandContext,
  selectors: readonly string[],
  options: LogsOptions,
): Promise<void> {
  const cluster = requireLocalCluster(context);
  const wanted = selectors.length === 0 ? ["all"] : selectors;
  const states = ["running", "paused", "down"] as const;
  const ids = await selectLocal(context, cluster, wanted, states);
  const isRaw = options.raw || context.printer.format === "json";
  const shown = ids
    .map((id) => logOf(cluster, id))
    .filter((log) => cluster.node(log.id).run !== null);
  for (const log of shown) {
    const { lines, endOffset } = readLogTail(log.path, options.lines);
    log.offset = endOffset;
    printLines(context, lines, isRaw ? "" : prefixOf(context, log, shown), isRaw);
  }
  if (options.follow) await follow(context, shown, isRaw);
}

export function addLogsCommand({ program, act }: CommandLine): void {
  program
    .command("logs")
    .summary("print the logs of local nodes")
    .description("Prints the newest lines of the logs of nodes, all of them if none is named.")
    .argument("[nodes...]", SELECTOR_HELP)
    .option("-f, --follow", "go on with what is appended, until Ctrl-C", false)
    .option("-n, --lines <count>", "how many lines a node", wholeNumberArgument("-n", 0, 1e6), 100)
    .option("--raw", "the lines as the node wrote them", false)
    .addHelpText("after", EXAMPLES)
    .action((nodes: string[], options: LogsOptions) =>
      act((context) => printLogs(context, nodes, options)),
    );
}
