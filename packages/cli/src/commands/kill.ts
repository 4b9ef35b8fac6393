import { constants } from "node:os";

import type { NodeId, Term } from "@quorate/wire";

import type { ClusterReport, NodeReport } from "../cluster-report.ts";
import { describeMargin, describeMissing } from "../cluster-wording.ts";
import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import type { LocalCluster } from "../local-cluster/local-cluster.ts";
import type { NotedProcess } from "../local-cluster/process-identity.ts";
import type { JsonValue } from "../output/json.ts";
import { jsonCount } from "../output/json.ts";
import { requireLocalCluster } from "../target.ts";
import { requireSelectors, resolveNodes, SELECTOR_HELP, targetOf } from "./lifecycle.ts";

const EXAMPLES = `
Examples:
  quorate kill leader --wait     and tell how long the cluster was without a leader
  quorate kill n2 n3
  quorate kill all
  quorate kill n1 -s TERM        only send another signal

Undo: quorate start
`;

interface KillOptions {
  readonly signal: NodeJS.Signals;
  readonly wait: boolean;
}

/** A process that was signalled, with what it was just before. */
interface Killed {
  readonly id: NodeId;
  readonly noted: NotedProcess;
  readonly before: NodeReport | null;
}

interface Kill {
  readonly context: CommandContext;
  readonly cluster: LocalCluster;
  readonly watch: ClusterWatch;
  readonly signal: NodeJS.Signals;
}

function signalArgument(text: string): NodeJS.Signals {
  const name = `SIG${text.toUpperCase().replace(/^SIG/u, "")}`;
  if (Object.hasOwn(constants.signals, name)) return name as NodeJS.Signals;
  throw new CommandError("usage", `"${text}" is not a signal`, { try: ["-s KILL", "-s TERM"] });
}

function describeKilled({ id, noted, before }: Killed, signal: NodeJS.Signals): string {
  const role = before?.role === null || before === null ? "" : `${before.role} `;
  const term = before?.term === null || before === null ? "" : `of term ${before.term}, `;
  const verb = signal === "SIGKILL" ? "Killed" : "Signalled";
  return `${verb} ${id} (${role}${term}pid ${noted.pid}, ${signal}).`;
}

function notRunning(id: NodeId): CommandError {
  return new CommandError("failed", `${id} is not running: nothing was signalled`, {
    try: [`quorate start ${id}`, "quorate ps"],
  });
}

/** All or none: nothing is signalled where one of the nodes is not running. */
function signalNodes(kill: Kill, ids: readonly NodeId[], before: ClusterReport): Killed[] {
  const down = ids.find((id) => kill.cluster.node(id).state === "down");
  if (down !== undefined) throw notRunning(down);
  return ids.map((id) => {
    const noted = kill.cluster.signal(id, kill.signal);
    if (noted === null) throw notRunning(id);
    return { id, noted, before: before.nodes.find((node) => node.id === id) ?? null };
  });
}

async function noteKilled(kill: Kill, killed: readonly Killed[]): Promise<void> {
  if (kill.signal !== "SIGKILL") return;
  await Promise.all(
    killed.map(async ({ id, noted }) => {
      await kill.cluster.waitUntilGone(noted, kill.context.options.timeoutMs);
      kill.cluster.noteExit(id, noted, "SIGKILL by quorate kill");
    }),
  );
}

/** The leader after the kill: a new one, or the old one where it was not among the killed. */
function findSuccessor(
  report: ClusterReport,
  killed: readonly NodeId[],
  oldTerm: Term | null,
): NodeReport | null {
  const { leader } = report;
  if (leader === null || killed.includes(leader.id)) return null;
  return oldTerm === null || (leader.term ?? 0) > oldTerm ? leader : null;
}

interface Failover {
  readonly leader: NodeReport;
  readonly report: ClusterReport;
  readonly tookMs: number;
  readonly isNewLeader: boolean;
}

async function awaitFailover(
  kill: Kill,
  killed: readonly Killed[],
  signalledAt: number,
): Promise<Failover> {
  const { timeoutMs } = kill.context.options;
  const ids = killed.map(({ id }) => id);
  const oldLeader = killed.find(({ before }) => before?.role === "leader")?.before ?? null;
  const nodes = kill.cluster.nodes();
  const left = nodes.filter((node) => node.state === "running").length;
  if (left <= nodes.length / 2) throw noQuorum(kill.watch.report());
  const found = await kill.watch.until(
    (report) => {
      const leader = findSuccessor(report, ids, oldLeader?.term ?? null);
      const tookMs = performance.now() - signalledAt;
      return leader === null ? null : { leader, report, tookMs, isNewLeader: oldLeader !== null };
    },
    timeoutMs,
    null,
  );
  if (found !== null) return found;
  throw new CommandError("checkFailed", `no new leader after ${formatDuration(timeoutMs)}`, {
    why: [describeMargin(kill.watch.report())],
    try: ["quorate status", "quorate start"],
  });
}

