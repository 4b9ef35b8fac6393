import type { NodeId } from "@quorate/wire";
import { RunningHash } from "./running-hash.ts";
import type { SimScheduler } from "./sim-scheduler.ts";

/** Events that a failure report shows. */
const REMEMBERED_EVENTS = 50;

interface TraceEvent {
  readonly atUs: number;
  readonly kind: string;
  readonly nodeId: NodeId | null;
  readonly subject: unknown;
}

/**
 * Everything that happens in a simulation, hashed: equal seeds must give equal hashes. The last
 * events stay readable.
 */
export class Trace {
  readonly #scheduler: SimScheduler;
  readonly #onEvent: ((line: string) => void) | null;
  readonly #hash = new RunningHash();
  readonly #last: TraceEvent[] = [];
  readonly #kindNumbers = new Map<string, number>();
  #count = 0;

  /** `onEvent` is told each event as one line, or is null. */
  constructor(scheduler: SimScheduler, onEvent: ((line: string) => void) | null) {
    this.#scheduler = scheduler;
    this.#onEvent = onEvent;
  }

  /** Events recorded so far. */
  get count(): number {
    return this.#count;
  }

  /** `content` goes into the hash; `subject` is only shown and must not change afterwards. */
  record(
    kind: string,
    nodeId: NodeId | null,
    content: Uint8Array | string | number,
    subject: unknown = content,
  ): void {
    const atUs = this.#scheduler.nowUs;
    this.#hash.number(atUs);
    this.#hash.number(this.#kindNumber(kind));
    if (nodeId !== null) this.#hash.text(nodeId);
    if (typeof content === "number") this.#hash.number(content);
    else if (typeof content === "string") this.#hash.text(content);
    else this.#hash.bytes(content);
    const event = { atUs, kind, nodeId, subject };
    this.#last[this.#count % REMEMBERED_EVENTS] = event;
    this.#count++;
    if (this.#onEvent !== null) this.#onEvent(describe(event));
  }

  digest(): string {
    return this.#hash.digest();
  }

  /** The last events, oldest first, one line each. */
  lastEvents(): string[] {
    const start = this.#count % REMEMBERED_EVENTS;
    const ordered =
      this.#count <= REMEMBERED_EVENTS
        ? this.#last
        : [...this.#last.slice(start), ...this.#last.slice(0, start)];
    return ordered.map(describe);
  }

  #kindNumber(kind: string): number {
    const known = this.#kindNumbers.get(kind);
    if (known !== undefined) return known;
    const number = this.#kindNumbers.size;
    this.#kindNumbers.set(kind, number);
    return number;
  }
}

function describe({ atUs, kind, nodeId, subject }: TraceEvent): string {
  const atMs = (atUs / 1000).toFixed(3).padStart(10);
  const text = typeof subject === "string" ? subject : JSON.stringify(subject, shorten);
  return `${atMs} ms  ${(nodeId ?? "-").padEnd(3)} ${kind.padEnd(12)} ${text}`;
}

/** Entries as (index, term), bytes as their count. */
function shorten(key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (key === "entries" && Array.isArray(value)) {
    return value.map((entry: { index: number; term: number }) => `${entry.index}@${entry.term}`);
  }
  return value;
}
