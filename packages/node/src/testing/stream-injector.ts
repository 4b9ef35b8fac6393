import type { ByteStream } from "@quorate/wire/net";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import { fallSilent, hasShortSessions } from "./session-silence.ts";
import { SIM_CONNECTIONS_MAX, SIM_PORT } from "./sim-fabric.ts";
import type { SimLibraryClient } from "./sim-library-client.ts";
import type { SimNode } from "./sim-node.ts";
import { SimProcess } from "./sim-process.ts";
import type { SimStreams } from "./sim-streams.ts";
import type { Fault, SimulationPlan } from "./simulation-plan.ts";

const PAUSE_MEAN_US = 400_000;
const CUT_MEAN_US = 400_000;
const OVER_LIMIT = 5;

/** Where sessions are short: how long clients are heard between two silences. */
const HEARD_MEAN_US = 400_000;

/** Breaks what only streams of bytes have: connections, and the clients' processes and ways. */
export class StreamInjector {
  readonly #cluster: SimCluster;
  readonly #streams: SimStreams;
  readonly #clients: readonly SimLibraryClient[];
  readonly #random: SeededRandom;
  readonly #gapMeanUs: number;
  readonly #acts: readonly (() => void)[];
  readonly #plan: SimulationPlan;
  readonly #silenceRandom: SeededRandom;
  readonly #strangers = new Set<ByteStream>();
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
    this.#plan = plan;
    this.#silenceRandom = random.fork("silence");
    const acts: readonly (readonly [Fault, () => void])[] = [
      ["streamReset", () => streams.breakOne()],
      ["halfOpen", () => streams.deaden()],
      ["clientPause", () => this.#pause(random.pick(clients))],
      ["strangers", () => this.#crowd(random.pick(cluster.nodes))],
      ["clientCut", () => this.#cut(random.pick(clients))],
    ];
    this.#acts = acts.filter(([fault]) => plan.faults.has(fault)).map(([, act]) => act);
  }

  start(): void {
    this.#injectLater();
    if (!hasShortSessions(this.#plan)) return;
    for (const client of this.#clients) if (client.hasSessions) this.#silenceLater(client);
  }

  #injectLater(): void {
    if (this.#acts.length === 0 || this.#clients.length === 0) return;
    this.#later(this.#gapMeanUs, () => {
      this.#random.pick(this.#acts)();
      this.#injectLater();
    });
  }

  /** Clients run again, and strangers leave; connections that are half open stay so. */
  stop(): void {
    this.#isActive = false;
    for (const stream of this.#strangers) stream.destroy();
    for (const { process } of this.#clients) process.resume();
  }

  /** Again and again it is not heard for longer than its session lasts. */
  #silenceLater(client: SimLibraryClient): void {
    const random = this.#silenceRandom;
    const act = (): void => {
      fallSilent(client, {
        cluster: this.#cluster,
        plan: this.#plan,
        random,
        begin: () =>
          random.chance(0.5)
            ? client.pause()
            : client.cut(this.#streams, this.#cluster.nodes, "both"),
        ended: () => {
          this.#silenceLater(client);
        },
        isOver: () => !this.#isActive,
      });
    };
    this.#later(HEARD_MEAN_US, act, random);
  }

  #later(meanUs: number, act: () => void, dice: SeededRandom = this.#random): void {
    this.#cluster.scheduler.schedule(1 + dice.exponential(meanUs), () => {
      if (this.#isActive) act();
    });
  }

  #pause(client: SimLibraryClient): void {
    if (client.process.isPaused) return;
    this.#later(PAUSE_MEAN_US, client.pause());
  }

  /** More sockets than a node takes, none of which says hello. */
  #crowd({ id }: SimNode): void {
    const { scheduler, coverage, trace } = this.#cluster;
    trace.record("crowd", id, 0);
    const process = new SimProcess(scheduler, 1, () => undefined);
    for (let count = 0; count < SIM_CONNECTIONS_MAX + OVER_LIMIT; count++) {
      const stream = this.#streams.connect("crowd", process, { host: id, port: SIM_PORT });
      // Nothing is said to them but that there are too many.
      stream.on("data", () => {
        coverage.add("connectionsOverLimit");
      });
      stream.once("close", () => this.#strangers.delete(stream));
      this.#strangers.add(stream);
    }
  }

  /** A client does not reach some of the nodes, or is not reached by them, or both. */
  #cut(client: SimLibraryClient): void {
    const { nodes } = this.#cluster;
    const some = this.#random.shuffle(nodes).slice(0, this.#random.between(1, nodes.length));
    const loses = this.#random.pick(["requests", "answers", "both"] as const);
    this.#later(CUT_MEAN_US, client.cut(this.#streams, some, loses));
  }
}
