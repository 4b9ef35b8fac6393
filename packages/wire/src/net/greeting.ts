import { decodeBody, encodeFrame } from "../codec/index.ts";
import { type Hello, type HelloRefused, PROTOCOL_VERSION } from "../hello.ts";
import { formatAddress } from "./address.ts";
import { ConnectionError } from "./connection-error.ts";
import { FramedSocket } from "./framed-socket.ts";
import type { ByteStream, NetworkStack, StackTimer } from "./network-stack.ts";

export interface GreetingOptions {
  readonly helloTimeoutMs: number;
  readonly queueMaxBytes: number;
  readonly stack: NetworkStack;
  accept(hello: Hello, remoteAddress: string): Hello | HelloRefused | Promise<Hello | HelloRefused>;
  /** The answer has been queued; the socket is the receiver's from here on. */
  onAccepted(socket: FramedSocket, remoteHello: Hello): void;
  onRejected(error: ConnectionError): void;
}

/** An accepted socket until its hello has been answered. */
export class Greeting {
  readonly #options: GreetingOptions;
  readonly #socket: FramedSocket;
  readonly #timer: StackTimer;
  #state: "waiting" | "judging" | "over" = "waiting";

  constructor(socket: ByteStream, options: GreetingOptions) {
    this.#options = options;
    this.#timer = options.stack.after(options.helloTimeoutMs, () => this.#timedOut());
    this.#socket = new FramedSocket(socket, {
      address: remoteAddressOf(socket),
      queueMaxBytes: options.queueMaxBytes,
      stack: options.stack,
      handlers: {
        onBody: (body) => this.#receive(body),
        onViolation: (error) => this.#refuse(HELLO_EXPECTED, error),
        onBatchEnd: () => undefined,
        onDrain: () => undefined,
        onClose: (error) => this.#closed(error),
      },
    });
  }

  /** Answers with `refusal`, then closes. */
  refuse(refusal: HelloRefused): void {
    const message = `${refusal.message} (${refusal.code})`;
    const error = new ConnectionError("helloRefused", this.#socket.address, { message, refusal });
    this.#refuse(refusal, error);
  }

  /** Closes at once. */
  abort(): void {
    this.#socket.destroy(null);
  }

  #receive(body: Uint8Array): void {
    const message = decodeBody(body);
    if (message.type !== "Hello" || this.#state !== "waiting") {
      const text = `its first message was ${message.type}, not a hello`;
      const error = new ConnectionError("protocol", this.#socket.address, { message: text });
      this.#refuse(HELLO_EXPECTED, error);
      return;
    }
    const answer =
      message.protocolVersion === PROTOCOL_VERSION
        ? this.#options.accept(message, this.#socket.address)
        : OTHER_VERSION;
    if (answer instanceof Promise) {
      this.#state = "judging";
      answer.then(
        (later) => this.#answer(message, later),
        (error: unknown) => this.#failed(error),
      );
    } else {
      this.#answer(message, answer);
    }
  }

  #answer(hello: Hello, answer: Hello | HelloRefused): void {
    if (this.#state === "over") return;
    if (answer.type === "HelloRefused") {
      this.refuse(answer);
      return;
    }
    this.#state = "over";
    this.#timer.cancel();
    this.#socket.write(encodeFrame(answer));
    this.#options.onAccepted(this.#socket, hello);
  }

  #failed(cause: unknown): void {
    const message = "its hello could not be judged";
    this.#socket.destroy(new ConnectionError("closed", this.#socket.address, { message, cause }));
  }

  #refuse(refusal: HelloRefused, error: ConnectionError): void {
    this.#state = "over";
    this.#socket.write(encodeFrame(refusal));
    this.#socket.end(error);
  }

  #timedOut(): void {
    const message = `connected, but no hello within ${this.#options.helloTimeoutMs} ms`;
    this.#socket.destroy(new ConnectionError("timeout", this.#socket.address, { message }));
  }

  #closed(error: ConnectionError | null): void {
    this.#timer.cancel();
    this.#state = "over";
    if (error !== null) this.#options.onRejected(error);
  }
}

/** `host:port` of the other side; `?` where the socket is closed already. */
export function remoteAddressOf(socket: ByteStream): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return "?";
  return formatAddress({ host: remoteAddress, port: remotePort });
}

const HELLO_EXPECTED: HelloRefused = {
  type: "HelloRefused",
  code: "helloExpected",
  message: "the first frame must be a hello",
  remedy: "connect with a client of Quorate: this port speaks no other protocol",
};

const OTHER_VERSION: HelloRefused = {
  type: "HelloRefused",
  code: "protocolVersion",
  message: `this node speaks protocol version ${PROTOCOL_VERSION}`,
  remedy: "use a client and nodes of the same major version",
};

/** For a socket above the listener's limit. */
export const TOO_MANY_CONNECTIONS: HelloRefused = {
  type: "HelloRefused",
  code: "tooManyConnections",
  message: "this node has as many connections as it takes",
  remedy: "close idle clients, connect to another node, or raise the node's limit",
};
