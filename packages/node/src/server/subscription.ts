import { isDeepStrictEqual } from "node:util";
import type { NodeStatus, RequestId, StreamMessage, SubscribeRequest } from "@quorate/wire";
import type { Clock, Timer } from "../ports/clock.ts";
import type { EventRing } from "./event-ring.ts";
import type { TelemetryListener } from "./telemetry.ts";

/** Where a stream's messages go, and how much waits there to be read. */
export interface StreamSink {
  send(message: StreamMessage): void;
  readonly queuedBytes: number;
}

export interface SubscriptionOptions {
  readonly request: SubscribeRequest;
  readonly bootId: string;
  readonly sink: StreamSink;
  readonly clock: Clock;
  readonly events: EventRing;
  readonly status: () => NodeStatus;
}

/** A sign of life goes out after this long without another message. */
const TICK_MS = 500;

/** With more than this unread nothing is sent but the next state, once it has been read. */
const CONGESTED_BYTES = 256 * 1024;

/** Events in one message. */
const EVENTS_MAX_COUNT = 256;

/**
 * One subscriber's stream. It holds no messages: a place in the ring of events and the state that
 * was sent last are all it needs, so a subscriber that does not read costs nothing more. What
 * the ring has overwritten by then is told as a gap, followed by a whole state.
 */
export class Subscription implements TelemetryListener {
  readonly #options: SubscriptionOptions;
  readonly #requestId: RequestId;
  readonly #stateIntervalMs: number;
  #sequence: number;
  #lastStatus: NodeStatus | null = null;
  #lastStateMs = Number.NEGATIVE_INFINITY;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #stateIsOld = true;
  #pumpScheduled = false;
  #stateTimer: Timer | null = null;
  #tickTimer: Timer | null = null;
  #ended = false;

  constructor(options: SubscriptionOptions) {
    const { request, events, bootId } = options;
    this.#options = options;
    this.#requestId = request.requestId;
    this.#stateIntervalMs = 1000 / Math.min(50, Math.max(1, request.stateRateMaxHz));
    const resumes = request.resume !== null && request.resume.bootId === bootId;
    this.#sequence = resumes
      ? Math.min(request.resume.sequence, events.newestSequence)
      : events.sequenceBefore(request.eventBacklogMax);
  }

  /** Sends the whole state, then what comes. */
  start(): void {
    this.#pump();
    this.#armTick();
  }

  onStateChanged(): void {
    if (this.#stateIsOld) return;
    this.#stateIsOld = true;
    this.#armState();
  }

  onEvents(): void {
    this.#schedulePump();
  }

  end(): void {
    this.#ended = true;
    this.#stateTimer?.cancel();
    this.#tickTimer?.cancel();
  }

  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    this.#options.clock.soon(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#ended || this.#options.sink.queuedBytes > CONGESTED_BYTES) return;
    this.#sendEvents();
    this.#sendState();
  }

  #sendEvents(): void {
    const { events, sink } = this.#options;
    while (this.#sequence < events.newestSequence && sink.queuedBytes <= CONGESTED_BYTES) {
      const { events: next, lost } = events.since(this.#sequence, EVENTS_MAX_COUNT);
      if (lost > 0) {
        this.#send({ type: "StreamGap", requestId: this.#requestId, lost });
        this.#lastStatus = null;
      }
      this.#sequence = next.at(-1)?.sequence ?? events.newestSequence;
      if (this.#lastStatus === null) this.#sendWholeState();
      this.#send({ type: "StreamEvents", requestId: this.#requestId, events: next });
    }
  }

  #sendState(): void {
    if (this.#lastStatus === null) {
      this.#sendWholeState();
    } else if (this.#stateIsOld) {
      const waitMs = this.#lastStateMs + this.#stateIntervalMs - this.#options.clock.nowMs();
      if (waitMs > 0) this.#armState();
      else this.#sendDelta(this.#lastStatus);
    }
  }

  #sendWholeState(): void {
    const status = this.#takeStatus();
    this.#send({ type: "StreamState", requestId: this.#requestId, status });
  }

  #sendDelta(before: NodeStatus): void {
    const changed = changedFields(before, this.#takeStatus());
    if (Object.keys(changed).length === 0) return;
    this.#send({ type: "StreamDelta", requestId: this.#requestId, changed });
  }

  #takeStatus(): NodeStatus {
    const status = this.#options.status();
    this.#lastStatus = status;
    this.#lastStateMs = this.#options.clock.nowMs();
    this.#stateIsOld = false;
    return status;
  }

  #send(message: StreamMessage): void {
    this.#lastSentMs = this.#options.clock.nowMs();
    this.#options.sink.send(message);
  }

  #armState(): void {
    if (this.#stateTimer !== null || this.#ended) return;
    const { clock } = this.#options;
    const waitMs = this.#lastStateMs + this.#stateIntervalMs - clock.nowMs();
    this.#stateTimer = clock.after(Math.max(0, waitMs), () => {
      this.#stateTimer = null;
      this.#pump();
    });
  }

  #armTick(): void {
    const { clock, sink } = this.#options;
    this.#tickTimer = clock.after(TICK_MS, () => {
      this.#pump();
      const idle = clock.nowMs() - this.#lastSentMs >= TICK_MS / 2;
      if (idle && sink.queuedBytes <= CONGESTED_BYTES) {
        const monotonicMs = Math.round(clock.nowMs());
        this.#send({ type: "StreamTick", requestId: this.#requestId, monotonicMs });
      }
      this.#armTick();
    });
  }
}

/** The fields of `after` that are not as they were in `before`. */
function changedFields(before: NodeStatus, after: NodeStatus): Partial<NodeStatus> {
  const changed = Object.entries(after).filter(([name, value]) => {
    return !isDeepStrictEqual(value, before[name as keyof NodeStatus]);
  });
  return Object.fromEntries(changed);
}
