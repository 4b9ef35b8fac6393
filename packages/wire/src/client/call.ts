import type {
  ClientReply,
  ClientRequest,
  ErrorReply,
  Outcome,
  RequestErrorCode,
} from "../client-messages.ts";
import type { RequestId } from "../ids.ts";
import { ConnectionError, type StackTimer } from "../net/index.ts";
import { AttemptLog } from "./attempt-log.ts";
import type { ClientPlatform } from "./client-platform.ts";
import type { KnownNodes } from "./known-nodes.ts";
import type { LinkRequest } from "./node-link.ts";
import type { NodeNeed, NodeSearch } from "./node-search.ts";
import {
  AnswerError,
  type ClientErrorCode,
  describeAttempt,
  RequestError,
} from "./request-error.ts";

const BACKOFF_MIN_MS = 10;
const BACKOFF_MAX_MS = 200;

/** The part of a read's time that one node gets before another is asked as well as it. */
const READ_ATTEMPT_PART = 0.25;
const READ_ATTEMPT_MIN_MS = 250;

/** The same of a write in a session: another node rarely knows better, but for a stuck leader. */
const WRITE_ATTEMPT_PART = 0.4;
const WRITE_ATTEMPT_MIN_MS = 1000;

/** Refusals that every node would repeat, at any time. */
const FINAL_CODES: ReadonlySet<RequestErrorCode> = new Set([
  "tooLarge",
  "invalid",
  "transferFailed",
  "conditionFailed",
  "sessionExpired",
  "conflict",
  "quorumAtRisk",
]);

/** Refusals that pass by themselves, or at another node: what to tell when time is over. */
const PASSING_CODES: ReadonlySet<RequestErrorCode> = new Set([
  "overloaded",
  "behind",
  "tooStale",
  "changeInProgress",
  "notReady",
  "storageFull",
]);

/** One operation of the client, whatever it takes to get it done. */
export interface CallRequest<Result> {
  /** In words, for messages: `put`. */
  readonly verb: string;
  build(requestId: RequestId): ClientRequest;
  /** The result in a reply; null: it is not the answer to this request. */
  read(reply: ClientReply): Result | null;
  /**
   * A repeated read has no effect, and a `once` has none but that of the first, by its session:
   * they may be sent any number of times. A write may not.
   */
  readonly effect: "read" | "write" | "once";
  readonly need: NodeNeed;
  /** This endpoint and no other, tried once. */
  readonly pinnedTo: string | null;
}

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

/** What all calls of a client share. */
export interface CallContext {
  readonly platform: ClientPlatform;
  readonly nodes: KnownNodes;
  readonly search: NodeSearch;
}

/** A call, whatever its result. */
export interface Interruptible {
  /** Ends it before its time, with what is known of its outcome. */
  interrupt(code: "canceled" | "closed", why: string): void;
}

/** Where the present attempt stands. */
interface CurrentAttempt {
  readonly endpoint: string;
  request: LinkRequest | null;
  timer: StackTimer | null;
}

/**
 * Sends one request until it is answered, it fails for good, or its time is over. What is retried:
 * everything that never left this process or that a node says it did not apply; reads always.
 */
export class Call<Result> implements Interruptible {
  readonly promise: Promise<Result>;
  readonly #request: CallRequest<Result>;
  readonly #options: CallOptions;
  readonly #platform: ClientPlatform;
  readonly #nodes: KnownNodes;
  readonly #search: NodeSearch;
  readonly #log: AttemptLog = new AttemptLog();
  readonly #resolve: (result: Result) => void;
  readonly #reject: (error: RequestError) => void;
  readonly #deadline: StackTimer;
  readonly #onAbort = (): void => this.interrupt("canceled", "the caller gave it up");
  #attempt: CurrentAttempt | null = null;
  #stopWaiting: (() => void) | null = null;
  #pause: StackTimer | null = null;
  #retryCount = 0;
  /** Where this was sent to since the last retry. */
  readonly #visited: Set<string> = new Set();
  #failedAt: string | null = null;
  #lastAnswer: AnswerError | null = null;
  /** An attempt that has ended may have had an effect, or may have it yet. */
  #mayHaveEffect = false;
  #settled = false;

