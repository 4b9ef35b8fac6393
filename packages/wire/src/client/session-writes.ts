import type { SessionOperation } from "../client-messages.ts";
import type { NetworkStack, StackTimer } from "../net/index.ts";
import { RequestError } from "./request-error.ts";

/** A session that a node opened. */
export interface OpenedSession {
  readonly sessionId: number;
  /** It ends when nothing was heard of it for this long, by the cluster's clock. */
  readonly ttlMs: number;
}

/** How long one write may take, and who may give it up. */
export interface WriteLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

export interface SessionWritesOptions {
  readonly open: (limits: WriteLimits) => Promise<OpenedSession>;
  /** A sign of life where no write was one. */
  readonly keep: (sessionId: number) => Promise<unknown>;
  readonly stack: NetworkStack;
}

/** Nodes keep so many answers of a session that the client may not have. */
const WINDOW = 64;

/** Of a session's time to live: a sign of life comes this often. */
const KEEP_PART = 1 / 3;

/**
 * Numbers writes within a session, so that each takes effect once however often it is sent
 * (Diss. §6.3). The session is opened by the first write, and again when it is over. A write whose
 * session ended while a node may have had it is `unknown`: nobody remembers it any more.
 */
export class SessionWrites {
  readonly #options: SessionWritesOptions;
  #session: Promise<Session> | null = null;
  #opened: Session | null = null;

  constructor(options: SessionWritesOptions) {
    this.#options = options;
  }

  /** The session that is open, if any. */
  get sessionId(): number | null {
    return this.#opened?.sessionId ?? null;
  }

  /** Calls `send` with what names the write, anew for each attempt; again in a new session. */
  async run<Result>(
    { timeoutMs, signal }: WriteLimits,
    send: (operation: () => SessionOperation, limits: WriteLimits) => Promise<Result>,
  ): Promise<Result> {
    const { stack } = this.#options;
    const deadline = stack.nowMs() + timeoutMs;
    const left = (): WriteLimits => ({
      timeoutMs: Math.max(1, Math.ceil(deadline - stack.nowMs())),
      signal,
    });
    for (;;) {
      const session = await this.#current(left());
      let serial: number | null = null;
      try {
        const begun = await session.begin(left());
        serial = begun;
        return await send(() => session.operation(begun), left());
      } catch (error) {
        if (!(error instanceof RequestError) || error.code !== "sessionExpired") throw error;
        this.#forget(session);
        if (error.outcome === "unknown" || stack.nowMs() >= deadline) throw error;
      } finally {
        if (serial !== null) session.end(serial);
      }
    }
  }

  /** Gives up what waits; the session itself ends by its time. */
  close(): void {
    this.#opened?.close("closed", "the client was closed");
    this.#opened = null;
  }

  #current(limits: WriteLimits): Promise<Session> {
    if (this.#session !== null) return this.#session;
    const opening = this.#open(limits);
    this.#session = opening;
    // Whoever waits is told; the next write tries again.
    opening.catch(() => {
      if (this.#session === opening) this.#session = null;
    });
    return opening;
  }

  async #open(limits: WriteLimits): Promise<Session> {
    const { sessionId, ttlMs } = await this.#options.open(limits);
    const { stack } = this.#options;
    const session = new Session(stack, sessionId, ttlMs * KEEP_PART, () => {
      this.#options.keep(sessionId).catch((error: unknown) => {
        const isOver = error instanceof RequestError && error.code === "sessionExpired";
        if (isOver) this.#forget(session);
      });
    });
    this.#opened = session;
    return session;
  }

  #forget(session: Session): void {
    session.close("sessionExpired", "the session is over");
    if (this.#opened !== session) return;
    this.#opened = null;
    this.#session = null;
  }
}

interface Waiter {
  readonly resolve: (serial: number) => void;
  readonly reject: (error: RequestError) => void;
}

class Session {
  readonly sessionId: number;
  readonly #outstanding: Set<number> = new Set();
  readonly #waiters: Set<Waiter> = new Set();
  readonly #stack: NetworkStack;
  #timer: StackTimer | null = null;
  #lastSerial = 0;

  constructor(stack: NetworkStack, sessionId: number, keepMs: number, keep: () => void) {
    this.#stack = stack;
    this.sessionId = sessionId;
    this.#keepEvery(keepMs, keep);
  }

  #keepEvery(keepMs: number, keep: () => void): void {
    this.#timer = this.#stack.after(keepMs, () => {
      this.#keepEvery(keepMs, keep);
      keep();
    });
    this.#timer.unref();
  }

  /** The number of the next write, once the window has room for it. */
  begin({ timeoutMs, signal }: WriteLimits): Promise<number> {
    if (this.#hasRoom()) return Promise.resolve(this.#take());
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const waiter: Waiter = { resolve, reject };
    const give = (code: "timeout" | "canceled", message: string): void => {
      if (this.#waiters.delete(waiter)) reject(new RequestError(code, "notApplied", { message }));
    };
    const late = `${WINDOW} writes of the session were not answered in ${timeoutMs} ms`;
    const timer = this.#stack.after(timeoutMs, () => give("timeout", late));
    const onAbort = (): void => give("canceled", "the caller gave it up");
    signal?.addEventListener("abort", onAbort);
    this.#waiters.add(waiter);
    return promise.finally(() => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    });
  }

  operation(serial: number): SessionOperation {
    return { sessionId: this.sessionId, serial, ackedBelow: this.#ackedBelow() };
  }

  /** The write's outcome is known, or given up: its answer need not be kept. */
  end(serial: number): void {
    this.#outstanding.delete(serial);
    for (const waiter of this.#waiters) {
      if (!this.#hasRoom()) return;
      this.#waiters.delete(waiter);
      waiter.resolve(this.#take());
    }
  }

  /** What waits for room fails with this `code`: it was never sent. */
  close(code: "closed" | "sessionExpired", message: string): void {
    this.#timer?.cancel();
    for (const { reject } of this.#waiters) {
      reject(new RequestError(code, "notApplied", { message }));
    }
    this.#waiters.clear();
  }

  #hasRoom(): boolean {
    return this.#lastSerial + 1 < this.#ackedBelow() + WINDOW;
  }

  #take(): number {
    this.#lastSerial += 1;
    this.#outstanding.add(this.#lastSerial);
    return this.#lastSerial;
  }

  /** Serials are added in their order: the first is the smallest. */
  #ackedBelow(): number {
    const [oldest] = this.#outstanding;
    return oldest ?? this.#lastSerial + 1;
  }
}
