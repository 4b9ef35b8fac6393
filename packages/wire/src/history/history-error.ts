import { QuorateError } from "../errors.ts";

/**
 * - `notJson`: the line is no JSON object.
 * - `badHeader`: the first line is a header, of another version or with wrong fields.
 * - `badField`: a field is missing, unknown in its place, or outside its type or range.
 * - `badTime`: an operation returns before it was called.
 */
export type HistoryErrorCode = "notJson" | "badHeader" | "badField" | "badTime";

/** A line that is no operation. Nothing of the history may be used. */
export class HistoryError extends QuorateError {
  override readonly name = "HistoryError";
  override readonly code: HistoryErrorCode;
  /** The line at fault, counted from 1. */
  readonly line: number;
  /** The field at fault, as `result.value`; null where the fault is in no single field. */
  readonly field: string | null;

  constructor(
    code: HistoryErrorCode,
    message: string,
    place: ErrorOptions & { readonly line: number; readonly field?: string },
  ) {
    super(`line ${place.line}: ${message}`, place);
    this.code = code;
    this.line = place.line;
    this.field = place.field ?? null;
  }
}
