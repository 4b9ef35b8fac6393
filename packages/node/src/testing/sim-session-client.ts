import type { SessionOperation } from "@quorate/wire";
import type { KeyChange } from "../kv/kv-command.ts";
import type { KvResult } from "../kv/kv-result.ts";
import type { ProposalOutcome } from "../server/driver-outcomes.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

const TO_NODE_MEAN_US = 200;
const RETRY_MEAN_US = 30_000;
/** The shortest that the store allows: idle clients find their session gone. */
const TTL_MS = 1000;
const LATE_MEAN_US = 300_000;

/** A change that is sent until it is answered. */
interface Change {
  readonly command: KeyChange;
  readonly session: SessionOperation;
  /** What was known when it was first sent. */
  readonly floor: number;
  isOver: boolean;
}

/**
 * A client with a session (Diss. §6.3). What it cannot tell the outcome of it sends again, with the
 * same serial, to other nodes; some changes go to two nodes at once, and some come once more, long
 * after they were answered. Each takes effect once, and each answer is that of the first.
 */
export class SimSessionClient {
  readonly #name: string;
  readonly #cluster: SimCluster;
  readonly #plan: SimulationPlan;
  readonly #random: SeededRandom;
  #isActive = true;
  #sessionId: number | null = null;
  #serial = 0;

  constructor(name: string, cluster: SimCluster, plan: SimulationPlan, random: SeededRandom) {
    this.#name = name;
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = random;
  }

  start(): void {
    this.#after(this.#plan.thinkMeanUs, () => {
      this.#next();
    });
  }

  stop(): void {
    this.#isActive = false;
  }

  #next(): void {
    if (!this.#isActive) return;
    if (this.#sessionId === null) this.#open();
    else this.#begin(this.#sessionId);
  }

  #open(): void {
    let isOver = false;
    const goOn = (sessionId: number | null, meanUs: number): void => {
      if (isOver) return;
      isOver = true;
      this.#sessionId = sessionId;
      this.#serial = 0;
      this.#after(meanUs, () => {
        this.#next();
      });
    };
    this.#after(this.#plan.requestTimeoutUs, () => {
      goOn(null, RETRY_MEAN_US);
    });
    const node = this.#random.pick(this.#cluster.nodes);
    this.#cluster.trace.record("open", node.id, this.#name);
    node.proposeInSession({ kind: "openSession", ttlMs: TTL_MS }, null, (outcome) => {
      if (outcome.kind !== "applied" || outcome.result.kind !== "sessionOpened") {
        goOn(null, RETRY_MEAN_US);
        return;
      }
      this.#cluster.coverage.add("sessionsOpened");
      goOn(outcome.result.sessionId, this.#plan.thinkMeanUs);
    });
  }

  #begin(sessionId: number): void {
    this.#serial++;
    const change: Change = {
      command: this.#drawCommand(sessionId),
      session: { sessionId, serial: this.#serial, ackedBelow: this.#serial },
      floor: this.#cluster.checker.history.floor,
      isOver: false,
    };
    this.#send(change);
    if (this.#random.chance(0.2)) this.#send(change);
    this.#retryLater(change, this.#plan.requestTimeoutUs);
  }

  #retryLater(change: Change, meanUs: number): void {
    this.#after(meanUs, () => {
      if (change.isOver || !this.#isActive) return;
      this.#send(change);
      this.#retryLater(change, RETRY_MEAN_US * 4);
    });
  }

  #send(change: Change): void {
    const node = this.#random.pick(this.#cluster.nodes);
    this.#cluster.trace.record("change key", node.id, this.#name);
    this.#after(TO_NODE_MEAN_US, () => {
      node.proposeInSession(change.command, change.session, (outcome) => {
        this.#settle(change, outcome);
      });
    });
  }

  #settle(change: Change, outcome: ProposalOutcome<KvResult>): void {
    if (outcome.kind !== "applied") {
      if (!change.isOver && outcome.kind === "notApplied") this.#sendAgain(change);
      return;
    }
    const { result, index } = outcome;
    const { coverage, checker } = this.#cluster;
    const { sessionId, serial } = change.session;
    if (result.kind === "sessionExpired") {
      coverage.add("sessionsExpired");
      this.#finish(change, null);
    } else if (result.kind === "put" || result.kind === "deleted") {
      if (checker.history.sessions.firstOf(sessionId, serial) !== index) {
        coverage.add("duplicatesAnswered");
      }
      checker.history.changeAcknowledged({ sessionId, serial, floor: change.floor }, index, result);
      this.#finish(change, sessionId);
    }
  }

  #sendAgain(change: Change): void {
    this.#after(RETRY_MEAN_US, () => {
      if (!change.isOver && this.#isActive && this.#random.chance(0.5)) this.#send(change);
    });
  }

  #finish(change: Change, sessionId: number | null): void {
    if (change.isOver) return;
    change.isOver = true;
    this.#sessionId = sessionId;
    if (this.#random.chance(0.3)) {
      this.#after(LATE_MEAN_US, () => {
        if (this.#isActive) this.#send(change);
      });
    }
    const isIdle = this.#random.chance(0.03);
    this.#after(isIdle ? 2 * TTL_MS * 1000 : this.#plan.thinkMeanUs, () => {
      this.#next();
    });
  }

  #drawCommand(sessionId: number): KeyChange {
    const key = Buffer.from(`key-${this.#random.below(this.#plan.keyCount)}`, "latin1");
    if (this.#random.chance(0.2)) return { kind: "delete", key };
    const text = `${this.#name}-${sessionId}-${this.#serial}`;
    return { kind: "put", key, value: Buffer.from(text, "latin1") };
  }

  #after(meanUs: number, act: () => void): void {
    this.#cluster.scheduler.schedule(1 + this.#random.exponential(meanUs), act);
  }
}
