import type { KeyValue } from "@quorate/wire";
import type { GetOptions, QuorateClient } from "@quorate/wire/client";
import { RequestError } from "@quorate/wire/client";
import type { Operation } from "@quorate/wire/history";
import { historyBytes } from "@quorate/wire/history";

import type { Acknowledged } from "./acknowledged.ts";
import type { OperationTimes, RecordedTimes } from "./operation-clock.ts";
import { OperationClock } from "./operation-clock.ts";

export type OperationOutcome = "ok" | "failed" | "unknown";

export interface OperationRunnerOptions {
  /** Of the client in the history. */
  readonly name: string;
  readonly client: QuorateClient;
  readonly acknowledged: Acknowledged;
  readonly record: (operation: Operation) => void;
  /** A write took effect: both times in ms. */
  readonly onAcknowledged: (callMs: number, returnMs: number) => void;
  readonly valueCharacters: number;
}

/** What a read was answered; null: it was not. */
export interface ReadResult {
  readonly outcome: OperationOutcome;
  readonly found: KeyValue | null;
}

/** A write as it is recorded: keys and values of a workload are text. */
type Write =
  | { kind: "put"; key: string; value: string; ifRevision?: number }
  | { kind: "delete"; key: string; ifRevision?: number };

/** Does one operation after the other, and records each: the times around it, and its outcome. */
export class OperationRunner {
  readonly #options: OperationRunnerOptions;
  /** Writes of this client whose outcome nobody knows: it has another name after each. */
  #retired = 0;
  readonly #clock = new OperationClock();
  #values = 0;

  constructor(options: OperationRunnerOptions) {
    this.#options = options;
  }

  /** A value that nobody has written before: it begins with `text`. */
  newValue(text = ""): string {
    this.#values += 1;
    const value = `${text}${this.#options.name}.${this.#values}`;
    return value.padEnd(this.#options.valueCharacters, ".");
  }

  /** A linearizable read. Without an answer it is not recorded: it can have had no effect. */
  async get(key: string, options: GetOptions): Promise<ReadResult> {
    const callMs = performance.now();
    const answer = await settle(this.#options.client.get(key, options));
    const times = { callMs, returnMs: performance.now() };
    if (answer instanceof RequestError) return { outcome: "failed", found: null };
    const { found, appliedIndex } = answer;
    const value = found === null ? null : historyBytes(found.value);
    this.#record({
      ...this.#ended(times),
      op: { kind: "get", key },
      outcome: "ok",
      result: { value, revision: found?.modRevision ?? 0 },
      index: appliedIndex,
    });
    return { outcome: "ok", found };
  }

  /** Only where the key's modRevision is `ifRevision`; null: always. */
  async put(key: string, value: string, ifRevision: number | null): Promise<OperationOutcome> {
    const { client, acknowledged } = this.#options;
    const op = { kind: "put", key, value, ...condition(ifRevision) } as const;
    const callMs = performance.now();
    const answer = await settle(client.put(key, value, { ifRevision }));
    const times = { callMs, returnMs: performance.now() };
    if (answer instanceof RequestError) return this.#failed(times, op, answer);
    const { revision, index, created } = answer;
    acknowledged.acknowledged(key, value, revision);
    this.#options.onAcknowledged(times.callMs, times.returnMs);
    const result = { revision, created };
    this.#record({ ...this.#ended(times), op, outcome: "ok", result, index });
    return "ok";
  }

  /** As {@link put}, of no value. */
  async delete(key: string, ifRevision: number | null): Promise<OperationOutcome> {
    const { client, acknowledged } = this.#options;
    const op = { kind: "delete", key, ...condition(ifRevision) } as const;
    const callMs = performance.now();
    const answer = await settle(client.delete(key, { ifRevision }));
    const times = { callMs, returnMs: performance.now() };
    if (answer instanceof RequestError) return this.#failed(times, op, answer);
    const { revision, index, deleted } = answer;
    if (deleted) acknowledged.acknowledged(key, null, revision);
    this.#options.onAcknowledged(times.callMs, times.returnMs);
    const result = { revision, deleted };
    this.#record({ ...this.#ended(times), op, outcome: "ok", result, index });
    return "ok";
  }

  #failed(times: OperationTimes, op: Write, error: RequestError): OperationOutcome {
    const isDecided = error.code === "conditionFailed" && error.outcome === "notApplied";
    if (isDecided) {
      // The store itself has found the condition false, at one moment in between.
      this.#record({
        ...this.#ended(times),
        op,
        outcome: "ok",
        result: { applied: false },
      } as Operation);
      return "ok";
    }
    if (error.outcome === "notApplied") {
      this.#record({ ...this.#ended(times), op, outcome: "fail" } as Operation);
      return "failed";
    }
    this.#options.acknowledged.unknown(op.key, op.kind === "put" ? op.value : null);
    this.#record({ ...this.#ended(times), op, outcome: "info" } as Operation);
    this.#retired += 1;
    return "unknown";
  }

  /** Whoever called, and when. */
  #ended(times: OperationTimes): { client: string } & RecordedTimes {
    const client =
      this.#retired === 0 ? this.#options.name : `${this.#options.name}~${this.#retired}`;
    return { client, ...this.#clock.record(times) };
  }

  #record(operation: Operation): void {
    this.#options.record(operation);
  }
}

function condition(ifRevision: number | null): { ifRevision?: number } {
  return ifRevision === null ? {} : { ifRevision };
}

async function settle<T>(request: Promise<T>): Promise<T | RequestError> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
}
