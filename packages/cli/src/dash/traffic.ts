import type { NodeLink } from "./node-link.ts";

/** One bucket of the sparklines. */
const SAMPLE_INTERVAL_MS = 500;

/** Buckets kept: 30 s. */
const SAMPLES_MAX = 60;

/** Counters of one process, from which rates are taken. */
interface ProcessCounters {
  readonly writesApplied: number;
  readonly readsServed: number;
}

/** The cluster's traffic in one bucket. Null: nobody could say. */
export interface TrafficSample {
  readonly atMs: number;
  readonly writesPerSecond: number | null;
  readonly readsPerSecond: number | null;
  readonly commitP99Ms: number | null;
  readonly persistP99Ms: number | null;
  /** By `bootId`, so that a restart is not read as a negative rate. */
  readonly counters: ReadonlyMap<string, ProcessCounters>;
}

/** The samples with a new bucket, where the last one is old enough. */
export function addSample(
  samples: readonly TrafficSample[],
  links: Iterable<NodeLink>,
  atMs: number,
): readonly TrafficSample[] {
  const last = samples.at(-1);
  if (last !== undefined && atMs - last.atMs < SAMPLE_INTERVAL_MS) {
    return samples;
  }
  return [...samples.slice(1 - SAMPLES_MAX), takeSample(last, links, atMs)];
}

function takeSample(
  last: TrafficSample | undefined,
  links: Iterable<NodeLink>,
  atMs: number,
): TrafficSample {
  const counters = new Map<string, ProcessCounters>();
  const seconds = last === undefined ? 0 : (atMs - last.atMs) / 1000;
  let writes: number | null = null;
  let reads: number | null = null;
  let leaderTerm = -1;
  let commitP99Ms: number | null = null;
  let persistP99Ms: number | null = null;
  for (const { verdict, status } of links) {
    if (verdict !== "live" || status === null) {
      continue;
    }
    counters.set(status.bootId, status);
    const before = last?.counters.get(status.bootId);
    if (before !== undefined && seconds > 0) {
      // Every node applies every write: the furthest ahead tells the cluster's rate.
      const applied = Math.max(0, status.writesApplied - before.writesApplied);
      writes = Math.max(writes ?? 0, applied / seconds);
      reads = (reads ?? 0) + Math.max(0, status.readsServed - before.readsServed) / seconds;
    }
    if (status.role === "leader" && status.currentTerm > leaderTerm) {
      leaderTerm = status.currentTerm;
      ({ commitP99Ms, persistP99Ms } = status);
    }
  }
  return {
    atMs,
    writesPerSecond: writes,
    readsPerSecond: reads,
    commitP99Ms,
    persistP99Ms,
    counters,
  };
}

/** Mean of the newest buckets that know: about the last two seconds. */
export function recentRate(
  samples: readonly TrafficSample[],
  rate: "writesPerSecond" | "readsPerSecond",
): number | null {
  const known = samples.slice(-4).flatMap((sample) => sample[rate] ?? []);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
