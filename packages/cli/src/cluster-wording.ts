import type { ClusterReport, NodeReport } from "./cluster-report.ts";
import { describeCuts } from "./line-cuts.ts";
import type { NodeHealth } from "./node-health.ts";

/** `2/3 up; no more loss is safe`. */
export function describeMargin(report: ClusterReport): string {
  const { up, size, quorum, lossesSafe, together } = report;
  const there = together < up ? `${up}/${size} up, ${together} on one side` : `${up}/${size} up`;
  if (lossesSafe < 0) return `${there}, ${quorum} are needed: no quorum`;
  if (lossesSafe === 0) return `${there}; no more loss is safe`;
  if (lossesSafe === 1) return `${there}; one more loss is safe`;
  return `${there}; ${lossesSafe} more losses are safe`;
}

/** ` Partitioned: {n1} | {n2 n3}.`, or nothing where no line is cut. */
function describePartition({ cuts, nodes }: ClusterReport): string {
  if (cuts.length === 0) return "";
  const ids = nodes.filter((node) => node.memberRole !== null || node.role !== null);
  return ` Partitioned: ${describeCuts(
    ids.map(({ id }) => id),
    cuts,
  )}.`;
}

/** One sentence on the cluster's health, with the sign that also says it without colour. */
export function describeHealth(report: ClusterReport): { sign: "✓" | "!" | "✗"; text: string } {
  const margin = `${describeMargin(report)}.${describePartition(report)}`;
  const led = `leader ${report.leader?.id ?? "-"}, term ${report.term ?? "-"}`;
  switch (report.health) {
    case "healthy":
      return { sign: "✓", text: `healthy: ${led}. ${margin}` };
    case "degraded":
      return { sign: "!", text: `degraded: ${led}. ${margin}` };
    case "noLeader":
      return { sign: "!", text: `no leader: an election is under way. ${margin}` };
    case "noQuorum":
      return { sign: "✗", text: `nothing can be committed: ${margin}` };
    case "unreachable":
      return { sign: "✗", text: "no node answers." };
  }
}

/** Commands that bring back what is down or paused. */
export function repairCommands(nodes: readonly NodeReport[]): string[] {
  const local = nodes.filter((node) => node.localState !== null);
  const down = local.filter((node) => node.health === "down").map((node) => node.id);
  const lost = local.filter((node) => node.health === "lost data").map((node) => node.id);
  const paused = local.filter((node) => node.health === "paused").map((node) => node.id);
  return [
    ...(down.length > 0 ? [`quorate start ${down.join(" ")}`] : []),
    ...lost.map((id) => `quorate member replace ${id}`),
    ...(paused.length > 0 ? [`quorate resume ${paused.join(" ")}`] : []),
    ...(nodes.some((node) => node.cutFrom.length > 0) ? ["quorate heal"] : []),
  ];
}

/** Facts on the nodes that do not help: `n2 and n3 are down (connection refused)`. */
export function describeMissing(nodes: readonly NodeReport[]): string | null {
  const parts: string[] = [];
  for (const [health, words] of MISSING_WORDS) {
    const ids = nodes.filter((node) => node.health === health).map((node) => node.id);
    if (ids.length > 0) parts.push(`${joinNames(ids)} ${ids.length === 1 ? "is" : "are"} ${words}`);
  }
  return parts.length === 0 ? null : parts.join(", ");
}

const MISSING_WORDS = [
  ["down", "down (connection refused)"],
  ["lost data", "down, with all data deleted"],
  ["paused", "paused"],
  ["silent", "silent (connected, no answer)"],
  ["unreachable", "unreachable"],
] as const satisfies readonly (readonly [NodeHealth, string])[];

/** `n1`, `n1 and n2`, `n1, n2 and n3`. */
function joinNames(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length <= 1 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