  constructor(
    request: CallRequest<Result>,
    options: CallOptions,
    { platform, nodes, search }: CallContext,
  ) {
    this.#request = request;
    this.#options = options;
    this.#platform = platform;
    this.#nodes = nodes;
    this.#search = search;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#deadline = platform.stack.after(options.timeoutMs, () => this.#drainThenTimeOut());
    options.signal?.addEventListener("abort", this.#onAbort);
    if (options.signal?.aborted === true) this.#onAbort();
    else this.#next();
  }

  interrupt(code: "canceled" | "closed", why: string): void {
    this.#fail(code, this.#presentOutcome(), why);
  }

  #next(): void {
    this.#pause = null;
    this.#visited.clear();
    const endpoint = this.#request.pinnedTo ?? this.#choose();
    if (endpoint !== null) {
      this.#send(endpoint);
      return;
    }
    this.#stopWaiting = this.#search.wait({
      need: this.#request.need,
      avoid: this.#failedAt,
      onFound: (found) => {
        this.#log.merge(this.#search.answers());
        this.#stopWaiting = null;
        this.#send(found);
      },
    });
  }

  #choose(): string | null {
    return this.#request.need === "any" ? this.#nodes.anyConnected() : this.#nodes.leader;
  }

  #send(endpoint: string): void {
    const attempt: CurrentAttempt = { endpoint, request: null, timer: null };
    this.#attempt = attempt;
    this.#visited.add(endpoint);
    const limitMs = this.#attemptLimitMs();
    if (limitMs !== null) {
      attempt.timer = this.#platform.stack.after(limitMs, () => this.#tooSlow(attempt, limitMs));
    }
    attempt.request = this.#nodes
      .link(endpoint)
      .request((requestId) => this.#request.build(requestId), {
        onReply: (reply) => this.#replied(endpoint, reply),
        onFailure: (error, sent) => this.#connectionFailed(endpoint, error, sent),
      });
  }

  #attemptLimitMs(): number | null {
    const { effect, pinnedTo } = this.#request;
    if (effect === "write" || pinnedTo !== null) return null;
    const { timeoutMs } = this.#options;
    return effect === "read"
      ? Math.max(READ_ATTEMPT_MIN_MS, timeoutMs * READ_ATTEMPT_PART)
      : Math.max(WRITE_ATTEMPT_MIN_MS, timeoutMs * WRITE_ATTEMPT_PART);
  }

  #replied(endpoint: string, reply: ClientReply): void {
    this.#endAttempt();
    if (reply.type === "ErrorReply") {
      this.#refused(endpoint, reply);
      return;
    }
    const result = this.#request.read(reply);
    if (result !== null) {
      this.#settle();
      this.#resolve(result);
      return;
    }
    const message = `it answered a ${this.#request.verb} with a ${reply.type}`;
    const error = new ConnectionError("protocol", endpoint, { message });
    this.#connectionFailed(endpoint, error, true);
  }

  #refused(endpoint: string, reply: ErrorReply): void {
    const error = new AnswerError(reply);
    this.#lastAnswer = error;
    this.#log.add(endpoint, this.#nodes.nodeIdAt(endpoint), error);
    if (!this.#mayRetry(reply)) {
      this.#fail(reply.code, this.#outcomeOf(reply), reply.message, error);
      return;
    }
    if (reply.outcome === "unknown") this.#mayHaveEffect = true;
    const redirect = this.#redirectOf(reply);
    if (redirect !== null) {
      this.#send(redirect);
      return;
    }
    // None of these makes another node the leader.
    if (!PASSING_CODES.has(reply.code)) this.#nodes.forgetLeader(endpoint);
    this.#retry();
  }

  #mayRetry({ code, outcome }: ErrorReply): boolean {
    const isFinal = FINAL_CODES.has(code);
    const isSafe = outcome === "notApplied" || this.#request.effect !== "write";
    return isSafe && !isFinal && this.#request.pinnedTo === null;
  }

  /** A condition that failed is the answer to the first of all attempts: the others are copies. */
  #outcomeOf({ code, outcome }: ErrorReply): Outcome {
    if (this.#request.effect === "read" || code === "conditionFailed") return "notApplied";
    return this.#mayHaveEffect ? "unknown" : outcome;
  }

  /** Followed at once, but not back to where this came from: that is how loops begin. */
  #redirectOf({ leaderId, leaderAddress }: ErrorReply): string | null {
    if (leaderAddress === null || this.#request.need === "any") return null;
    const endpoint = this.#nodes.leaderNamed(leaderId, leaderAddress);
    if (!this.#visited.has(endpoint)) return endpoint;
    this.#nodes.forgetLeader(endpoint);
    return null;
  }

  #connectionFailed(endpoint: string, error: ConnectionError, sent: boolean): void {
    this.#endAttempt();
    this.#log.add(endpoint, this.#nodes.nodeIdAt(endpoint), error);
    this.#nodes.forgetLeader(endpoint);
    this.#failedAt = endpoint;
    if (sent) this.#mayHaveEffect = true;
    if (sent && this.#request.effect === "write") {
      const why = `${describe(this.#log)}; the node may have the ${this.#request.verb}`;
      this.#fail("connectionLost", "unknown", why, error);
    } else if (this.#request.pinnedTo === null) {
      this.#retry();
    } else {
      this.#fail("unreachable", "notApplied", describe(this.#log), error);
    }
  }

  #tooSlow({ endpoint }: CurrentAttempt, limitMs: number): void {
    const message = `no answer within ${Math.round(limitMs)} ms`;
    this.#attempt?.request?.abandon();
    const error = this.#nodes.link(endpoint).timedOut(message);
    this.#connectionFailed(endpoint, error, true);
  }

  /** The first retry at once, the next ones after a while that doubles, drawn at random. */
  #retry(): void {
    this.#retryCount += 1;
    if (this.#retryCount === 1) {
      this.#next();
      return;
    }
    const fullMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.#retryCount - 1));
    const { stack, random } = this.#platform;
    this.#pause = stack.after(fullMs * (0.5 + random() / 2), () => this.#next());
  }

  #endAttempt(): void {
    this.#attempt?.timer?.cancel();
    this.#attempt = null;
  }

  /** After a stall of this process an answer may wait in the socket: two turns read it. */
  #drainThenTimeOut(): void {
    const { stack } = this.#platform;
    stack.soon(() => stack.soon(() => this.#timeOut()));
  }

  #timeOut(): void {
    if (this.#settled) return;
    const attempt = this.#attempt;
    if (this.#stopWaiting !== null) this.#log.merge(this.#search.attempts());
    if (attempt !== null) {
      const message =
        attempt.request?.sent === true ? "no answer in time" : "no connection in time";
      const error = this.#nodes.link(attempt.endpoint).timedOut(message);
      this.#log.add(attempt.endpoint, this.#nodes.nodeIdAt(attempt.endpoint), error);
    }
    const after = `${this.#request.verb} gave up after ${this.#options.timeoutMs} ms`;
    const why = `${after}: ${describe(this.#log)}`;
    this.#fail(this.#timeOutCode(), this.#presentOutcome(), why);
  }

  #timeOutCode(): ClientErrorCode {
    if (this.#attempt?.request?.sent === true) return "timeout";
    const { code } = this.#lastAnswer ?? {};
    if (code !== undefined && PASSING_CODES.has(code)) return code;
    const wasAnswered = this.#log.list().some(({ error }) => error instanceof AnswerError);
    return wasAnswered ? "noLeader" : "unreachable";
  }

  #presentOutcome(): Outcome {
    const isWithNode = this.#attempt?.request?.sent === true || this.#mayHaveEffect;
    return isWithNode && this.#request.effect !== "read" ? "unknown" : "notApplied";
  }

  #fail(code: ClientErrorCode, outcome: Outcome, message: string, cause?: unknown): void {
    if (this.#settled) return;
    this.#settle();
    const attempts = this.#log.list();
    this.#reject(new RequestError(code, outcome, { message, attempts, cause }));
  }

  #settle(): void {
    this.#settled = true;
    this.#deadline.cancel();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#pause?.cancel();
    this.#stopWaiting?.();
    this.#attempt?.request?.abandon();
    this.#endAttempt();
  }
}

function describe(log: AttemptLog): string {
  const attempts = log.list().map((attempt) => describeAttempt(attempt));
  return attempts.length === 0 ? "no endpoint was tried" : attempts.join("; ");
}
