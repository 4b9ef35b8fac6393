import type { ErrorReply, Outcome, RequestErrorCode } from "../client-messages.ts";
import { QuorateError } from "../errors.ts";
import type { NodeId } from "../ids.ts";
import type { ConnectionError } from "../net/index.ts";

/** A node answered a request with a refusal. */
export class AnswerError extends QuorateError {
  override readonly name = "AnswerError";
  override readonly code: RequestErrorCode;
  /** What the node itself knows about an effect of the request. */
  readonly outcome: Outcome;
  readonly leaderId: NodeId | null;
  /** `host:port`. */
  readonly leaderAddress: string | null;

  constructor(reply: ErrorReply) {
    super(reply.message);
    this.code = reply.code;
    this.outcome = reply.outcome;
    this.leaderId = reply.leaderId;
    this.leaderAddress = reply.leaderAddress;
  }
}

/** What became of a request at one endpoint: the newest failure there. */
export interface Attempt {
  /** `host:port`. */
  readonly endpoint: string;
  /** The node there; null while none was ever reached. */
  readonly nodeId: NodeId | null;
  readonly error: ConnectionError | AnswerError;
}

/**
 * What a client adds to the codes that nodes answer with:
 * - `unreachable`: no endpoint could be connected to.
 * - `timeout`: a node has the request, and did not answer in time.
 * - `connectionLost`: the connection broke after a write was sent; never reported for a read.
 * - `canceled`: the caller's signal. `closed`: the client was closed.
 * - `tooManyOutstanding`: the client has as many requests under way as it takes.
 */
export type ClientErrorCode =
  | RequestErrorCode
  | "unreachable"
  | "timeout"
  | "connectionLost"
  | "canceled"
  | "closed"
  | "tooManyOutstanding";

/** A request that failed for good, after every retry that was safe. */
export class RequestError extends QuorateError {
  override readonly name = "RequestError";
  override readonly code: ClientErrorCode;
  /**
   * `notApplied`: it had no effect and never will. `unknown`: a node may have it, and it may
   * take effect even later; never reported for a read.
   */
  readonly outcome: Outcome;
  /** One for each endpoint that was tried, in the order of the first failures. */
  readonly attempts: readonly Attempt[];

  constructor(
    code: ClientErrorCode,
    outcome: Outcome,
    details: { message: string; attempts?: readonly Attempt[]; cause?: unknown },
  ) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.outcome = outcome;
    this.attempts = details.attempts ?? [];
  }
}

/** One line for people: `n1 (127.0.0.1:7001): connection refused`. */
export function describeAttempt({ endpoint, nodeId, error }: Attempt): string {
  const where = nodeId === null ? endpoint : `${nodeId} (${endpoint})`;
  const prefix = `${endpoint}: `;
  const what = error.message.startsWith(prefix)
    ? error.message.slice(prefix.length)
    : error.message;
  return `${where}: ${what}`;
}
