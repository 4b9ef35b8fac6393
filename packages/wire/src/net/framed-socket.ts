import { DecodeError, FrameError } from "../errors.ts";
import { FrameDecoder } from "../frame.ts";
import { FRAME_BODY_MAX_BYTES, HELLO_BODY_MAX_BYTES } from "../limits.ts";
import { ConnectionError, connectionErrorFrom } from "./connection-error.ts";
import type { ByteStream, NetworkStack, StackTimer } from "./network-stack.ts";
import { OutgoingFrames } from "./outgoing-frames.ts";

/** Default limit of what waits to be written on a connection: two frames of the largest size. */
export const QUEUE_MAX_BYTES: number = 2 * FRAME_BODY_MAX_BYTES;

/** How long a socket that was ended waits for the other side to end it too. */
const LINGER_MS = 1000;

/** What a {@link FramedSocket} tells its owner; never from within a call of one of its methods. */
export interface FramedSocketHandlers {
  /** A frame's body. A DecodeError that it throws is a violation. */
  onBody(body: Uint8Array): void;
  /** What came is not made of frames or messages. Nothing further is read. */
  onViolation(error: ConnectionError): void;
  /** The bodies of one read have been handed over. */
  onBatchEnd(): void;
  /** A backlog is with the operating system. Frames of this turn may be waiting again. */
  onDrain(): void;
  /** Once, and last. Null: this side closed it. */
  onClose(error: ConnectionError | null): void;
}

/** Frames over one socket: one write a turn, bounded queue, and every fault as a ConnectionError. */
export class FramedSocket {
  readonly address: string;
  handlers: FramedSocketHandlers;
  readonly #socket: ByteStream;
  readonly #stack: NetworkStack;
  readonly #decoder: FrameDecoder = new FrameDecoder(HELLO_BODY_MAX_BYTES);
  readonly #outgoing: OutgoingFrames = new OutgoingFrames();
  readonly #queueMaxBytes: number;
  readonly #flushLater = (): void => this.flush();
  #flushTimer: StackTimer | null = null;
  #lingerTimer: StackTimer | null = null;
  /** Why it closed, as soon as that is decided. Null: this side wanted it. */
  #error: ConnectionError | null | undefined;
  #state: "open" | "ending" | "closed" = "open";

  constructor(
    socket: ByteStream,
    options: {
      address: string;
      queueMaxBytes: number;
      stack: NetworkStack;
      handlers: FramedSocketHandlers;
    },
  ) {
    this.#socket = socket;
    this.#stack = options.stack;
    this.address = options.address;
    this.#queueMaxBytes = options.queueMaxBytes;
    this.handlers = options.handlers;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("drain", () => this.#drained());
    socket.on("end", () => this.#remoteEnded());
    socket.on("error", (error) => this.#decide(connectionErrorFrom(error, this.address)));
    socket.on("close", () => this.#closed());
  }

  /** Whether frames can still be written. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Bytes that wait here or in the socket for the other side to read. */
  get queuedBytes(): number {
    return this.#outgoing.sizeBytes + this.#socket.writableLength;
  }

  /** The largest body from the next frame on. */
  set bodyMaxBytes(bytes: number) {
    this.#decoder.bodyMaxBytes = bytes;
  }

  /** Queues `frame` until {@link flush} or the end of this turn. Dropped when not open. */
  write(frame: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#outgoing.add(frame);
    if (this.queuedBytes > this.#queueMaxBytes) {
      const message = `the other side does not read: ${this.queuedBytes} bytes wait for it`;
      this.destroy(new ConnectionError("overflow", this.address, { message }));
      return;
    }
    this.#flushTimer ??= this.#stack.soon(this.#flushLater);
  }

  /** Writes what is queued now, in one call to the system where it takes it. */
  flush(): void {
    this.#flushTimer?.cancel();
    this.#flushTimer = null;
    if (this.#state !== "open") return;
    const chunks = this.#outgoing.take();
    if (chunks.length > 1) this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    if (chunks.length > 1) this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /**
   * Writes what is queued, then ends the connection; what still comes in is dropped unread,
   * because closing on it would reset the connection and lose the last frames.
   */
  end(error: ConnectionError | null): void {
    if (this.#state !== "open") return;
    this.flush();
    this.#decide(error);
    this.#socket.end();
    this.#socket.resume();
    this.#linger();
  }

  /** Closes at once; what is queued is lost. */
  destroy(error: ConnectionError | null): void {
    if (this.#state === "closed" || this.#socket.destroyed) return;
    this.#decide(error);
    this.#outgoing.clear();
    this.#socket.destroy();
  }

  #decide(error: ConnectionError | null): void {
    if (error?.kind === "protocol") this.#stack.onViolation?.(error);
    if (this.#error === undefined) this.#error = error;
    this.#state = "ending";
  }

  #linger(): void {
    this.#lingerTimer ??= this.#stack.after(LINGER_MS, () => this.#socket.destroy());
  }

  /** Hands over bodies that came earlier, as if they came now. */
  redeliver(bodies: readonly Uint8Array[]): void {
    this.#deliver(() => {
      for (const body of bodies) this.#handOver(body);
    });
  }

  #receive(chunk: Uint8Array): void {
    this.#deliver(() => this.#decoder.push(chunk, (body) => this.#handOver(body)));
  }

  #handOver(body: Uint8Array): void {
    if (this.#state === "open") this.handlers.onBody(body);
  }

  #deliver(bodies: () => void): void {
    if (this.#state !== "open") return;
    try {
      bodies();
    } catch (error) {
      if (!(error instanceof FrameError || error instanceof DecodeError)) throw error;
      const message = `what it sent is not the protocol: ${error.message}`;
      this.handlers.onViolation(
        new ConnectionError("protocol", this.address, { message, cause: error }),
      );
    }
    this.handlers.onBatchEnd();
  }

  #drained(): void {
    if (this.#state === "open") this.handlers.onDrain();
  }

  #remoteEnded(): void {
    const message = "the other side closed the connection";
    this.#decide(new ConnectionError("closed", this.address, { message }));
    this.#outgoing.clear();
    this.#linger();
  }

  #closed(): void {
    this.#state = "closed";
    this.#outgoing.clear();
    this.#flushTimer?.cancel();
    this.#lingerTimer?.cancel();
    this.handlers.onClose(this.#error ?? null);
  }
}
