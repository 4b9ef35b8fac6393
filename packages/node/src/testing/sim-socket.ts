import type { ByteStream, StreamEvents } from "@quorate/wire/net";
import { ByteQueue } from "./byte-queue.ts";
import type { SimProcess } from "./sim-process.ts";

/** From here on `write` asks its caller to wait for `drain`, as Node's sockets do. */
const HIGH_WATER_BYTES = 64 * 1024;
/** What one read of the system gives at most. */
const READ_MAX_BYTES = 64 * 1024;

/** The network below a socket. */
export interface SocketNetwork {
  /** Bytes that may be on their way or unread at once. */
  readonly windowBytes: number;
  readonly segmentMaxBytes: number;
  /** Takes bytes, or the end of them (null), to the other side. */
  carry(from: SimSocket, bytes: Uint8Array | null): void;
  /** The other side's bytes were read: there is room for more. */
  wasRead(by: SimSocket, count: number): void;
  /** A sender has to wait until the other side reads. */
  backedUp(): void;
  /** `socket` is closed here; `isAbrupt`: the other side is told so by a reset. */
  closed(socket: SimSocket, isAbrupt: boolean): void;
  /** How long the next read lets wait, and how many bytes it gives at most. */
  readDelayUs(socket: SimSocket): number;
  readMaxBytes(socket: SimSocket): number;
  /** How many of so many bytes come in one piece. */
  pieceOf(count: number): number;
  /** Calls `fn` in the socket's process. */
  schedule(socket: SimSocket, delayUs: number, fn: () => void): void;
}

type Listeners = { [Name in keyof StreamEvents]: StreamEvents[Name][] };

/** One end of a simulated connection, with the manners of a socket of Node.js. */
export class SimSocket implements ByteStream {
  readonly name: string;
  readonly process: SimProcess;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Unread by the other side, or on their way. */
  unreadByPeer = 0;
  /** It reads little, and seldom. */
  isSlow = false;
  readonly #network: SocketNetwork;
  readonly #listeners: Listeners = {
    connect: [],
    data: [],
    drain: [],
    end: [],
    error: [],
    close: [],
  };
  #state: "connecting" | "open" | "closed" = "connecting";
  readonly #pending = new ByteQueue();
  #needsDrain = false;
  #corks = 0;
  #hasEnded = false;
  #isEndSent = false;
  readonly #received = new ByteQueue();
  #isPaused = false;
  #isReading = false;
  #readIsDue = false;
  #isEndReceived = false;
  #isEndTold = false;

  constructor(
    network: SocketNetwork,
    local: { readonly name: string; readonly process: SimProcess },
    remote: { readonly host: string; readonly port: number },
  ) {
    this.#network = network;
    this.name = local.name;
    this.process = local.process;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
  }

  get connecting(): boolean {
    return this.#state === "connecting";
  }

  get destroyed(): boolean {
    return this.#state === "closed";
  }

  get writableLength(): number {
    return this.#pending.length;
  }

  setNoDelay(): void {}

  on<Name extends keyof StreamEvents>(event: Name, listener: StreamEvents[Name]): void {
    this.#listeners[event].push(listener);
    if (event === "data") {
      this.#isReading = true;
      this.#readSoon();
    }
  }

  once(event: "connect" | "close", listener: () => void): void {
    this.#listeners[event].push(listener);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state === "closed" || this.#hasEnded || chunk.length === 0) return false;
    this.#pending.push(chunk);
    this.#transmit();
    this.#needsDrain ||= this.#pending.length >= HIGH_WATER_BYTES;
    return !this.#needsDrain;
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    this.#corks--;
    this.#transmit();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#readSoon();
  }

  end(): void {
    if (this.#state === "closed" || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#transmit();
  }

  destroy(): void {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    const isAbrupt = this.#received.length > 0;
    this.#close();
    if (wasOpen) this.#network.closed(this, isAbrupt);
    this.#network.schedule(this, 0, () => {
      this.#tell("close");
    });
  }

  /** By the network: the other side has taken the connection. */
  connected(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#tell("connect");
    this.#transmit();
    this.#readSoon();
  }

  /** By the network, of a socket that a server took: it is open from the first. */
  accepted(): void {
    this.#state = "open";
  }

  /** By the network: these bytes have arrived, or their end (null). */
  arrived(bytes: Uint8Array | null): void {
    if (bytes === null) this.#isEndReceived = true;
    else this.#received.push(bytes);
    this.#readSoon();
  }

  /** By the network: the other side has read. */
  roomMade(count: number): void {
    this.unreadByPeer -= count;
    this.#transmit();
  }

  /** By the network: it is over, and what was not read is lost. */
  broken(code: string): void {
    if (this.#state === "closed") return;
    this.#close();
    this.#network.schedule(this, 0, () => {
      const error = Object.assign(new Error(`socket ${code}`), { code });
      for (const listener of this.#listeners.error) listener(error);
      this.#tell("close");
    });
  }

  /** By the network: its machine has lost its power, and it tells nobody. */
  vanished(): void {
    this.#close();
  }

  #close(): void {
    this.#state = "closed";
    this.#pending.clear();
    this.#received.clear();
  }

  #transmit(): void {
    if (this.#state !== "open" || this.#corks > 0) return;
    const { windowBytes, segmentMaxBytes } = this.#network;
    while (this.#pending.length > 0) {
      const room = windowBytes - this.unreadByPeer;
      if (room <= 0) {
        this.#network.backedUp();
        return;
      }
      const bytes = this.#pending.take(Math.min(room, segmentMaxBytes));
      this.unreadByPeer += bytes.length;
      this.#network.carry(this, bytes);
    }
    if (this.#needsDrain) {
      this.#needsDrain = false;
      this.#network.schedule(this, 0, () => {
        if (this.#state === "open") this.#tell("drain");
      });
    }
    if (this.#hasEnded && !this.#isEndSent) {
      this.#isEndSent = true;
      this.#network.carry(this, null);
      this.#closeWhenBothEnded();
    }
  }

  #readSoon(): void {
    if (this.#readIsDue || !this.#canRead()) return;
    this.#readIsDue = true;
    this.#network.schedule(this, this.#network.readDelayUs(this), () => {
      this.#readIsDue = false;
      if (this.#canRead()) this.#read();
    });
  }

  #canRead(): boolean {
    if (this.#state !== "open" || !this.#isReading || this.#isPaused) return false;
    return this.#received.length > 0 || (this.#isEndReceived && !this.#isEndTold);
  }

  #read(): void {
    if (this.#received.length > 0) {
      const most = this.#network.readMaxBytes(this);
      this.#readPieces(Math.min(READ_MAX_BYTES, most, this.#received.length));
    } else {
      this.#isEndTold = true;
      this.#tell("end");
      this.end();
      this.#closeWhenBothEnded();
    }
    this.#readSoon();
  }

  /** In one turn, as the system does it while there is more. */
  #readPieces(count: number): void {
    for (let left = count; left > 0 && this.#canRead();) {
      const chunk = this.#received.take(this.#network.pieceOf(left));
      left -= chunk.length;
      this.#network.wasRead(this, chunk.length);
      for (const listener of this.#listeners.data) listener(chunk);
    }
  }

  #closeWhenBothEnded(): void {
    if (this.#isEndSent && this.#isEndTold) this.destroy();
  }

  #tell(event: "connect" | "drain" | "end" | "close"): void {
    for (const listener of this.#listeners[event]) listener();
  }
}
