import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../errors.ts";
import type { LocalCluster, LocalNodeState } from "../local-cluster/local-cluster.ts";
import { requireLocalCluster } from "../target.ts";
import { requireSelectors, SELECTOR_HELP } from "./lifecycle.ts";
import { selectLocal } from "./stop.ts";

const PAUSE_EXAMPLES = `
Examples:
  quorate pause leader       connected, but silent: the others elect a new leader
  quorate pause n2

Undo: quorate resume
`;

const RESUME_EXAMPLES = `
Examples:
  quorate resume             every paused node
  quorate resume n2
`;

interface PauseAction {
  readonly signal: "SIGSTOP" | "SIGCONT";
  readonly from: LocalNodeState;
  readonly done: string;
  readonly kind: string;
}

const PAUSE: PauseAction = {
  signal: "SIGSTOP",
  from: "running",
  done: "Paused",
  kind: "PauseResult",
};
const RESUME: PauseAction = {
  signal: "SIGCONT",
  from: "paused",
  done: "Resumed",
  kind: "ResumeResult",
};

/** Signals one node; returns its name if that changed anything. */
function signalOne(
  context: CommandContext,
  cluster: LocalCluster,
  id: string,
  action: PauseAction,
): string[] {
  const { state, pid } = cluster.node(id);
  if (state !== action.from) {
    const remedy = state === "down" ? [`quorate start ${id}`] : [];
    if (state === "down") throw new CommandError("failed", `${id} is down`, { try: remedy });
    context.printer.line(`${id} is ${state} already.`);
    return [];
  }
  if (cluster.signal(id, action.signal) === null) {
    throw new CommandError("failed", `${id} ended just now`, { try: [`quorate start ${id}`] });
  }
  const undo = action.signal === "SIGSTOP" ? `   Undo: quorate resume ${id}` : "";
  context.printer.line(`${action.done} ${id} (pid ${pid ?? "-"}, ${action.signal}).${undo}`);
  return [id];
}

async function changePause(
  context: CommandContext,
  selectors: readonly string[],
  action: PauseAction,
): Promise<void> {
  if (process.platform === "win32") {
    throw new CommandError("failed", "processes cannot be paused on Windows");
  }
  const cluster = requireLocalCluster(context);
  const ids = await selectLocal(context, cluster, selectors, [action.from]);
  if (ids.length === 0) context.printer.line(`No node is ${action.from}.`);
  const changed = ids.flatMap((id) => signalOne(context, cluster, id, action));
  context.printer.document(action.kind, { nodes: changed });
}

export function addPauseCommand({ program, act }: CommandLine): void {
  program
    .command("pause")
    .summary("freeze nodes of a local cluster (SIGSTOP)")
    .description("Freezes processes: they keep their connections and answer nothing.")
    .argument("[nodes...]", SELECTOR_HELP)
    .addHelpText("after", PAUSE_EXAMPLES)
    .action((nodes: string[]) =>
      act((context) => {
        requireSelectors(nodes, "pause");
        return changePause(context, nodes, PAUSE);
      }),
    );
}

export function addResumeCommand({ program, act }: CommandLine): void {
  program
    .command("resume")
    .alias("unpause")
    .summary("let paused nodes go on (SIGCONT)")
    .description("Lets paused processes go on, all of them if none is named.")
    .argument("[nodes...]", "name of a paused node, random or all; several allowed")
    .addHelpText("after", RESUME_EXAMPLES)
    .action((nodes: string[]) =>
      act((context) => changePause(context, nodes.length === 0 ? ["all"] : nodes, RESUME)),
    );
}
