import type { NodeId } from "@quorate/wire";
import { encodeCommand } from "../kv/command-codec.ts";
import type { KvResult } from "../kv/kv-result.ts";
import type { ProposalOutcome } from "../server/driver-outcomes.ts";
import type { Operation } from "./checkers/history.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { ReadAnswer, SimNode } from "./sim-node.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

const TO_NODE_MEAN_US = 200;
/** Pause after a request that was not served, on average. */
const RETREAT_MEAN_US = 20_000;
const BURST_MAX_WRITES = 12;

/** An operation that the client waits for, or has given up: it may be answered all the same. */
interface Call {
  readonly operation: Operation;
  readonly sentUs: number;
  isOver: boolean;
}

/**
 * A client that does mostly one thing at a time: it puts values that nobody else puts, deletes, and
 * reads linearizably, through whichever node it believes to be of use, and never sends anything
 * twice. It checks every answer against the history.
 */
export class SimClient {
  readonly #name: string;
  readonly #cluster: SimCluster;
  readonly #plan: SimulationPlan;
  readonly #random: SeededRandom;
  /** How likely it goes on with the node that was of use, or that it was pointed to. */
  readonly #loyalty: number;
  #isActive = true;
  #target: SimNode;
  #operations = 0;
  #ownKey: Uint8Array | null = null;
  #isOwnKeyDeleted = false;
  #lastAcknowledgedSentUs = -1;

  constructor(name: string, cluster: SimCluster, plan: SimulationPlan, random: SeededRandom) {
    this.#name = name;
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = random;
    this.#loyalty = random.pick([0, 0.8, 0.99]);
    this.#target = random.pick(cluster.nodes);
  }

  start(): void {
    this.#think(this.#plan.thinkMeanUs);
  }

  stop(): void {
    this.#isActive = false;
  }

  /** When the newest write that was acknowledged had been sent; -1 before the first. */
  get lastAcknowledgedSentUs(): number {
    return this.#lastAcknowledgedSentUs;
  }

  #think(meanUs: number): void {
    this.#after(meanUs, () => {
      if (!this.#isActive) return;
      if (this.#random.chance(this.#plan.nonsenseChance)) this.#proposeNonsense();
      if (this.#random.chance(this.#plan.readChance)) this.#read();
      else this.#writeSome();
    });
  }