function noQuorum(report: ClusterReport): CommandError {
  const missing = describeMissing(report.nodes);
  return new CommandError("checkFailed", `no leader can be elected: ${describeMargin(report)}`, {
    why: missing === null ? [] : [missing],
    try: ["quorate start"],
  });
}

function printFailover(kill: Kill, failover: Failover, ids: readonly NodeId[]): void {
  const { printer } = kill.context;
  const { leader, report, tookMs, isNewLeader } = failover;
  const led = isNewLeader
    ? `${leader.id} leads term ${leader.term ?? "-"} after ${formatDuration(tookMs)}`
    : `${leader.id} still leads term ${leader.term ?? "-"}`;
  const undo = printer.paint("dim", `Undo: quorate start ${ids.join(" ")}`);
  printer.line(`${printer.paint("good", "✓")} ${led}. ${describeMargin(report)}.   ${undo}`);
}

function killFields(
  killed: readonly Killed[],
  signal: NodeJS.Signals,
  failover: Failover | null,
): Record<string, JsonValue> {
  return {
    signal,
    killed: killed.map(({ id, noted, before }) => ({
      id,
      pid: noted.pid,
      role: before?.role ?? null,
      term: jsonCount(before?.term ?? null),
    })),
    leader: failover?.leader.id ?? null,
    term: jsonCount(failover?.leader.term ?? null),
    failoverUs: failover?.isNewLeader === true ? Math.round(failover.tookMs * 1_000) : null,
    up: failover?.report.up ?? null,
    lossesSafe: failover?.report.lossesSafe ?? null,
  };
}

const WARM_UP_MS = 500;

/**
 * Resolves when every running node has told its state: what is killed is then known, and the
 * streams that tell of the next leader are open before the kill.
 */
async function warmUp(watch: ClusterWatch): Promise<void> {
  const isKnown = (report: ClusterReport): true | null =>
    report.nodes.every((node) => node.localState !== "running" || node.role !== null) ? true : null;
  await watch.until(isKnown, WARM_UP_MS, null);
}

async function signalAndReport(
  kill: Kill,
  selectors: readonly string[],
  wait: boolean,
): Promise<void> {
  const { context, cluster, watch, signal } = kill;
  const ids = await resolveNodes(context, {
    cluster,
    selectors,
    states: ["running", "paused"],
    watch,
  });
  if (ids.length === 0)
    throw new CommandError("failed", "no node is running", { try: ["quorate start"] });
  await warmUp(watch);
  const before = watch.report();
  const signalledAt = performance.now();
  const killed = signalNodes(kill, ids, before);
  for (const one of killed) context.printer.line(describeKilled(one, signal));
  await noteKilled(kill, killed);
  const failover = wait ? await awaitFailover(kill, killed, signalledAt) : null;
  if (failover !== null) printFailover(kill, failover, ids);
  context.printer.document("KillResult", killFields(killed, signal, failover));
}

async function killNodes(
  context: CommandContext,
  selectors: readonly string[],
  options: KillOptions,
): Promise<void> {
  requireSelectors(selectors, "kill");
  const cluster = requireLocalCluster(context);
  const watch = new ClusterWatch(targetOf(cluster));
  try {
    const work: Kill = { context, cluster, watch, signal: options.signal };
    await signalAndReport(work, selectors, options.wait);
  } finally {
    await watch.close();
  }
}

export function addKillCommand({ program, act }: CommandLine): void {
  program
    .command("kill")
    .summary("SIGKILL nodes of a local cluster")
    .description(
      "Ends processes at once, as a power cut would: nothing is flushed, nobody is told.",
    )
    .argument("[nodes...]", SELECTOR_HELP)
    .option("-s, --signal <name>", "another signal", signalArgument, "SIGKILL" as NodeJS.Signals)
    .option("--wait", "wait (at most --timeout) for the next leader, and tell the time", false)
    .addHelpText("after", EXAMPLES)
    .action((nodes: string[], options: KillOptions) =>
      act((context) => killNodes(context, nodes, options)),
    );
}
