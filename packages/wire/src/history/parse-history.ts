import { FieldReader } from "./field-reader.ts";
import { HistoryError } from "./history-error.ts";
import type { History, HistoryHeader, InitialEntry, Operation } from "./operation.ts";
import { readOperation } from "./parse-operation.ts";

type Fields = Readonly<Record<string, unknown>>;

const NO_HEADER: HistoryHeader = { history: 1 };

/**
 * Reads a history from its lines (NDJSON): a header or none, then operations in any order. Empty
 * lines are passed over. Rejects with {@link HistoryError}, which names the line.
 */
export async function parseHistory(
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<History> {
  const operations: Operation[] = [];
  let header = NO_HEADER;
  let line = 0;
  let isFirst = true;
  for await (const text of lines) {
    line++;
    if (text === "" || text.trim() === "") continue;
    const read = new FieldReader(line);
    const fields = parseLine(read, text);
    if (isFirst && "history" in fields) header = readHeader(read, fields);
    else operations.push(readOperation(read, fields));
    isFirst = false;
  }
  return { header, operations };
}

function parseLine(read: FieldReader, text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HistoryError("notJson", `is not JSON: ${reason}`, { line: read.line, cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new HistoryError("notJson", "must be a JSON object", { line: read.line });
}

function readHeader(read: FieldReader, fields: Fields): HistoryHeader {
  read.only(fields, ["history", "note", "initial"], "");
  if (fields["history"] !== 1) {
    read.fail("history", "only version 1 of the format is known", "badHeader");
  }
  const { note, initial } = fields as { readonly note?: unknown; readonly initial?: unknown };
  const entries = initial === undefined ? [] : read.list(initial, "initial");
  return {
    history: 1,
    ...(note === undefined ? {} : { note: read.text(note, "note") }),
    ...(initial === undefined
      ? {}
      : { initial: entries.map((entry, at) => readInitial(read, entry, `initial[${at}]`)) }),
  };
}

function readInitial(read: FieldReader, value: unknown, place: string): InitialEntry {
  const entry = read.object(value, place);
  read.only(entry, ["key", "value", "revision"], place);
  const key = read.bytes(entry["key"], `${place}.key`);
  const held = { key, value: read.bytes(entry["value"], `${place}.value`) };
  if (entry["revision"] === undefined) return held;
  return { ...held, revision: read.count(entry["revision"], `${place}.revision`) };
}
