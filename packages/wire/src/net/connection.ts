import { decodeBody, encodeFrame } from "../codec/index.ts";
import type { Hello } from "../hello.ts";
import { FRAME_BODY_MAX_BYTES } from "../limits.ts";
import type { WireMessage } from "../wire-message.ts";
import { ConnectionError } from "./connection-error.ts";
import type { FramedSocket } from "./framed-socket.ts";
import { KeepAlive, type KeepAliveOptions } from "./keep-alive.ts";
import type { NetworkStack } from "./network-stack.ts";

/**
 * What a connection tells its owner; never from within a call of one of its methods. An exception
 * thrown by one of them is a bug and reaches the process, except a DecodeError, which closes the
 * connection as a fault of the other side.
 */
export interface ConnectionHandlers {
  /**
   * A message that passed the decoder's checks of its form. Never a hello, Ping or Pong. Its
   * binary fields may share memory with everything that was read with it: copy what is kept.
   */
  onMessage(message: WireMessage): void;
  /** The messages of one read of the socket have been handed over. */
  onBatchEnd(): void;
  /** A backlog past the socket's own buffer (64 KiB) has been written out; see `queuedBytes`. */
  onDrain?(): void;
  /** Once, and nothing comes after it. Null: this side called `close`. */
  onClose(error: ConnectionError | null): void;
}

/** How a connection behaves once the hellos are exchanged. */
export interface ConnectionSettings {
  readonly stack: NetworkStack;
  readonly keepAlive: KeepAliveOptions | null;
  /** Reading stops while more than this waits to be written, so that a side that does not read
   *  its answers stops being asked for more. Infinity: never. */
  readonly readPauseBytes: number;
}

/**
 * A live connection after both hellos: messages each way, keep-alive and round-trip time.
 * Made by `dial` and `listen`.
 */
export class Connection {
  /** What the other side said about itself. */
  readonly remoteHello: Hello;
  readonly #socket: FramedSocket;
  readonly #keepAlive: KeepAlive | null;
  readonly #settings: ConnectionSettings;
  #handlers: ConnectionHandlers | null = null;
  #pausedByOwner = false;
  #pausedByQueueAt: number | null = null;
  #lost = { sending: false, receiving: false };
  /** Of the newest Ping that was lost, or whose Pong was. */
  #owedPong: number | null = null;
  /** What came before `start`. */
  #held: Uint8Array[] = [];
  #closedBeforeStart: { readonly error: ConnectionError | null } | null = null;

  constructor(socket: FramedSocket, remoteHello: Hello, settings: ConnectionSettings) {
    this.remoteHello = remoteHello;
    this.#socket = socket;
    this.#settings = settings;
    socket.bodyMaxBytes = FRAME_BODY_MAX_BYTES;
    socket.handlers = {
      onBody: (body) => this.#receive(body),
      onViolation: (error) => socket.destroy(error),
      onBatchEnd: () => this.#handlers?.onBatchEnd(),
      onDrain: () => this.#drained(),
      onClose: (error) => this.#closed(error),
    };
    this.#keepAlive =
      settings.keepAlive === null
        ? null
        : new KeepAlive(
            settings.keepAlive,
            settings.stack,
            (nonce) => this.send({ type: "Ping", nonce }),
            () => this.#silent(settings.keepAlive?.silenceMs ?? 0),
          );
  }

  /** `host:port` of the other side: as dialed, or as accepted. */
  get remoteAddress(): string {
    return this.#socket.address;
  }

  /** The newest round trip measured by the keep-alive; null before the first or without one. */
  get roundTripMs(): number | null {
    return this.#keepAlive?.roundTripMs ?? null;
  }

  /** Bytes that wait, here or in the socket, for the other side to read. */
  get queuedBytes(): number {
    return this.#socket.queuedBytes;
  }

  /** Whether messages can still be sent; once false, for ever. */
  get isOpen(): boolean {
    return this.#socket.isOpen;
  }

  /**
   * Queues `message`: it is written with all others of this turn of the loop when the turn ends,
   * or at {@link flush}. Dropped without a word once the connection is not open: `onClose` tells.
   *
   * @throws EncodeError when it is larger than a frame can be; nothing is queued then.
   */
  send(message: WireMessage): void {
    if (this.isOpen) this.sendFrame(encodeFrame(message));
  }

