import type { FieldReader } from "./field-reader.ts";
import type {
  Compare,
  GetAnswer,
  HistoryOperationBody,
  Operation,
  RangeEntry,
  TransactionStep,
  WatchEvent,
  WriteAnswer,
} from "./operation.ts";

type Fields = Readonly<Record<string, unknown>>;

const OPERATION_FIELDS = ["client", "call", "return", "op", "outcome", "result", "index"];

/** One line's object as an operation. Throws HistoryError. */
export function readOperation(read: FieldReader, fields: Fields): Operation {
  read.only(fields, OPERATION_FIELDS, "");
  const client = read.text(fields["client"], "client");
  const call = read.time(fields["call"], "call");
  const op = readBody(read, fields["op"]);
  const outcome = fields["outcome"];
  if (outcome === "info")
    return { client, call, op, outcome, ...giveUp(read, fields) } as Operation;
  const end = read.time(fields["return"], "return");
  if (end < call) read.fail("return", "lies before the call", "badTime");
  if (outcome === "fail") return { client, call, return: end, op, outcome } as Operation;
  if (outcome !== "ok") read.fail("outcome", "must be ok, fail or info");
  const result = readAnswer(read, op, read.object(fields["result"], "result"));
  const known = { client, call, return: end, op, outcome, result };
  const { index } = fields as { readonly index?: unknown };
  if (index === undefined) return known as Operation;
  return { ...known, index: read.count(index, "index") } as Operation;
}

function giveUp(read: FieldReader, fields: Fields): { readonly return?: number } {
  const end = fields["return"];
  return end === undefined || end === null ? {} : { return: read.time(end, "return") };
}

function readBody(read: FieldReader, value: unknown): HistoryOperationBody {
  const op = read.object(value, "op");
  const { kind } = op as { readonly kind?: unknown };
  switch (kind) {
    case "get":
      read.only(op, ["kind", "key"], "op");
      return { kind, key: read.bytes(op["key"], "op.key") };
    case "put":
      return readPut(read, op);
    case "delete":
      read.only(op, ["kind", "key", "ifRevision"], "op");
      return { kind, key: read.bytes(op["key"], "op.key"), ...ifRevisionOf(read, op) };
    case "cas":
      read.only(op, ["kind", "key", "expect", "value"], "op");
      return {
        kind,
        key: read.bytes(op["key"], "op.key"),
        expect: read.bytesOrNull(op["expect"], "op.expect"),
        value: read.bytes(op["value"], "op.value"),
      };
    case "txn":
      return readTransaction(read, op);
    case "range":
      return readRange(read, op);
    case "watch":
      read.only(op, ["kind", "from", "to", "fromRevision"], "op");
      return {
        kind,
        from: read.bytes(op["from"], "op.from"),
        to: read.bytesOrNull(op["to"] ?? null, "op.to"),
        fromRevision: read.count(op["fromRevision"], "op.fromRevision"),
      };
    default:
      return read.fail("op.kind", "must be get, put, delete, cas, txn, range or watch");
  }
}

function ifRevisionOf(read: FieldReader, op: Fields): { readonly ifRevision?: number } {
  const value = op["ifRevision"];
  return value === undefined ? {} : { ifRevision: read.count(value, "op.ifRevision") };
}

function readPut(read: FieldReader, op: Fields): HistoryOperationBody {
  read.only(op, ["kind", "key", "value", "ifRevision", "expect"], "op");
  const put = {
    kind: "put",
    key: read.bytes(op["key"], "op.key"),
    value: read.bytes(op["value"], "op.value"),
    ...ifRevisionOf(read, op),
  } as const;
  if (op["expect"] === undefined) return put;
  return { ...put, expect: read.bytesOrNull(op["expect"], "op.expect") };
}

function readRange(read: FieldReader, op: Fields): HistoryOperationBody {
  read.only(op, ["kind", "from", "to", "limit"], "op");
  const range = {
    kind: "range",
    from: read.bytes(op["from"], "op.from"),
    to: read.bytesOrNull(op["to"] ?? null, "op.to"),
  } as const;
  if (op["limit"] === undefined) return range;
  const limit = read.count(op["limit"], "op.limit");
  if (limit === 0) read.fail("op.limit", "must be at least 1");
  return { ...range, limit };
}

function readTransaction(read: FieldReader, op: Fields): HistoryOperationBody {
  read.only(op, ["kind", "compares", "success", "failure"], "op");
  const compares = read.list(op["compares"] ?? [], "op.compares");
  const steps = (branch: string): TransactionStep[] =>
    read
      .list(op[branch] ?? [], `op.${branch}`)
      .map((step, at) => readStep(read, step, `op.${branch}[${at}]`));
  return {
    kind: "txn",
    compares: compares.map((compare, at) => readCompare(read, compare, `op.compares[${at}]`)),
    success: steps("success"),
    failure: steps("failure"),
  };
}

