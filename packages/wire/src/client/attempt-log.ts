import type { NodeId } from "../ids.ts";
import type { ConnectionError } from "../net/index.ts";
import type { AnswerError, Attempt } from "./request-error.ts";

/** What was tried, one line an endpoint, so that it stays small however often it is retried. */
export class AttemptLog {
  readonly #attempts: Map<string, Attempt> = new Map();

  add(endpoint: string, nodeId: NodeId | null, error: ConnectionError | AnswerError): void {
    this.#attempts.set(endpoint, { endpoint, nodeId, error });
  }

  has(endpoint: string): boolean {
    return this.#attempts.has(endpoint);
  }

  /** Replaces what is known by what `newer` knows of the same endpoints. */
  merge(newer: Iterable<Attempt>): void {
    for (const attempt of newer) this.#attempts.set(attempt.endpoint, attempt);
  }

  clear(): void {
    this.#attempts.clear();
  }

  list(): Attempt[] {
    return [...this.#attempts.values()];
  }
}
