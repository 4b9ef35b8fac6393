import assert from "node:assert/strict";
import type { ClientReply, ClientRequest } from "@quorate/wire";
import type { Connection } from "@quorate/wire/net";
import { dial } from "@quorate/wire/net";
import { clientHello } from "../server/raw-client.ts";

type Unnumbered<T> = T extends { readonly requestId: number } ? Omit<T, "requestId"> : never;

const ANSWER_TIMEOUT_MS = 1000;

/** Sends requests to nodes that the caller names, with no retries and no redirects. */
export class DirectSender {
  readonly #connections: Map<string, Promise<Connection>> = new Map();
  readonly #waiting: Map<number, (reply: ClientReply | null) => void> = new Map();
  #lastRequestId = 0;

  /** The answer; null: the node could not be reached, went away, or is silent. */
  async ask(address: string, request: Unnumbered<ClientRequest>): Promise<ClientReply | null> {
    const connection = await this.#connection(address).catch(() => null);
    if (connection === null) return null;
    this.#lastRequestId += 1;
    const requestId = this.#lastRequestId;
    const { promise, resolve } = Promise.withResolvers<ClientReply | null>();
    const timer = setTimeout(() => resolve(null), ANSWER_TIMEOUT_MS);
    this.#waiting.set(requestId, resolve);
    connection.send({ ...request, requestId } as ClientRequest);
    const reply = await promise;
    clearTimeout(timer);
    this.#waiting.delete(requestId);
    return reply;
  }

  close(): void {
    for (const connecting of this.#connections.values()) {
      connecting.then(
        (connection) => connection.close(),
        () => undefined,
      );
    }
  }

  #connection(address: string): Promise<Connection> {
    const known = this.#connections.get(address);
    if (known !== undefined) return known;
    const forget = (): void => {
      this.#connections.delete(address);
      for (const resolve of this.#waiting.values()) resolve(null);
    };
    const { connected } = dial({
      address,
      hello: clientHello({ from: "twice" }),
      connectTimeoutMs: 500,
      handlers: {
        onMessage: (message) => {
          assert.ok("requestId" in message);
          this.#waiting.get(message.requestId as number)?.(message as ClientReply);
        },
        onBatchEnd: () => undefined,
        onClose: forget,
      },
    });
    this.#connections.set(address, connected);
    connected.catch(() => this.#connections.delete(address));
    return connected;
  }
}
