import type { NetworkStack, StackTimer } from "./network-stack.ts";

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
  readonly #stack: NetworkStack;
  readonly #sendPing: (nonce: number) => void;
  readonly #onSilent: () => void;
  #timer: StackTimer;
  #lastTickAt: number;
  #lastHeardAt: number;
  #nonce = 0;
  #pingSentAt: number | null = null;
  #stopped = false;

  constructor(
    options: KeepAliveOptions,
    stack: NetworkStack,
    sendPing: (nonce: number) => void,
    onSilent: () => void,
  ) {
    this.#options = options;
    this.#stack = stack;
    this.#lastTickAt = stack.nowMs();
    this.#lastHeardAt = this.#lastTickAt;
    this.#sendPing = sendPing;
    this.#onSilent = onSilent;
    this.#timer = stack.after(options.intervalMs, () => this.#tick());
    this.#ping();
  }

  /** Something was received. */
  heard(): void {
    this.#lastHeardAt = this.#stack.nowMs();
  }

  pongReceived(nonce: number): void {
    if (this.#pingSentAt === null || nonce !== this.#nonce) return;
    this.roundTripMs = this.#stack.nowMs() - this.#pingSentAt;
    this.#pingSentAt = null;
  }

  /** What was under way was lost, and the line is well again: asks at once. */
  renew(): void {
    this.#pingSentAt = null;
    this.#ping();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer.cancel();
  }

  #tick(): void {
    this.#timer = this.#stack.after(this.#options.intervalMs, () => this.#tick());
    const now = this.#stack.nowMs();
    const stalledMs = now - this.#lastTickAt - this.#options.intervalMs;
    if (stalledMs > 0) this.#lastHeardAt = Math.min(now, this.#lastHeardAt + stalledMs);
    this.#lastTickAt = now;
    if (this.#isSilent()) {
      // Two turns: one finishes the present poll, the next has polled every socket again.
      this.#stack.soon(() => this.#stack.soon(() => this.#giveUpIfSilent()));
    } else {
      this.#ping();
    }
  }

  #giveUpIfSilent(): void {
    if (!this.#stopped && this.#isSilent()) this.#onSilent();
  }

  #isSilent(): boolean {
    return this.#stack.nowMs() - this.#lastHeardAt >= this.#options.silenceMs;
  }

  #ping(): void {
    if (this.#pingSentAt !== null) return;
    this.#pingSentAt = this.#stack.nowMs();
    this.#nonce += 1;
    this.#sendPing(this.#nonce);
  }
}
