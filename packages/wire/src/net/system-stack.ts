import {
  connect as connectTcp,
  createServer as createTcpServer,
  isIP,
  type Server,
  type Socket,
} from "node:net";
import {
  connect as connectTls,
  createServer as createTlsServer,
  type ConnectionOptions,
} from "node:tls";
import type { Address } from "./address.ts";
import type {
  NetworkStack,
  ServerEvents,
  ServerOptions,
  StackTimer,
  StreamServer,
} from "./network-stack.ts";

const BACKLOG = 511;

/** The machine's own sockets, clock and event loop. */
export const systemStack: NetworkStack = {
  connect: ({ host, port }: Address, tls: ConnectionOptions | undefined): Socket => {
    if (tls === undefined) return connectTcp({ host, port });
    const servername = isIP(host) === 0 ? host : "";
    return connectTls({ servername, ...tls, host, port });
  },

  createServer: (options: ServerOptions, events: ServerEvents): StreamServer =>
    new SystemServer(options, events),

  nowMs: () => performance.now(),

  after: (delayMs: number, fn: () => void): StackTimer => new Timeout(setTimeout(fn, delayMs)),

  soon: (fn: () => void): StackTimer => new Immediate(setImmediate(fn)),
};

class Timeout implements StackTimer {
  readonly #timeout: NodeJS.Timeout;

  constructor(timeout: NodeJS.Timeout) {
    this.#timeout = timeout;
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  unref(): void {
    this.#timeout.unref();
  }
}

class Immediate implements StackTimer {
  readonly #immediate: NodeJS.Immediate;

  constructor(immediate: NodeJS.Immediate) {
    this.#immediate = immediate;
  }

  cancel(): void {
    clearImmediate(this.#immediate);
  }

  unref(): void {
    this.#immediate.unref();
  }
}

class SystemServer implements StreamServer {
  readonly #server: Server;
  readonly #events: ServerEvents;

  constructor({ socketsMax, tls }: ServerOptions, events: ServerEvents) {
    this.#events = events;
    const onStream = (stream: Socket): void => events.onStream(stream);
    if (tls === undefined) {
      this.#server = createTcpServer(onStream);
    } else {
      const server = createTlsServer(tls, onStream);
      server.on("tlsClientError", (error, socket) => events.onHandshakeFailed(error, socket));
      this.#server = server;
    }
    this.#server.maxConnections = socketsMax;
    // Before the listener that judges by the number of sockets.
    this.#server.prependListener("connection", (socket) => events.onSocket(socket));
  }

  async listen({ host, port }: Address): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host, port, backlog: BACKLOG }, resolve);
    await promise;
    this.#server.off("error", reject);
    // A failed accept (too many open files) concerns one socket: the port stays open.
    this.#server.on("error", (error) => this.#events.onAcceptFailed(error));
    const bound = this.#server.address();
    return bound !== null && typeof bound !== "string" ? bound.port : port;
  }

  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    return promise;
  }
}
