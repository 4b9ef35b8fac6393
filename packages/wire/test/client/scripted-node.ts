import type { TestContext } from "node:test";

import type {
  ClientReply,
  ClientRequest,
  ErrorReply,
  NodeStatus,
  RequestErrorCode,
} from "@quorate/wire";
import { type Connection, listen, type Listener } from "@quorate/wire/net";
import { helloFrom } from "../net/peers.ts";

/** What a scripted node does with a request: answers, says nothing, or drops the connection. */
export type Reaction = ClientReply | "silence" | "drop";

/** A peer that speaks the protocol and does to each request what a test says. */
export class ScriptedNode {
  readonly id: string;
  readonly requests: ClientRequest[] = [];
  readonly connections: Connection[] = [];
  react: (request: ClientRequest, connection: Connection) => Reaction = () => "silence";
  #listener: Listener | null = null;
  #port = 0;
  #waiting: { matches: (request: ClientRequest) => boolean; resolve: () => void }[] = [];

  constructor(id: string) {
    this.id = id;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** On the same port as before, after the first time. */
  async start(): Promise<void> {
    this.#listener = await listen({
      host: "127.0.0.1",
      port: this.#port,
      connectionsMax: 64,
      helloTimeoutMs: 2000,
      accept: () => helloFrom(this.id, { role: "peer" }),
      onConnection: (connection) => {
        this.connections.push(connection);
        return {
          onMessage: (message) => this.#receive(message as ClientRequest, connection),
          onBatchEnd: () => undefined,
          onClose: () => undefined,
        };
      },
    });
    this.#port = this.#listener.port;
  }

  async stop(): Promise<void> {
    await this.#listener?.close();
  }

  count(type: ClientRequest["type"]): number {
    return this.requests.filter((request) => request.type === type).length;
  }

  /** Waits for the next request of this type. */
  next(type: ClientRequest["type"]): Promise<void> {
    const matches = (request: ClientRequest): boolean => request.type === type;
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  #receive(request: ClientRequest, connection: Connection): void {
    this.requests.push(request);
    const reaction = this.react(request, connection);
    if (reaction === "drop") void this.stop();
    else if (reaction !== "silence") connection.send(reaction);
    const arrived = this.#waiting.filter(({ matches }) => matches(request));
    this.#waiting = this.#waiting.filter((waiting) => !arrived.includes(waiting));
    for (const { resolve } of arrived) resolve();
  }
}

/** A cluster of scripted nodes: who leads is said, not elected. */
export class ScriptedCluster {
  readonly nodes: readonly ScriptedNode[];
  leader: ScriptedNode | null;
  term = 3;
  revision = 0;
  /** The newest session. */
  sessionId = 0;

  constructor(nodes: readonly ScriptedNode[]) {
    this.nodes = nodes;
    this.leader = nodes[0] ?? null;
    for (const node of nodes) node.react = (request) => this.answer(node, request);
  }

  get endpoints(): string[] {
    return this.nodes.map(({ address }) => address);
  }

  node(offset: number): ScriptedNode {
    const node = this.nodes[offset];
    if (node === undefined) throw new Error(`there is no node ${offset}`);
    return node;
  }

  /** What a healthy node answers. */
  answer(node: ScriptedNode, request: ClientRequest): Reaction {
    const { requestId } = request;
    switch (request.type) {
      case "Status":
        return { type: "StatusReply", requestId, status: this.statusOf(node) };
      case "Get":
        return {
          type: "GetReply",
          requestId,
          found: { value: request.key, createRevision: 1, modRevision: 1, version: 1 },
          revision: this.revision,
          appliedIndex: this.revision,
          ageMs: 0,
        };
      case "Put": {
        if (node !== this.leader) return this.notLeader(requestId);
        this.revision += 1;
        const { revision, term } = this;
        return { type: "PutReply", requestId, index: revision, term, revision, created: true };
      }
      case "MoveLeader":
        return { type: "MoveLeaderReply", requestId, leaderId: "n2", term: this.term + 1 };
      case "OpenSession":
        if (node !== this.leader) return this.notLeader(requestId);
        this.sessionId += 1;
        return { type: "SessionReply", requestId, sessionId: this.sessionId, ttlMs: 60_000 };
      case "KeepSession":
        if (node !== this.leader) return this.notLeader(requestId);
        return { type: "SessionReply", requestId, sessionId: request.sessionId, ttlMs: 60_000 };
      case "CloseSession":
      case "ChangeMembers":
      case "SetFaults":
      case "Delete":
      case "Subscribe":
      case "Cancel":
        return "silence";
    }
  }

  notLeader(requestId: number): ErrorReply {
    const leaderAddress = this.leader?.address ?? null;
    const code = this.leader === null ? "noLeader" : "notLeader";
    return { ...refusal(requestId, code), leaderId: this.leader?.id ?? null, leaderAddress };
  }

  statusOf(node: ScriptedNode): NodeStatus {
    return statusOf(node.id, {
      role: node === this.leader ? "leader" : "follower",
      leaderId: this.leader?.id ?? null,
      currentTerm: this.term,
      members: this.nodes.map(({ id, address }) => ({
        id,
        address,
        voter: true,
        role: "voter" as const,
      })),
    });
  }
}

export async function cluster(t: TestContext, size = 3): Promise<ScriptedCluster> {
  const nodes = Array.from({ length: size }, (_, offset) => new ScriptedNode(`n${offset + 1}`));
  for (const node of nodes) {
    await node.start();
    t.after(() => node.stop());
  }
  return new ScriptedCluster(nodes);
}

export function refusal(
  requestId: number,
  code: RequestErrorCode,
  outcome: ErrorReply["outcome"] = "notApplied",
): ErrorReply {
  return {
    type: "ErrorReply",
    requestId,
    code,
    outcome,
    message: `scripted ${code}`,
    leaderId: null,
    leaderAddress: null,
  };
}

function statusOf(nodeId: string, changes: Partial<NodeStatus> = {}): NodeStatus {
  return {
    clusterId: "c1",
    nodeId,
    incarnation: `i-${nodeId}`,
    bootId: `boot-of-${nodeId}`,
    softwareVersion: "0.0.0",
    pid: 1,
    uptimeMs: 1,
    address: "127.0.0.1:1",
    dataDirectory: "/data",
    role: "follower",
    currentTerm: 3,
    votedFor: null,
    leaderId: null,
    votesGranted: null,
    commitIndex: 0,
    lastApplied: 0,
    firstLogIndex: 1,
    lastLogIndex: 0,
    lastLogTerm: 0,
    durableIndex: 0,
    logTail: [],
    revision: 0,
    keyCount: 0,
    members: [],
    peers: [],
    electionTimerLeft: null,
    electionTimeoutMs: 300,
    heartbeatIntervalMs: 50,
    clientConnections: 1,
    subscribers: 0,
    writesApplied: 0,
    readsServed: 0,
    requestsFailed: 0,
    residentBytes: 1,
    storageBytes: 1,
    persistP50Ms: null,
    persistP99Ms: null,
    commitP50Ms: null,
    commitP99Ms: null,
    configurationIndex: 0,
    snapshotIndex: 0,
    snapshotBytes: 0,
    storageState: "ok",
    retired: false,
    sessions: 0,
    stateHash: "",
    faultsAllowed: false,
    faults: [],
    ...changes,
  };
}