function readCompare(read: FieldReader, value: unknown, field: string): Compare {
  const compare = read.object(value, field);
  const key = read.bytes(compare["key"], `${field}.key`);
  if (compare["revision"] === undefined) {
    read.only(compare, ["key", "value"], field);
    return { key, value: read.bytesOrNull(compare["value"], `${field}.value`) };
  }
  read.only(compare, ["key", "revision"], field);
  return { key, revision: read.count(compare["revision"], `${field}.revision`) };
}

function readStep(read: FieldReader, value: unknown, field: string): TransactionStep {
  const step = read.object(value, field);
  const key = read.bytes(step["key"], `${field}.key`);
  const { kind } = step as { readonly kind?: unknown };
  read.only(step, kind === "put" ? ["kind", "key", "value"] : ["kind", "key"], field);
  if (kind === "put") return { kind, key, value: read.bytes(step["value"], `${field}.value`) };
  if (kind === "get" || kind === "delete") return { kind, key };
  return read.fail(`${field}.kind`, "must be get, put or delete");
}

function readAnswer(read: FieldReader, op: HistoryOperationBody, result: Fields): object {
  switch (op.kind) {
    case "get":
      return readGetAnswer(read, result, "result");
    case "put":
    case "delete":
    case "cas":
      return readWriteAnswer(read, result, "result");
    case "txn": {
      read.only(result, ["succeeded", "results", "revision"], "result");
      const succeeded = read.flag(result["succeeded"], "result.succeeded");
      const steps = succeeded ? op.success : op.failure;
      return { succeeded, ...stepAnswersOf(read, steps, result), ...revisionOf(read, result) };
    }
    case "range":
      read.only(result, ["entries"], "result");
      return {
        entries: read
          .list(result["entries"], "result.entries")
          .map((entry, at) => readEntry(read, entry, `result.entries[${at}]`)),
      };
    case "watch":
      return readWatchAnswer(read, result);
  }
}

function revisionOf(
  read: FieldReader,
  fields: Fields,
  place = "result",
): { readonly revision?: number } {
  const value = fields["revision"];
  return value === undefined ? {} : { revision: read.count(value, `${place}.revision`) };
}

function readGetAnswer(read: FieldReader, result: Fields, place: string): GetAnswer {
  read.only(result, ["value", "revision"], place);
  const value = read.bytesOrNull(result["value"], `${place}.value`);
  return { value, ...revisionOf(read, result, place) };
}

function readWriteAnswer(read: FieldReader, result: Fields, place: string): WriteAnswer {
  read.only(result, ["applied", "revision", "created", "deleted"], place);
  const flags: Record<string, boolean> = {};
  for (const name of ["applied", "created", "deleted"]) {
    const value = result[name];
    if (value !== undefined) flags[name] = read.flag(value, `${place}.${name}`);
  }
  return { ...flags, ...revisionOf(read, result, place) };
}

function stepAnswersOf(
  read: FieldReader,
  steps: readonly TransactionStep[],
  result: Fields,
): { readonly results?: readonly (GetAnswer | WriteAnswer)[] } {
  if (result["results"] === undefined) return {};
  const results = read.list(result["results"], "result.results");
  if (results.length !== steps.length) {
    read.fail("result.results", `has ${results.length} answers for ${steps.length} steps`);
  }
  return {
    results: results.map((answer, at) => {
      const place = `result.results[${at}]`;
      const fields = read.object(answer, place);
      return steps[at]?.kind === "get"
        ? readGetAnswer(read, fields, place)
        : readWriteAnswer(read, fields, place);
    }),
  };
}

function readEntry(read: FieldReader, value: unknown, place: string): RangeEntry {
  const entry = read.object(value, place);
  read.only(entry, ["key", "value", "revision"], place);
  return {
    key: read.bytes(entry["key"], `${place}.key`),
    value: read.bytes(entry["value"], `${place}.value`),
    ...revisionOf(read, entry, place),
  };
}

function readWatchAnswer(read: FieldReader, result: Fields): object {
  read.only(result, ["events", "throughRevision"], "result");
  const events = read
    .list(result["events"], "result.events")
    .map((event, at) => readEvent(read, event, `result.events[${at}]`));
  const through = result["throughRevision"];
  if (through === undefined) return { events };
  return { events, throughRevision: read.count(through, "result.throughRevision") };
}

function readEvent(read: FieldReader, value: unknown, place: string): WatchEvent {
  const event = read.object(value, place);
  const { kind } = event as { readonly kind?: unknown };
  const key = read.bytes(event["key"], `${place}.key`);
  const revision = read.count(event["revision"], `${place}.revision`);
  if (kind === "put") {
    read.only(event, ["kind", "key", "value", "revision"], place);
    return { kind, key, revision, value: read.bytes(event["value"], `${place}.value`) };
  }
  read.only(event, ["kind", "key", "revision"], place);
  if (kind !== "delete") read.fail(`${place}.kind`, "must be put or delete");
  return { kind, key, revision };
}
