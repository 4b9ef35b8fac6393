import type { ClientReply, NodeEvent, NodeStatus, SubscribeRequest } from "../client-messages.ts";
import { ConnectionError } from "../net/index.ts";
import type { LinkRequest, NodeLink } from "./node-link.ts";
import { AnswerError } from "./request-error.ts";

/** What a node tells on a stream, as it happens. Never called from within `subscribe`. */
export interface SubscriptionHandlers {
  /** The node's whole state: first, and again after a gap. */
  onState(status: NodeStatus): void;
  /** What changed since the last state or delta. */
  onDelta(changed: Partial<NodeStatus>): void;
  /** Each event once, in the order of its sequence. */
  onEvents(events: readonly NodeEvent[]): void;
  /** The node is alive: every 500 ms in which nothing else came. Its monotonic clock, in ms. */
  onTick(monotonicMs: number): void;
  /** That many events were dropped before they reached the stream. */
  onGap(lost: number): void;
  /**
   * Once and last, also when there was never a connection; not after `cancel`. A caller that
   * wants to go on subscribes again, with `resume` of this subscription.
   */
  onDisconnect(error: ConnectionError | AnswerError): void;
}

/** The last event seen: where another subscription to the same node goes on. */
export type ResumePoint = NonNullable<SubscribeRequest["resume"]>;

export interface SubscribeOptions {
  /** Default null: begin with the newest `eventBacklogMax` events, or with what happens next. */
  readonly resume?: ResumePoint | null;
  /** Events of before to begin with where `resume` does not apply. Default 0. */
  readonly eventBacklogMax?: number;
  /** States and deltas a second at most, 1 to 50. Default 10. */
  readonly stateRateMaxHz?: number;
}

/** A stream of one node's state and events. */
export interface Subscription {
  readonly endpoint: string;
  /** Null before the first event. */
  readonly resume: ResumePoint | null;
  /** Ends the stream; no handler is called any more. Harmless when repeated. */
  cancel(): void;
}

/** A {@link Subscription} over a client's link to the node. */
export class LinkSubscription implements Subscription {
  readonly endpoint: string;
  resume: ResumePoint | null;
  readonly #handlers: SubscriptionHandlers;
  readonly #request: LinkRequest;
  readonly #onEnd: (subscription: LinkSubscription) => void;
  #bootId: string | null;
  #ended = false;

  constructor(
    link: NodeLink,
    handlers: SubscriptionHandlers,
    options: SubscribeOptions,
    onEnd: (subscription: LinkSubscription) => void,
  ) {
    const resume = options.resume ?? null;
    const { stateRateMaxHz = 10, eventBacklogMax = 0 } = options;
    this.endpoint = link.endpoint;
    this.resume = resume;
    this.#bootId = resume?.bootId ?? null;
    this.#handlers = handlers;
    this.#onEnd = onEnd;
    this.#request = link.request(
      (requestId) => ({ type: "Subscribe", requestId, resume, stateRateMaxHz, eventBacklogMax }),
      {
        onReply: (reply) => this.#receive(reply),
        onFailure: (error) => this.#disconnect(error),
      },
    );
  }

  cancel(): void {
    if (this.#end()) this.#request.abandon();
  }

  #receive(reply: ClientReply): void {
    switch (reply.type) {
      case "StreamState":
        this.#bootId = reply.status.bootId;
        this.#handlers.onState(reply.status);
        break;
      case "StreamDelta":
        this.#handlers.onDelta(reply.changed);
        break;
      case "StreamEvents":
        this.#noteResume(reply.events);
        this.#handlers.onEvents(reply.events);
        break;
      case "StreamTick":
        this.#handlers.onTick(reply.monotonicMs);
        break;
      case "StreamGap":
        this.#handlers.onGap(reply.lost);
        break;
      case "ErrorReply":
        this.#disconnect(new AnswerError(reply));
        break;
      default:
        this.#violated(reply);
    }
  }

  #noteResume(events: readonly NodeEvent[]): void {
    const sequence = events.at(-1)?.sequence;
    if (sequence !== undefined && this.#bootId !== null) {
      this.resume = { bootId: this.#bootId, sequence };
    }
  }

  #violated(reply: ClientReply): void {
    const message = `it sent a ${reply.type} on a stream`;
    this.#request.abandon();
    this.#disconnect(new ConnectionError("protocol", this.endpoint, { message }));
  }

  #disconnect(error: ConnectionError | AnswerError): void {
    if (this.#end()) this.#handlers.onDisconnect(error);
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#onEnd(this);
    return true;
  }
}
