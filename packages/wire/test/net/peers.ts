import { EventEmitter, once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

import type { Hello, WireMessage } from "@quorate/wire";
import { decodeBody, FRAME_BODY_MAX_BYTES, FrameDecoder, PROTOCOL_VERSION } from "@quorate/wire";
import type { Connection, ConnectionError, ConnectionHandlers } from "@quorate/wire/net";
import {
  dial,
  type DialOptions,
  listen,
  type Listener,
  type ListenOptions,
} from "@quorate/wire/net";

export function helloFrom(from: string, changes: Partial<Hello> = {}): Hello {
  return {
    type: "Hello",
    protocolVersion: PROTOCOL_VERSION,
    clusterId: "c1",
    from,
    to: null,
    role: "client",
    incarnation: null,
    bootId: `boot-of-${from}`,
    advertiseAddress: null,
    softwareVersion: "0.0.0",
    capabilities: [],
    bootNumber: null,
    configurationIndex: null,
    ...changes,
  };
}

/** Records what one side of a connection was told, and lets a test wait for it. */
export class Recorder implements ConnectionHandlers {
  readonly messages: WireMessage[] = [];
  batchCount = 0;
  drainCount = 0;
  readonly closed: Promise<ConnectionError | null>;
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  #resolveClosed: (error: ConnectionError | null) => void = () => undefined;
  closeCount = 0;

  constructor() {
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  onMessage(message: WireMessage): void {
    this.messages.push(message);
    for (const { count, resolve } of this.#waiting) if (this.messages.length >= count) resolve();
  }

  onBatchEnd(): void {
    this.batchCount += 1;
  }

  onDrain(): void {
    this.drainCount += 1;
  }

  onClose(error: ConnectionError | null): void {
    this.closeCount += 1;
    this.#resolveClosed(error);
  }

  async received(count: number): Promise<WireMessage[]> {
    if (this.messages.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    }
    return this.messages;
  }
}

/** A listener and what its connections and rejected sockets told. */
export interface Host {
  readonly listener: Listener;
  readonly address: string;
  readonly accepted: { connection: Connection; recorder: Recorder }[];
  /** Waits for this many sockets that did not become connections. */
  rejected(count: number): Promise<ConnectionError[]>;
  /** The connection that was accepted first. */
  first(): { connection: Connection; recorder: Recorder };
  nextAccepted(): Promise<{ connection: Connection; recorder: Recorder }>;
}

export async function host(t: TestContext, options: Partial<ListenOptions> = {}): Promise<Host> {
  const accepted: Host["accepted"] = [];
  const rejected: ConnectionError[] = [];
  const rejections = new EventEmitter();
  const waiting: ((entry: Host["accepted"][number]) => void)[] = [];
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    connectionsMax: 16,
    helloTimeoutMs: 2000,
    accept: () => helloFrom("n1"),
    onConnection: (connection) => {
      const entry = { connection, recorder: new Recorder() };
      accepted.push(entry);
      for (const resolve of waiting.splice(0)) resolve(entry);
      return entry.recorder;
    },
    onRejected: (error) => {
      rejected.push(error);
      rejections.emit("rejected");
    },
    ...options,
  });
  t.after(() => listener.close());
  return {
    listener,
    address: `127.0.0.1:${listener.port}`,
    accepted,
    first: () => {
      const [entry] = accepted;
      if (entry === undefined) throw new Error("nothing was accepted");
      return entry;
    },
    rejected: async (count) => {
      while (rejected.length < count) await once(rejections, "rejected");
      return rejected;
    },
    nextAccepted: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

export async function connectTo(
  t: TestContext,
  address: string,
  options: Partial<DialOptions> = {},
): Promise<{ connection: Connection; recorder: Recorder }> {
  const recorder = new Recorder();
  const connection = await dial({
    address,
    hello: helloFrom("tester"),
    connectTimeoutMs: 2000,
    handlers: recorder,
    ...options,
  }).connected;
  t.after(() => connection.close());
  return { connection, recorder };
}

/** A plain socket: for bytes that no Connection would send. */
export async function rawSocket(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** A server of plain sockets. */
export async function rawServer(
  t: TestContext,
  onSocket: (socket: Socket) => void,
): Promise<{ server: Server; address: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port was bound");
  return { server, address: `127.0.0.1:${bound.port}` };
}

/** Everything that a plain socket receives until its other side ends it. */
export async function messagesUntilEnd(socket: Socket): Promise<WireMessage[]> {
  const decoder = new FrameDecoder(FRAME_BODY_MAX_BYTES);
  const messages: WireMessage[] = [];
  socket.on("data", (chunk: Buffer) => {
    decoder.push(chunk, (body) => messages.push(decodeBody(body)));
  });
  await once(socket, "close");
  return messages;
}
