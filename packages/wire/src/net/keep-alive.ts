/** When to ask whether the other side is alive, and when to give it up. In ms, all above 0. */
export interface KeepAliveOptions {
  /** A Ping goes out this often, unless one is still unanswered. */
  readonly intervalMs: number;
  /** Nothing at all was received for this long: the other side counts as gone. */
  readonly silenceMs: number;
}

/**
 * Pings, round-trip times and silence. A loop that stalled (a pause, a long collection, SIGSTOP)
 * finds its timers due before it has read what waits in its sockets: so silence counts only
 * time in which this process ran, and only after the sockets have been read once more.
 */
export class KeepAlive {
  roundTripMs: number | null = null;
  readonly #options: KeepAliveOptions;
  readonly #sendPing: (nonce: number) => void;
  readonly #onSilent: () => void;
  readonly #timer: NodeJS.Timeout;
  #lastTickAt: number = performance.now();
  #lastHeardAt: number = performance.now();
  #nonce = 0;
  #pingSentAt: number | null = null;
  #stopped = false;

  constructor(options: KeepAliveOptions, sendPing: (nonce: number) => void, onSilent: () => void) {
    this.#options = options;
    this.#sendPing = sendPing;
    this.#onSilent = onSilent;
    this.#timer = setInterval(() => this.#tick(), options.intervalMs);
    this.#ping();
  }

  /** Something was received. */
  heard(): void {
    this.#lastHeardAt = performance.now();
  }

  pongReceived(nonce: number): void {
    if (this.#pingSentAt === null || nonce !== this.#nonce) return;
    this.roundTripMs = performance.now() - this.#pingSentAt;
    this.#pingSentAt = null;
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const stalledMs = now - this.#lastTickAt - this.#options.intervalMs;
    if (stalledMs > 0) this.#lastHeardAt = Math.min(now, this.#lastHeardAt + stalledMs);
    this.#lastTickAt = now;
    if (this.#isSilent()) {
      // Two turns: one finishes the present poll, the next has polled every socket again.
      setImmediate(() => setImmediate(() => this.#giveUpIfSilent()));
    } else {
      this.#ping();
    }
  }

  #giveUpIfSilent(): void {
    if (!this.#stopped && this.#isSilent()) this.#onSilent();
  }

  #isSilent(): boolean {
    return performance.now() - this.#lastHeardAt >= this.#options.silenceMs;
  }

  #ping(): void {
    if (this.#pingSentAt !== null) return;
    this.#pingSentAt = performance.now();
    this.#nonce += 1;
    this.#sendPing(this.#nonce);
  }
}
