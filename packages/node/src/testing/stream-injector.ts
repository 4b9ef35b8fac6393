import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimLibraryClient } from "./sim-library-client.ts";
import type { SimStreams } from "./sim-streams.ts";
import type { Fault, SimulationPlan } from "./simulation-plan.ts";

const PAUSE_MEAN_US = 400_000;
const CUT_MEAN_US = 400_000;

/** Breaks what only streams of bytes have: connections, and the clients' processes and ways. */
export class StreamInjector {
  readonly #cluster: SimCluster;
  readonly #streams: SimStreams;
  readonly #clients: readonly SimLibraryClient[];
  readonly #random: SeededRandom;
  readonly #gapMeanUs: number;
  readonly #acts: readonly (() => void)[];
  #isActive = true;

  constructor(
    cluster: SimCluster,
    streams: SimStreams,
    clients: readonly SimLibraryClient[],
    { plan, random }: { readonly plan: SimulationPlan; readonly random: SeededRandom },
  ) {
    this.#cluster = cluster;
    this.#streams = streams;
    this.#clients = clients;
    this.#random = random;
    this.#gapMeanUs = plan.faultGapMeanUs;
    const acts: readonly (readonly [Fault, () => void])[] = [
      ["streamReset", () => streams.breakOne()],
      ["halfOpen", () => streams.deaden()],
      ["clientPause", () => this.#pause(random.pick(clients))],
      ["clientCut", () => this.#cut(random.pick(clients))],
    ];
    this.#acts = acts.filter(([fault]) => plan.faults.has(fault)).map(([, act]) => act);
  }

  start(): void {
    if (this.#acts.length === 0 || this.#clients.length === 0) return;
    this.#later(this.#gapMeanUs, () => {
      this.#random.pick(this.#acts)();
      this.start();
    });
  }

  /** Clients run again; connections that are half open stay so. */
  stop(): void {
    this.#isActive = false;
    for (const { process } of this.#clients) process.resume();
  }

  #later(meanUs: number, act: () => void): void {
    this.#cluster.scheduler.schedule(1 + this.#random.exponential(meanUs), () => {
      if (this.#isActive) act();
    });
  }

  #pause({ name, process }: SimLibraryClient): void {
    if (process.isPaused) return;
    this.#cluster.coverage.add("pauses");
    this.#cluster.trace.record("pause", name, 0);
    process.pause();
    this.#later(PAUSE_MEAN_US, () => {
      this.#cluster.trace.record("resume", name, 0);
      process.resume();
    });
  }

  /** A client does not reach some of the nodes, or is not reached by them, or both. */
  #cut({ name }: SimLibraryClient): void {
    const { trace, nodes } = this.#cluster;
    const some = this.#random.shuffle(nodes).slice(0, this.#random.between(1, nodes.length));
    const loses = this.#random.pick(["requests", "answers", "both"] as const);
    trace.record("cut", name, `${loses} ${some.map(({ id }) => id).join(" ")}`);
    for (const { id } of some) {
      if (loses !== "answers") this.#streams.block(name, id);
      if (loses !== "requests") this.#streams.block(id, name);
    }
    this.#later(CUT_MEAN_US, () => {
      trace.record("join", name, 0);
      for (const { id } of some) {
        this.#streams.unblock(name, id);
        this.#streams.unblock(id, name);
      }
    });
  }
}
