import type { NodeId } from "@quorate/wire";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import { encodeCommand } from "../kv/command-codec.ts";
import type { KeyChange } from "../kv/kv-command.ts";
import type { Operation } from "./checkers/history.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import { simAddress } from "./sim-fabric.ts";
import type { SimNode } from "./sim-node.ts";
import { SimProcess } from "./sim-process.ts";
import { SimStack } from "./sim-stack.ts";
import type { SimStreams } from "./sim-streams.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

const BURST_MAX_WRITES = 12;

/** What a client is made of: a test replaces one to break it and see it caught. */
export type CreateClient = (
  ...given: ConstructorParameters<typeof QuorateClient>
) => Pick<QuorateClient, "put" | "delete" | "get" | "close">;

/**
 * A process that uses the client library, over simulated connections: it puts values that nobody
 * else puts, deletes keys of its own, and reads. Every answer is held against the history.
 */
export class SimLibraryClient {
  readonly name: string;
  readonly process: SimProcess;
  readonly #cluster: SimCluster;
  readonly #plan: SimulationPlan;
  readonly #random: SeededRandom;
  readonly #client: ReturnType<CreateClient>;
  readonly hasSessions: boolean;
  readonly #timeoutMs: number;
  #isActive = true;
  #operations = 0;
  /** A key that nobody else writes, and whether it is there. */
  #ownKey: Uint8Array | null = null;
  #revision = 0;
  /** At which revision a key was when it was last read; 0: there was none. */
  readonly #seen = new Map<string, number>();
  /** The newest of its sessions that it was told is over; 0: none. */
  #sessionOver = 0;
  #lastAcknowledgedSentUs = -1;
  #atNextWrite: (() => void) | null = null;

