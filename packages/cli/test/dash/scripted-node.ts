import type { TestContext } from "node:test";
import type { ClientReply, NodeEvent, NodeId, NodeStatus, StreamMessage } from "@quorate/wire";
import { PROTOCOL_VERSION } from "@quorate/wire";
import { type Connection, listen, type Listener } from "@quorate/wire/net";
import { eventOf, statusOf } from "./synthetic.ts";

type WithoutId<Message> = Message extends StreamMessage ? Omit<Message, "requestId"> : never;

/** What a node sends on a stream, without the number of the stream. */
export type Told = WithoutId<StreamMessage>;

/** A node that speaks the protocol over real sockets and says what a test tells it to. */
export class ScriptedNode {
  readonly id: NodeId;
  readonly subscriptions: { resume: { bootId: string; sequence: number } | null }[] = [];
  /** What it answers a Subscribe with that asks for events of before. */
  past: readonly NodeEvent[] = [eventOf(1, "started")];
  readonly puts: { key: string; value: string }[] = [];
  status: NodeStatus;
  /** As if stopped by SIGSTOP: its connections stay, and nothing comes. */
  isMute = false;
  #listener: Listener | null = null;
  #port = 0;
  readonly #streams: Map<Connection, number> = new Map();
  readonly #ticks: NodeJS.Timeout;

  private constructor(id: NodeId) {
    this.id = id;
    this.status = statusOf(id, [id]);
    this.#ticks = setInterval(() => this.tell({ type: "StreamTick", monotonicMs: 1 }), 500);
  }

  /** Nodes that know of each other; `n2` leads. They end with the test. */
  static async cluster(test: TestContext, ids: readonly NodeId[]): Promise<ScriptedNode[]> {
    const nodes = ids.map((id) => new ScriptedNode(id));
    test.after(async () => {
      for (const node of nodes) {
        clearInterval(node.#ticks);
      }
      await Promise.all(nodes.map((node) => node.close()));
    });
    await Promise.all(nodes.map((node) => node.open()));
    const members = nodes.map(({ id, address }) => ({
      id,
      address,
      voter: true,
      role: "voter" as const,
    }));
    for (const node of nodes) {
      node.status = { ...statusOf(node.id, ids), address: node.address, members };
    }
    return nodes;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    this.#listener = await listen({
      host: "127.0.0.1",
      port: this.#port,
      connectionsMax: 16,
      helloTimeoutMs: 1_000,
      accept: () => ({
        type: "Hello",
        protocolVersion: PROTOCOL_VERSION,
        clusterId: this.status.clusterId,
        from: this.id,
        to: null,
        role: "peer",
        incarnation: this.status.incarnation,
        bootId: this.status.bootId,
        advertiseAddress: this.address,
        softwareVersion: this.status.softwareVersion,
        capabilities: [],
        bootNumber: null,
        configurationIndex: null,
      }),
      onConnection: (connection) => ({
        onMessage: (message) => {
          if (message.type === "Subscribe") {
            this.subscriptions.push({ resume: message.resume });
            this.#streams.set(connection, message.requestId);
            this.tell({ type: "StreamState", status: this.status });
            if (message.resume === null && message.eventBacklogMax > 0) {
              this.tell({ type: "StreamEvents", events: this.past });
            }
          } else if (message.type === "Status") {
            const { requestId } = message;
            connection.send({ type: "StatusReply", requestId, status: this.status });
          } else if (message.type === "OpenSession") {
            const { requestId } = message;
            connection.send({ type: "SessionReply", requestId, sessionId: 1, ttlMs: 60_000 });
          } else if (message.type === "Put") {
            connection.send(this.#put(message));
          }
        },
        onBatchEnd: () => undefined,
        onClose: () => this.#streams.delete(connection),
      }),
    });
    this.#port = this.#listener.port;
  }

  /** Sends on every stream that is open. */
  tell(told: Told): void {
    if (this.isMute) {
      return;
    }
    for (const [connection, requestId] of this.#streams) {
      connection.send({ ...told, requestId } as StreamMessage);
    }
  }

  /** Changes its status and tells that. */
  change(changed: Partial<NodeStatus>): void {
    this.status = { ...this.status, ...changed };
    this.tell({ type: "StreamDelta", changed });
  }

  /** As when the process is killed: connections close, and new ones are refused. */
  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    await listener?.close();
  }

  #put(request: { requestId: number; key: Uint8Array; value: Uint8Array }): ClientReply {
    const text = new TextDecoder();
    this.puts.push({ key: text.decode(request.key), value: text.decode(request.value) });
    const { requestId } = request;
    return { type: "PutReply", requestId, index: 1048, term: 7, revision: 1041, created: true };
  }
}
