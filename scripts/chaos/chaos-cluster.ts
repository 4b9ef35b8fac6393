import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { MembersChange, NodeStatus } from "@quorate/wire";
import { QuorateClient } from "@quorate/wire/client";
import type { NodeEnd } from "./chaos-node.ts";
import { ChaosNode } from "./chaos-node.ts";
import type { ChaosNetwork } from "./network.ts";
import { ChaosProblem, eventually, PATIENCE_MS } from "./patience.ts";
import { mustRun } from "./run-command.ts";
import type { Tools } from "./tools.ts";
import { WallClock } from "./wall-clock.ts";

export interface ChaosClusterOptions {
  readonly size: number;
  /** Nodes are made in it. */
  readonly directory: string;
  readonly network: ChaosNetwork;
  readonly tools: Tools;
  /** Nodes get a wall clock that can be moved. */
  readonly movesClocks: boolean;
  /** A minority gets small disks of their own. */
  readonly hasSmallDisks: boolean;
  /** Told once for each process that ended without being meant to. */
  readonly onUnexpectedEnd: (id: string, end: NodeEnd, lastLine: string) => void;
}

/** Frequent snapshots and a short log: those who were away get a snapshot. */
const DAEMON_FLAGS = [
  "--cluster-id=chaos",
  "--heartbeat-ms=100",
  "--election-timeout-ms=500",
  "--snapshot-log-bytes=400000",
  "--trailing-entries=500",
  "--allow-faults",
];
const SMALL_DISK_MIB = 48;
const STATUS_TIMEOUT_MS = 1000;
const ASK_TIMEOUT_MS = 3000;
const ASK_AGAIN_MS = 2000;

/** The nodes of a rig, and what may be done to which of them at the same time. */
export class ChaosCluster {
  readonly network: ChaosNetwork;
  readonly tools: Tools;
  /** For questions and changes; the load has clients of its own. */
  readonly client: QuorateClient;
  readonly #options: ChaosClusterOptions;
  readonly #nodes: ChaosNode[] = [];
  readonly #claimed = new Set<string>();
  /** Nodes whose files were damaged, until they have again all that was committed then. */
  readonly #damaged = new Set<string>();
  #madeCount = 0;
  #initialMembers = "";
  #isChanging = false;
  /** Links that are cut now. */
  impairedLinks = 0;

  private constructor(options: ChaosClusterOptions, nodes: ChaosNode[]) {
    this.#options = options;
    this.network = options.network;
    this.tools = options.tools;
    this.#nodes = nodes;
    this.#madeCount = nodes.length;
    this.client = new QuorateClient({
      endpoints: this.endpoints,
      clientName: "chaos",
      timeoutMs: 5000,
      sessions: false,
    });
  }

  /** Starts a new cluster and waits for its leader. Where that fails, nothing of it runs on. */
  static async start(options: ChaosClusterOptions): Promise<ChaosCluster> {
    const plugs = new Map<string, Awaited<ReturnType<ChaosNetwork["plug"]>>>();
    for (let number = 1; number <= options.size; number += 1) {
      plugs.set(`n${number}`, await options.network.plug(`n${number}`));
    }
    const members = [...plugs].map(([id, { address }]) => `${id}=${address}`).join(",");
    const nodes: ChaosNode[] = [];
    const smallDisks = options.hasSmallDisks ? minorityOf(options.size) : 0;
    for (const [id, plug] of plugs) {
      const isSmall = nodes.length >= options.size - smallDisks;
      nodes.push(await makeNode(options, { id, ...plug, members, isSmall }));
    }
    const cluster = new ChaosCluster(options, nodes);
    cluster.#initialMembers = members;
    try {
      for (const node of nodes) node.launch({ extraFlags: ["--bootstrap"] });
      await cluster.leader();
    } catch (error) {
      await cluster.end();
      throw error;
    }
    return cluster;
  }

  /** How many members there are when nothing happens. */
  get size(): number {
    return this.#options.size;
  }

  /** Whether members are being changed: one change at a time is asked for. */
  get isChanging(): boolean {
    return this.#isChanging;
  }

