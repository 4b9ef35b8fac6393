import type {
  Address,
  ByteStream,
  NetworkStack,
  ServerEvents,
  ServerOptions,
  StackTimer,
  StreamServer,
} from "@quorate/wire/net";
import { ConnectionError, parseAddress } from "@quorate/wire/net";
import type { Clock } from "../ports/clock.ts";
import { InvariantViolation } from "./invariant-violation.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimStreams } from "./sim-streams.ts";

/** The host of those who send what no correct program does. */
export const STRANGER = "stranger";

/** What the connections of one simulated process run on. */
export class SimStack implements NetworkStack {
  readonly #streams: SimStreams;
  readonly #host: string;
  readonly #process: SimProcess;
  readonly #clock: Clock;

  /** `clock`: what the process believes of time. */
  constructor(streams: SimStreams, host: string, process: SimProcess, clock: Clock = process) {
    this.#streams = streams;
    this.#host = host;
    this.#process = process;
    this.#clock = clock;
  }

  connect(address: Address): ByteStream {
    return this.#streams.connect(this.#host, this.#process, address);
  }

  createServer(options: ServerOptions, events: ServerEvents): StreamServer {
    let taken: number | null = null;
    return {
      listen: ({ port }: Address): Promise<number> => {
        const taker = { process: this.#process, options, events };
        if (this.#streams.listen(this.#host, port, taker)) {
          taken = port;
          return Promise.resolve(port);
        }
        const error = new Error("listen EADDRINUSE");
        return Promise.reject(Object.assign(error, { code: "EADDRINUSE" }));
      },
      close: (): Promise<void> => {
        if (taken !== null) this.#streams.unlisten(this.#host, taken);
        return Promise.resolve();
      },
    };
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  onViolation(error: Error): void {
    const isOfStranger =
      error instanceof ConnectionError && parseAddress(error.address)?.host === STRANGER;
    if (isOfStranger) return;
    throw new InvariantViolation("Wire Sanity", `at ${this.#host}: ${error.message}`);
  }

  after(delayMs: number, fn: () => void): StackTimer {
    const timer = this.#clock.after(delayMs, fn);
    return {
      cancel: () => {
        timer.cancel();
      },
      unref: () => undefined,
    };
  }

  soon(fn: () => void): StackTimer {
    let isCancelled = false;
    this.#clock.soon(() => {
      if (!isCancelled) fn();
    });
    return {
      cancel: () => {
        isCancelled = true;
      },
      unref: () => undefined,
    };
  }
}
