import { configurationOf } from "@quorate/wire";
import { SESSION_TTL_DEFAULT_MS } from "../kv/kv-command.ts";
import type { Fabric, Fault, SimulationPlan, StorageKind } from "./simulation-plan.ts";
import { FAULTS, nodeNames } from "./simulation-plan.ts";

/** What a cluster does by itself, and can do without. */
const HABITS = ["changes", "snapshots", "leases", "expiry"] as const;

/** What a run can go without: a kind of fault, or one of the cluster's habits. */
export type Dispensable = Fault | (typeof HABITS)[number];
export const DISPENSABLE: readonly Dispensable[] = [...FAULTS, ...HABITS];

/** Sizes that can be set, and the least of each. */
export const SIZE_MINIMA = {
  /** How long faults go on. */
  "safety-ms": 5,
  /** Voters at the start. */
  nodes: 1,
  clients: 1,
  sessions: 0,
  keys: 1,
  "value-bytes": 0,
} as const;
export type SizeName = keyof typeof SIZE_MINIMA;

/**
 * What a run has less of than its seed says: this is how a failure is made small. Equal seeds with
 * equal overrides give equal runs. The names are those of the command line.
 */
export interface PlanOverrides {
  /** What carries the messages, whatever the seed says. */
  readonly fabric?: Fabric;
  /** What the nodes keep their logs in, whatever the seed says. */
  readonly storage?: StorageKind;
  readonly without?: readonly Dispensable[];
  readonly sizes?: Readonly<Partial<Record<SizeName, number>>>;
}

export function isDispensable(name: string): name is Dispensable {
  return (DISPENSABLE as readonly string[]).includes(name);
}

export function isFabric(name: string): name is Fabric {
  return name === "messages" || name === "streams";
}

export function isStorageKind(name: string): name is StorageKind {
  return name === "model" || name === "sqlite";
}

/** The kinds of fault that are left out. */
export function faultsWithout({ without = [] }: PlanOverrides): Fault[] {
  return FAULTS.filter((fault) => without.includes(fault));
}

/** `plan`, drawn without {@link faultsWithout}, with all else that `overrides` say. */
export function overridePlan(plan: SimulationPlan, overrides: PlanOverrides): SimulationPlan {
  const { without = [], sizes = {}, storage } = overrides;
  const { nodes } = sizes;
  const safetyMs = sizes["safety-ms"];
  const has = (habit: Dispensable): boolean => !without.includes(habit);
  const configuration =
    nodes === undefined ? plan.configuration : configurationOf({ voters: nodeNames(nodes) });
  const logBytes = has("snapshots") ? plan.snapshots.logBytes : Number.MAX_SAFE_INTEGER;
  return {
    ...plan,
    configuration,
    raft: { ...plan.raft, leaseReads: plan.raft.leaseReads && has("leases") },
    snapshots: { ...plan.snapshots, logBytes },
    changeGapMeanUs: has("changes") ? plan.changeGapMeanUs : null,
    sessionTtlMs: has("expiry") ? plan.sessionTtlMs : SESSION_TTL_DEFAULT_MS,
    clientCount: sizes.clients ?? plan.clientCount,
    sessionCount: sizes.sessions ?? plan.sessionCount,
    keyCount: sizes.keys ?? plan.keyCount,
    valueBytes: sizes["value-bytes"] ?? plan.valueBytes,
    safetyUs: safetyMs === undefined ? plan.safetyUs : safetyMs * 1000,
    usesSqlite: storage === undefined ? plan.usesSqlite : storage === "sqlite",
  };
}

/** What is left of a plan that can still go. */
export function dispensablesOf(plan: SimulationPlan): Dispensable[] {
  const habits = HABITS.filter((habit) => {
    if (habit === "changes") return plan.changeGapMeanUs !== null;
    if (habit === "leases") return plan.raft.leaseReads;
    if (habit === "expiry") {
      return plan.streams !== null && plan.sessionTtlMs < SESSION_TTL_DEFAULT_MS;
    }
    return plan.snapshots.logBytes < Number.MAX_SAFE_INTEGER;
  });
  return [...FAULTS.filter((fault) => plan.faults.has(fault)), ...habits];
}

/** The sizes of a plan. */
export function sizesOf(plan: SimulationPlan): Record<SizeName, number> {
  return {
    "safety-ms": Math.ceil(plan.safetyUs / 1000),
    nodes: plan.configuration.voters.length,
    clients: plan.clientCount,
    sessions: plan.sessionCount,
    keys: plan.keyCount,
    "value-bytes": plan.valueBytes,
  };
}

/** The arguments of the command line that say `overrides`. */
export function overrideArguments(overrides: PlanOverrides): string[] {
  const { fabric, storage, without = [], sizes = {} } = overrides;
  const carried = fabric === undefined ? [] : ["--fabric", fabric];
  const kept = storage === undefined ? [] : ["--storage", storage];
  const left = without.length === 0 ? [] : ["--without", without.join(",")];
  return [
    ...carried,
    ...kept,
    ...left,
    ...Object.entries(sizes).flatMap(([name, size]) => [`--${name}`, String(size)]),
  ];
}
