import type { ClusterReport, NodeReport } from "../cluster-report.ts";
import type { NodeHealth } from "../node-health.ts";
import { describeHealth, repairCommands } from "../cluster-wording.ts";
import type { Painter, Tone } from "./colors.ts";
import type { JsonValue } from "./json.ts";
import { jsonCount } from "./json.ts";
import type { Table, TableColumn } from "./table.ts";

const COLUMNS: readonly TableColumn[] = [
  { heading: "NODE" },
  { heading: "HEALTH" },
  { heading: "ROLE" },
  { heading: "TERM", align: "right" },
  { heading: "COMMIT", align: "right" },
  { heading: "LAST", align: "right" },
  { heading: "BEHIND", align: "right" },
  { heading: "SNAPSHOT", align: "right" },
  { heading: "LEADER" },
  { heading: "NOTE" },
];

/** How each health is painted. */
export const HEALTH_TONES: Readonly<Record<NodeHealth, Tone>> = {
  ok: "good",
  "no leader": "warning",
  "stale leader": "warning",
  minority: "warning",
  down: "bad",
  paused: "warning",
  silent: "bad",
  unreachable: "bad",
  retired: "dim",
  "lost data": "bad",
  refused: "bad",
  "disk stalled": "bad",
  "disk full": "bad",
};

const numberCell = (value: number | null): string => (value === null ? "-" : String(value));

/** What kind of member it is says more than that it follows. */
function roleCell({ role, memberRole }: NodeReport): string {
  if (memberRole === null || memberRole === "voter") return role ?? "-";
  return memberRole;
}

function statusRow(node: NodeReport, paint: Painter): string[] {
  return [
    node.id,
    paint(HEALTH_TONES[node.health], node.health),
    node.role === "leader" ? paint("strong", "leader") : roleCell(node),
    numberCell(node.term),
    numberCell(node.commitIndex),
    numberCell(node.lastLogIndex),
    numberCell(node.behind),
    numberCell(node.snapshotIndex),
    node.leaderId ?? "-",
    node.note,
  ];
}

/** The nodes of a report, one a row. */
export function statusTable(report: ClusterReport, paint: Painter): Table {
  return { columns: COLUMNS, rows: report.nodes.map((node) => statusRow(node, paint)) };
}

const SIGN_TONES = { "✓": "good", "!": "warning", "✗": "bad" } as const;

/** The health of the cluster in one line, with the commands that repair it. */
export function healthLine(report: ClusterReport, paint: Painter): string {
  const { sign, text } = describeHealth(report);
  const repairs = repairCommands(report.nodes);
  const repair = repairs.length === 0 ? "" : `   Repair: ${repairs.join("  ·  ")}`;
  return `${paint(SIGN_TONES[sign], sign)} ${text}${repair}`;
}

function nodeFields(node: NodeReport): JsonValue {
  return {
    id: node.id,
    address: node.address,
    health: node.health,
    role: node.role,
    term: jsonCount(node.term),
    commitIndex: jsonCount(node.commitIndex),
    lastLogIndex: jsonCount(node.lastLogIndex),
    behind: jsonCount(node.behind),
    memberRole: node.memberRole,
    snapshotIndex: jsonCount(node.snapshotIndex),
    leader: node.leaderId,
    note: node.note,
    process: node.localState,
    status: node.answer.kind === "answered" ? statusFields(node) : null,
  };
}

function statusFields(node: NodeReport): JsonValue {
  if (node.answer.kind !== "answered") return null;
  const { status } = node.answer;
  return {
    pid: status.pid,
    bootId: status.bootId,
    version: status.softwareVersion,
    uptimeMs: Math.round(status.uptimeMs),
    votedFor: status.votedFor,
    lastApplied: jsonCount(status.lastApplied),
    durableIndex: jsonCount(status.durableIndex),
    firstLogIndex: jsonCount(status.firstLogIndex),
    configurationIndex: jsonCount(status.configurationIndex),
    snapshotBytes: jsonCount(status.snapshotBytes),
    storageState: status.storageState,
    retired: status.retired,
    sessions: status.sessions,
    stateHash: status.stateHash,
    faultsAllowed: status.faultsAllowed,
    faults: status.faults.map((fault) => ({ ...fault })),
    revision: jsonCount(status.revision),
    keyCount: jsonCount(status.keyCount),
  };
}

/** The fields of a report in JSON: ids, terms and indexes are strings. */
export function reportFields(report: ClusterReport): Record<string, JsonValue> {
  return {
    clusterId: report.clusterId,
    health: report.health,
    leader: report.leader?.id ?? null,
    term: jsonCount(report.term),
    size: report.size,
    up: report.up,
    quorum: report.quorum,
    lossesSafe: report.lossesSafe,
    cuts: report.cuts.map(({ from, to }) => ({ from, to })),
    members: report.nodes.map(nodeFields),
  };
}
