import type { ClientReply, ClientRequest } from "../client-messages.ts";
import type { Hello } from "../hello.ts";
import type { NodeId, RequestId } from "../ids.ts";
import {
  type Connection,
  ConnectionError,
  dial,
  type Dialing,
  type KeepAliveOptions,
  type NetworkStack,
} from "../net/index.ts";
import type { WireMessage } from "../wire-message.ts";

/** What became of a request on its link. */
export interface LinkRequestHandlers {
  /** The answer; of a stream each message, the last of which is an ErrorReply if it fails. */
  onReply(reply: ClientReply): void;
  /** Once, instead of (further) replies. Not `sent`: no byte of it has left this process. */
  onFailure(error: ConnectionError, sent: boolean): void;
}

export interface LinkOptions {
  readonly endpoint: string;
  readonly hello: Hello;
  readonly connectTimeoutMs: number;
  readonly keepAlive: KeepAliveOptions;
  readonly stack: NetworkStack;
  onConnected(nodeId: NodeId): void;
  onLost(error: ConnectionError | null): void;
}

/** A request on its way over one link. */
export class LinkRequest {
  readonly requestId: RequestId;
  readonly message: ClientRequest;
  readonly handlers: LinkRequestHandlers;
  /** Whether the node may have it. */
  sent = false;
  readonly #link: NodeLink;

  constructor(link: NodeLink, message: ClientRequest, handlers: LinkRequestHandlers) {
    this.#link = link;
    this.requestId = message.requestId;
    this.message = message;
    this.handlers = handlers;
  }

  /** Its handlers are not called any more. A stream is ended at the node too. */
  abandon(): void {
    this.#link.abandon(this);
  }
}

/** The one connection to one endpoint: made when it is first needed, then kept. */
export class NodeLink {
  readonly endpoint: string;
  readonly #options: LinkOptions;
  readonly #requests: Map<RequestId, LinkRequest> = new Map();
  #connection: Connection | null = null;
  #dialing: Dialing | null = null;
  #lastRequestId = 0;
  #closed = false;
  /** Whether the newest attempt that failed had been taken by the other side. */
  #wasAccepted = false;

  constructor(options: LinkOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** That time is over, and whether something takes connections there, though it says nothing. */
  timedOut(message: string): ConnectionError {
    const accepted = this.isConnected || this.#wasAccepted || this.#dialing?.isAccepted() === true;
    return new ConnectionError("timeout", this.#options.endpoint, { message, accepted });
  }

  /** Sends the request now, or as soon as the connection is made. */
  request(
    build: (requestId: RequestId) => ClientRequest,
    handlers: LinkRequestHandlers,
  ): LinkRequest {
    this.#lastRequestId += 1;
    const request = new LinkRequest(this, build(this.#lastRequestId), handlers);
    this.#requests.set(request.requestId, request);
    if (this.#connection === null) this.warm();
    else this.#transmit(this.#connection, request);
    return request;
  }

  /** Connects, unless that is done or under way. */
  warm(): void {
    if (this.#connection !== null || this.#dialing !== null || this.#closed) return;
    const { endpoint, hello, connectTimeoutMs, keepAlive, stack } = this.#options;
    const dialing = dial({
      address: endpoint,
      hello,
      connectTimeoutMs,
      keepAlive,
      stack,
      // Bounded by the client's limits on outstanding requests.
      queueMaxBytes: Infinity,
      handlers: {
        onMessage: (message) => this.#receive(message),
        onBatchEnd: () => undefined,
        onClose: (error) => this.#lost(error),
      },
    });
    this.#dialing = dialing;
    dialing.connected.then(
      (connection) => this.#connected(connection),
      (error: unknown) => this.#notConnected(error),
    );
  }

  abandon(request: LinkRequest): void {
    if (!this.#requests.delete(request.requestId)) return;
    if (request.sent && request.message.type === "Subscribe") {
      this.#connection?.send({ type: "Cancel", requestId: request.requestId });
    }
  }

  /** For good. Requests under way are not told. */
  close(): void {
    this.#closed = true;
    this.#requests.clear();
    this.#dialing?.cancel();
    this.#connection?.close();
    this.#connection = null;
  }

  #connected(connection: Connection): void {
    this.#dialing = null;
    if (this.#closed) {
      connection.close();
      return;
    }
    this.#connection = connection;
    this.#options.onConnected(connection.remoteHello.from);
    for (const request of this.#requests.values()) this.#transmit(connection, request);
  }

  #notConnected(error: unknown): void {
    this.#dialing = null;
    if (!(error instanceof ConnectionError)) throw error;
    this.#wasAccepted = error.accepted;
    this.#options.onLost(error);
    this.#failAll(error);
  }

  #lost(error: ConnectionError | null): void {
    this.#connection = null;
    if (this.#closed) return;
    this.#options.onLost(error);
    const message = "the connection was closed";
    this.#failAll(error ?? new ConnectionError("closed", this.endpoint, { message }));
  }

  #failAll(error: ConnectionError): void {
    const failed = [...this.#requests.values()];
    this.#requests.clear();
    for (const request of failed) request.handlers.onFailure(error, request.sent);
  }

  #transmit(connection: Connection, request: LinkRequest): void {
    request.sent = true;
    connection.send(request.message);
  }

  #receive(message: WireMessage): void {
    if (!("requestId" in message) || !isReply(message)) {
      const text = `a node does not send ${message.type} to a client`;
      this.#connection?.destroy(new ConnectionError("protocol", this.endpoint, { message: text }));
      return;
    }
    // An answer to a request that was given up is nobody's.
    const request = this.#requests.get(message.requestId);
    if (request === undefined) return;
    const isLast = message.type === "ErrorReply" || request.message.type !== "Subscribe";
    if (isLast) this.#requests.delete(message.requestId);
    request.handlers.onReply(message);
  }
}

/** Complete: the compiler misses none. */
const REPLY_TYPES: Readonly<Record<ClientReply["type"], true>> = {
  GetReply: true,
  PutReply: true,
  DeleteReply: true,
  StatusReply: true,
  MoveLeaderReply: true,
  SessionReply: true,
  ChangeMembersReply: true,
  SetFaultsReply: true,
  ErrorReply: true,
  StreamState: true,
  StreamDelta: true,
  StreamEvents: true,
  StreamTick: true,
  StreamGap: true,
};

function isReply(message: WireMessage): message is ClientReply {
  return Object.hasOwn(REPLY_TYPES, message.type);
}
