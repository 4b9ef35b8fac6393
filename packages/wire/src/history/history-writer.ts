import type { HistoryHeader, Operation } from "./operation.ts";

/** An operation as its line, without the line feed. */
export function formatOperation(operation: Operation): string {
  return JSON.stringify(operation);
}

/**
 * Writes a history as NDJSON into a sink, a line at a time: the header at once, every operation
 * when it is appended. It buffers nothing and opens nothing: the sink decides where the text goes
 * and what is durable.
 */
export class HistoryWriter {
  readonly #sink: (text: string) => unknown;
  #operations = 0;

  constructor(sink: (text: string) => unknown, header: HistoryHeader = { history: 1 }) {
    this.#sink = sink;
    sink(`${JSON.stringify(header)}\n`);
  }

  /** Operations appended so far. */
  get operations(): number {
    return this.#operations;
  }

  append(operation: Operation): void {
    this.#operations++;
    this.#sink(`${formatOperation(operation)}\n`);
  }
}
