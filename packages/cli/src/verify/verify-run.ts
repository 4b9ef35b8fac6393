import { setTimeout as sleep } from "node:timers/promises";

import type { QuorateClient } from "@quorate/wire/client";
import { RequestError } from "@quorate/wire/client";
import type { Verdict } from "@quorate/wire/history";

import { Availability } from "./availability.ts";
import { Dice } from "./dice.ts";
import type { FaultKind, FaultTarget } from "./faults/fault-kind.ts";
import type { Comparison, ReadBack } from "./final-state.ts";
import { compareNodes, readBack } from "./final-state.ts";
import { checkFile } from "./history-check.ts";
import { HistoryFile } from "./history-file.ts";
import type { Problem } from "./judge.ts";
import { judge } from "./judge.ts";
import type { FaultRecord } from "./nemesis.ts";
import { Nemesis } from "./nemesis.ts";
import type { WorkloadCounts } from "./workload.ts";
import { Workload } from "./workload.ts";

export interface VerifyOptions {
  readonly target: FaultTarget;
  readonly faults: readonly FaultKind[];
  readonly durationMs: number;
  readonly clients: number;
  readonly seed: number;
  /** Of all clients; 0: as fast as they go. */
  readonly ratePerSecond: number;
  /** Fewer operations a second than this show too little. */
  readonly okPerSecondMin: number;
  readonly historyPath: string;
  /** Ends the run early; everything is healed first. */
  readonly signal: AbortSignal;
  readonly onFault: (record: FaultRecord, stage: "tried" | "healed") => void;
  readonly onPhase: (phase: VerifyPhase) => void;
}

export type VerifyPhase =
  | { readonly kind: "working"; readonly progress: () => VerifyProgress }
  | { readonly kind: "readingBack" }
  | { readonly kind: "checking" };

export interface VerifyProgress {
  readonly elapsedMs: number;
  readonly counts: WorkloadCounts;
}

/** What a run has shown, and what speaks against it. */
export interface VerifyReport {
  readonly problems: readonly Problem[];
  readonly verdict: Verdict;
  readonly checkMs: number;
  readonly readBack: ReadBack;
  readonly comparison: Comparison;
  readonly faults: readonly FaultRecord[];
  readonly counts: WorkloadCounts;
  readonly workloadMs: number;
  /** Writes that were acknowledged and had an effect, and the keys that were used. */
  readonly writes: number;
  readonly keys: number;
  /** The longest time without an acknowledged write. */
  readonly longestGapMs: number;
}

const OPERATION_TIMEOUT_MS = 1_000;
const READ_BACK_TIMEOUT_MS = 30_000;
const CLEAN_UP_MS = 10_000;
const CLEANERS = 16;

/**
 * Works on a cluster while faults are done to it, heals it, reads everything back, compares its
 * nodes, and checks the history. The keys that it used are deleted where nothing was found.
 *
 * @throws the reason of the signal, and what is no refusal of the cluster; all is healed before.
 */
export async function verifyCluster(options: VerifyOptions): Promise<VerifyReport> {
  const { target, signal } = options;
  const history = new HistoryFile(options.historyPath, `quorate verify --seed ${options.seed}`);
  const work = await workUnderFaults(options, history);
  signal.throwIfAborted();
  options.onPhase({ kind: "readingBack" });
  const read = await readBack({
    client: target.client,
    keys: work.workload.usedKeys,
    acknowledged: work.workload.acknowledged,
    record: (operation) => history.append(operation),
    timeoutMs: READ_BACK_TIMEOUT_MS,
    signal,
  });
  const { nodes, client } = target;
  const comparison = await compareNodes({ client, nodes, timeoutMs: READ_BACK_TIMEOUT_MS, signal });
  await history.close();
  signal.throwIfAborted();
  options.onPhase({ kind: "checking" });
  const checkBeganMs = performance.now();
  const verdict = await checkFile(options.historyPath, { signal });
  const { workload, faults, workloadMs, longestGapMs } = work;
  const evidence = {
    verdict,
    readBack: read,
    comparison,
    faultsWanted: options.faults.map(({ name }) => name),
    faults,
    counts: workload.counts,
    workloadMs,
    okPerSecondMin: options.okPerSecondMin,
  };
  const problems = judge(evidence);
  const checkMs = performance.now() - checkBeganMs;
  if (problems.length === 0) await removeKeys(client, workload.usedKeys);
  const { writes } = workload.acknowledged;
  const keys = workload.usedKeys.length;
  return { ...evidence, problems, checkMs, longestGapMs, writes, keys };
}

interface Work {
  readonly workload: Workload;
  readonly faults: readonly FaultRecord[];
  readonly workloadMs: number;
  readonly longestGapMs: number;
}

async function workUnderFaults(options: VerifyOptions, history: HistoryFile): Promise<Work> {
  const { target, durationMs, seed } = options;
  const beganMs = performance.now();
  const availability = new Availability(beganMs);
  const workload = new Workload({
    endpoints: target.nodes.map(({ address }) => address),
    clients: options.clients,
    seed,
    keyPrefix: `verify-${Date.now().toString(36)}/`,
    ratePerSecond: options.ratePerSecond,
    timeoutMs: OPERATION_TIMEOUT_MS,
    record: (operation) => history.append(operation),
    room: () => history.room(),
    onAcknowledged: (callMs, returnMs) => availability.acknowledged(callMs, returnMs),
  });
  const nemesis = new Nemesis({
    kinds: options.faults,
    target,
    dice: new Dice(`faults/${seed}`),
    availability,
    onRecord: options.onFault,
  });
  workload.start();
  const progress = (): VerifyProgress => {
    return { elapsedMs: performance.now() - beganMs, counts: workload.counts };
  };
  options.onPhase({ kind: "working", progress });
  const signal = AbortSignal.any([options.signal, workload.signal]);
  let longestGapMs = 0;
  try {
    if (options.faults.length > 0) await nemesis.run(durationMs, signal);
    else await waitFor(durationMs, signal);
  } finally {
    longestGapMs = availability.longestGapMs(performance.now());
    await workload.stop();
  }
  const workloadMs = performance.now() - beganMs;
  return { workload, faults: nemesis.records, workloadMs, longestGapMs };
}

async function waitFor(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** Leaves the store as it was: what cannot be deleted in time stays. */
async function removeKeys(client: QuorateClient, keys: readonly string[]): Promise<void> {
  const deadline = performance.now() + CLEAN_UP_MS;
  const left = [...keys];
  const work = async (): Promise<void> => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      if (performance.now() > deadline) return;
      await client.delete(key).catch((error: unknown) => {
        if (!(error instanceof RequestError)) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: CLEANERS }, work));
}
