import { appendFileSync } from "node:fs";
import type { Fault, FaultOutcome } from "./faults/fault.ts";

/** From the onset until something that was asked for after it was acknowledged; null: not yet. */
export interface Recovery {
  servedAfterMs: number | null;
}

/** One fault of a run, from its onset to the moment when its nodes were back. */
export interface FaultRecord {
  readonly number: number;
  readonly fault: Fault;
  readonly targets: readonly string[];
  /** What was meant to happen. */
  readonly text: string;
  readonly onsetMs: number;
  readonly endMs: number;
  readonly outcome: FaultOutcome;
  readonly recovery: Recovery;
}

/** All that was done to a cluster, in a file as it happens. */
export class FaultLog {
  readonly #path: string;
  readonly #records: FaultRecord[] = [];
  readonly #startMs = performance.now();

  constructor(path: string) {
    this.#path = path;
  }

  get records(): readonly FaultRecord[] {
    return this.#records;
  }

  /** How many faults took effect. */
  get firedCount(): number {
    return this.#records.filter(({ outcome }) => outcome.kind === "fired").length;
  }

  /** Something worth knowing when the log is read. */
  note(what: string, facts: Readonly<Record<string, unknown>> = {}): void {
    const wall = new Date().toISOString();
    const line = { atMs: Math.round(performance.now() - this.#startMs), wall, what, ...facts };
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }

  add(record: FaultRecord): void {
    this.#records.push(record);
    const { fault, number, targets, text, outcome } = record;
    this.note(`end of ${fault.kind} ${fault.shape}`, {
      number,
      targets,
      text,
      outcome,
      lastedMs: Math.round(record.endMs - record.onsetMs),
      servedAfterMs: record.recovery.servedAfterMs,
    });
  }
}
