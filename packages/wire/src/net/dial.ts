import type { ConnectionOptions } from "node:tls";

import { decodeBody, encodeFrame } from "../codec/index.ts";
import { type Hello, PROTOCOL_VERSION } from "../hello.ts";
import { parseAddress } from "./address.ts";
import { ConnectionError } from "./connection-error.ts";
import { Connection, type ConnectionHandlers } from "./connection.ts";
import { FramedSocket, QUEUE_MAX_BYTES } from "./framed-socket.ts";
import type { KeepAliveOptions } from "./keep-alive.ts";
import type { ByteStream, NetworkStack } from "./network-stack.ts";
import { systemStack } from "./system-stack.ts";

export interface DialOptions {
  /** `host:port`. */
  readonly address: string;
  /** What this side says about itself, and whom it means to reach. */
  readonly hello: Hello;
  /** For everything up to the other side's hello: name, TCP, TLS and hello. */
  readonly connectTimeoutMs: number;
  /** Called no sooner than `connected` has been fulfilled; never when it is rejected. */
  readonly handlers: ConnectionHandlers;
  /** Absent: no Pings are sent and silence is not noticed. */
  readonly keepAlive?: KeepAliveOptions;
  /** The connection is destroyed as `overflow` when more waits to be written. Default 16 MiB. */
  readonly queueMaxBytes?: number;
  /** Present: TLS with these options. */
  readonly tls?: ConnectionOptions;
  /** Default: the machine's own. */
  readonly stack?: NetworkStack;
}

/** A connection that is being made. */
export interface Dialing {
  /**
   * Fulfilled after both hellos.
   *
   * @throws ConnectionError when there is none; the socket is closed then.
   */
  readonly connected: Promise<Connection>;
  /** Whether the other side has taken the connection, be its process paused or stuck. */
  isAccepted(): boolean;
  /** Gives up: `connected` is rejected as `closed`. Without effect once it is settled. */
  cancel(): void;
}

/** Connects to a node and exchanges hellos with it. */
export function dial(options: DialOptions): Dialing {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  // Whoever cancels need not look at the promise any more.
  promise.catch(() => undefined);
  const address = parseAddress(options.address);
  if (address === null) {
    const message = "not an address of the form host:port";
    reject(new ConnectionError("unresolved", options.address, { message }));
    return { connected: promise, isAccepted: () => false, cancel: () => undefined };
  }
  let settled = false;
  let accepted = false;
  const stack = options.stack ?? systemStack;
  const socket = stack.connect(address, options.tls);
  // Remembered: while a socket that is given up closes, it does not say any more what it was.
  socket.once("connect", () => {
    accepted = true;
  });
  const framed = greet(
    socket,
    { ...options, stack },
    {
      resolve: (connection) => {
        settled = true;
        resolve(connection);
      },
      reject,
    },
  );
  return {
    connected: promise,
    isAccepted: () => accepted,
    cancel: () => {
      const message = "the attempt was given up";
      if (!settled) framed.destroy(new ConnectionError("closed", options.address, { message }));
    },
  };
}

/** With the stack decided. */
type GreetOptions = DialOptions & { readonly stack: NetworkStack };

interface Outcome {
  resolve(connection: Connection): void;
  reject(error: ConnectionError): void;
}

function greet(socket: ByteStream, options: GreetOptions, outcome: Outcome): FramedSocket {
  const { address, connectTimeoutMs, stack } = options;
  const timer = stack.after(connectTimeoutMs, () => {
    const accepted = !socket.connecting;
    const missing = accepted ? "connected, but no hello" : "no connection";
    const message = `${missing} within ${connectTimeoutMs} ms`;
    framed.destroy(new ConnectionError("timeout", address, { message, accepted }));
  });
  const framed = new FramedSocket(socket, {
    address,
    queueMaxBytes: options.queueMaxBytes ?? QUEUE_MAX_BYTES,
    stack,
    handlers: {
      onBody: (body) => {
        const remoteHello = readHello(body, options);
        if (remoteHello instanceof ConnectionError) {
          framed.destroy(remoteHello);
          return;
        }
        timer.cancel();
        outcome.resolve(startSoon(framed, remoteHello, options));
      },
      onViolation: (error) => framed.destroy(error),
      onBatchEnd: () => undefined,
      onDrain: () => undefined,
      onClose: (error) => {
        timer.cancel();
        const message = "the connection closed before the hello";
        outcome.reject(error ?? new ConnectionError("closed", address, { message }));
      },
    },
  });
  framed.write(encodeFrame(options.hello));
  framed.flush();
  return framed;
}

/** Leaves the caller the time to receive the connection before its handlers are called. */
function startSoon(framed: FramedSocket, remoteHello: Hello, options: GreetOptions): Connection {
  const connection = new Connection(framed, remoteHello, {
    stack: options.stack,
    keepAlive: options.keepAlive ?? null,
    readPauseBytes: Infinity,
  });
  framed.pause();
  options.stack.soon(() => connection.start(options.handlers));
  return connection;
}

function readHello(body: Uint8Array, { address, hello }: DialOptions): Hello | ConnectionError {
  const answer = decodeBody(body);
  if (answer.type === "HelloRefused") {
    const message = `${answer.message} (${answer.code}); ${answer.remedy}`;
    return new ConnectionError("helloRefused", address, { message, refusal: answer });
  }
  if (answer.type !== "Hello") {
    const message = `its first message was ${answer.type}, not a hello`;
    return new ConnectionError("protocol", address, { message });
  }
  const fault = faultOf(answer, hello);
  return fault === null ? answer : new ConnectionError("protocol", address, { message: fault });
}

/** The other side checks as much; but a vote counted for the wrong node would be unsafe. */
function faultOf(answer: Hello, asked: Hello): string | null {
  if (answer.protocolVersion !== PROTOCOL_VERSION) {
    return `it speaks protocol version ${answer.protocolVersion}, not ${PROTOCOL_VERSION}`;
  }
  if (asked.clusterId !== null && answer.clusterId !== asked.clusterId) {
    return `it belongs to cluster ${answer.clusterId ?? "?"}, not ${asked.clusterId}`;
  }
  if (asked.to !== null && answer.from !== asked.to) {
    return `node ${answer.from} answers there, not ${asked.to}`;
  }
  return null;
}
