import { QuorateError } from "@quorate/wire";

import type { ExitReason } from "./exit-codes.ts";
import { jsonDocument } from "./output/json.ts";
import type { Printer } from "./output/printer.ts";

interface ErrorParts {
  /** Facts that explain it, most telling first: at most three are shown. */
  readonly why?: readonly string[];
  /** Commands that repair it. */
  readonly try?: readonly string[];
  readonly cause?: unknown;
}

/** Why a command did not do its work: what, why, and what to try. `code` gives the exit code. */
export class CommandError extends QuorateError {
  override readonly name = "CommandError";
  readonly code: ExitReason;
  readonly why: readonly string[];
  readonly remedies: readonly string[];

  constructor(code: ExitReason, what: string, parts: ErrorParts = {}) {
    super(what, { cause: parts.cause });
    this.code = code;
    this.why = (parts.why ?? []).slice(0, 3);
    this.remedies = parts.try ?? [];
  }
}

/** The error as lines for people: `error:`, `why:`, `try:`. */
export function errorLines(error: CommandError, paint: Printer["paint"]): string[] {
  const lines = [`${paint("bad", "error:")} ${error.message}`];
  error.why.forEach((fact, offset) => {
    lines.push(`${offset === 0 ? "  why:  " : "        "}${fact}`);
  });
  if (error.remedies.length > 0) lines.push(`  try:  ${error.remedies.join("   ·   ")}`);
  return lines;
}

/** Writes the error to stderr: lines, or with `-o json` one document with the same fields. */
export function printError(printer: Printer, error: CommandError, exitCode: number): void {
  if (printer.format !== "json") {
    printer.error(`${errorLines(error, printer.paintError).join("\n")}\n`);
    return;
  }
  const fields = { code: error.code, exitCode, what: error.message };
  printer.error(jsonDocument("Error", { ...fields, why: error.why, try: error.remedies }));
}
