import type {
  ClientReply,
  ClientRequest,
  RequestId,
  SubscribeRequest,
  WireMessage,
} from "@quorate/wire";
import type { Connection, ConnectionHandlers } from "@quorate/wire/net";
import { ConnectionError } from "@quorate/wire/net";
import type { RequestRouter } from "./request-router.ts";
import { Subscription } from "./subscription.ts";
import type { SubscriptionOptions } from "./subscription.ts";
import type { Telemetry } from "./telemetry.ts";

export interface ClientSessionOptions {
  readonly connection: Connection;
  readonly router: RequestRouter;
  readonly telemetry: Telemetry;
  /** What a subscription needs beside its request and its sink. */
  readonly streams: Omit<SubscriptionOptions, "request" | "sink">;
}

/** With this many requests unanswered no more are read, until half of them are answered. */
const UNANSWERED_MAX = 512;

/**
 * With this much waiting to be read, answers are held as values and encoded when the client has
 * read: many large answers at once must not count as a client that does not read.
 */
const REPLY_QUEUE_BYTES = 2 * 1024 * 1024;

/** Streams of one connection. */
const STREAMS_MAX = 16;

/** One client's connection: its requests in, answers out in any order, streams until cancelled. */
export class ClientSession implements ConnectionHandlers {
  readonly #options: ClientSessionOptions;
  readonly #streams = new Map<RequestId, Subscription>();
  /** Answers in the order in which they are to be sent. */
  #held: ClientReply[] = [];
  #unanswered = 0;
  #paused = false;

  constructor(options: ClientSessionOptions) {
    this.#options = options;
  }

  onMessage(message: WireMessage): void {
    const { connection } = this.#options;
    if (!isClientRequest(message)) {
      connection.destroy(
        new ConnectionError("protocol", connection.remoteAddress, {
          message: `a client sent ${message.type}`,
        }),
      );
      return;
    }
    switch (message.type) {
      case "Subscribe":
        this.#subscribe(message);
        break;
      case "Cancel":
        this.#endStream(message.requestId);
        break;
      default:
        this.#begin();
        this.#options.router.handle(message, (reply) => {
          this.#answer(reply);
        });
    }
  }

  onBatchEnd(): void {
    // Each request is taken up as it comes; the driver and the reads batch by themselves.
  }

  onDrain(): void {
    const held = this.#held;
    this.#held = [];
    for (const reply of held) this.#answer(reply);
  }

  onClose(): void {
    this.#held = [];
    for (const requestId of this.#streams.keys()) this.#endStream(requestId);
  }

  #begin(): void {
    this.#unanswered += 1;
    if (this.#unanswered < UNANSWERED_MAX || this.#paused) return;
    this.#paused = true;
    this.#options.connection.pauseReading();
  }

  #answer(reply: ClientReply): void {
    const { connection } = this.#options;
    if (connection.queuedBytes > REPLY_QUEUE_BYTES) {
      this.#held.push(reply);
      return;
    }
    connection.send(reply);
    this.#unanswered -= 1;
    if (!this.#paused || this.#unanswered > UNANSWERED_MAX / 2) return;
    this.#paused = false;
    this.#options.connection.resumeReading();
  }

  #subscribe(request: SubscribeRequest): void {
    const { connection, router, telemetry, streams } = this.#options;
    const { requestId } = request;
    if (this.#streams.has(requestId) || this.#streams.size >= STREAMS_MAX) {
      const message = this.#streams.has(requestId)
        ? `stream ${requestId} is open`
        : `a connection has at most ${STREAMS_MAX} streams`;
      connection.send(router.refuse(requestId, { code: "invalid", message }));
      return;
    }
    const subscription = new Subscription({ ...streams, request, sink: connection });
    this.#streams.set(requestId, subscription);
    telemetry.addListener(subscription);
    subscription.start();
  }

  #endStream(requestId: RequestId): void {
    const subscription = this.#streams.get(requestId);
    if (subscription === undefined) return;
    this.#streams.delete(requestId);
    this.#options.telemetry.removeListener(subscription);
    subscription.end();
  }
}

const CLIENT_REQUEST_TYPES: { readonly [T in ClientRequest["type"]]: true } = {
  Get: true,
  Put: true,
  Delete: true,
  Status: true,
  MoveLeader: true,
  OpenSession: true,
  KeepSession: true,
  CloseSession: true,
  ChangeMembers: true,
  SetFaults: true,
  Subscribe: true,
  Cancel: true,
};

function isClientRequest(message: WireMessage): message is ClientRequest {
  return Object.hasOwn(CLIENT_REQUEST_TYPES, message.type);
}
