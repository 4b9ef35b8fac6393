import { randomInt } from "node:crypto";

import type { NodeId, Role } from "@quorate/wire";
import { Option } from "commander";

import type { ClusterReport } from "../cluster-report.ts";
import { haveCaughtUp } from "../cluster-report.ts";
import type { ClusterWatch } from "../cluster-watch.ts";
import { durationArgument } from "../command-line.ts";
import type { CommandContext, Target } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import type { ClusterLock } from "../local-cluster/cluster-lock.ts";
import { lockCluster } from "../local-cluster/cluster-lock.ts";
import type { LocalCluster, LocalNodeState } from "../local-cluster/local-cluster.ts";
import { needsRoles, selectNodes } from "../node-selector.ts";

export const SELECTOR_HELP = "name of a node, leader, follower, random or all; several allowed";

/** How long a process may take until it answers. A busy machine needs seconds for several. */
export const READY_TIMEOUT_MS = 30_000;

/** Waits for the lock on the cluster, and says so when another command holds it. */
export function lock(
  context: CommandContext,
  clusterName: string,
  signal: AbortSignal | null,
): Promise<ClusterLock> {
  return lockCluster({
    stateRoot: context.stateRoot,
    clusterName,
    waitMs: READY_TIMEOUT_MS,
    signal,
    onWait: (holderPid) =>
      context.printer.note(
        `Another command (pid ${holderPid}) is changing cluster "${clusterName}": waiting for it.`,
      ),
  });
}

/** The nodes of a local cluster as a target for requests. */
export function targetOf(cluster: LocalCluster): Target {
  return {
    endpoints: cluster.nodes().map((node) => node.address),
    rule: `the local cluster "${cluster.name}"`,
    cluster,
  };
}

interface SelectionRequest {
  readonly cluster: LocalCluster;
  readonly selectors: readonly string[];
  /** States that the command can act on. */
  readonly states: readonly LocalNodeState[];
  /** Null: no selector needs a role. */
  readonly watch: ClusterWatch | null;
}

/** Whether as many nodes as the selectors ask for say that they have these roles. */
function areRolesKnown(report: ClusterReport, selectors: readonly string[]): boolean {
  const followersWanted = selectors.filter((selector) => selector === "follower").length;
  const followers = report.nodes.filter((node) => node.role === "follower").length;
  const isLeaderKnown = report.leader !== null || !selectors.includes("leader");
  return isLeaderKnown && followers >= followersWanted;
}

/**
 * The nodes that the selectors mean now. `leader` and `follower` wait, at most `--timeout`, until
 * a node says that it is one.
 */
export async function resolveNodes(
  context: CommandContext,
  request: SelectionRequest,
): Promise<NodeId[]> {
  const { cluster, selectors, states, watch } = request;
  const isKnown = (report: ClusterReport): true | null =>
    areRolesKnown(report, selectors) ? true : null;
  if (needsRoles(selectors)) await watch?.until(isKnown, context.options.timeoutMs, null);
  const report = watch?.report() ?? null;
  const nodes = cluster.nodes().map((node) => ({
    id: node.id,
    state: node.state,
    role: roleOf(report, node.id),
  }));
  return selectNodes({ selectors, nodes, states, pick: (count) => randomInt(Math.max(1, count)) });
}

/** Two nodes may call themselves leader: the one of the older term is not meant by `leader`. */
function roleOf(report: ClusterReport | null, id: NodeId): Role | null {
  if (report === null) return null;
  const role = report.nodes.find((node) => node.id === id)?.role ?? null;
  return role === "leader" && report.leader?.id !== id ? null : role;
}

/** Tells how started nodes came back: waits at most `--timeout` until they have caught up. */
export async function reportCatchUp(
  context: CommandContext,
  watch: ClusterWatch,
  ids: readonly NodeId[],
  signal: AbortSignal | null,
): Promise<ClusterReport> {
  const began = performance.now();
  const { printer, options } = context;
  const look = (report: ClusterReport): ClusterReport | null =>
    haveCaughtUp(report, ids) && watch.hasHeardAll() ? report : null;
  const caughtUp = await watch.until(look, options.timeoutMs, signal);
  const report = caughtUp ?? watch.report();
  if (caughtUp === null) {
    const waited = formatDuration(options.timeoutMs);
    printer.line(`${printer.paint("warning", "!")} not caught up after ${waited}`);
  } else {
    const took = formatDuration(performance.now() - began);
    const commit = report.leader?.commitIndex ?? 0;
    printer.line(`${printer.paint("good", "✓")} caught up at commit ${commit} after ${took}`);
  }
  return report;
}

/** How long a graceful end of a process may take. */
export function graceOption(): Option {
  return new Option("-t, --grace <duration>", "SIGKILL after this long")
    .default(5_000, "5s")
    .argParser(durationArgument);
}

/** @throws CommandError `usage` where no node was named. */
export function requireSelectors(selectors: readonly string[], command: string): void {
  if (selectors.length > 0) return;
  throw new CommandError("usage", `${command}: which node?`, {
    why: [SELECTOR_HELP],
    try: [`quorate ${command} leader`, `quorate ${command} n1`, "quorate ps"],
  });
}
