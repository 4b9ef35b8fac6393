import type { NodeEvent, NodeStatus } from "@quorate/wire";
import type { Subscription } from "@quorate/wire/client";
import { QuorateClient } from "@quorate/wire/client";
import { encodeCommand } from "../kv/command-codec.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import { simAddress } from "./sim-fabric.ts";
import type { SimNode } from "./sim-node.ts";
import { SimProcess } from "./sim-process.ts";
import { SimStack } from "./sim-stack.ts";
import type { SimStreams } from "./sim-streams.ts";

const AGAIN_MEAN_US = 100_000;
/** So often it ends a stream itself. */
const FOLLOWED_MEAN_US = 700_000;
/** Events of before that it asks for. */
const BACKLOGS = [0, 0, 5] as const;
const APPLIED_WITHIN_US = 2_000_000;
const LIVENESS_LIMIT_US = 30_000_000;

/**
 * A process that follows one node through the client library, as a dashboard does, and goes on
 * where it was whenever the stream ends. Every event must be the next one of the node's life, but
 * for those that were told to be lost.
 */
export class SimSubscriber {
  readonly #cluster: SimCluster;
  readonly #random: SeededRandom;
  readonly #node: SimNode;
  readonly #process: SimProcess;
  readonly #client: QuorateClient;
  #subscription: Subscription | null = null;
  #isActive = true;
  /** It does not end its stream itself any more. */
  #staysOn = false;
  /** As states and deltas tell it; null before the first. */
  #status: NodeStatus | null = null;
  /** The newest event of the node's present life that it has, or was told is lost; null: none. */
  #sequence: number | null = null;
  /** A stream begins with a state. */
  #isFresh = true;

  constructor(cluster: SimCluster, streams: SimStreams, random: SeededRandom) {
    this.#cluster = cluster;
    this.#random = random;
    this.#node = random.pick(cluster.nodes);
    this.#process = new SimProcess(cluster.scheduler, 1, () => undefined);
    const dice = random.fork("library");
    let boots = 0;
    this.#client = new QuorateClient(
      { endpoints: [simAddress(this.#node.id)], clientName: "watcher" },
      {
        stack: new SimStack(streams, "watcher", this.#process),
        random: () => dice.below(2 ** 32) / 2 ** 32,
        newBootId: () => `watcher-${boots++}`,
      },
    );
  }

  start(): void {
    this.#process.deliver(() => {
      this.#subscribe();
    });
  }

  /** What it shows becomes what the node is, if that is up, and again after a write. */
  async requireTruth(): Promise<void> {
    this.#staysOn = true;
    await this.#untilTrue();
    const before = this.#node.appliedState()?.lastApplied ?? 0;
    const command = { kind: "put", key: Buffer.from("watched"), value: Buffer.from("1") } as const;
    this.#cluster.leader()?.propose(encodeCommand(command), () => undefined);
    // A node that was removed does not hear of it.
    const isApplied = (): boolean => (this.#node.appliedState()?.lastApplied ?? 0) > before;
    await this.#cluster.runUntil(isApplied, APPLIED_WITHIN_US);
    await this.#untilTrue();
    this.#isActive = false;
    this.#process.deliver(() => {
      this.#subscription?.cancel();
      void this.#client.close();
    });
  }

  async #untilTrue(): Promise<void> {
    requireInvariant(
      await this.#cluster.runUntil(() => this.#showsTruth(), LIVENESS_LIMIT_US),
      "Liveness",
      () => `who watches ${this.#node.id} is shown ${describe(this.#status)}`,
    );
  }

  #showsTruth(): boolean {
    const view = this.#node.view();
    const applied = this.#node.appliedState();
    // Nobody hears of a node that is down for good.
    if (view === null || applied === null) return true;
    const shown = this.#status;
    return (
      shown?.role === view.role &&
      shown.currentTerm === view.currentTerm &&
      shown.leaderId === view.leaderId &&
      shown.commitIndex === view.commitIndex &&
      shown.lastLogIndex === view.lastLogIndex &&
      shown.lastApplied === applied.lastApplied &&
      shown.stateHash === applied.stateHash
    );
  }

  #subscribe(): void {
    const resume = this.#subscription?.resume ?? null;
    this.#isFresh = true;
    // Without a place to go on from it begins with what happens next.
    this.#sequence = resume?.sequence ?? null;
    let isOver = false;
    const whileOpen = (act: () => void): void => {
      requireInvariant(!isOver, "Wire Sanity", () => "a stream that was over went on");
      act();
    };
    this.#subscription = this.#client.subscribe(
      simAddress(this.#node.id),
      {
        onState: (status) => {
          whileOpen(() => {
            this.#showState(status, resume?.bootId ?? null);
          });
        },
        onDelta: (changed) => {
          whileOpen(() => {
            this.#showDelta(changed);
          });
        },
        onEvents: (events) => {
          whileOpen(() => {
            this.#showEvents(events);
          });
        },
        onTick: () => {
          whileOpen(() => undefined);
        },
        onGap: (lost) => {
          whileOpen(() => {
            if (this.#sequence !== null) this.#sequence += lost;
          });
        },
        onDisconnect: () => {
          whileOpen(() => {
            isOver = true;
            this.#subscribeLater();
          });
        },
      },
      { resume, eventBacklogMax: this.#random.pick(BACKLOGS) },
    );
    const subscription = this.#subscription;
    this.#process.after(this.#random.exponential(FOLLOWED_MEAN_US) / 1000, () => {
      if (isOver || this.#staysOn) return;
      isOver = true;
      subscription.cancel();
      this.#subscribeLater();
    });
  }

  #subscribeLater(): void {
    const afterMs = (1 + this.#random.exponential(AGAIN_MEAN_US)) / 1000;
    this.#process.after(afterMs, () => {
      if (this.#isActive) this.#subscribe();
    });
  }

  #showState(status: NodeStatus, resumedBootId: string | null): void {
    // Another life of the node counts its events anew.
    if (this.#isFresh && status.bootId !== resumedBootId) this.#sequence = null;
    if (this.#isFresh && this.#sequence !== null) this.#cluster.coverage.add("streamsFollowedOn");
    this.#isFresh = false;
    this.#status = status;
  }

  #showDelta(changed: Partial<NodeStatus>): void {
    this.#requireState();
    if (this.#status !== null) this.#status = { ...this.#status, ...changed };
  }

  #showEvents(events: readonly NodeEvent[]): void {
    this.#requireState();
    for (const { sequence } of events) {
      const before = this.#sequence;
      requireInvariant(
        before === null || sequence === before + 1,
        "Wire Sanity",
        () => `who watches ${this.#node.id} got event ${sequence} after ${before ?? 0}`,
      );
      this.#sequence = sequence;
    }
    this.#cluster.coverage.add("eventsFollowed", events.length);
  }

  #requireState(): void {
    requireInvariant(
      !this.#isFresh,
      "Wire Sanity",
      () => `the stream of ${this.#node.id} did not begin with a state`,
    );
  }
}

function describe(status: NodeStatus | null): string {
  if (status === null) return "nothing";
  const { role, currentTerm, commitIndex, lastApplied } = status;
  return `a ${role} of term ${currentTerm} at ${commitIndex}, with ${lastApplied} applied`;
}
