import type { NodeId } from "@quorate/wire";
import type { Coverage } from "./coverage.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimScheduler } from "./sim-scheduler.ts";
import type { Trace } from "./trace.ts";

/** How a network behaves. Chances are of each message; times are in microseconds. */
export interface NetworkFaults {
  readonly dropChance: number;
  readonly duplicateChance: number;
  /** A message does not wait for those sent before it on its link. */
  readonly reorderChance: number;
  /** With a message, an old one of its link arrives once more. */
  readonly replayChance: number;
  readonly delayMinUs: number;
  /** Mean of what comes on top of the minimum, exponentially distributed. */
  readonly delayMeanUs: number;
  /** A message takes up to `longDelayMaxUs`, whatever the rest says. */
  readonly longDelayChance: number;
  readonly longDelayMaxUs: number;
  /** Arrivals fall on multiples of this, so that several come in one turn of the loop. 1: any. */
  readonly arrivalGridUs: number;
}

/** A healthy network on one machine or rack. */
export const CALM_NETWORK: NetworkFaults = {
  dropChance: 0,
  duplicateChance: 0,
  reorderChance: 0,
  replayChance: 0,
  delayMinUs: 50,
  delayMeanUs: 150,
  longDelayChance: 0,
  longDelayMaxUs: 1,
  arrivalGridUs: 1,
};

type Receive = (from: NodeId, frame: Uint8Array) => void;

interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
  lastArrivalUs: number;
  /** Some of what was sent lately, for replays. */
  readonly recorded: Uint8Array[];
  nextRecorded: number;
}

const RECORDED_FRAMES = 16;

/** Carries frames between nodes, as badly as its faults say. */
export class SimNetwork {
  readonly #scheduler: SimScheduler;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #coverage: Coverage;
  readonly #receivers = new Map<NodeId, Receive>();
  readonly #links = new Map<string, Link>();
  readonly #blocked = new Set<string>();
  faults: NetworkFaults;

  constructor(
    scheduler: SimScheduler,
    random: SeededRandom,
    record: { readonly trace: Trace; readonly coverage: Coverage },
    faults: NetworkFaults,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#trace = record.trace;
    this.#coverage = record.coverage;
    this.faults = faults;
  }

  get coverage(): Coverage {
    return this.#coverage;
  }

  /** What reaches `node` goes to `receive` from now on; null: nobody listens there. */
  attach(node: NodeId, receive: Receive | null): void {
    if (receive === null) this.#receivers.delete(node);
    else this.#receivers.set(node, receive);
  }

  /** Cuts the way from one node to another, also for what is on it. */
  block(from: NodeId, to: NodeId): void {
    this.#blocked.add(linkName(from, to));
  }

  unblock(from: NodeId, to: NodeId): void {
    this.#blocked.delete(linkName(from, to));
  }

  unblockAll(): void {
    this.#blocked.clear();
  }

  /** `subject` is what the frame says, for the trace. */
  send(from: NodeId, to: NodeId, frame: Uint8Array, subject: unknown): void {
    this.#trace.record("send", from, frame, subject);
    const link = this.#link(from, to);
    const { faults } = this;
    if (this.#random.chance(faults.dropChance)) {
      this.#coverage.add("drops");
      this.#trace.record("drop", from, to);
      return;
    }
    this.#carry(link, frame);
    if (this.#random.chance(faults.duplicateChance)) {
      this.#coverage.add("duplicates");
      this.#carry(link, frame);
    }
    if (this.#random.chance(faults.replayChance) && link.recorded.length > 0) {
      this.#coverage.add("replays");
      this.#carry(link, this.#random.pick(link.recorded));
    }
    if (faults.replayChance > 0) {
      link.recorded[link.nextRecorded] = frame;
      link.nextRecorded = (link.nextRecorded + 1) % RECORDED_FRAMES;
    }
  }

  #carry(link: Link, frame: Uint8Array): void {
    const { faults } = this;
    const { nowUs } = this.#scheduler;
    let arrivalUs = nowUs + this.#delayUs();
    if (arrivalUs < link.lastArrivalUs) {
      if (this.#random.chance(faults.reorderChance)) this.#coverage.add("reorders");
      else arrivalUs = link.lastArrivalUs;
    }
    link.lastArrivalUs = Math.max(link.lastArrivalUs, arrivalUs);
    this.#scheduler.schedule(arrivalUs - nowUs, () => {
      this.#arrive(link, frame);
    });
  }

  #delayUs(): number {
    const { faults } = this;
    const delayUs = this.#random.chance(faults.longDelayChance)
      ? this.#random.below(faults.longDelayMaxUs)
      : faults.delayMinUs + this.#random.exponential(faults.delayMeanUs);
    return Math.ceil(delayUs / faults.arrivalGridUs) * faults.arrivalGridUs;
  }

  #arrive(link: Link, frame: Uint8Array): void {
    const receive = this.#receivers.get(link.to);
    const isCut = this.#blocked.has(linkName(link.from, link.to));
    if (isCut) this.#coverage.add("messagesCut");
    if (receive === undefined || isCut) {
      this.#trace.record("lost", link.to, link.from);
      return;
    }
    this.#trace.record("arrive", link.to, link.from);
    receive(link.from, frame);
  }

  #link(from: NodeId, to: NodeId): Link {
    const name = linkName(from, to);
    const known = this.#links.get(name);
    if (known !== undefined) return known;
    const link: Link = { from, to, lastArrivalUs: 0, recorded: [], nextRecorded: 0 };
    this.#links.set(name, link);
    return link;
  }
}

function linkName(from: NodeId, to: NodeId): string {
  return `${from}>${to}`;
}
