import type { NodeReport } from "../cluster-report.ts";
import { formatDuration } from "../durations.ts";
import type { LocalCluster, LocalNodeReport } from "../local-cluster/local-cluster.ts";
import type { Painter, Tone } from "./colors.ts";
import type { JsonValue } from "./json.ts";
import { jsonCount } from "./json.ts";
import type { Table } from "./table.ts";

const STATE_TONES: Readonly<Record<LocalNodeReport["state"], Tone>> = {
  running: "good",
  paused: "warning",
  down: "bad",
};

/** Why a node is down, as far as this machine knows. */
function describeState(node: LocalNodeReport): string {
  if (node.state !== "down") return node.state;
  if (node.dataLost) return `down (its data is gone: quorate member replace ${node.id})`;
  if (node.run === null) return "never started";
  if (node.run.lastExit !== null) return `down (${node.run.lastExit.reason})`;
  return node.pidRecycled ? "down (its pid is another program's now)" : "down (ended by itself)";
}

function uptime(node: LocalNodeReport, now: number): string {
  if (node.state === "down" || node.run === null) return "-";
  return formatDuration(Math.max(0, now - Date.parse(node.run.startedAt)));
}

/** Processes of local clusters, one a row. */
export function processTable(
  clusters: readonly LocalCluster[],
  paint: Painter,
  now: number,
): Table {
  const rows = clusters.flatMap((cluster) =>
    cluster
      .nodes()
      .map((node) => [
        cluster.name,
        node.id,
        paint(STATE_TONES[node.state], describeState(node)),
        node.pid === null ? "-" : String(node.pid),
        node.address,
        uptime(node, now),
        node.dataDirectory,
      ]),
  );
  return {
    columns: [
      { heading: "CLUSTER" },
      { heading: "NODE" },
      { heading: "STATE" },
      { heading: "PID", align: "right" },
      { heading: "ADDRESS" },
      { heading: "UP" },
      { heading: "DATA" },
    ],
    rows,
  };
}

/** The nodes of a cluster that was just started: role, address, process and data. */
export function startedTable(
  nodes: readonly LocalNodeReport[],
  reports: readonly NodeReport[],
): Table {
  return {
    columns: [
      { heading: "NODE" },
      { heading: "ROLE" },
      { heading: "TERM", align: "right" },
      { heading: "COMMIT", align: "right" },
      { heading: "ADDRESS" },
      { heading: "PID", align: "right" },
      { heading: "DATA" },
    ],
    rows: nodes.map((node) => {
      const report = reports.find((candidate) => candidate.id === node.id);
      return [
        node.id,
        report?.role ?? node.state,
        jsonCount(report?.term ?? null) ?? "-",
        jsonCount(report?.commitIndex ?? null) ?? "-",
        node.address,
        node.pid === null ? "-" : String(node.pid),
        node.dataDirectory,
      ];
    }),
  };
}

function lastExitFields({ run }: LocalNodeReport): JsonValue {
  const lastExit = run?.lastExit ?? null;
  return lastExit === null ? null : { at: lastExit.at, reason: lastExit.reason };
}

/** A node's process in JSON. */
export function processFields(node: LocalNodeReport): JsonValue {
  return {
    id: node.id,
    state: node.state,
    pid: node.pid,
    address: node.address,
    bootId: node.run?.bootId ?? null,
    startedAt: node.run?.startedAt ?? null,
    lastExit: lastExitFields(node),
    dataLost: node.dataLost,
    dataDirectory: node.dataDirectory,
    logPath: node.logPath,
  };
}
