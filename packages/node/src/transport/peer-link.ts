import type { Hello, HelloRefused, NodeId, RaftMessage } from "@quorate/wire";
import type { Connection, NetworkStack } from "@quorate/wire/net";
import { ConnectionError, dial } from "@quorate/wire/net";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";

/** How a {@link PeerLink} dials, waits and gives up. Durations in milliseconds, sizes in bytes. */
export interface PeerLinkLimits {
  readonly connectTimeoutMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A ping at this interval shows the round trip; silence for `silenceMs` ends the connection. */
  readonly pingIntervalMs: number;
  readonly silenceMs: number;
  /** After a refusal that only a person can lift. */
  readonly refusedPauseMs: number;
  /** For so long a member that was removed stays connected, to be told that it was. */
  readonly farewellMs: number;
  /** What waits for the peer at most; messages beyond are dropped. */
  readonly queueMaxBytes: number;
}

/** What a {@link PeerLink} tells its transport. */
export interface PeerLinkEvents {
  /** `connection` carries this node's messages from now on. */
  onConnected(connection: Connection): void;
  /** `refused`: nobody listens there any more. Told once for each loss, then once when refused. */
  onDown(refused: boolean): void;
  /** The peer does not want this node; told once until something else happens. */
  onRefused(refusal: HelloRefused): void;
}

/** What is lost on a line that was cut, so that a failure can be tried out. */
export interface LostDirections {
  readonly sending: boolean;
  readonly receiving: boolean;
}

export interface PeerLinkOptions {
  /** Of the line to the peer, now. */
  readonly lost: () => LostDirections;
  readonly peer: NodeId;
  readonly address: string;
  /** What this node says first, each time. */
  readonly hello: () => Hello;
  readonly limits: PeerLinkLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: PeerLinkEvents;
  readonly stack: NetworkStack;
}

/** Dials after a loss that go without a pause: a dying process may accept once more before it is gone. */
const QUICK_REDIALS = 3;

/**
 * The connection that carries this node's messages to one peer. It is dialed for ever: at once
 * after a loss, then with pauses that double and are drawn at random, so that a cluster's nodes
 * do not knock in step.
 */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  #connection: Connection | null = null;
  #attempt: { cancel(): void } | null = null;
  #pause: Timer | null = null;
  #failures = 0;
  /** The connection was lost, and the peer has not been found refusing or alive since. */
  #lossOpen = false;
  /** The newest answer of the peer, where it was a refusal. */
  #refusal: HelloRefused | null = null;
  /** Of an attempt under way: what it was asked to carry last. */
  #held: RaftMessage | null = null;
  #closed = false;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  get roundTripMs(): number | null {
    return this.#connection?.roundTripMs ?? null;
  }

  start(): void {
    this.#dial();
  }

  /** The peer showed a sign of life: an attempt that waits for its turn is made now. */
  wake(): void {
    if (this.#pause === null) return;
    this.#pause.cancel();
    this.#pause = null;
    this.#failures = 0;
    this.#dial();
  }

  /** Why the peer does not want this node; null: it does, as far as is known. */
  get refusal(): HelloRefused | null {
    return this.#refusal;
  }

  get address(): string {
    return this.#options.address;
  }

  /** As {@link send}, but one message waits for the connection: it was opened to carry it. */
  sendFirst(message: RaftMessage): void {
    if (this.#connection === null) this.#held = message;
    else this.send(message);
  }

  /** Dropped where there is no connection or its queue is full: Raft sends again. */
  send(message: RaftMessage): void {
    const connection = this.#connection;
    if (connection === null) return;
    if (connection.queuedBytes > this.#options.limits.queueMaxBytes) return;
    connection.send(message);
  }

  flush(): void {
    this.#connection?.flush();
  }

  lose(lost: LostDirections): void {
    this.#connection?.lose(lost);
  }

  close(): void {
    this.#closed = true;
    this.#pause?.cancel();
    this.#attempt?.cancel();
    this.#connection?.close();
    this.#connection = null;
  }

  #dial(): void {
    if (this.#closed) return;
    const { address, hello, limits, stack } = this.#options;
    if (this.#isCut()) {
      this.#redialAfter(limits.connectTimeoutMs);
      return;
    }
    const attempt = dial({
      address,
      hello: hello(),
      connectTimeoutMs: limits.connectTimeoutMs,
      keepAlive: { intervalMs: limits.pingIntervalMs, silenceMs: limits.silenceMs },
      // A slow peer loses messages here (`send`), not its connection.
      queueMaxBytes: Infinity,
      handlers: {
        // A peer answers on the connection that it dialed: nothing is expected on this one.
        onMessage: () => undefined,
        onBatchEnd: () => undefined,
        onClose: () => {
          this.#lost();
        },
      },
      stack,
    });
    this.#attempt = attempt;
    attempt.connected.then(
      (connection) => {
        this.#connected(connection);
      },
      (error: unknown) => {
        this.#failed(error);
      },
    );
  }

  #connected(connection: Connection): void {
    this.#attempt = null;
    if (this.#closed) {
      connection.close();
      return;
    }
    this.#connection = connection;
    connection.lose(this.#options.lost());
    this.#failures = 0;
    this.#lossOpen = false;
    this.#refusal = null;
    this.#options.events.onConnected(connection);
    if (this.#held === null) return;
    this.send(this.#held);
    this.#held = null;
  }

  #lost(): void {
    if (this.#connection === null) return;
    this.#connection = null;
    this.#lossOpen = true;
    this.#options.events.onDown(false);
    this.#dial();
  }

  #failed(error: unknown): void {
    this.#attempt = null;
    if (this.#closed) return;
    if (!(error instanceof ConnectionError)) throw error;
    this.#failures += 1;
    if (error.kind === "refused" && this.#lossOpen) {
      this.#lossOpen = false;
      this.#options.events.onDown(true);
    }
    this.#noteRefusal(error.refusal);
    const dying = this.#lossOpen && (error.kind === "reset" || error.kind === "closed");
    const isFinal = error.refusal !== null && error.refusal.code !== "tooManyConnections";
    const usualMs = isFinal ? this.#options.limits.refusedPauseMs : this.#backoffMs();
    this.#redialAfter(dying && this.#failures <= QUICK_REDIALS ? 1 : usualMs);
  }

  /** A cut line carries no answer: an attempt on it only takes its time. */
  #isCut(): boolean {
    const { sending, receiving } = this.#options.lost();
    return sending || receiving;
  }

  #redialAfter(delayMs: number): void {
    this.#pause = this.#options.clock.after(delayMs, () => {
      this.#pause = null;
      this.#dial();
    });
  }

  #noteRefusal(refusal: HelloRefused | null): void {
    if (refusal === null) return;
    const before = this.#refusal;
    this.#refusal = refusal;
    if (before?.code !== refusal.code || before.message !== refusal.message) {
      this.#options.events.onRefused(refusal);
    }
  }

  /** Twice the last pause, of which a random half at most is taken off. */
  #backoffMs(): number {
    const { limits, random } = this.#options;
    const doublings = Math.min(this.#failures - 1, 20);
    const fullMs = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** doublings);
    return fullMs - random.below(Math.floor(fullMs / 2) + 1);
  }
}
