import assert from "node:assert/strict";
import { once } from "node:events";
import { EventEmitter } from "node:events";
import type { ClientReply, ClientRequest, Hello, WireMessage } from "@quorate/wire";
import { PROTOCOL_VERSION } from "@quorate/wire";
import type { Connection, ConnectionError } from "@quorate/wire/net";
import { dial } from "@quorate/wire/net";

/** A hello as a client sends it. */
export function clientHello(changes: Partial<Hello> = {}): Hello {
  return {
    type: "Hello",
    protocolVersion: PROTOCOL_VERSION,
    clusterId: null,
    from: "test",
    to: null,
    role: "client",
    incarnation: null,
    bootId: "boot-of-test",
    advertiseAddress: null,
    softwareVersion: "0",
    capabilities: [],
    bootNumber: null,
    configurationIndex: null,
    ...changes,
  };
}

/** What few requests ask for, and what it is where a test does not say. */
const LATER_FIELDS = {
  Get: { maxStalenessMs: null, minRevision: 0 },
  Put: { ifRevision: null, session: null },
  Delete: { ifRevision: null, session: null },
  Subscribe: { eventBacklogMax: 0 },
} as const;

type LaterField = "eventBacklogMax" | "maxStalenessMs" | "minRevision" | "ifRevision" | "session";

type Unnumbered<T> = T extends { readonly requestId: number }
  ? Omit<T, "requestId" | LaterField> & Partial<Pick<T, LaterField & keyof T>>
  : never;

/** One connection that speaks the protocol without the client library's retries and redirects. */
export class RawClient {
  readonly replies: ClientReply[] = [];
  /** Null while the connection is up. */
  closed: { readonly error: ConnectionError | null } | null = null;
  readonly #changes = new EventEmitter();
  #connection: Connection | null = null;
  #lastRequestId = 0;

  static async connect(address: string, hello: Hello = clientHello()): Promise<RawClient> {
    const client = new RawClient();
    const dialing = dial({
      address,
      hello,
      connectTimeoutMs: 2000,
      handlers: {
        onMessage: (message) => {
          client.replies.push(asReply(message));
          client.#changes.emit("change");
        },
        onBatchEnd: () => undefined,
        onClose: (error) => {
          client.closed = { error };
          client.#changes.emit("change");
        },
      },
    });
    client.#connection = await dialing.connected;
    return client;
  }

  get connection(): Connection {
    assert.ok(this.#connection !== null);
    return this.#connection;
  }

  /** Sends a request under a fresh number, which it returns. */
  send(request: Unnumbered<ClientRequest>): number {
    this.#lastRequestId += 1;
    this.connection.send(numbered(request, this.#lastRequestId));
    return this.#lastRequestId;
  }

  /** Sends a request and waits for its answer. */
  async ask(request: Unnumbered<ClientRequest>, timeoutMs = 5000): Promise<ClientReply> {
    const requestId = this.send(request);
    const find = (): ClientReply | undefined =>
      this.replies.find((reply) => reply.requestId === requestId);
    return await this.until(find, timeoutMs);
  }

  /** Waits until `find` finds something. */
  async until<T>(find: () => T | undefined, timeoutMs = 5000): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await once(this.#changes, "change", { signal: deadline });
    }
  }

  close(): void {
    this.#connection?.close();
  }
}

/** A whole request. */
export function numbered(request: Unnumbered<ClientRequest>, requestId: number): ClientRequest {
  const later: Partial<Record<string, object>> = LATER_FIELDS;
  return { ...later[request.type], ...request, requestId } as ClientRequest;
}

const REPLY_TYPES = /Reply$|^Stream/u;

function asReply(message: WireMessage): ClientReply {
  assert.match(message.type, REPLY_TYPES);
  return message as ClientReply;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