  /** As {@link send}, of a frame made by `encodeFrame`. Nobody may change it afterwards. */
  sendFrame(frame: Uint8Array): void {
    if (this.#lost.sending) return;
    this.#socket.write(frame);
    if (this.queuedBytes > this.#settings.readPauseBytes && this.#pausedByQueueAt === null) {
      this.#pausedByQueueAt = this.#settings.stack.nowMs();
      this.#socket.pause();
    }
  }

  /** Hands what is queued to the operating system now. */
  flush(): void {
    this.#socket.flush();
  }

  /**
   * Stops reading after the messages of the read under way; they are still handed over. The other
   * side then cannot send more than the sockets' buffers hold.
   */
  pauseReading(): void {
    this.#pausedByOwner = true;
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#pausedByOwner = false;
    this.#keepAlive?.heard();
    if (this.#pausedByQueueAt === null) this.#socket.resume();
  }

  /**
   * For trials of failures: what is sent, or comes in, is lost as on a cut line, Pings and Pongs
   * with it, until this is said again. Its end is still told. Once nothing is lost any more, both
   * sides hear of each other at once.
   */
  lose(lost: { readonly sending: boolean; readonly receiving: boolean }): void {
    const wasCut = this.#isCut();
    this.#lost = { ...lost };
    if (!wasCut || this.#isCut()) return;
    // A real line would carry it now. The other side sends no further Ping before its answer.
    if (this.#owedPong !== null) this.send({ type: "Pong", nonce: this.#owedPong });
    this.#owedPong = null;
    this.#keepAlive?.renew();
  }

  /** Writes what is queued, then ends the connection. `onClose(null)` follows within a second. */
  close(): void {
    this.#socket.end(null);
  }

  /** Closes at once, and what is queued is lost. `onClose(error)` follows. */
  destroy(error: ConnectionError): void {
    this.#socket.destroy(error);
  }

  /** Begins to hand over what comes in; until then it is held. Called by `dial` and `listen`. */
  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    const held = this.#held;
    this.#held = [];
    if (held.length > 0) this.#socket.redeliver(held);
    if (this.#closedBeforeStart !== null) handlers.onClose(this.#closedBeforeStart.error);
    if (!this.#pausedByOwner && this.#pausedByQueueAt === null) this.#socket.resume();
  }

  #receive(body: Uint8Array): void {
    const handlers = this.#handlers;
    if (handlers === null) {
      this.#held.push(body);
      return;
    }
    const message = decodeBody(body);
    if (message.type === "Ping" && this.#isCut()) this.#owedPong = message.nonce;
    if (this.#lost.receiving) return;
    this.#keepAlive?.heard();
    switch (message.type) {
      case "Ping":
        this.send({ type: "Pong", nonce: message.nonce });
        break;
      case "Pong":
        this.#keepAlive?.pongReceived(message.nonce);
        break;
      case "Hello":
      case "HelloRefused":
        this.#violated(`a second ${message.type} came`);
        break;
      default:
        handlers.onMessage(message);
    }
  }

  #isCut(): boolean {
    return this.#lost.sending || this.#lost.receiving;
  }

  #violated(message: string): void {
    this.destroy(new ConnectionError("protocol", this.remoteAddress, { message }));
  }

  #drained(): void {
    // Above the limit again: these frames are still to be written, and will drain in their turn.
    const isOver = this.queuedBytes > this.#settings.readPauseBytes;
    if (this.#pausedByQueueAt !== null && !isOver) {
      this.#pausedByQueueAt = null;
      this.#keepAlive?.heard();
      if (!this.#pausedByOwner) this.#socket.resume();
    }
    this.#handlers?.onDrain?.();
  }

  #silent(silenceMs: number): void {
    if (this.#pausedByQueueAt !== null) {
      const pausedMs = this.#settings.stack.nowMs() - this.#pausedByQueueAt;
      if (pausedMs < silenceMs) return;
      const message = `the other side has not read its answers for ${Math.round(pausedMs)} ms`;
      this.destroy(new ConnectionError("overflow", this.remoteAddress, { message }));
    } else if (!this.#pausedByOwner) {
      const message = `connected, but nothing came for ${silenceMs} ms`;
      this.destroy(new ConnectionError("silent", this.remoteAddress, { message }));
    }
  }

  #closed(error: ConnectionError | null): void {
    this.#keepAlive?.stop();
    if (this.#handlers === null) this.#closedBeforeStart = { error };
    else this.#handlers.onClose(error);
  }
}
