import type { NodeId } from "@quorate/wire";

import type { CommandLine } from "../command-line.ts";
import { wholeNumberArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import type { LocalActionResult, LocalActions, LocalNode } from "../dash/index.ts";
import { CommandError } from "../errors.ts";
import { launchNodes } from "../local-cluster/launch.ts";
import { lockCluster } from "../local-cluster/cluster-lock.ts";
import type { LocalCluster, LocalNodeReport } from "../local-cluster/local-cluster.ts";
import { resolveTarget } from "../target.ts";
import { READY_TIMEOUT_MS } from "./lifecycle.ts";

const EXAMPLES = `
Examples:
  quorate dash                in the terminal, until q
  quorate dash --once         one picture of now, for a bug report
  quorate dash --read-only    no key changes anything

Leaving the dashboard leaves the nodes running.
`;

interface DashFlags {
  readonly once: boolean;
  readonly plain: boolean;
  readonly ascii: boolean;
  readonly readOnly: boolean;
  readonly fps: number;
}

const STOP_GRACE_MS = 5_000;
const REASON = "quorate dash";

function asLocalNode(node: LocalNodeReport): LocalNode {
  const state = node.state === "down" ? "stopped" : node.state;
  return { id: node.id, address: node.address, state, pid: node.pid };
}

/** Runs an action and turns its error into a refusal: the dashboard goes on. */
async function attempt(action: () => Promise<number | null>): Promise<LocalActionResult> {
  try {
    return { kind: "done", pid: await action() };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const why = [error.message, ...error.why].join("; ");
    return { kind: "refused", why, remedy: error.remedies[0] ?? null };
  }
}

function notRunning(id: NodeId): CommandError {
  return new CommandError("failed", `${id} is not running`, { try: [`quorate start ${id}`] });
}

async function withLock<T>(cluster: LocalCluster, work: () => Promise<T>): Promise<T> {
  const held = await lockCluster({
    stateRoot: cluster.stateRoot,
    clusterName: cluster.name,
    waitMs: READY_TIMEOUT_MS,
    signal: null,
    onWait: () => undefined,
  });
  try {
    return await work();
  } finally {
    held.release();
  }
}

async function launch(cluster: LocalCluster, id: NodeId): Promise<number | null> {
  const options = { readyTimeoutMs: READY_TIMEOUT_MS, signal: null, reason: REASON };
  await launchNodes(cluster, [id], options);
  return cluster.node(id).pid;
}

function signalled(cluster: LocalCluster, id: NodeId, signal: "SIGSTOP" | "SIGCONT"): number {
  const noted = cluster.signal(id, signal);
  if (noted === null) throw notRunning(id);
  return noted.pid;
}

/** What the dashboard's keys do to the processes of a local cluster. */
function localActionsOf(cluster: LocalCluster): LocalActions {
  return {
    list: () => Promise.resolve(cluster.nodes().map(asLocalNode)),
    kill: (id) =>
      attempt(async () => {
        const noted = await cluster.kill(id, REASON);
        if (noted === null) throw notRunning(id);
        return noted.pid;
      }),
    start: (id) => attempt(() => withLock(cluster, () => launch(cluster, id))),
    restart: (id) =>
      attempt(() =>
        withLock(cluster, async () => {
          await cluster.stop(id, STOP_GRACE_MS, REASON);
          return await launch(cluster, id);
        }),
      ),
    pause: (id) => attempt(() => Promise.resolve(signalled(cluster, id, "SIGSTOP"))),
    resume: (id) => attempt(() => Promise.resolve(signalled(cluster, id, "SIGCONT"))),
  };
}

async function dash(context: CommandContext, flags: DashFlags): Promise<number> {
  if (context.printer.format === "json") {
    throw new CommandError("usage", "dash draws for people: it has no JSON", {
      try: ["quorate status -o json"],
    });
  }
  const target = resolveTarget(context);
  const { cluster } = target;
  const addresses = cluster?.nodes().map((node) => node.address);
  context.interrupts.leaveToCommand();
  // Ink takes a quarter of a second to load: no other command pays for it.
  const { runDash } = await import("../dash/index.ts");
  return runDash({
    ...flags,
    endpoints: addresses ?? target.endpoints,
    clusterName: cluster === null ? target.endpoints.join(",") : cluster.name,
    localActions: cluster === null ? null : localActionsOf(cluster),
    stopCommand: cluster === null ? null : "quorate down",
    noColor: !context.options.color || (context.environment["NO_COLOR"] ?? "") !== "",
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: context.environment,
  });
}

export function addDashCommand({ program, act }: CommandLine): void {
  program
    .command("dash")
    .alias("top")
    .summary("watch the cluster live in the terminal")
    .description("Shows roles, terms, logs and events live; keys kill, restart and pause nodes.")
    .option("--once", "print one frame and end", false)
    .option("--plain", "lines of text instead of a screen", false)
    .option("--ascii", "only ASCII characters", false)
    .option("--read-only", "no key changes anything", false)
    .option("--fps <count>", "frames a second", wholeNumberArgument("--fps", 1, 30), 10)
    .addHelpText("after", EXAMPLES)
    .action((flags: DashFlags) => act((context) => dash(context, flags)));
}
