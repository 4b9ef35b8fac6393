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
/** Changes on their way at once: far fewer than a session may have. */
const LANES_MAX = 4;
/** Nobody is so far ahead of the oldest change that waits: the session keeps its answers. */
const AHEAD_MAX = 16;

/** A change that is sent until it is answered. */
interface Change {
  readonly command: KeyChange;
  readonly session: SessionOperation;
  /** What was known when it was first sent. */
  readonly floor: number;
  isOver: boolean;
}

/**
 * A client with a session (Diss. §6.3) and some changes on their way at once. What it cannot tell
 * the outcome of it sends again, with the same serial, to other nodes; some changes go to two nodes
 * at once, and some come once more, long after they were answered and others after them. Each takes
 * effect once, and each answer is that of the first.
 */
export class SimSessionClient {
  readonly #name: string;
  readonly #cluster: SimCluster;
  readonly #plan: SimulationPlan;
  readonly #random: SeededRandom;
  readonly #lanes: number;
  #isActive = true;
  #sessionId: number | null = null;
  #serial = 0;
  /** Serials of the session that are not answered yet. */
  readonly #unanswered = new Set<number>();
  #idleUntilUs = 0;

  constructor(name: string, cluster: SimCluster, plan: SimulationPlan, random: SeededRandom) {
    this.#name = name;
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = random;
    this.#lanes = random.pick([1, 2, LANES_MAX]);
  }

  start(): void {
    this.#openLater(this.#plan.thinkMeanUs);
  }

  stop(): void {
    this.#isActive = false;
  }

  #openLater(meanUs: number): void {
    this.#after(meanUs, () => {
      if (this.#isActive) this.#open();
    });
  }

  /** One change after another, as long as the session lasts. */
  #beginLater(sessionId: number): void {
    this.#after(this.#plan.thinkMeanUs, () => {
      if (!this.#isActive || this.#sessionId !== sessionId) return;
      const isIdle = this.#cluster.scheduler.nowUs < this.#idleUntilUs;
      const isAhead = this.#serial - Math.min(...this.#unanswered) >= AHEAD_MAX;
      if (isIdle || isAhead) this.#beginLater(sessionId);
      else this.#begin(sessionId);
    });
  }

  #open(): void {
    let isOver = false;
    const goOn = (sessionId: number | null): void => {
      if (isOver) return;
      isOver = true;
      if (sessionId === null) this.#openLater(RETRY_MEAN_US);
      else this.#opened(sessionId);
    };
    this.#after(this.#plan.requestTimeoutUs, () => {
      goOn(null);
    });
    const node = this.#random.pick(this.#cluster.nodes);
    this.#cluster.trace.record("open", node.id, this.#name);
    node.proposeInSession({ kind: "openSession", ttlMs: TTL_MS }, null, (outcome) => {
      if (outcome.kind !== "applied" || outcome.result.kind !== "sessionOpened") {
        goOn(null);
        return;
      }
      this.#cluster.coverage.add("sessionsOpened");
      goOn(outcome.result.sessionId);
    });
  }

  #opened(sessionId: number): void {
    this.#sessionId = sessionId;
    this.#serial = 0;
    this.#unanswered.clear();
    for (let lane = 0; lane < this.#lanes; lane++) this.#beginLater(sessionId);
  }

  #begin(sessionId: number): void {
    const serial = ++this.#serial;
    this.#unanswered.add(serial);
    const ackedBelow = Math.min(...this.#unanswered);
    const change: Change = {
      command: this.#drawCommand(sessionId),
      session: { sessionId, serial, ackedBelow },
      floor: this.#cluster.checker.history.floor,
      isOver: false,
    };
    this.#send(change);
    if (this.#random.chance(0.2)) this.#send(change);
    this.#retryLater(change, this.#plan.requestTimeoutUs);
  }

  #retryLater(change: Change, meanUs: number): void {
    this.#after(meanUs, () => {
      if (!this.#isAwaited(change)) return;
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
      this.#expired(change);
    } else if (result.kind === "put" || result.kind === "deleted") {
      if (checker.history.sessions.firstOf(sessionId, serial) !== index) {
        coverage.add("duplicatesAnswered");
      }
      checker.history.changeAcknowledged({ sessionId, serial, floor: change.floor }, index, result);
      if (serial < Math.max(...this.#unanswered)) coverage.add("answersOutOfTurn");
      this.#finish(change);
    }
  }

  /** All that waits in the session waits in vain. */
  #expired(change: Change): void {
    change.isOver = true;
    if (this.#sessionId !== change.session.sessionId) return;
    this.#sessionId = null;
    this.#openLater(this.#plan.thinkMeanUs);
  }

  #sendAgain(change: Change): void {
    this.#after(RETRY_MEAN_US, () => {
      if (this.#isAwaited(change) && this.#random.chance(0.5)) this.#send(change);
    });
  }

  #isAwaited({ isOver, session }: Change): boolean {
    return !isOver && this.#isActive && this.#sessionId === session.sessionId;
  }

  #finish(change: Change): void {
    if (change.isOver) return;
    change.isOver = true;
    const { sessionId, serial } = change.session;
    if (this.#sessionId === sessionId) this.#unanswered.delete(serial);
    if (this.#random.chance(0.3)) {
      this.#after(LATE_MEAN_US, () => {
        if (this.#isActive) this.#send(change);
      });
    }
    if (this.#random.chance(0.03)) {
      this.#idleUntilUs = this.#cluster.scheduler.nowUs + 2 * TTL_MS * 1000;
    }
    this.#beginLater(sessionId);
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
