import { QuorateClient } from "@quorate/wire/client";

import type { ClusterReport } from "../cluster-report.ts";
import { reportCluster } from "../cluster-report.ts";
import type { CommandContext, Target } from "../context.ts";
import { CommandError } from "../errors.ts";
import type { ExitReason } from "../exit-codes.ts";
import type { CutOutcome, LineCut, NodeAddress } from "../line-cuts.ts";
import { setCuts } from "../line-cuts.ts";
import { observeCluster } from "../observe.ts";
import { resolveTarget } from "../target.ts";

const REQUEST_TIMEOUT_MS = 1_000;

/** The cluster as it is asked to change its lines. */
export interface AskedCluster {
  readonly context: CommandContext;
  readonly target: Target;
  readonly report: ClusterReport;
  readonly nodes: readonly NodeAddress[];
}

export async function look(context: CommandContext): Promise<AskedCluster> {
  const target = resolveTarget(context);
  const report = reportCluster(await observeCluster(target, context.options.timeoutMs));
  if (report.health === "unreachable") {
    throw new CommandError("unreachable", "no node answers", {
      why: [`endpoints: ${target.rule}`],
      try: ["quorate status"],
    });
  }
  const members = report.nodes.filter((node) => node.health !== "retired");
  return { context, target, report, nodes: members.map(({ id, address }) => ({ id, address })) };
}

/** Asks these nodes, one by one, with a client of its own. */
export async function tell(
  { context, target }: AskedCluster,
  nodes: readonly NodeAddress[],
  cuts: readonly LineCut[],
  ttlMs: number,
): Promise<CutOutcome[]> {
  const client = new QuorateClient({
    endpoints: [...target.endpoints],
    timeoutMs: Math.min(REQUEST_TIMEOUT_MS, context.options.timeoutMs),
    clientName: "quorate",
  });
  try {
    return await setCuts(client, nodes, cuts, ttlMs);
  } finally {
    await client.close();
  }
}

/** Those that answer. */
export function reachable({ nodes, report }: AskedCluster): NodeAddress[] {
  const answering = report.nodes.filter(({ answer }) => answer.kind === "answered");
  return nodes.filter(({ id }) => answering.some((node) => node.id === id));
}

/** How the command ends where not all have obeyed. */
export function failureOf(outcomes: readonly CutOutcome[]): ExitReason {
  if (outcomes.some(({ error }) => error?.outcome === "unknown")) return "outcomeUnknown";
  return outcomes.some(({ error }) => error === null) ? "failed" : "notApplied";
}
