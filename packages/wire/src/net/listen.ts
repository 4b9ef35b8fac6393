import type { TlsOptions } from "node:tls";

import type { Hello, HelloRefused } from "../hello.ts";
import { type ConnectionError, connectionErrorFrom } from "./connection-error.ts";
import { Connection, type ConnectionHandlers, type ConnectionSettings } from "./connection.ts";
import { type FramedSocket, QUEUE_MAX_BYTES } from "./framed-socket.ts";
import { Greeting, remoteAddressOf, TOO_MANY_CONNECTIONS } from "./greeting.ts";
import type { KeepAliveOptions } from "./keep-alive.ts";
import { ListenError } from "./listen-error.ts";
import type { ByteStream, NetworkStack, StreamServer } from "./network-stack.ts";
import { systemStack } from "./system-stack.ts";

/** Sockets over the limit that may exist at once, to be told so. More are closed without a word. */
const REFUSED_MAX = 32;

/** Default of `ListenOptions.keepAlive`: for sides that vanish without closing. */
const KEEP_ALIVE: KeepAliveOptions = { intervalMs: 5000, silenceMs: 20_000 };

/** More than this waiting to be read by the other side, and its requests are not read either. */
const READ_PAUSE_BYTES: number = 1024 * 1024;

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Sockets at once, those without a hello included. The next ones are told and closed. */
  readonly connectionsMax: number;
  /** A socket without a complete hello by then is closed. */
  readonly helloTimeoutMs: number;
  /** Judges a well-formed hello of this protocol version, and answers it, now or later. */
  accept(hello: Hello, remoteAddress: string): HelloAnswer | Promise<HelloAnswer>;
  /** Called after the answer was queued; messages follow in the same turn at the earliest. */
  onConnection(connection: Connection): ConnectionHandlers;
  /** A socket that did not become a connection, and why: for the log. */
  onRejected?(error: ConnectionError): void;
  /** Default: a Ping every 5 s, gone after 20 s of silence. */
  readonly keepAlive?: KeepAliveOptions;
  /** A connection is destroyed as `overflow` when more waits to be written. Default 16 MiB. */
  readonly queueMaxBytes?: number;
  /** Present: TLS with these options. */
  readonly tls?: TlsOptions;
  /** Default: the machine's own. */
  readonly stack?: NetworkStack;
}

/** What a hello is answered with. */
export type HelloAnswer = Hello | HelloRefused;

/** A port that takes connections. */
export interface Listener {
  readonly host: string;
  /** The port taken, where 0 was asked for. */
  readonly port: number;
  /** Those that are past their hello. */
  readonly connections: ReadonlySet<Connection>;
  /** Frees the port and closes every connection, in order where the other side takes part. */
  close(): Promise<void>;
}

/**
 * Takes connections at an address.
 *
 * @throws ListenError when the address cannot be taken.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const port = new ListeningPort(options);
  await port.open();
  return port;
}

class ListeningPort implements Listener {
  readonly connections: Set<Connection> = new Set();
  readonly #options: ListenOptions;
  readonly #stack: NetworkStack;
  readonly #server: StreamServer;
  readonly #settings: ConnectionSettings;
  /** Every socket, from its first moment. */
  readonly #sockets: Set<ByteStream> = new Set();
  readonly #greetings: Set<Greeting> = new Set();
  #refusedCount = 0;
  #closing: Promise<void> | null = null;
  #address: { host: string; port: number };

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#address = { host: options.host, port: options.port };
    this.#stack = options.stack ?? systemStack;
    this.#settings = {
      stack: this.#stack,
      keepAlive: options.keepAlive ?? KEEP_ALIVE,
      readPauseBytes: READ_PAUSE_BYTES,
    };
    this.#server = this.#createServer();
  }

  get host(): string {
    return this.#address.host;
  }

  get port(): number {
    return this.#address.port;
  }

  async open(): Promise<void> {
    const { host, port } = this.#options;
    try {
      this.#address = { host, port: await this.#server.listen({ host, port }) };
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw new ListenError(cause, { host, port });
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = this.#server.close();
    for (const connection of this.connections) connection.close();
    for (const greeting of this.#greetings) greeting.abort();
    this.#destroyRest();
    await closed;
  }

  /** Ends what no Connection will end: refused sockets and unfinished TLS handshakes. */
  #destroyRest(): void {
    if (this.connections.size > 0) return;
    for (const socket of this.#sockets) socket.destroy();
  }

  #createServer(): StreamServer {
    const { tls, helloTimeoutMs, connectionsMax } = this.#options;
    return this.#stack.createServer(
      {
        socketsMax: connectionsMax + REFUSED_MAX,
        tls: tls === undefined ? undefined : { handshakeTimeout: helloTimeoutMs, ...tls },
      },
      {
        onSocket: (socket) => this.#track(socket),
        onStream: (stream) => this.#admit(stream),
        onHandshakeFailed: (error, socket) =>
          this.#reject(connectionErrorFrom(error, remoteAddressOf(socket))),
        onAcceptFailed: (error) => this.#reject(connectionErrorFrom(error, "accept")),
      },
    );
  }

  #track(socket: ByteStream): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #reject(error: ConnectionError): void {
    this.#options.onRejected?.(error);
  }

  #admit(socket: ByteStream): void {
    const greeting = new Greeting(socket, {
      helloTimeoutMs: this.#options.helloTimeoutMs,
      queueMaxBytes: this.#options.queueMaxBytes ?? QUEUE_MAX_BYTES,
      stack: this.#stack,
      accept: (hello, remoteAddress) => this.#options.accept(hello, remoteAddress),
      onRejected: (error) => this.#reject(error),
      onAccepted: (framed, hello) => {
        this.#greetings.delete(greeting);
        this.#connect(socket, framed, hello);
      },
    });
    this.#greetings.add(greeting);
    socket.once("close", () => this.#greetings.delete(greeting));
    if (this.#sockets.size - this.#refusedCount > this.#options.connectionsMax) {
      this.#refusedCount += 1;
      socket.once("close", () => (this.#refusedCount -= 1));
      greeting.refuse(TOO_MANY_CONNECTIONS);
    }
  }

  #connect(socket: ByteStream, framed: FramedSocket, hello: Hello): void {
    const connection = new Connection(framed, hello, this.#settings);
    this.connections.add(connection);
    socket.once("close", () => {
      this.connections.delete(connection);
      if (this.#closing !== null) this.#destroyRest();
    });
    connection.start(this.#options.onConnection(connection));
  }
}
