import { formatAddress, parseAddress } from "@quorate/wire/net";

import type { CommandContext, Target } from "./context.ts";
import { CommandError } from "./errors.ts";
import { addressOf } from "./local-cluster/cluster-file.ts";
import { LocalCluster } from "./local-cluster/local-cluster.ts";
import { listClusterNames } from "./local-cluster/state-directory.ts";

const DEFAULT_ENDPOINT = "127.0.0.1:7001";

/** Reads `host:port,host:port`. */
export function parseEndpoints(text: string, source: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.map((part) => {
    const address = parseAddress(part);
    if (address !== null) return formatAddress(address);
    throw new CommandError("usage", `${source}: "${part}" is not host:port`, {
      try: ["quorate status --endpoints 127.0.0.1:7001,127.0.0.1:7002"],
    });
  });
}

function isRunning(cluster: LocalCluster): boolean {
  return cluster.nodes().some((node) => node.state !== "down");
}

function openNamed(context: CommandContext, name: string): LocalCluster {
  const cluster = LocalCluster.open(context.stateRoot, name);
  if (cluster !== null) return cluster;
  const names = listClusterNames(context.stateRoot);
  throw new CommandError("notFound", `there is no local cluster "${name}"`, {
    why: names.length === 0 ? [] : [`there is ${names.map((known) => `"${known}"`).join(", ")}`],
    try: [`quorate up --name ${name}`, "quorate ps -a"],
  });
}

/**
 * The local cluster that a command means: the named one, otherwise the only one that runs,
 * otherwise the only one there is. Null where there is none.
 *
 * @throws CommandError `notFound` for a wrong name, `usage` where there are several to choose from.
 */
export function findLocalCluster(context: CommandContext): LocalCluster | null {
  const { clusterName } = context.options;
  if (clusterName !== null) return openNamed(context, clusterName);
  const clusters = listClusterNames(context.stateRoot)
    .map((name) => LocalCluster.open(context.stateRoot, name))
    .filter((cluster) => cluster !== null);
  const running = clusters.filter(isRunning);
  const candidates = running.length > 0 ? running : clusters;
  if (candidates.length <= 1) return candidates[0] ?? null;
  const names = candidates.map((cluster) => cluster.name);
  throw new CommandError("usage", `which local cluster? ${names.join(", ")}`, {
    why: [running.length > 0 ? "several are running" : "several exist and none is running"],
    try: names.slice(0, 3).map((name) => `--name ${name}`),
  });
}

/** The local cluster for a command that cannot do without one. */
export function requireLocalCluster(context: CommandContext): LocalCluster {
  const cluster = findLocalCluster(context);
  if (cluster !== null) return cluster;
  throw new CommandError("notFound", "there is no local cluster on this machine", {
    why: [`nothing was started in ${context.stateRoot}`],
    try: ["quorate up"],
  });
}

function localTarget(cluster: LocalCluster): Target {
  const running = cluster.nodes().filter((node) => node.state === "running");
  const asked = running.length > 0 ? running.map(({ address }) => address) : null;
  return {
    // Nodes that are down or paused answer nobody: asking them would only cost time.
    endpoints: asked ?? cluster.file.nodes.map((node) => addressOf(node)),
    rule: `the local cluster "${cluster.name}"`,
    cluster,
  };
}

/**
 * Whom to talk to: `--endpoints`, the cluster of `--name`, QUORATE_ENDPOINTS, the local cluster,
 * 127.0.0.1:7001, in this order.
 */
export function resolveTarget(context: CommandContext): Target {
  const target = chooseTarget(context);
  context.printer.trace(`endpoints ${target.endpoints.join(",")}: ${target.rule}`);
  return target;
}

function chooseTarget(context: CommandContext): Target {
  const { endpoints, clusterNameFlagged } = context.options;
  if (endpoints !== null) return { endpoints, rule: "from --endpoints", cluster: null };
  const fromEnvironment = context.environment["QUORATE_ENDPOINTS"] ?? "";
  if (fromEnvironment !== "" && !clusterNameFlagged) {
    return {
      endpoints: parseEndpoints(fromEnvironment, "QUORATE_ENDPOINTS"),
      rule: "from QUORATE_ENDPOINTS",
      cluster: null,
    };
  }
  const cluster = findLocalCluster(context);
  if (cluster !== null) return localTarget(cluster);
  return {
    endpoints: [DEFAULT_ENDPOINT],
    rule: "the default: no --endpoints, no QUORATE_ENDPOINTS, no local cluster",
    cluster: null,
  };
}
