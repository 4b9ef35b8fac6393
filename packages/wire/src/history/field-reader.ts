import { HistoryError } from "./history-error.ts";
import type { HistoryErrorCode } from "./history-error.ts";
import type { HistoryBytes } from "./operation.ts";

type Fields = Readonly<Record<string, unknown>>;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/u;

/** Reads the fields of one line of a history, and says which of them is wrong. */
export class FieldReader {
  readonly line: number;

  constructor(line: number) {
    this.line = line;
  }

  fail(field: string, message: string, code: HistoryErrorCode = "badField"): never {
    throw new HistoryError(code, `${field}: ${message}`, { line: this.line, field });
  }

  object(value: unknown, field: string): Fields {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Fields;
    }
    this.fail(field, "must be an object");
  }

  list(value: unknown, field: string): readonly unknown[] {
    if (!Array.isArray(value)) this.fail(field, "must be a list");
    return value as readonly unknown[];
  }

  /** Refuses what is not in `known`, so that no condition is ever left out by a wrong name. */
  only(fields: Fields, known: readonly string[], place: string): void {
    for (const name of Object.keys(fields)) {
      if (!known.includes(name)) {
        this.fail(place === "" ? name : `${place}.${name}`, `is not one of ${known.join(", ")}`);
      }
    }
  }

  text(value: unknown, field: string): string {
    if (typeof value !== "string") this.fail(field, "must be text");
    return value;
  }

  flag(value: unknown, field: string): boolean {
    if (typeof value !== "boolean") this.fail(field, "must be true or false");
    return value;
  }

  time(value: unknown, field: string): number {
    if (typeof value === "number" && Number.isFinite(value)) return value + 0; // -0 becomes 0
    this.fail(field, "must be a number of microseconds");
  }

  /** A revision, a log position, a limit. */
  count(value: unknown, field: string): number {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value + 0;
    this.fail(field, "must be a whole number from 0 to 2^53 - 1");
  }

  bytes(value: unknown, field: string): HistoryBytes {
    if (typeof value === "string") {
      if (!value.isWellFormed()) this.fail(field, 'holds half a surrogate pair: use {"b64": …}');
      return value;
    }
    const fields = this.object(value, field);
    const { b64 } = fields as { readonly b64?: unknown };
    if (typeof b64 !== "string" || !BASE64.test(b64) || Object.keys(fields).length !== 1) {
      this.fail(field, 'must be text or {"b64": …} and nothing else');
    }
    return { b64 };
  }

  bytesOrNull(value: unknown, field: string): HistoryBytes | null {
    return value === null ? null : this.bytes(value, field);
  }
}
