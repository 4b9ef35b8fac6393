import type { Address, ByteStream, ServerEvents, ServerOptions } from "@quorate/wire/net";
import type { Coverage } from "./coverage.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimScheduler } from "./sim-scheduler.ts";
import type { SocketNetwork } from "./sim-socket.ts";
import { SimSocket } from "./sim-socket.ts";
import type { StreamFaults } from "./stream-faults.ts";
import { CALM_STREAMS } from "./stream-faults.ts";
import type { Trace } from "./trace.ts";

/** How long lost packets wait to be sent again, at most. */
const RESEND_MAX_US = 400_000;
/** A slow reader takes this many bytes at most, so seldom. */
const SLOW_READ_BYTES = 600;
const SLOW_READ_MEAN_US = 3_000;

/** A machine in the network. */
interface Host {
  readonly name: string;
  isPowered: boolean;
  readonly ports: Map<number, Port>;
  readonly sockets: Set<SimSocket>;
}

/** Where a process takes connections. */
interface Port {
  readonly process: SimProcess;
  readonly options: ServerOptions;
  readonly events: ServerEvents;
  readonly sockets: Set<SimSocket>;
}

/** One way of a connection, from the socket that it belongs to. */
interface Pipe {
  readonly from: Host;
  readonly to: Host;
  readonly peer: SimSocket;
  lastArrivalUs: number;
  /** On their way, in order; null ends them. */
  readonly inFlight: (Uint8Array | null)[];
  /** What has arrived, but for a cut on the way: it is sent again when the cut is over. */
  overdue: number;
  /** Read by the peer, whose word of it did not get through. */
  readUntold: number;
  /** Nothing gets through for ever, and nobody is told. */
  isDead: boolean;
}

/**
 * Connections between simulated machines: bytes in order, at a pace, in pieces that have nothing
 * to do with frames; that break in the middle of one, fall silent without a word, stall while a way
 * is cut, and back up where nobody reads.
 */
export class SimStreams implements SocketNetwork {
  readonly #scheduler: SimScheduler;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #coverage: Coverage;
  readonly #hosts = new Map<string, Host>();
  readonly #pipes = new Map<SimSocket, Pipe>();
  readonly #blocked = new Set<string>();
  faults: StreamFaults;

  constructor(
    scheduler: SimScheduler,
    random: SeededRandom,
    record: { readonly trace: Trace; readonly coverage: Coverage },
    faults: StreamFaults,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#trace = record.trace;
    this.#coverage = record.coverage;
    this.faults = faults;
  }

  get windowBytes(): number {
    return this.faults.windowBytes;
  }

  get segmentMaxBytes(): number {
    return this.faults.segmentMaxBytes;
  }

  /** Connections of which one side believes in the other in vain. */
  get halfOpenCount(): number {
    let count = 0;
    for (const [socket, pipe] of this.#pipes) {
      if (!socket.destroyed && (pipe.isDead || pipe.peer.destroyed)) count++;
    }
    return count;
  }

  /** From `process` to whoever listens at `address`, which names a host. */
  connect(from: string, process: SimProcess, address: Address): ByteStream {
    const local = this.#host(from);
    const socket = new SimSocket(this, { name: from, process }, address);
    local.sockets.add(socket);
    this.#trace.record("connect", from, address.host);
    this.#knock(socket, local, this.#host(address.host), address.port);
    return socket;
  }

  /** False: somebody listens there. */
  listen(name: string, port: number, taker: Omit<Port, "sockets">): boolean {
    const { ports } = this.#host(name);
    if (ports.has(port)) return false;
    ports.set(port, { ...taker, sockets: new Set() });
    return true;
  }

  /** Nobody listens there any more; who was accepted stays. */
  unlisten(name: string, port: number): void {
    this.#host(name).ports.delete(port);
  }

