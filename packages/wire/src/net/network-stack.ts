import type { ConnectionOptions, TlsOptions } from "node:tls";
import type { Address } from "./address.ts";

/** Something that was scheduled and can be taken back. */
export interface StackTimer {
  /** After this the function is not called any more. Harmless when repeated. */
  cancel(): void;
  /** It alone does not keep the process from ending. */
  unref(): void;
}

/** What a stream tells; never from within a call of one of its methods. */
export interface StreamEvents {
  /** Connected: of a stream that this side opened. */
  connect: () => void;
  data: (chunk: Uint8Array) => void;
  /** What `write` could not hand over is handed over. */
  drain: () => void;
  /** The other side has ended; this side follows by itself. */
  end: () => void;
  /** It broke; `close` follows. */
  error: (error: Error) => void;
  /** Once, and last. */
  close: () => void;
}

/**
 * Bytes both ways, in order: of a socket of Node.js what connections need. It reads from the
 * moment in which somebody listens for `data`.
 */
export interface ByteStream {
  /** Not connected yet: what is written waits. */
  readonly connecting: boolean;
  readonly destroyed: boolean;
  /** Bytes written that the system has not taken. */
  readonly writableLength: number;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  setNoDelay(noDelay: boolean): unknown;
  /** `chunk` belongs to the stream from now on. */
  write(chunk: Uint8Array): unknown;
  /** Until `uncork`, writes are held back, to be handed over together. */
  cork(): void;
  uncork(): void;
  pause(): unknown;
  resume(): unknown;
  /** Ends in order, after what was written. */
  end(): unknown;
  /** Closes at once; what the system has not taken is lost. */
  destroy(): unknown;
  on<Name extends keyof StreamEvents>(event: Name, listener: StreamEvents[Name]): unknown;
  once(event: "connect" | "close", listener: () => void): unknown;
}

export interface ServerOptions {
  /** Sockets at once; the next ones are closed without a word. */
  readonly socketsMax: number;
  /** Present: TLS with these options. */
  readonly tls: TlsOptions | undefined;
}

/** What a {@link StreamServer} tells. */
export interface ServerEvents {
  /** A socket was taken: first of all, and with TLS before its handshake. */
  onSocket(socket: ByteStream): void;
  /** The stream is ready: it is the receiver's. With TLS another one than the socket. */
  onStream(stream: ByteStream): void;
  /** The handshake of a socket failed. */
  onHandshakeFailed(error: Error, socket: ByteStream): void;
  /** A socket could not be taken; the port stays open. */
  onAcceptFailed(error: Error): void;
}

/** A port that takes sockets. */
export interface StreamServer {
  /** Takes the address; rejected with the system's error where it cannot. The port taken. */
  listen(address: Address): Promise<number>;
  /** Frees the port; fulfilled when all of its sockets have closed. */
  close(): Promise<void>;
}

/**
 * What connections run on: sockets, monotonic time, and the turns of one event loop. The default
 * of whoever takes one is the machine's own, {@link systemStack}; the simulator has another.
 */
export interface NetworkStack {
  connect(address: Address, tls: ConnectionOptions | undefined): ByteStream;
  createServer(options: ServerOptions, events: ServerEvents): StreamServer;
  /** Milliseconds since some fixed moment, never falling; with fractions. */
  nowMs(): number;
  /** Calls `fn` once, no sooner than `delayMs` from now. */
  after(delayMs: number, fn: () => void): StackTimer;
  /** Calls `fn` once, after what the sockets have ready now has been read. */
  soon(fn: () => void): StackTimer;
  /** A connection is given up for what the other side sent: no correct program sends that. */
  onViolation?(error: Error): void;
}
