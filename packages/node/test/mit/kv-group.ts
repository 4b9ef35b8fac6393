import assert from "node:assert/strict";
import type { Operation } from "@quorate/wire/history";
import { checkHistory } from "@quorate/wire/history";
import type { ClerkOptions, PutAnswer } from "./clerk.ts";
import { Clerk } from "./clerk.ts";
import { ELECTION_TIMEOUT_MS, RaftGroup } from "./raft-group.ts";

/** What a test of the course's key-value labs asks for. */
export interface KvTest {
  readonly clients: number;
  readonly servers: number;
  readonly isReliable: boolean;
  /** All servers lose power after each round. */
  readonly crashes?: boolean;
  /** The network is partitioned at random, about once a second. */
  readonly partitions?: boolean;
  /** The course's `maxraftstate`; not told: no snapshots. */
  readonly maxRaftState?: number;
  /** A hundred keys instead of one. */
  readonly hasRandomKeys?: boolean;
}

const ROUNDS = 3;
/** The course's one second; where messages get lost or servers are cut off, time for as much. */
const ROUND_MS = 1000;
const HARD_ROUND_MS = 6000;
/** What a client does between two operations: the course's are so slow by themselves. */
const THINK_MEAN_US = 15_000;
const KEYS = 100;
/** Clients that are still at it then will never be served. */
const PATIENCE_MS = 30_000;

/** A key-value service and its clerks. */
export class KvGroup {
  readonly raft: RaftGroup;
  readonly #test: KvTest;
  readonly #clerks: Clerk[] = [];

  constructor(test: KvTest, seed: string) {
    const { servers, isReliable, maxRaftState } = test;
    const snapshots = maxRaftState === undefined ? {} : { snapshotLogBytes: maxRaftState };
    this.raft = new RaftGroup(servers, { seed, isReliable, ...snapshots });
    this.#test = test;
  }

  clerk(options: Partial<ClerkOptions> = {}): Clerk {
    const name = `c${this.#clerks.length + 1}`;
    const clerk = new Clerk(this.raft, { name, isReliable: this.#test.isReliable, ...options });
    this.#clerks.push(clerk);
    return clerk;
  }

  /** Waits for the end of one operation. */
  async finish<Value>(start: (done: (value: Value) => void) => void): Promise<Value> {
    const found: Value[] = [];
    start((value) => {
      found.push(value);
    });
    await this.raft.runUntil(() => found.length > 0, PATIENCE_MS);
    const [value] = found;
    assert(value !== undefined, "an operation was not served");
    return value;
  }

  put(clerk: Clerk, key: string, value: string, ifRevision: number): Promise<PutAnswer> {
    return this.finish((done) => {
      clerk.put(key, value, ifRevision, done);
    });
  }

  async checkGet(clerk: Clerk, key: string, value: string): Promise<void> {
    const found = await this.finish<string | null>((done) => {
      clerk.get(key, done);
    });
    assert.equal(found, value, `of ${key}`);
  }

  /** What the course asks porcupine: by the answers alone, and again with the log's positions. */
  checkHistory(): void {
    const operations: Operation[] = this.#clerks.flatMap((clerk) => clerk.recorded());
    const history = { header: { history: 1 }, operations } as const;
    for (const usePositions of [true, false]) {
      const verdict = checkHistory(history, { usePositions, stepsMax: 20_000_000 });
      const why = verdict.kind === "linearizable" ? "" : verdict.explanation;
      assert.equal(verdict.kind, "linearizable", why);
    }
  }

  /** Three rounds of clients that read and put as fast as they can; the course's GenericTest. */
  async runGenericTest(): Promise<void> {
    const { crashes = false, partitions = false, hasRandomKeys = false } = this.#test;
    const { isReliable } = this.#test;
    for (let round = 1; round <= ROUNDS; round += 1) {
      const first = this.#clerks.length;
      const traffic = { isActive: true };
      if (partitions) this.#partition(traffic);
      for (let client = 0; client < this.#test.clients; client += 1) {
        this.#work(this.clerk(), traffic, hasRandomKeys ? KEYS : 1);
      }
      await this.raft.run(partitions || !isReliable ? HARD_ROUND_MS : ROUND_MS);
      traffic.isActive = false;
      this.raft.connect(...this.raft.servers);
      const areIdle = await this.raft.runUntil(
        () => this.#clerks.every((clerk) => clerk.isIdle),
        PATIENCE_MS,
      );
      assert(areIdle, "clients were not served after the network healed");
      const done = this.#clerks.slice(first).flatMap(({ operations }) => operations).length;
      assert(done >= this.#test.clients, `only ${done} operations in round ${round}`);
      this.checkHistory();
      if (crashes) await this.#crashAll();
      await this.#checkSizes();
    }
    if (!hasRandomKeys) await this.#checkCount();
  }

  /** A client that reads a key and puts to it, if it is at the revision that it knows, over and over. */
  #work(clerk: Clerk, traffic: { readonly isActive: boolean }, keys: number): void {
    const { raft } = this;
    const known = new Map<string, number>();
    let number = 0;
    const name = `w${this.#clerks.length}`;
    const next = (): void => {
      if (!traffic.isActive) return;
      number += 1;
      const key = keys === 1 ? "k" : `k${raft.random.below(keys)}`;
      clerk.get(key, () => {
        if (!traffic.isActive) return;
        clerk.put(key, `${name}-${number}`, known.get(key) ?? 0, ({ revision }) => {
          known.set(key, revision);
          raft.cluster.scheduler.schedule(1 + raft.random.exponential(THINK_MEAN_US), next);
        });
      });
    };
    next();
  }

  #partition(traffic: { readonly isActive: boolean }): void {
    const { raft } = this;
    const again = (): void => {
      if (!traffic.isActive) return;
      const sides: [number[], number[]] = [[], []];
      for (const server of raft.servers) sides[raft.random.below(2) === 0 ? 0 : 1].push(server);
      raft.partition(...sides);
      const pauseMs = ELECTION_TIMEOUT_MS + raft.random.below(200);
      raft.cluster.scheduler.schedule(pauseMs * 1000, again);
    };
    again();
  }

  async #crashAll(): Promise<void> {
    this.raft.shutdown(...this.raft.servers);
    await this.raft.run(ELECTION_TIMEOUT_MS);
    this.raft.start(...this.raft.servers);
  }

  async #checkSizes(): Promise<void> {
    const { maxRaftState } = this.#test;
    const { coverage } = this.raft.cluster;
    if (maxRaftState === undefined) {
      assert.equal(coverage.count("snapshotsTaken"), 0, "a snapshot was taken");
      return;
    }
    // "Check maximum after the servers have processed all client requests and had time to checkpoint."
    await this.raft.run(ELECTION_TIMEOUT_MS);
    const size = this.raft.logSize();
    assert(size <= 8 * maxRaftState, `logs were not trimmed: ${size} bytes`);
    assert(coverage.count("snapshotsTaken") > 0, "no snapshot was taken");
  }

  /** Every put that had an effect made one revision, and nothing else did. */
  async #checkCount(): Promise<void> {
    const { revision } = await this.put(this.clerk(), "k", "never", Number.MAX_SAFE_INTEGER);
    const effects = this.#clerks
      .flatMap(({ operations }) => operations)
      .filter((one) => one.op.kind === "put" && one.outcome === "ok" && isEffect(one.result));
    assert.equal(revision, effects.length, "puts that had an effect");
  }
}

function isEffect(result: object): boolean {
  return "applied" in result && result.applied === true;
}
