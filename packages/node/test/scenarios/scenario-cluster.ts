import type { LogEntry, LogIndex, NodeId, RaftMessage, RequestId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { decodeCommand } from "../../src/kv/command-codec.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import type { RaftConfig } from "../../src/raft/index.ts";
import { ClusterChecker } from "../../src/testing/checkers/cluster-checker.ts";
import { Coverage } from "../../src/testing/coverage.ts";
import { requireInvariant } from "../../src/testing/invariant-violation.ts";
import { TICKS } from "../raft/server-under-test.ts";
import { messageText } from "./message-text.ts";
import type { ServerObserver, ServerStart } from "./scenario-server.ts";
import { ScenarioServer } from "./scenario-server.ts";
import { diskText, serverText } from "./server-text.ts";

/** A message on its way. */
export interface Posted {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: RaftMessage;
}

/** What a server of a scenario begins with; the rest is the same for all. */
export interface ClusterMember extends Omit<ServerStart, "config" | "configuration"> {
  readonly id: NodeId;
  /** An outsider knows no members and waits to be added. */
  readonly role: "voter" | "learner" | "outsider";
}

const CONFIG: Omit<RaftConfig, "nodeId"> = {
  ...TICKS,
  appendEntriesMaxBytes: 64 * 1024,
  inFlightMaxMessages: 8,
  inFlightMaxBytes: 64 * 1024,
  uncommittedMaxBytes: 64 * 1024,
  applyMaxBytes: 64 * 1024,
  trailingEntries: 1,
  leaseReads: false,
};

const ELECTION: ReadonlySet<RaftMessage["type"]> = new Set([
  "PreVote",
  "PreVoteReply",
  "RequestVote",
  "RequestVoteReply",
]);

/** No scenario needs nearly so many steps to come to rest. */
const STEPS_MAX = 20_000;

/**
 * Whole servers over a network whose every message waits until the scenario says what becomes of
 * it. After every step the simulator's checkers look at all memories, disks and messages. What
 * happens is told as lines.
 */
export class ScenarioCluster implements ServerObserver {
  readonly checker: ClusterChecker;
  /** Sent, and neither delivered nor lost yet; oldest first. */
  network: Posted[] = [];
  readonly #servers: readonly ScenarioServer[];
  readonly #blocked = new Set<string>();
  readonly #reads = new Map<string, { readonly name: string; readonly floor: LogIndex }>();
  readonly #led = new Set<string>();
  readonly #shown = new Map<NodeId, string>();
  #lines: string[] = [];
  #lastTold = 0;

  constructor(members: readonly ClusterMember[], config: Partial<RaftConfig>) {
    const idsOf = (wanted: ClusterMember["role"]): NodeId[] =>
      members
        .filter(({ role }) => role === wanted)
        .map(({ id }) => id)
        .sort();
    const bootstrap = configurationOf({ voters: idsOf("voter"), learners: idsOf("learner") });
    this.checker = new ClusterChecker(new Coverage(), bootstrap);
    this.#servers = members.map((member) => {
      const configuration =
        member.role === "outsider" ? configurationOf({ voters: [] }) : bootstrap;
      const own = { ...CONFIG, ...config, nodeId: member.id };
      return new ScenarioServer({ ...member, config: own, configuration }, this);
    });
    for (const server of this.#servers) server.start();
    // How they begin is told by whoever made them.
    this.takeLines();
  }

  get ids(): readonly NodeId[] {
    return this.#servers.map(({ id }) => id);
  }

  server(id: NodeId): ScenarioServer {
    const server = this.#servers.find((one) => one.id === id);
    if (server === undefined) throw new Error(`there is no ${id}`);
    return server;
  }

  say(line: string): void {
    this.#lines.push(line);
  }

  /** What was told since the last call, and the servers that have changed. */
  takeLines(): string[] {
    for (const id of this.ids) {
      const text = this.status(id);
      if (text !== this.#shown.get(id)) this.say(text);
      this.#shown.set(id, text);
    }
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  status(id: NodeId): string {
    const server = this.server(id);
    return server.isUp ? serverText(id, server.core) : diskText(id, server.disk);
  }

  posted(from: NodeId, to: NodeId, message: RaftMessage): void {
    this.network.push({ from, to, message });
  }

  /** Told once for each entry, of whoever applies it first. */
  applied(id: NodeId, entry: LogEntry, result: KvResult | null): void {
    if (entry.index <= this.#lastTold) return;
    this.#lastTold = entry.index;
    if (result === null || isPlain(entry)) return;
    this.say(`${id} applies ${entry.index}: ${resultText(result)}`);
  }

  /** A linearizable read, known by its number from now on. */
  read(id: NodeId): void {
    const floor = this.checker.ledger.lastIndex;
    const { core } = this.server(id);
    const requestId = core.readIndex();
    const name = `read ${this.#reads.size + 1}`;
    this.#reads.set(`${id}/${requestId}`, { name, floor });
    this.say(`${id} takes in ${name}`);
    this.server(id).step(() => undefined);
  }

  readAnswered(id: NodeId, requestId: RequestId, readIndex: LogIndex): void {
    const { name, floor } = this.#readOf(id, requestId);
    requireInvariant(
      readIndex >= floor,
      "Fresh Reads",
      () => `${name} is answered at ${readIndex}, but ${floor} was committed when it was asked`,
    );
    this.say(`${id} may answer ${name} once ${readIndex} is applied`);
  }

  readAborted(id: NodeId, requestId: RequestId): void {
    this.say(`${id} gives ${this.#readOf(id, requestId).name} up`);
  }

  stepped(id: NodeId): void {
    const { role, currentTerm } = this.server(id).core.view();
    const name = `${id} of term ${currentTerm}`;
    if (role !== "leader" || this.#led.has(name)) return;
    this.#led.add(name);
    this.say(`${id} is elected in term ${currentTerm}`);
  }

  block(from: NodeId, to: NodeId): void {
    this.#blocked.add(`${from}>${to}`);
  }

  /** Cuts some servers off from all others, both ways. */
  isolate(...ids: readonly NodeId[]): void {
    for (const id of ids) {
      for (const other of this.ids.filter((one) => !ids.includes(one))) {
        this.block(this.server(id).id, other);
        this.block(other, id);
      }
    }
  }

  heal(): void {
    this.#blocked.clear();
  }

  /** Delivers a copy of a message, wherever that comes from; told if `isTold`. */
  deliver({ from, to, message }: Posted, isTold: boolean): void {
    const server = this.server(to);
    const isLost = this.#blocked.has(`${from}>${to}`) || !server.isUp;
    if (isTold) this.say(`${from} -> ${to} ${messageText(message)}${isLost ? " (lost)" : ""}`);
    if (!isLost) server.step((core) => core.receive(from, message));
  }

  /** Takes messages off the network. */
  take(wanted: readonly Posted[]): void {
    this.network = this.network.filter((posted) => !wanted.includes(posted));
  }

  /** Delivers until nothing is on its way; says how many. A slow disk stays as it is. */
  settle(isTold = false): number {
    for (let delivered = 0; delivered < STEPS_MAX; delivered += 1) {
      const posted = this.network.shift();
      if (posted === undefined) return delivered;
      this.deliver(posted, isTold);
    }
    throw new Error("the cluster does not come to rest");
  }

  /** Lets time pass for some servers, and delivers what they send after every tick. */
  run(ticks: number, ids: readonly NodeId[]): void {
    for (let done = 0; done < ticks; done += 1) {
      for (const id of ids) {
        if (this.server(id).isUp) this.server(id).step((core) => core.tick());
      }
      this.settle();
    }
  }

  /** Lets time pass for all that run, but only `id` campaigns, until it leads. */
  elect(id: NodeId): void {
    for (let ticks = 0; ticks < 6 * TICKS.electionTicks; ticks += 1) {
      if (this.server(id).core.view().role === "leader") return;
      const others = this.ids.filter((other) => other !== id && this.#isPatient(other));
      this.run(1, [id, ...others]);
    }
    this.say(`${id} is not elected`);
  }

  /** Lets time pass for `id` alone until it asks for pre-votes. */
  campaign(id: NodeId): void {
    const { core } = this.server(id);
    const asked = (): number =>
      this.network.filter(({ from, message }) => from === id && message.type === "PreVote").length;
    const [askedBefore, { currentTerm }] = [asked(), core.view()];
    for (let ticks = 0; ticks <= 2 * TICKS.electionTicks; ticks += 1) {
      this.server(id).step(() => core.tick());
      if (asked() > askedBefore || core.view().currentTerm > currentTerm) return;
    }
    this.say(`${id} does not campaign`);
  }

  /** `id` campaigns and wins; only elections' messages move. What else it sends stays on its way. */
  win(id: NodeId): void {
    const isOfElection = ({ message }: Posted): boolean => ELECTION.has(message.type);
    // Who is behind learns the term by its first try.
    for (let tries = 0; tries < 3; tries += 1) {
      this.campaign(id);
      for (let posted = this.network.find(isOfElection); posted !== undefined;) {
        this.take([posted]);
        this.deliver(posted, false);
        posted = this.network.find(isOfElection);
      }
      if (this.server(id).core.view().role === "leader") return;
    }
    this.say(`${id} is not elected`);
  }

  #isPatient(id: NodeId): boolean {
    const server = this.server(id);
    return server.isUp && server.core.view().electionTicksLeft > 1;
  }

  #readOf(id: NodeId, requestId: RequestId): { readonly name: string; readonly floor: LogIndex } {
    const read = this.#reads.get(`${id}/${requestId}`);
    if (read === undefined) throw new Error(`${id} answers a read that nobody asked for`);
    return read;
  }
}

/** A change in no session goes without saying. */
function isPlain({ data }: LogEntry): boolean {
  const command = decodeCommand(data);
  return (command.kind === "put" || command.kind === "delete") && command.session === null;
}

function resultText(result: KvResult): string {
  switch (result.kind) {
    case "put":
    case "deleted":
      return `${result.kind}, revision ${result.revision}`;
    case "invalid":
      return result.reason;
    case "conditionFailed":
      return `the key is at revision ${result.currentRevision}`;
    case "sessionOpened":
      return `session ${result.sessionId} begins`;
    case "sessionKept":
      return `session ${result.sessionId} goes on`;
    case "sessionClosed":
      return `session ${result.sessionId} ends`;
    case "sessionExpired":
      return `session ${result.sessionId} is over: nothing is done`;
    case "serialDropped":
      return `serial ${result.serial} is answered already: nothing is done`;
    case "sessionFull":
      return `${result.outstanding} answers are outstanding: nothing is done`;
  }
}
