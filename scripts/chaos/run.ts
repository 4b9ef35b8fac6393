import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Availability, compareNodes } from "@quorate/cli/verify";
import { ChaosCluster } from "./chaos-cluster.ts";
import { Director } from "./director.ts";
import { FaultLog } from "./fault-log.ts";
import type { Fault } from "./faults/fault.ts";
import { hasOwnNetwork, isInside, settleInside } from "./isolation.ts";
import { LoopbackNetwork } from "./loopback-network.ts";
import { NamespaceNetwork } from "./namespace-network.ts";
import type { ChaosNetwork } from "./network.ts";
import type { ChaosOptions } from "./options.ts";
import { SegmentedLoad } from "./segmented-load.ts";
import { probeTools } from "./tools.ts";
import type { ChaosEvidence } from "./verdict.ts";

export interface ChaosRun {
  readonly options: ChaosOptions;
  /** What is to be done, of the kinds that the options name. */
  readonly faults: readonly Fault[];
  /** Everything is written into it. */
  readonly directory: string;
  /** Why this process has no namespaces of its own, where it has none. */
  readonly whyNotIsolated: string;
  /** Aborted to heal and end early. */
  readonly stopping: AbortSignal;
  readonly onProgress: (progress: ChaosProgress) => void;
}

export interface ChaosProgress {
  readonly operations: number;
  readonly faultsFired: number;
  readonly faultsActive: number;
  readonly problems: number;
}

const PROGRESS_INTERVAL_MS = 500;
const COMPARE_TIMEOUT_MS = 120_000;

/** A cluster that has been started, and what shall be done to it. */
interface Rig {
  readonly cluster: ChaosCluster;
  readonly log: FaultLog;
  readonly wanted: ChaosEvidence["wanted"];
  readonly possible: readonly Fault[];
  /** Processes that ended without being meant to. */
  readonly unexpected: string[];
}

/** Starts a cluster, does faults to it under load, heals it, and gives all that was seen. */
export async function runChaos(run: ChaosRun): Promise<ChaosEvidence> {
  const rig = await makeRig(run);
  try {
    return await tryOut(run, rig);
  } finally {
    await rig.cluster.end();
    keepSmallDisks(rig.cluster);
  }
}

async function makeRig({ options, directory, faults, whyNotIsolated }: ChaosRun): Promise<Rig> {
  const log = new FaultLog(join(directory, "faults.ndjson"));
  const network = await makeNetwork(whyNotIsolated);
  const tools = await probeTools(directory);
  const wanted = faults
    .filter(({ kind }) => options.faults.includes(kind))
    .map((fault) => ({ fault, impossible: fault.impossible({ network, tools }) }));
  const possible = wanted.flatMap(({ fault, impossible }) => (impossible === null ? fault : []));
  const does = (kind: string): boolean => possible.some((fault) => fault.kind === kind);
  const unexpected: string[] = [];
  log.note("starts", { options, network: network.mechanism, tools });
  const cluster = await ChaosCluster.start({
    size: options.nodes,
    directory,
    network,
    tools,
    movesClocks: does("clock"),
    hasSmallDisks: does("disk-full"),
    onUnexpectedEnd: (id, end, lastLine) => {
      unexpected.push(`${id} ended by itself with ${end}; the last that it logged: ${lastLine}`);
      log.note("UNEXPECTED END", { id, end, lastLine });
    },
  });
  return { cluster, log, wanted, possible, unexpected };
}

async function tryOut(run: ChaosRun, rig: Rig): Promise<ChaosEvidence> {
  const { options } = run;
  const { cluster, log, unexpected } = rig;
  const startMs = performance.now();
  const availability = new Availability(startMs);
  const load = startLoad(run, rig, availability);
  const director = new Director({
    cluster,
    faults: rig.possible,
    seed: options.seed,
    log,
    availability,
    isHopeless: () => unexpected.length > 0,
  });
  const progress = setInterval(() => {
    run.onProgress({
      operations: load.counts.ok,
      faultsFired: log.firedCount,
      faultsActive: director.activeCount,
      problems: director.problems.length + unexpected.length,
    });
  }, PROGRESS_INTERVAL_MS);
  try {
    await director.run(options.durationMs, run.stopping);
    const workedMs = performance.now() - startMs;
    const longestGapMs = availability.longestGapMs(performance.now());
    await load.stop();
    const final = await lookAtTheEnd(cluster, load);
    return {
      seed: options.seed,
      nodes: options.nodes,
      network: cluster.network.mechanism,
      wanted: rig.wanted,
      records: log.records,
      problems: [...director.problems, ...unexpected],
      segments: load.checked,
      counts: load.counts,
      final,
      workedMs,
      longestGapMs,
    };
  } finally {
    clearInterval(progress);
    await load.close();
  }
}

function startLoad(
  { options, directory }: ChaosRun,
  { cluster, log }: Rig,
  availability: Availability,
): SegmentedLoad {
  return new SegmentedLoad({
    endpoints: () => cluster.endpoints,
    clients: options.clients,
    ratePerSecond: options.rate,
    seed: options.seed,
    directory,
    availability,
    onChecked: ({ number, verdict, checkMs }) => {
      log.note("checked", { number, kind: verdict.kind, counts: verdict.counts, checkMs });
    },
  });
}

async function makeNetwork(whyNotIsolated: string): Promise<ChaosNetwork> {
  if (isInside()) await settleInside();
  if (!hasOwnNetwork()) {
    const why = isInside() ? "no network namespace of its own" : whyNotIsolated;
    return new LoopbackNetwork(why);
  }
  const why = await NamespaceNetwork.impossible();
  return why === null ? await NamespaceNetwork.create() : new LoopbackNetwork(why);
}

/** After the last heal: what was acknowledged is there, and all nodes are the same. */
async function lookAtTheEnd(
  cluster: ChaosCluster,
  load: SegmentedLoad,
): Promise<ChaosEvidence["final"]> {
  const signal = AbortSignal.timeout(2 * COMPARE_TIMEOUT_MS);
  const reads = await load.finalReads(signal);
  const comparison = await compareNodes({
    client: cluster.client,
    nodes: cluster.nodes,
    timeoutMs: COMPARE_TIMEOUT_MS,
    signal,
  });
  return { ...reads, comparison };
}

/** A small disk is gone with this process: its files are copied to where the others lie. */
function keepSmallDisks(cluster: ChaosCluster): void {
  for (const node of cluster.nodes.filter(({ hasSmallDisk }) => hasSmallDisk)) {
    const copy = join(node.directory, "data");
    rmSync(copy, { recursive: true, force: true });
    cpSync(node.dataDirectory, copy, {
      recursive: true,
      // The lock is a socket, and of no use to a reader.
      filter: (path) => !path.endsWith(".lock") && !path.endsWith("/lock"),
    });
  }
}
