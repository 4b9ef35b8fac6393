import assert from "node:assert/strict";
import type { LogIndex, Term } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { SeededRandom } from "@quorate/node/testing";
import { decodeCommand, encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import { RAFT_DEFAULTS } from "../../src/raft/index.ts";
import type { ProposalOutcome } from "../../src/server/driver-outcomes.ts";
import { SimCluster } from "../../src/testing/sim-cluster.ts";
import type { NetworkFaults } from "../../src/testing/sim-network.ts";
import { CALM_NETWORK } from "../../src/testing/sim-network.ts";
import type { SimNode } from "../../src/testing/sim-node.ts";
import type { SimulationPlan } from "../../src/testing/simulation-plan.ts";
import { drawPlan, FAULTS, nodeNames } from "../../src/testing/simulation-plan.ts";
import { RpcMeter } from "./rpc-meter.ts";

/** "The tester generously allows solutions to complete elections in one second." */
export const ELECTION_TIMEOUT_MS = 1000;

/** The course's unreliable network: delays up to 27 ms, one message of ten lost, any order. */
const UNRELIABLE: NetworkFaults = {
  ...CALM_NETWORK,
  dropChance: 0.1,
  reorderChance: 1,
  delayMeanUs: 13_000,
};

/** Its long reordering: two answers of three come up to 2.2 s late; here one message of three. */
const LONG_REORDERING: NetworkFaults = {
  ...UNRELIABLE,
  longDelayChance: 0.33,
  longDelayMaxUs: 2_200_000,
};

export interface GroupOptions {
  /** Names the dice: a test's title. */
  readonly seed: string;
  readonly isReliable?: boolean;
  /** Mean delay of a message on the reliable network; not told: 0.15 ms. */
  readonly delayMeanUs?: number;
  /** Bytes of log at which a snapshot is taken; not told: never. */
  readonly snapshotLogBytes?: number;
}

/** A calm plan: what happens to the group is what a test does to it. */
function planOf(servers: number, random: SeededRandom, snapshotLogBytes: number): SimulationPlan {
  const calm = drawPlan(random, FAULTS);
  return {
    ...calm,
    configuration: configurationOf({ voters: nodeNames(servers) }),
    tickIntervalMs: 10,
    // The log behind a snapshot is a window for slow followers: small, where logs are measured.
    raft: { ...RAFT_DEFAULTS, trailingEntries: 5 },
    network: CALM_NETWORK,
    // As in the course each message is lost or late by itself.
    streams: null,
    disk: { ...calm.disk, syncMeanUs: 300 },
    snapshots: { ...calm.snapshots, logBytes: snapshotLogBytes, sendBytesPerSecond: 10_000_000 },
    changeGapMeanUs: null,
  };
}

/**
 * The course's test harness over the simulator: servers that are cut off, shut down (a power cut:
 * unsynced writes are lost) and started again, and commands that are given to one of them. All of
 * the simulator's invariants are checked meanwhile. Time is simulated.
 */
export class RaftGroup {
  readonly cluster: SimCluster;
  readonly meter: RpcMeter = new RpcMeter();
  readonly random: SeededRandom;
  /** Which side of the partition each server is on; null: cut off. */
  readonly #sides: (number | null)[];
  readonly #reliable: NetworkFaults;
  readonly #machines: (KvStateMachine | null)[];
  /** The newest state machine of any server. */
  #created: KvStateMachine | null = null;
  #submitted = 0;

  /** All servers run. */
  constructor(servers: number, options: GroupOptions) {
    const { seed, isReliable = true, delayMeanUs, snapshotLogBytes } = options;
    this.random = new SeededRandom(`MIT ${seed}`);
    this.#reliable = { ...CALM_NETWORK, ...(delayMeanUs === undefined ? {} : { delayMeanUs }) };
    this.#sides = Array.from({ length: servers }, () => 0);
    this.#machines = this.#sides.map(() => null);
    const plan = planOf(
      servers,
      this.random.fork("plan"),
      snapshotLogBytes ?? Number.MAX_SAFE_INTEGER,
    );
    this.cluster = new SimCluster({
      plan,
      random: this.random.fork("cluster"),
      parts: {
        createCore: this.meter.createCore,
        createStateMachine: () => (this.#created = new KvStateMachine()),
      },
      onEvent: null,
    });
    this.setReliable(isReliable);
    this.start(...this.servers);
  }

  get servers(): readonly number[] {
    return [...this.#sides.keys()];
  }

  get nowMs(): number {
    return this.cluster.scheduler.nowUs / 1000;
  }

  node(server: number): SimNode {
    const node = this.cluster.nodes[server];
    assert(node !== undefined, `there is no server ${server}`);
    return node;
  }

  /** The state machine of a running server. */
  machine(server: number): KvStateMachine | null {
    return this.node(server).isRunning ? (this.#machines[server] ?? null) : null;
  }

  /** Lets time pass. */
  async run(durationMs: number): Promise<void> {
    await this.cluster.runUntil(() => false, durationMs * 1000);
  }

  /** Lets time pass until something is so; false: it was not within the limit. */
  runUntil(isDone: () => boolean, limitMs: number): Promise<boolean> {
    return this.cluster.runUntil(isDone, limitMs * 1000);
  }

  setReliable(isReliable: boolean): void {
    this.cluster.network.faults = isReliable ? this.#reliable : UNRELIABLE;
  }

  setLongReordering(): void {
    this.cluster.network.faults = LONG_REORDERING;
  }

  isConnected(server: number): boolean {
    return this.#sides[server] !== null;
  }

  disconnect(...servers: readonly number[]): void {
    for (const server of servers) this.#sides[server] = null;
    this.#rewire();
  }

  connect(...servers: readonly number[]): void {
    for (const server of servers) this.#sides[server] = 0;
    this.#rewire();
  }

  /** Servers reach those of their own side only. */
  partition(...sides: readonly (readonly number[])[]): void {
    for (const [side, members] of sides.entries()) {
      for (const server of members) this.#sides[server] = side;
    }
    this.#rewire();
  }

  isRunning(server: number): boolean {
    return this.node(server).isRunning;
  }

  shutdown(...servers: readonly number[]): void {
    for (const server of servers) this.cluster.crash(this.node(server));
  }

  /** Starts those that are down, and connects them all. */
  start(...servers: readonly number[]): void {
    for (const server of servers) {
      if (this.isRunning(server)) continue;
      this.cluster.start(this.node(server));
      this.#machines[server] = this.#created;
    }
    this.connect(...servers);
  }

  /** The one leader among the connected servers; waits for it as long as the course does. */
  async checkOneLeader(): Promise<number> {
    for (let tries = 0; tries < 10; tries += 1) {
      await this.run(450 + this.random.below(100));
      const leaders = this.servers.filter(
        (server) => this.isConnected(server) && this.node(server).view()?.role === "leader",
      );
      const terms = leaders.map((server) => this.#termOf(server));
      assert.equal(new Set(terms).size, terms.length, "a term has more than one leader");
      const last = leaders[terms.indexOf(Math.max(...terms))];
      if (last !== undefined) return last;
    }
    return assert.fail("expected one leader, got none");
  }

  /** The course looks at the connected servers; ours step down without a quorum, too (Diss. §6.2). */
  checkNoLeader(): void {
    for (const server of this.servers) {
      assert.notEqual(this.node(server).view()?.role, "leader", `${server} leads`);
    }
  }

  /** The term on which all connected servers agree. */
  checkTerms(): Term {
    const connected = this.servers.filter((server) => this.isConnected(server));
    const terms = new Set(connected.map((server) => this.#termOf(server)));
    const [term] = terms;
    assert(terms.size === 1 && term !== undefined, `servers disagree on the term`);
    return term;
  }

  /** Gives a command to one server; its place in that log, or null where it does not lead. */
  submit(server: number, command: string): { index: LogIndex; term: Term } | null {
    const node = this.node(server);
    if (node.view()?.role !== "leader") return null;
    const before = node.view()?.lastLogIndex ?? 0;
    this.propose(server, command, () => undefined);
    const { lastLogIndex: index, currentTerm: term } = node.view() ?? {
      lastLogIndex: before,
      currentTerm: 0,
    };
    return index > before ? { index, term } : null;
  }

  /** Gives a command to one server, which says what came of it, unless it crashes. */
  propose(
    server: number,
    command: string,
    answer: (outcome: ProposalOutcome<KvResult>) => void,
  ): void {
    // Sent anew it is another command: without a session nothing may be in the log twice.
    this.#submitted += 1;
    const value = Buffer.from(`${command}#${this.#submitted}`);
    const data = encodeCommand({ kind: "put", key: Buffer.from("x"), value });
    this.node(server).propose(data, answer);
  }

  /** Gives a command to every server; those that took it, believing that they lead. */
  submitToAll(command: string): number[] {
    return this.servers.filter((server) => this.submit(server, command) !== null);
  }

  /** How many servers have applied the entry at `index`, and the command in it. */
  committed(index: LogIndex): { count: number; command: string | null } {
    const count = this.servers.filter(
      (server) => (this.node(server).appliedState()?.lastApplied ?? 0) >= index,
    ).length;
    return { count, command: count === 0 ? null : this.commandAt(index) };
  }

  /** The command at a place of the committed log; null: there is none, or another entry. */
  commandAt(index: LogIndex): string | null {
    const entry = this.cluster.checker.ledger.entryAt(index);
    if (entry === null || entry.kind !== "command") return null;
    const command = decodeCommand(entry.data);
    if (command.kind !== "put") return null;
    return Buffer.from(command.value).toString().replace(/#\d+$/u, "");
  }

  /** Waits until `servers` have applied the entry at `index`; the command in it. */
  async wait(index: LogIndex, servers: number): Promise<string | null> {
    const isDone = (): boolean => this.committed(index).count >= servers;
    assert(
      await this.runUntil(isDone, 30_000),
      `only ${this.committed(index).count} have ${index}`,
    );
    return this.commandAt(index);
  }

  /**
   * One agreement: gives the command to whoever takes it until `servers` have applied it, within
   * ten seconds. Says where it is. Without `retries` the first leader has to do.
   */
  async one(command: string, servers: number, retries: boolean): Promise<LogIndex> {
    const endMs = this.nowMs + 10_000;
    while (this.nowMs < endMs) {
      const index = this.#submitToAny(command);
      if (index === null) {
        await this.run(50);
        continue;
      }
      const isDone = (): boolean => {
        const { count, command: found } = this.committed(index);
        return count >= servers && found === command;
      };
      if (await this.runUntil(isDone, 2000)) return index;
      assert(retries, `no agreement on ${command} by ${servers} servers at ${index}`);
    }
    return assert.fail(`no agreement on ${command} by ${servers} servers`);
  }

  /** Bytes of the largest log on a disk. */
  logSize(): number {
    return Math.max(...this.servers.map((server) => this.node(server).disk.sizeBytes()));
  }

  #submitToAny(command: string): LogIndex | null {
    const first = this.random.below(this.servers.length);
    for (const offset of this.servers) {
      const server = (first + offset) % this.servers.length;
      const placed = this.isConnected(server) ? this.submit(server, command) : null;
      if (placed !== null) return placed.index;
    }
    return null;
  }

  #termOf(server: number): Term {
    return this.node(server).view()?.currentTerm ?? 0;
  }

  #rewire(): void {
    for (const a of this.servers) {
      for (const b of this.servers) {
        if (a === b) continue;
        const isUp = this.#sides[a] !== null && this.#sides[a] === this.#sides[b];
        if (isUp) this.cluster.unblock([this.node(a)], [this.node(b)]);
        else this.cluster.block([this.node(a)], [this.node(b)]);
      }
    }
  }
}