  /**
   * The processes of a machine are gone. With the power, nobody is told: the others' connections
   * stay half open until they notice, or until it is back and does not know them.
   */
  down(name: string, hasPower: boolean): void {
    const host = this.#host(name);
    host.isPowered = hasPower;
    host.ports.clear();
    for (const socket of host.sockets) {
      if (hasPower) {
        socket.destroy();
      } else {
        if (this.#pipes.has(socket)) this.#coverage.add("halfOpenLinks");
        socket.vanished();
      }
    }
    host.sockets.clear();
  }

  /** The machine is up. What is sent to its former connections is answered by a reset. */
  up(name: string): void {
    const host = this.#host(name);
    host.isPowered = true;
    for (const [socket, pipe] of this.#pipes) {
      if (pipe.to !== host || !pipe.peer.destroyed || socket.unreadByPeer === 0) continue;
      this.#scheduler.schedule(this.#random.below(RESEND_MAX_US), () => {
        this.#break(socket);
      });
    }
  }

  /** Cuts the way from one machine to another: what is on it waits until the cut is over. */
  block(from: string, to: string): void {
    this.#blocked.add(wayName(from, to));
  }

  unblock(from: string, to: string): void {
    if (!this.#blocked.delete(wayName(from, to))) return;
    const ways = [...this.#pipes].filter(
      ([, pipe]) =>
        (pipe.from.name === from && pipe.to.name === to && pipe.overdue > 0) ||
        (pipe.from.name === to && pipe.to.name === from && pipe.readUntold > 0),
    );
    for (const [socket, pipe] of ways) {
      this.#scheduler.schedule(this.#random.below(RESEND_MAX_US), () => {
        this.#goOn(socket, pipe);
      });
    }
  }

  unblockAll(): void {
    for (const way of this.#blocked) {
      const [from = "", to = ""] = way.split(">");
      this.unblock(from, to);
    }
  }

  /** Ends all faults. Who believes in a connection that is none goes on to until it notices. */
  calm(): void {
    this.faults = CALM_STREAMS;
    this.unblockAll();
  }

  /** A connection picked at random falls silent, both ways or one; false: there is none. */
  deaden(): boolean {
    const open = [...this.#pipes].filter(([socket, pipe]) => !socket.destroyed && !pipe.isDead);
    if (open.length === 0) return false;
    const [socket, pipe] = this.#random.pick(open);
    this.#trace.record("half open", socket.name, pipe.to.name);
    this.#coverage.add("halfOpenLinks");
    pipe.isDead = true;
    const back = this.#pipes.get(pipe.peer);
    if (back !== undefined) back.isDead = true;
    // One side may have been told; the other one never is.
    if (this.#random.chance(0.5)) socket.broken("ECONNRESET");
    return true;
  }

  /** A connection picked at random breaks. */
  breakOne(): void {
    const open = [...this.#pipes.keys()].filter((socket) => !socket.destroyed);
    if (open.length > 0) this.#break(this.#random.pick(open));
  }

  carry(from: SimSocket, bytes: Uint8Array | null): void {
    const pipe = this.#pipes.get(from);
    if (pipe === undefined) return;
    const length = bytes?.length ?? 0;
    this.#trace.record("bytes", from.name, bytes ?? 0, `${length} to ${pipe.to.name}`);
    const breaksAt = this.#random.chance(this.faults.resetChance)
      ? this.#random.below(length + 1)
      : -1;
    const travels = breaksAt === -1 || bytes === null ? bytes : bytes.subarray(0, breaksAt);
    pipe.inFlight.push(travels);
    const atUs = Math.max(pipe.lastArrivalUs, this.#scheduler.nowUs + this.#latencyUs());
    pipe.lastArrivalUs = atUs + Math.ceil((length * 1000) / this.faults.bytesPerMs);
    this.#scheduler.schedule(pipe.lastArrivalUs - this.#scheduler.nowUs, () => {
      this.#arrive(from, pipe);
    });
    if (breaksAt === -1) return;
    if (breaksAt > 0 && breaksAt < length) this.#coverage.add("streamResets");
    this.#trace.record("break", from.name, breaksAt);
    this.#scheduler.schedule(pipe.lastArrivalUs - this.#scheduler.nowUs + 1, () => {
      this.#break(from);
    });
  }

  wasRead(by: SimSocket, count: number): void {
    const own = this.#pipes.get(by);
    const pipe = own === undefined ? undefined : this.#pipes.get(own.peer);
    if (own === undefined || pipe === undefined || own.isDead) return;
    if (this.#isBlocked(own)) pipe.readUntold += count;
    else own.peer.roomMade(count);
  }

  backedUp(): void {
    this.#coverage.add("backPressure");
  }

  closed(socket: SimSocket, isAbrupt: boolean): void {
    const pipe = this.#pipes.get(socket);
    this.#host(socket.name).sockets.delete(socket);
    if (pipe === undefined) return;
    if (isAbrupt) this.#reset(socket, pipe);
    else this.carry(socket, null);
  }

  readDelayUs(socket: SimSocket): number {
    const isSlow = socket.isSlow && this.faults.slowReaderChance > 0;
    return isSlow ? this.#random.exponential(SLOW_READ_MEAN_US) : 0;
  }

  readMaxBytes(socket: SimSocket): number {
    const isSlow = socket.isSlow && this.faults.slowReaderChance > 0;
    return isSlow ? 1 + this.#random.below(SLOW_READ_BYTES) : Infinity;
  }

  pieceOf(count: number): number {
    if (count === 1 || !this.#random.chance(this.faults.oddReadChance)) return count;
    if (this.#random.chance(0.5)) {
      this.#coverage.add("oneByteReads");
      return 1;
    }
    return 1 + this.#random.below(Math.min(count, 40));
  }

  schedule(socket: SimSocket, delayUs: number, fn: () => void): void {
    this.#scheduler.schedule(delayUs, () => {
      socket.process.deliver(fn);
    });
  }

  /** Tries to connect until there is an answer, or nobody waits for one. */
  #knock(socket: SimSocket, local: Host, remote: Host, port: number): void {
    this.#scheduler.schedule(this.#latencyUs(), () => {
      if (socket.destroyed) return;
      const isCut = this.#isCut(local, remote) || this.#isCut(remote, local);
      if (isCut || !remote.isPowered) {
        this.#coverage.add("connectionsDropped");
        this.#scheduler.schedule(100_000 + this.#random.below(200_000), () => {
          this.#knock(socket, local, remote, port);
        });
        return;
      }
      const taker = remote.ports.get(port);
      if (taker !== undefined) {
        this.#take(socket, local, remote, taker);
        return;
      }
      this.#coverage.add("connectionsRefused");
      this.#trace.record("refused", remote.name, local.name);
      this.#scheduler.schedule(this.#latencyUs(), () => {
        socket.broken("ECONNREFUSED");
      });
    });
  }

  #take(socket: SimSocket, local: Host, remote: Host, port: Port): void {
    const { process, options, events } = port;
    const accepted = new SimSocket(
      this,
      { name: remote.name, process },
      { host: local.name, port: 1 },
    );
    accepted.accepted();
    for (const [one, other, from, to] of [
      [socket, accepted, local, remote],
      [accepted, socket, remote, local],
    ] as const) {
      one.isSlow = this.#random.chance(this.faults.slowReaderChance);
      if (one.isSlow) this.#coverage.add("slowReaders");
      this.#pipes.set(one, {
        from,
        to,
        peer: other,
        lastArrivalUs: 0,
        inFlight: [],
        overdue: 0,
        readUntold: 0,
        isDead: false,
      });
    }
    remote.sockets.add(accepted);
    this.schedule(accepted, 0, () => {
      if (accepted.destroyed) return;
      if (port.sockets.size >= options.socketsMax) {
        accepted.destroy();
        return;
      }
      port.sockets.add(accepted);
      accepted.once("close", () => port.sockets.delete(accepted));
      events.onSocket(accepted);
      events.onStream(accepted);
    });
    this.schedule(socket, this.#latencyUs(), () => {
      socket.connected();
    });
  }

  #arrive(from: SimSocket, pipe: Pipe): void {
    pipe.overdue++;
    if (pipe.isDead || this.#isBlocked(pipe)) return;
    this.#deliver(from, pipe);
  }

  #deliver(from: SimSocket, pipe: Pipe): void {
    for (; pipe.overdue > 0; pipe.overdue--) {
      const bytes = pipe.inFlight.shift() ?? null;
      if (!pipe.peer.destroyed) {
        pipe.peer.arrived(bytes);
      } else if (bytes !== null && pipe.to.isPowered) {
        // Nobody there knows this connection any more.
        this.#break(from);
      }
    }
    if (from.destroyed && pipe.inFlight.length === 0 && pipe.peer.destroyed)
      this.#pipes.delete(from);
  }

  /** The cut is over. */
  #goOn(socket: SimSocket, pipe: Pipe): void {
    if (pipe.isDead) return;
    if (this.#random.chance(this.faults.resetAfterCutChance)) {
      this.#coverage.add("streamsResetAfterCut");
      this.#break(socket);
      return;
    }
    if (pipe.readUntold > 0 && !this.#isCut(pipe.to, pipe.from)) {
      const count = pipe.readUntold;
      pipe.readUntold = 0;
      socket.roomMade(count);
    }
    if (pipe.overdue === 0 || this.#isBlocked(pipe)) return;
    this.#coverage.add("streamsResumed");
    this.#deliver(socket, pipe);
  }

  /** Both sides are told at once: as a machine in between does that forgot the connection. */
  #break(socket: SimSocket): void {
    const pipe = this.#pipes.get(socket);
    socket.broken("ECONNRESET");
    if (pipe === undefined) return;
    pipe.peer.broken("ECONNRESET");
    this.#forget(socket, pipe);
  }

  /** The other side is told that this one is gone. */
  #reset(socket: SimSocket, pipe: Pipe): void {
    this.#scheduler.schedule(this.#latencyUs(), () => {
      if (pipe.isDead || this.#isBlocked(pipe)) return;
      pipe.peer.broken("ECONNRESET");
      this.#forget(socket, pipe);
    });
  }

  #forget(socket: SimSocket, pipe: Pipe): void {
    this.#pipes.delete(socket);
    this.#pipes.delete(pipe.peer);
    pipe.from.sockets.delete(socket);
    pipe.to.sockets.delete(pipe.peer);
  }

  #isBlocked({ from, to }: Pipe): boolean {
    return this.#isCut(from, to);
  }

  #isCut(from: Host, to: Host): boolean {
    return this.#blocked.has(wayName(from.name, to.name));
  }

  #latencyUs(): number {
    const { latencyMinUs, latencyMeanUs, arrivalGridUs } = this.faults;
    const latencyUs = latencyMinUs + this.#random.exponential(latencyMeanUs);
    return Math.ceil(latencyUs / arrivalGridUs) * arrivalGridUs;
  }

  /** An address may name a host in more than one way: `n1` and `n1.other` are the same. */
  #host(address: string): Host {
    const [name = address] = address.split(".");
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    const host: Host = { name, isPowered: true, ports: new Map(), sockets: new Set() };
    this.#hosts.set(name, host);
    return host;
  }
}

function wayName(from: string, to: string): string {
  return `${from}>${to}`;
}
