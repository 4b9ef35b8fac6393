import type { NodeReport } from "../cluster-report.ts";
import { reportCluster } from "../cluster-report.ts";
import { describeHealth, repairCommands } from "../cluster-wording.ts";
import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../errors.ts";
import type { NodeAddress } from "../line-cuts.ts";
import type { NodeHealth } from "../node-health.ts";
import { observeCluster } from "../observe.ts";
import type { AskedCluster } from "./line-request.ts";
import { failureOf, look, tell } from "./line-request.ts";

const HEAL_EXAMPLES = `
Examples:
  quorate heal

It fails where a node that may be cut off does not obey: it is silent, or out of reach. The lines
of a node that is down are well: cuts end with the process.
`;

/** Nobody is there who could have a cut. */
const ENDED: ReadonlySet<NodeHealth> = new Set(["down", "lost data"]);

/** What may be cut off: nodes that say so, and those that say nothing. */
function toHeal({ nodes, report }: AskedCluster): NodeAddress[] {
  return nodes.filter(({ id }) => {
    const node = report.nodes.find((other) => other.id === id);
    // A process that has ended took its cuts with it.
    if (node === undefined || ENDED.has(node.health)) return false;
    return node.answer.kind !== "answered" || node.answer.status.faults.length > 0;
  });
}

function reportsOf({ report }: AskedCluster, nodes: readonly NodeAddress[]): NodeReport[] {
  return report.nodes.filter(({ id }) => nodes.some((node) => node.id === id));
}

async function heal(context: CommandContext): Promise<void> {
  const asked = await look(context);
  const outcomes = await tell(asked, toHeal(asked), [], 0);
  const healed = outcomes.filter(({ error }) => error === null).map(({ id }) => id);
  // One that takes no cuts has none.
  const failed = outcomes.filter(
    ({ error }) => error !== null && error.code !== "faultsNotAllowed",
  );
  if (failed.length > 0) {
    const isOne = failed.length === 1;
    throw new CommandError(
      failureOf(outcomes),
      `${failed.map(({ id }) => id).join(", ")}: ${isOne ? "its" : "their"} lines may still be cut`,
      {
        why: [
          ...failed.slice(0, 2).map(({ id, error }) => `${id}: ${error?.message ?? ""}`),
          ...(healed.length === 0 ? [] : [`${healed.join(", ")} obeyed`]),
        ],
        try: [...new Set([...repairCommands(reportsOf(asked, failed)), "quorate heal"])],
      },
    );
  }
  const { printer } = context;
  const what =
    healed.length === 0 ? "No line was cut." : `Healed the lines of ${healed.join(", ")}.`;
  const report = reportCluster(await observeCluster(asked.target, context.options.timeoutMs));
  printer.line(`${what} ${describeHealth(report).text}`);
  printer.document("HealResult", { healed });
}

export function addHealCommand({ program, act }: CommandLine): void {
  program
    .command("heal")
    .summary("mend all lines that partition cut")
    .description("Mends every line between nodes that was cut.")
    .addHelpText("after", HEAL_EXAMPLES)
    .action(() => act((context) => heal(context)));
}