  constructor(
    name: string,
    hasSessions: boolean,
    { cluster, streams, plan, random, create, nodes }: SimLibraryClientOptions,
  ) {
    this.name = name;
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = random;
    this.hasSessions = hasSessions;
    this.process = new SimProcess(cluster.scheduler, 1, () => undefined);
    const dice = random.fork("library");
    let boots = 0;
    const first = random.shuffle(plan.configuration.voters);
    const known = nodes ?? first.slice(0, random.between(1, first.length));
    const requestTimeoutMs = plan.requestTimeoutUs / 1000;
    this.#timeoutMs = hasSessions ? random.pick([requestTimeoutMs, 1500, 5000]) : requestTimeoutMs;
    this.#client = (create ?? ((...given) => new QuorateClient(...given)))(
      {
        endpoints: known.map(simAddress),
        timeoutMs: this.#timeoutMs,
        clientName: name,
        sessions: hasSessions,
      },
      {
        stack: new SimStack(streams, name, this.process),
        random: () => dice.below(2 ** 32) / 2 ** 32,
        newBootId: () => `${name}-${boots++}`,
      },
    );
  }

  /** When the newest write that was acknowledged had been sent; -1 before the first. */
  get lastAcknowledgedSentUs(): number {
    return this.#lastAcknowledgedSentUs;
  }

  start(): void {
    this.process.deliver(() => {
      this.#work().catch((error: unknown) => {
        this.#cluster.promises.failed(error);
      });
    });
  }

  stop(): void {
    this.#isActive = false;
  }

  /** Its process stands still, until what is returned is called. */
  pause(): () => void {
    const { coverage, trace } = this.#cluster;
    coverage.add("pauses");
    trace.record("pause", this.name, 0);
    this.process.pause();
    return () => {
      trace.record("resume", this.name, 0);
      this.process.resume();
    };
  }

  /** Until what is returned is called. */
  cut(
    streams: SimStreams,
    from: readonly SimNode[],
    loses: "requests" | "answers" | "both",
  ): () => void {
    const { trace } = this.#cluster;
    const nodes = from.map(({ id }) => id);
    trace.record("cut", this.name, `${loses} ${nodes.join(" ")}`);
    for (const id of nodes) {
      if (loses !== "answers") streams.block(this.name, id);
      if (loses !== "requests") streams.block(id, this.name);
    }
    return () => {
      trace.record("join", this.name, 0);
      for (const id of nodes) {
        streams.unblock(this.name, id);
        streams.unblock(id, this.name);
      }
    };
  }

  /** Calls `act` once, when a write is under way. */
  atNextWrite(act: () => void): void {
    this.#atNextWrite = act;
  }

  async #work(): Promise<void> {
    await this.#pause();
    while (this.#isActive) {
      if (this.#random.chance(this.#plan.readChance)) await this.#read();
      else await this.#writeSome();
      await this.#pause();
    }
  }

  /** Mostly one write; at times a burst, on one connection and in one session. */
  async #writeSome(): Promise<void> {
    const burst = this.#random.chance(0.15) ? this.#random.below(BURST_MAX_WRITES) : 0;
    const writes = [this.#write(this.#drawChange())];
    for (let sent = 0; sent < burst; sent++) writes.push(this.#write(this.#drawPut()));
    this.#atNextWrite?.();
    this.#atNextWrite = null;
    await Promise.all(writes);
  }

  async #write(change: KeyChange): Promise<void> {
    const { checker, coverage, scheduler } = this.#cluster;
    const { history } = checker;
    // A command is known by what it does: its condition is no part of that.
    const operation = this.#operation(change.key, encodeCommand({ ...change, ifRevision: null }));
    history.changesOnce(operation, this.#sessionOver);
    const sentUs = scheduler.nowUs;
    try {
      const { key } = change;
      if (change.kind === "put") {
        const { ifRevision = null } = change;
        const options = { ifRevision };
        const { index, created, revision } = await this.#client.put(key, change.value, options);
        if (ifRevision !== null) coverage.add("conditionsMet");
        history.onceAcknowledged(operation, index, created);
        this.#revision = Math.max(this.#revision, revision);
      } else {
        const { index, deleted, revision } = await this.#client.delete(key);
        history.onceAcknowledged(operation, index, deleted);
        this.#revision = Math.max(this.#revision, revision);
      }
      coverage.add("writesAcknowledged");
      if (this.hasSessions) coverage.add("sessionsByClientLibrary");
      this.#lastAcknowledgedSentUs = Math.max(this.#lastAcknowledgedSentUs, sentUs);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#cluster.trace.record("failed", this.name, error.code);
      if (error.code === "conditionFailed") {
        coverage.add("conditionsUnmet");
        history.conditionUnmet(operation);
      }
      if (error.outcome === "notApplied") {
        coverage.add("writesRefused");
        history.writeRefused(operation);
      } else {
        coverage.add("writesUnknown");
      }
      if (error.code === "sessionExpired") this.#sessionExpired(operation, error, sentUs);
    }
    if (history.sessionOverFor(operation) > 0) coverage.add("sessionsExpiredInLibrary");
  }

  /** Its session is over: nobody can tell any more what became of a write that a node may have. */
  #sessionExpired(operation: Operation, { outcome }: RequestError, sentUs: number): void {
    const { checker, coverage, scheduler } = this.#cluster;
    this.#sessionOver = Math.max(this.#sessionOver, checker.history.sessionExpired(operation));
    if (outcome === "unknown") {
      coverage.add("writesUnknownBySession");
      return;
    }
    // What no node has is made in a new session, as long as there is time.
    requireInvariant(
      scheduler.nowUs + 1 >= sentUs + this.#timeoutMs * 1000,
      "Liveness",
      () => `${this.name} gave up a write for its session's end ${this.#timeoutMs} ms too early`,
    );
  }

  async #read(): Promise<void> {
    const { checker, coverage } = this.#cluster;
    const key = this.#drawReadKey();
    const isStale = this.#random.chance(0.2);
    const operation = this.#operation(key, null);
    const revisionBefore = this.#revision;
    try {
      const consistency = isStale ? "stale" : "linearizable";
      const { found, revision, appliedIndex } = await this.#client.get(key, { consistency });
      requireInvariant(
        revision >= revisionBefore,
        "Fresh Reads",
        () => `${this.name} read at revision ${revision} after it had seen ${revisionBefore}`,
      );
      this.#revision = Math.max(this.#revision, revision);
      this.#seen.set(Buffer.from(key).toString("latin1"), found?.modRevision ?? 0);
      const given = isStale ? { ...operation, floor: 0 } : operation;
      checker.history.readAnswered(given, appliedIndex, found?.value ?? null);
      coverage.add("readsAnswered");
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#cluster.trace.record("failed", this.name, error.code);
    }
  }

  #operation(key: Uint8Array, command: Uint8Array | null): Operation {
    const { checker, trace } = this.#cluster;
    trace.record(command === null ? "read" : "write", this.name, key);
    return { client: this.name, key, command, floor: checker.history.floor };
  }

  /** A change that nobody else makes, so that the log tells what became of it. */
  #drawChange(): KeyChange {
    if (this.#random.chance(0.9)) return this.#drawPut();
    // A delete carries nothing that tells it from others: each is of a key of its own.
    const own = this.#ownKey;
    if (own !== null) {
      this.#ownKey = null;
      return { kind: "delete", key: own };
    }
    const key = Buffer.from(this.#nextName(), "latin1");
    this.#ownKey = key;
    return { kind: "put", key, value: key };
  }

  #drawPut(): KeyChange {
    const name = Buffer.from(this.#nextName(), "latin1");
    const value = Buffer.concat([name, Buffer.alloc(this.#plan.valueBytes, "-")]);
    const key = this.#drawSharedKey();
    const seen = this.#seen.get(Buffer.from(key).toString("latin1")) ?? 0;
    return { kind: "put", key, value, ifRevision: this.#random.chance(0.2) ? seen : null };
  }

  #nextName(): string {
    this.#operations++;
    return `${this.name}-${this.#operations}`;
  }

  #drawReadKey(): Uint8Array {
    if (this.#ownKey !== null && this.#random.chance(0.2)) return this.#ownKey;
    return this.#drawSharedKey();
  }

  #drawSharedKey(): Uint8Array {
    return Buffer.from(`key-${this.#random.below(this.#plan.keyCount)}`, "latin1");
  }

  #pause(): Promise<void> {
    const pauseMs = (1 + this.#random.exponential(this.#plan.thinkMeanUs)) / 1000;
    return new Promise((resolve) => {
      this.process.after(pauseMs, resolve);
    });
  }
}

export interface SimLibraryClientOptions {
  readonly cluster: SimCluster;
  readonly streams: SimStreams;
  readonly plan: SimulationPlan;
  readonly random: SeededRandom;
  readonly create: CreateClient | undefined;
  /** The nodes that the client is told of. Absent: some of those that the cluster began with. */
  readonly nodes?: readonly NodeId[];
}
