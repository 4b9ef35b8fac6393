import { setTimeout as sleep } from "node:timers/promises";

import type { ClusterReport } from "../cluster-report.ts";
import type { Availability } from "./availability.ts";
import type { Dice } from "./dice.ts";
import type { FaultContext, FaultEvent, FaultKind, FaultTarget } from "./faults/fault-kind.ts";
import { Rotation } from "./faults/rotation.ts";

/** One fault that was tried, and what came of it. Times in ms. */
export interface FaultRecord {
  readonly kind: string;
  readonly event: FaultEvent;
  /** Since the run began. */
  readonly atMs: number;
  /** Until it was healed; null: not yet. */
  heldMs: number | null;
  /** From the fault to the next write that was called after it and acknowledged; null: none was. */
  servedAfterMs: number | null;
  /** From its healing until all nodes followed one leader and were level; null: not in time. */
  levelAfterMs: number | null;
}

export interface NemesisOptions {
  readonly kinds: readonly FaultKind[];
  readonly target: FaultTarget;
  readonly dice: Dice;
  readonly availability: Availability;
  /** Once when a fault shows or is missed, and again when it is healed. */
  readonly onRecord: (record: FaultRecord, stage: "tried" | "healed") => void;
}

/** How long all nodes may take until they are level again: longer than any bug can hide behind. */
const LEVEL_TIMEOUT_MS = 30_000;

/** Some bugs need silence to show: nothing is wrong for so long between faults. */
const QUIET_MS = { min: 200, max: 1_200 };

/** With less time left no fault is begun. */
const SHORTEST_ROUND_MS = 200;

/** A second fault while the first one lasts. */
const OVERLAP_PART = 0.3;

function highestCommit({ nodes }: ClusterReport): number {
  return Math.max(0, ...nodes.map(({ commitIndex }) => commitIndex ?? 0));
}

/** Whether all members follow one leader and know of everything up to `committed`. */
function isLevelAt({ health, nodes }: ClusterReport, committed: number): boolean {
  const members = nodes.filter(({ memberRole }) => memberRole !== null);
  const haveIt = members.every(({ commitIndex }) => (commitIndex ?? 0) >= committed);
  return health === "healthy" && haveIt;
}

/** Does faults to a cluster, by a plan that follows from the dice, and undoes them. */
export class Nemesis {
  readonly records: FaultRecord[] = [];
  readonly #options: NemesisOptions;
  readonly #startedMs: number = performance.now();
  readonly #kinds: Rotation<FaultKind>;

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#kinds = new Rotation(options.kinds);
  }

  /** Goes on for `durationMs` or until the signal; everything is healed when it returns. */
  async run(durationMs: number, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + durationMs;
    try {
      await this.#pause(QUIET_MS, endMs, signal);
      while (performance.now() < endMs - SHORTEST_ROUND_MS && !signal.aborted) {
        await this.#round(durationMs, endMs, signal);
        await this.#pause(QUIET_MS, endMs, signal);
      }
    } finally {
      await this.heal();
    }
  }

  /** Undoes every fault, whatever else goes wrong with one of them. */
  async heal(): Promise<void> {
    const { kinds, target } = this.#options;
    const results = await Promise.allSettled(kinds.map((kind) => kind.heal(target)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** One fault, at times a second one into it; then all is healed, and level again. */
  async #round(durationMs: number, endMs: number, signal: AbortSignal): Promise<void> {
    const { dice, kinds } = this.#options;
    const longestMs = Math.max(300, durationMs / (3 * kinds.length));
    const first = this.#kinds.next(dice);
    const records = [await this.#inject(first, signal)];
    if (kinds.length > 1 && dice.chance(OVERLAP_PART) && performance.now() < endMs) {
      await this.#hold(first, longestMs / 2, endMs, signal);
      const second = this.#kinds.next(dice);
      if (second === first) this.#kinds.putBack(second);
      else records.push(await this.#inject(second, signal));
    }
    await this.#hold(first, longestMs, endMs, signal);
    await this.heal();
    if (!signal.aborted) await this.#level(records, signal);
  }

  async #inject(kind: FaultKind, signal: AbortSignal): Promise<FaultRecord> {
    const { target, dice, availability, onRecord } = this.#options;
    const context: FaultContext = { target, dice, signal };
    const beganMs = performance.now();
    // A write may be served again before the fault has shown.
    const next = availability.nextFrom(beganMs);
    const event = await kind.inject(context).catch((error: unknown) => {
      next.cancel();
      throw error;
    });
    const record: FaultRecord = {
      kind: kind.name,
      event,
      atMs: beganMs - this.#startedMs,
      heldMs: null,
      servedAfterMs: null,
      levelAfterMs: null,
    };
    if (event.kind === "missed") {
      next.cancel();
      this.#kinds.putBack(kind);
    } else {
      void next.served.then((tookMs) => {
        record.servedAfterMs = tookMs;
      });
    }
    this.records.push(record);
    onRecord(record, "tried");
    return record;
  }

  async #level(records: readonly FaultRecord[], signal: AbortSignal): Promise<void> {
    const healedMs = performance.now();
    for (const record of records) record.heldMs = healedMs - this.#startedMs - record.atMs;
    const { watch } = this.#options.target;
    // Writes go on all the time: level is who has what was committed at the healing.
    const committed = highestCommit(watch.report());
    const isLevel = await watch
      .until((report) => (isLevelAt(report, committed) ? true : null), LEVEL_TIMEOUT_MS, signal)
      .catch(ignoreAbort(signal));
    if (signal.aborted) return;
    for (const record of records) {
      record.levelAfterMs = isLevel === null ? null : performance.now() - healedMs;
      if (record.event.kind === "happened") this.#options.onRecord(record, "healed");
    }
  }

  async #hold(
    { holdMs }: FaultKind,
    longestMs: number,
    endMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const max = Math.max(holdMs.min, Math.min(holdMs.max, longestMs));
    await this.#pause({ min: Math.min(holdMs.min, max), max }, endMs, signal);
  }

  /** Between these, and not beyond the end of the run. */
  async #pause(
    { min, max }: { readonly min: number; readonly max: number },
    endMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const wantedMs = this.#options.dice.between(min, max);
    const waitMs = Math.min(wantedMs, endMs - performance.now());
    if (waitMs <= 0 || signal.aborted) return;
    await sleep(waitMs, undefined, { signal }).catch(ignoreAbort(signal));
  }
}

/** For waits that the end of the run cuts short. */
function ignoreAbort(signal: AbortSignal): (error: unknown) => null {
  return (error) => {
    if (!signal.aborted) throw error;
    return null;
  };
}
