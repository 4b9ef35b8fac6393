import { QuorateClient } from "@quorate/wire/client";
import { Dashboard } from "./dashboard.ts";
import type { DashOptions } from "./index.ts";
import { NodeStreams } from "./stream.ts";
import { writeKey } from "./write-key.ts";

/** Time moves on the screen this often even when no node says anything. */
const CLOCK_INTERVAL_MS = 250;

/** Processes of this machine are looked at this often: files and /proc, never the nodes. */
const LOCAL_INTERVAL_MS = 1_000;

/** Until a node that does not say hello counts as silent or lost. */
const CONNECT_TIMEOUT_MS = 1_000;

/** States asked for in a second: as many as frames are drawn. */
const STATE_RATE_HZ = 10;

/** Events of before that each node is asked for, in one message: elections that nobody watched. */
const EVENT_BACKLOG_MAX = 256;

/** Milliseconds since the Unix epoch on a clock that never goes back. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The streams, the client and the timers that feed one {@link Dashboard}. */
export class DashSession {
  readonly dashboard: Dashboard;
  readonly #client: QuorateClient;
  readonly #streams: NodeStreams;
  readonly #options: DashOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #quit: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  /** @param hasPast - whether the feed begins with what happened before it was opened */
  constructor(options: DashOptions, hasPast: boolean) {
    this.#options = options;
    this.#client = new QuorateClient({
      endpoints: [...options.endpoints],
      timeoutMs: CONNECT_TIMEOUT_MS,
      clientName: "quorate-dash",
    });
    this.dashboard = new Dashboard({
      clusterName: options.clusterName,
      readOnly: options.readOnly,
      hasKeys: !options.once && options.stdin.isTTY,
      localActions: options.localActions,
      write: (key, value) => writeKey(this.#client, key, value),
      nowMs,
      onQuit: () => this.#quit.resolve(),
    });
    this.#streams = new NodeStreams({
      subscribe: (address, handlers, settings) =>
        this.#client.subscribe(address, handlers, settings),
      dispatch: (input) => this.dashboard.dispatch(input),
      nowMs,
      random: Math.random,
      stateRateMaxHz: STATE_RATE_HZ,
      eventBacklogMax: hasPast ? EVENT_BACKLOG_MAX : 0,
    });
  }

  /** Resolves when the user has asked to leave. */
  get quit(): Promise<void> {
    return this.#quit.promise;
  }

  /** Connects; resolves when the local processes are known, not when a node has answered. */
  async open(): Promise<void> {
    await this.dashboard.refreshLocal();
    for (const endpoint of this.#options.endpoints) {
      this.#streams.watch(endpoint, null);
    }
    this.#timers.push(
      setInterval(() => this.dashboard.dispatch({ kind: "clock" }), CLOCK_INTERVAL_MS),
      setInterval(() => void this.dashboard.refreshLocal(), LOCAL_INTERVAL_MS),
    );
  }

  /** Ends streams, timers and the client's connections. */
  async close(): Promise<void> {
    for (const timer of this.#timers) {
      clearInterval(timer);
    }
    this.#streams.stop();
    await this.#client.close();
  }
}
