import type { Availability } from "@quorate/cli/verify";
import { SeededRandom } from "@quorate/node/testing";
import { setTimeout as pause } from "node:timers/promises";
import type { ChaosCluster } from "./chaos-cluster.ts";
import { ChaosProblem, PATIENCE_MS } from "./patience.ts";
import { Deck } from "./deck.ts";
import type { FaultLog, Recovery } from "./fault-log.ts";
import type { Fault, FaultContext, FaultOutcome } from "./faults/fault.ts";
import { silentFaults } from "./silent-faults.ts";

export interface DirectorOptions {
  readonly cluster: ChaosCluster;
  /** Those that are possible here. */
  readonly faults: readonly Fault[];
  readonly seed: number;
  readonly log: FaultLog;
  readonly availability: Availability;
  /** Something has happened that makes it useless to go on. */
  readonly isHopeless: () => boolean;
}

/** Faults overlap: at most so many at a time. */
const ACTIVE_MAX = 4;
const GAP_MEAN_MS = 1200;
const STORM_MS = { min: 12_000, max: 25_000 };
/** Some bugs need silence to show: nothing happens for so long, and everybody is whole. */
const QUIET_MS = { min: 2500, max: 5000 };
const OVERTIME_MIN_MS = 60_000;
/** After a fault that could not be done now. */
const POSTPONED_GAP_MS = 150;

/**
 * Does faults to a cluster by a plan that follows from the seed: storms, in which they overlap, and
 * quiet times, in which all is healed and the cluster has to serve. What they hit depends on who
 * leads by then, so equal seeds give equal plans and not equal runs.
 */
export class Director {
  readonly #options: DirectorOptions;
  readonly #random: SeededRandom;
  readonly #deck: Deck<Fault>;
  readonly #active = new Set<Promise<void>>();
  readonly #problems: string[] = [];
  #count = 0;
  #healing = new AbortController();

  constructor(options: DirectorOptions) {
    this.#options = options;
    this.#random = new SeededRandom(`chaos/${options.seed}`);
    this.#deck = new Deck(options.faults, this.#random.fork("deck"));
  }

  /** What the cluster must have done and did not. Empty: all is well. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  get activeCount(): number {
    return this.#active.size;
  }

  /**
   * Goes on until the time is over, `stopping` is aborted, or there is a problem. A slow machine has
   * had less of everything by then: what never took effect gets more time.
   */
  async run(durationMs: number, stopping: AbortSignal): Promise<void> {
    const startMs = performance.now();
    const goesOnUntil = (untilMs: number): boolean =>
      performance.now() < untilMs &&
      !stopping.aborted &&
      this.#problems.length === 0 &&
      !this.#options.isHopeless();
    const endMs = startMs + durationMs;
    if (this.#options.faults.length === 0) return await pauseUnless(stopping, durationMs);
    await this.#storms(this.#deck, () => goesOnUntil(endMs), stopping);
    const lateMs = endMs + Math.max(durationMs / 4, Math.min(2 * durationMs, OVERTIME_MIN_MS));
    while (goesOnUntil(lateMs) && this.#silent().length > 0) {
      this.#options.log.note("overtime", {
        faults: this.#silent().map(({ kind, shape }) => `${kind} ${shape}`),
      });
      const deck = new Deck(this.#silent(), this.#random.fork(`overtime ${this.#count}`));
      const isSilent = (): boolean => this.#silent().length > 0;
      await this.#storms(deck, () => goesOnUntil(lateMs) && isSilent(), stopping);
    }
  }

  async #storms(deck: Deck<Fault>, goesOn: () => boolean, stopping: AbortSignal): Promise<void> {
    const timing = this.#random.fork(`timing ${this.#count}`);
    while (goesOn()) {
      const stormMs = performance.now() + timing.between(STORM_MS.min, STORM_MS.max);
      this.#healing = new AbortController();
      while (goesOn() && performance.now() < stormMs) await this.#step(deck, timing, stopping);
      this.#options.log.note("heal");
      await this.#heal();
      if (goesOn()) await pauseUnless(stopping, timing.between(QUIET_MS.min, QUIET_MS.max));
    }
  }

  /** Faults that the verdict would miss. */
  #silent(): Fault[] {
    const { faults, log } = this.#options;
    const { ofSilentKinds, shapes } = silentFaults(faults, log.records);
    return [...ofSilentKinds, ...shapes];
  }

  async #step(deck: Deck<Fault>, timing: SeededRandom, stopping: AbortSignal): Promise<void> {
    if (this.#active.size >= ACTIVE_MAX) {
      await Promise.race([...this.#active, pauseUnless(stopping, GAP_MEAN_MS)]);
      return;
    }
    await pauseUnless(stopping, Math.min(timing.exponential(GAP_MEAN_MS), 4 * GAP_MEAN_MS));
    if (stopping.aborted) return;
    const fault = deck.draw();
    const doing = this.#do(fault, deck).finally(() => this.#active.delete(doing));
    this.#active.add(doing);
    // One that can be done to nobody says so at once.
    await Promise.race([doing, pause(POSTPONED_GAP_MS)]);
  }

  async #do(fault: Fault, deck: Deck<Fault>): Promise<void> {
    const { cluster, log, availability } = this.#options;
    this.#count += 1;
    const number = this.#count;
    const name = `${fault.kind} ${fault.shape}`;
    let onset = { targets: [] as readonly string[], text: "", atMs: performance.now() };
    const recovery: Recovery = { servedAfterMs: null };
    const context: FaultContext = {
      cluster,
      random: this.#random.fork(`fault ${number}`),
      healing: this.#healing.signal,
      onset: (targets, text) => {
        onset = { targets, text, atMs: performance.now() };
        log.note(name, { number, targets, text });
        void availability.nextFrom(performance.now()).served.then((ms) => {
          recovery.servedAfterMs = Math.round(ms);
        });
      },
    };
    try {
      const outcome: FaultOutcome = await fault.run(context);
      if (outcome.kind === "postponed") {
        deck.putBack(fault);
        return;
      }
      const endMs = performance.now();
      log.add({ ...onset, number, fault, onsetMs: onset.atMs, endMs, outcome, recovery });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const known = error instanceof ChaosProblem ? "" : `${(error as Error).stack ?? ""}`;
      this.#problem(`${name} (${onset.text}): ${why}`, known);
    }
  }

  /** Ends all faults; the cluster has to serve from here on. */
  async #heal(): Promise<void> {
    this.#healing.abort();
    await Promise.all(this.#active);
    if (this.#problems.length > 0) return;
    const late = pause(PATIENCE_MS, null, { ref: false });
    const next = this.#options.availability.nextFrom(performance.now());
    const served = await Promise.race([next.served, late]);
    if (served === null) this.#problem("healed, and nothing is served");
    else this.#options.log.note("serves again", { afterMs: Math.round(served) });
  }

  #problem(text: string, stack = ""): void {
    this.#problems.push(text);
    this.#options.log.note("PROBLEM", { text, stack });
  }
}

async function pauseUnless(stopping: AbortSignal, ms: number): Promise<void> {
  try {
    await pause(ms, undefined, { signal: stopping });
  } catch {
    // Stopped.
  }
}