  async changing<T>(change: () => Promise<T>): Promise<T> {
    this.#isChanging = true;
    try {
      return await change();
    } finally {
      this.#isChanging = false;
    }
  }

  get nodes(): readonly ChaosNode[] {
    return this.#nodes;
  }

  get endpoints(): string[] {
    return this.#nodes.map(({ address }) => address);
  }

  /** The most nodes that may be away, so that the rest can still serve. */
  get minority(): number {
    return minorityOf(this.#nodes.length);
  }

  node(id: string): ChaosNode {
    const node = this.#nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** Nodes that run and that no fault holds. */
  free(): ChaosNode[] {
    return this.#nodes.filter((node) => !this.#claimed.has(node.id) && node.isRunning);
  }

  /** How many more nodes faults may hold, for a majority to be left. */
  get sparable(): number {
    return Math.max(0, this.minority - this.#claimed.size);
  }

  /** Takes nodes for one fault until they are released. */
  claim(nodes: readonly ChaosNode[]): void {
    for (const { id } of nodes) this.#claimed.add(id);
  }

  release(nodes: readonly ChaosNode[]): void {
    for (const { id } of nodes) this.#claimed.delete(id);
  }

  /** Whether one more node may lose what is on its disk, with the others as its copies. */
  get mayDamage(): boolean {
    return this.#damaged.size < minorityOf(Math.min(this.#nodes.length, this.#options.size));
  }

  /** Notes that a node may have forgotten what it had acknowledged. */
  noteDamaged({ id }: ChaosNode): void {
    this.#damaged.add(id);
  }

  /** Waits until a damaged node has everything that is committed now. */
  async repaired(node: ChaosNode): Promise<void> {
    await this.caughtUp(node);
    this.#damaged.delete(node.id);
  }

  status(node: ChaosNode): Promise<NodeStatus> {
    return this.client.status(node.address, { timeoutMs: STATUS_TIMEOUT_MS });
  }

  /** What every running node that is not paused says of itself. */
  async statuses(): Promise<NodeStatus[]> {
    const asked = this.#nodes.filter((node) => node.isRunning && !node.isPaused);
    const answers = await Promise.allSettled(asked.map((node) => this.status(node)));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  /** The leader of the newest term, if there is one now. */
  async leaderNow(): Promise<NodeStatus | null> {
    const leaders = (await this.statuses()).filter(({ role }) => role === "leader");
    return leaders.toSorted((one, other) => other.currentTerm - one.currentTerm)[0] ?? null;
  }

  leader(): Promise<NodeStatus> {
    return eventually("a leader", () => this.leaderNow());
  }

  /** Waits until the node answers. */
  answers(node: ChaosNode): Promise<NodeStatus> {
    return eventually(`${node.id} to answer`, () => this.status(node).catch(() => null));
  }

  /** Waits until a node that may refuse to start answers (null), or has ended: how. */
  async answersOrEnds(node: ChaosNode): Promise<NodeEnd | null> {
    const end = await eventually(`${node.id} to answer or to end`, async () => {
      if (!node.isRunning) return { how: node.lastEnd };
      const status = await this.status(node).catch(() => null);
      return status === null ? null : { how: null };
    });
    if (end.how === null) node.expectNoEnd();
    return end.how;
  }

  /** Waits until the node has applied what a leader that served then had committed. */
  async caughtUp(node: ChaosNode): Promise<void> {
    const { commitIndex } = await this.leader();
    await eventually(`${node.id} to catch up to entry ${commitIndex}`, async () => {
      const status = await this.status(node).catch(() => null);
      return status !== null && status.lastApplied >= commitIndex ? true : null;
    });
  }

  /** Waits until all nodes are up and have applied the same, the leader's, log. */
  converged(): Promise<NodeStatus[]> {
    return eventually("all nodes to agree", async () => {
      const statuses = await this.statuses();
      const leader = statuses.find(({ role }) => role === "leader");
      const agree = statuses.every(
        ({ lastApplied }) => leader !== undefined && lastApplied === leader.lastLogIndex,
      );
      return agree && statuses.length === this.#nodes.length ? statuses : null;
    });
  }

  /** Starts a node of the next unused name, which waits to be added. */
  async launchJoining(): Promise<ChaosNode> {
    this.#madeCount += 1;
    const id = `n${this.#madeCount}`;
    const plug = await this.#options.network.plug(id);
    const members = `${this.#initialMembers},${id}=${plug.address}`;
    const smallDisks = this.#nodes.filter(({ hasSmallDisk }) => hasSmallDisk).length;
    const isSmall = this.#options.hasSmallDisks && smallDisks < minorityOf(this.size);
    const node = await makeNode(this.#options, { id, ...plug, members, isSmall });
    this.claim([node]);
    this.#nodes.push(node);
    node.launch({ extraFlags: ["--join"] });
    await this.answers(node);
    return node;
  }

  /** Stops a node in order. */
  async stop(node: ChaosNode): Promise<void> {
    const late = pause(PATIENCE_MS, "late", { ref: false });
    const end = await Promise.race([node.end("SIGTERM"), late]);
    if (end !== 0 && end !== null) {
      throw new ChaosProblem(`${node.id} was asked to stop, and ended with ${end}`);
    }
  }

  /** Ends a node that is no member any more, and forgets it. */
  async retire(node: ChaosNode): Promise<void> {
    await this.stop(node);
    this.release([node]);
    this.#damaged.delete(node.id);
    const at = this.#nodes.indexOf(node);
    if (at !== -1) this.#nodes.splice(at, 1);
    rmSync(node.dataDirectory, { recursive: true, force: true });
  }

  /**
   * Asks for a change of members until it is made, and the members are settled. A leader that takes
   * over may not carry on what another has begun, so it is asked for again now and then.
   *
   * @param isMade whether these voters are those that are wanted.
   */
  changeMembers(
    change: MembersChange,
    isMade: (voters: readonly string[]) => boolean,
  ): Promise<NodeStatus> {
    let askAgainMs = 0;
    return eventually(`to ${change.kind} ${change.id}`, async () => {
      const leader = await this.leaderNow();
      if (leader !== null && isSettled(leader) && isMade(votersOf(leader))) return leader;
      if (performance.now() < askAgainMs) return null;
      // Refused for now, made already, or nobody knows: the members tell.
      await this.client.changeMembers(change, { timeoutMs: ASK_TIMEOUT_MS }).catch(() => undefined);
      askAgainMs = performance.now() + ASK_AGAIN_MS;
      return null;
    });
  }

  /** Ends every process that still runs. */
  async end(): Promise<void> {
    await this.client.close();
    await Promise.all(this.#nodes.map((node) => node.end()));
  }
}

/** Whether the members are committed, and none of them is on the way. */
function isSettled({ members, configurationIndex, commitIndex }: NodeStatus): boolean {
  const isMoving = members.some(({ role }) => role === "staging" || role === "leaving");
  return !isMoving && configurationIndex <= commitIndex;
}

function votersOf({ members }: NodeStatus): string[] {
  return members.filter(({ voter }) => voter).map(({ id }) => id);
}

interface NodePlace {
  readonly id: string;
  readonly address: string;
  readonly commandPrefix: readonly string[];
  readonly members: string;
  readonly isSmall: boolean;
}

async function makeNode(options: ChaosClusterOptions, place: NodePlace): Promise<ChaosNode> {
  const directory = join(options.directory, place.id);
  const disk = place.isSmall ? join(directory, "disk") : directory;
  mkdirSync(disk, { recursive: true });
  if (place.isSmall) {
    await mustRun("mount", ["-t", "tmpfs", "-o", `size=${SMALL_DISK_MIB}m`, "tmpfs", disk]);
  }
  const { faketimePreload } = options.tools;
  return new ChaosNode({
    id: place.id,
    address: place.address,
    directory,
    disk,
    commandPrefix: place.commandPrefix,
    clock: options.movesClocks ? new WallClock(join(directory, "clock"), faketimePreload) : null,
    flags: [...DAEMON_FLAGS, `--initial-cluster=${place.members}`],
    onUnexpectedEnd: (node, end) => {
      const last = node.loggedSince(0).at(-1);
      options.onUnexpectedEnd(node.id, end, JSON.stringify(last ?? null));
    },
  });
}

function minorityOf(size: number): number {
  return Math.floor((size - 1) / 2);
}
