import type { Painter } from "./colors.ts";
import { painterFor } from "./colors.ts";
import type { JsonValue } from "./json.ts";
import { jsonDocument } from "./json.ts";
import type { Table } from "./table.ts";
import { alignedTable, boxedTable, tabSeparated } from "./table.ts";

export const OUTPUT_FORMATS = ["simple", "table", "json"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Where text goes: a stream of the process, or a collector in a test. */
export interface TextSink {
  readonly isTTY?: boolean;
  write(chunk: string | Uint8Array): unknown;
}

interface PrinterOptions {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly format: OutputFormat;
  readonly color: boolean;
  /** Only results and errors. */
  readonly quiet: boolean;
  /** Also how a target was found and what each node answered, on stderr. */
  readonly verbose: boolean;
}

/** Results on stdout, words about the work on stderr; JSON replaces every result by one document. */
export class Printer {
  readonly format: OutputFormat;
  readonly isTerminal: boolean;
  readonly paint: Painter;
  readonly paintError: Painter;
  readonly #options: PrinterOptions;

  constructor(options: PrinterOptions) {
    this.#options = options;
    this.format = options.format;
    this.isTerminal = options.stdout.isTTY === true;
    this.paint = painterFor(options.stdout, options.environment, options.color);
    this.paintError = painterFor(options.stderr, options.environment, options.color);
  }

  /** A sentence of the result. Left out in JSON and with `-q`. */
  line(text: string): void {
    if (this.format === "json" || this.#options.quiet) return;
    this.#options.stdout.write(`${text}\n`);
  }

  /** A table of the result. Left out in JSON. `readable`: aligned with headings even in a pipe. */
  table(table: Table, layout: "scripted" | "readable" = "scripted"): void {
    if (this.format === "json") return;
    for (const line of this.#layOut(table, layout)) this.#options.stdout.write(`${line}\n`);
  }

  #layOut(table: Table, layout: "scripted" | "readable"): string[] {
    if (this.format === "table") return boxedTable(table);
    return this.isTerminal || layout === "readable" ? alignedTable(table) : tabSeparated(table);
  }

  /** Bytes of the result, exactly. */
  bytes(value: string | Uint8Array): void {
    this.#options.stdout.write(value);
  }

  /** The result as one JSON document. Left out in the other formats. */
  document(kind: string, fields: Readonly<Record<string, JsonValue>>): void {
    if (this.format === "json") this.#options.stdout.write(jsonDocument(kind, fields));
  }

  /** Words about the work, on stderr. Left out with `-q`. */
  note(text: string): void {
    if (!this.#options.quiet) this.#options.stderr.write(`${text}\n`);
  }

  /** How far the work is, on stderr: only for a person who waits, at a terminal. */
  progress(text: string): void {
    if (this.#options.stderr.isTTY === true && !this.#options.quiet) {
      this.#options.stderr.write(`  ${this.paintError("dim", text)}\n`);
    }
  }

  /** What happened inside, on stderr, with `-v`. */
  trace(text: string): void {
    if (this.#options.verbose) this.#options.stderr.write(`- ${text}\n`);
  }

  /** Text on stderr, whatever was asked for. */
  error(text: string): void {
    this.#options.stderr.write(text);
  }
}