  /** Mostly one write; at times a burst, of which it waits for the last. */
  #writeSome(): void {
    const burst = this.#random.chance(0.15) ? this.#random.below(BURST_MAX_WRITES) : 0;
    for (let sent = 0; sent < burst; sent++) this.#write({ waits: false });
    this.#write({ waits: true });
  }

  #write({ waits }: { readonly waits: boolean }): void {
    this.#operations++;
    const [key, command] = this.#drawCommand();
    const node = this.#target;
    const call = this.#call(key, command);
    call.isOver = !waits;
    this.#after(TO_NODE_MEAN_US, () => {
      const isHeard = node.propose(command, (outcome) => {
        this.#after(TO_NODE_MEAN_US, () => {
          this.#settleWrite(call, node, outcome);
        });
      });
      if (!isHeard) this.#finish(call, null);
    });
  }

  /** Bytes that are no command, as a later version's are: in the log they change nothing. */
  #proposeNonsense(): void {
    const [, command] = this.#drawCommand();
    const isCut = this.#random.chance(0.5);
    const bytes = isCut ? command.slice(0, this.#random.below(8)) : command;
    bytes.fill(this.#random.between(3, 255), 0, 1);
    const { trace, coverage } = this.#cluster;
    trace.record("nonsense", this.#target.id, bytes);
    this.#target.propose(bytes, (outcome) => {
      if (outcome.kind === "applied") coverage.add("commandsThatAreNone");
    });
  }

  #settleWrite(call: Call, node: SimNode, outcome: ProposalOutcome<KvResult>): void {
    const { history } = this.#cluster.checker;
    const { coverage } = this.#cluster;
    switch (outcome.kind) {
      case "applied":
        coverage.add("writesAcknowledged");
        history.writeAcknowledged(call.operation, outcome.index);
        this.#lastAcknowledgedSentUs = Math.max(this.#lastAcknowledgedSentUs, call.sentUs);
        this.#finish(call, node.id, this.#plan.thinkMeanUs);
        break;
      case "notApplied":
        coverage.add("writesRefused");
        history.writeRefused(call.operation);
        this.#finish(call, outcome.leaderId);
        break;
      case "unknown":
        coverage.add("writesUnknown");
        this.#finish(call, outcome.leaderId);
        break;
    }
  }

  #read(): void {
    const key = this.#drawReadKey();
    const node = this.#target;
    const call = this.#call(key, null);
    this.#after(TO_NODE_MEAN_US, () => {
      const isHeard = node.read(key, (answer) => {
        const led = this.#cluster.leader() === node;
        this.#after(TO_NODE_MEAN_US, () => {
          this.#settleRead(call, answer, led);
        });
      });
      if (!isHeard) this.#finish(call, null);
    });
  }

  #settleRead(call: Call, answer: ReadAnswer, led: boolean): void {
    const { coverage, checker } = this.#cluster;
    if (answer.kind === "failed") {
      this.#finish(call, answer.leaderId);
      return;
    }
    coverage.add("readsAnswered");
    if (!led) coverage.add("readsByFollowers");
    checker.history.readAnswered(call.operation, answer.appliedIndex, answer.value);
    this.#finish(call, this.#target.id, this.#plan.thinkMeanUs);
  }

  #call(key: Uint8Array, command: Uint8Array | null): Call {
    const { scheduler, checker, trace } = this.#cluster;
    trace.record(command === null ? "read" : "write", this.#target.id, this.#name);
    const operation = { client: this.#name, key, command, floor: checker.history.floor };
    const call: Call = { operation, sentUs: scheduler.nowUs, isOver: false };
    scheduler.schedule(this.#plan.requestTimeoutUs, () => {
      if (!call.isOver && command !== null) this.#cluster.coverage.add("writesUnknown");
      this.#finish(call, null);
    });
    return call;
  }

  /** Goes on, unless it had given up on this call before. */
  #finish(call: Call, usefulNode: NodeId | null, pauseMeanUs = RETREAT_MEAN_US): void {
    if (call.isOver) return;
    call.isOver = true;
    const hinted = usefulNode === null ? null : this.#cluster.node(usefulNode);
    const follows = hinted !== null && this.#random.chance(this.#loyalty);
    this.#target = follows ? hinted : this.#random.pick(this.#cluster.nodes);
    this.#think(pauseMeanUs);
  }

  /** A command that nobody else sends, so that the log tells what became of it. */
  #drawCommand(): readonly [key: Uint8Array, command: Uint8Array] {
    const name = Buffer.from(`${this.#name}-${this.#operations}`, "latin1");
    if (this.#random.chance(0.9)) {
      const key = this.#drawSharedKey();
      const value = Buffer.concat([name, Buffer.alloc(this.#plan.valueBytes, "-")]);
      return [key, encodeCommand({ kind: "put", key, value })];
    }
    // A delete carries nothing that tells it from others: each is of a key of its own.
    if (this.#ownKey === null || this.#isOwnKeyDeleted) {
      this.#ownKey = name;
      this.#isOwnKeyDeleted = false;
      return [name, encodeCommand({ kind: "put", key: name, value: name })];
    }
    this.#isOwnKeyDeleted = true;
    return [this.#ownKey, encodeCommand({ kind: "delete", key: this.#ownKey })];
  }

  #drawReadKey(): Uint8Array {
    if (this.#ownKey !== null && this.#random.chance(0.2)) return this.#ownKey;
    return this.#drawSharedKey();
  }

  #drawSharedKey(): Uint8Array {
    return Buffer.from(`key-${this.#random.below(this.#plan.keyCount)}`, "latin1");
  }

  #after(meanUs: number, act: () => void): void {
    this.#cluster.scheduler.schedule(1 + this.#random.exponential(meanUs), act);
  }
}
