import { bytesOfHistory } from "./history-bytes.ts";
import type {
  Compare,
  GetAnswer,
  HistoryBytes,
  Operation,
  RangeAnswer,
  TransactionAnswer,
  TransactionStep,
  WatchAnswer,
  WriteAnswer,
} from "./operation.ts";

const BYTES_SHOWN = 24;

/** For people: the text, cut short, or how many bytes of what. */
export function describeBytes(bytes: HistoryBytes | null): string {
  if (bytes === null) return "nothing";
  if (typeof bytes === "string") {
    const shown = cut(bytes);
    return /^[\w.:/@+-]+$/u.test(bytes) ? shown : JSON.stringify(shown);
  }
  return `${bytesOfHistory(bytes).length} bytes ${cut(bytes.b64)}`;
}

function cut(text: string): string {
  return text.length <= BYTES_SHOWN ? text : `${text.slice(0, BYTES_SHOWN - 1)}…`;
}

/** What was asked and answered, in a line: `get k → v`. */
export function describeOperation(operation: Operation): string {
  const asked = describeAsked(operation);
  if (operation.outcome === "fail") return `${asked} → failed`;
  if (operation.outcome === "info") return `${asked} → ?`;
  return `${asked} → ${describeAnswer(operation)}`;
}

function describeAsked({ op }: Operation): string {
  switch (op.kind) {
    case "get":
      return `get ${describeBytes(op.key)}`;
    case "put": {
      const conditions = [
        ...(op.ifRevision === undefined ? [] : [`at revision ${op.ifRevision}`]),
        ...(op.expect === undefined ? [] : [`where ${describeBytes(op.expect)}`]),
      ];
      const condition = conditions.length === 0 ? "" : ` ${conditions.join(", ")}`;
      return `put ${describeBytes(op.key)} = ${describeBytes(op.value)}${condition}`;
    }
    case "delete":
      return `delete ${describeBytes(op.key)}${
        op.ifRevision === undefined ? "" : ` at revision ${op.ifRevision}`
      }`;
    case "cas":
      return `cas ${describeBytes(op.key)}: ${describeBytes(op.expect)} to ${describeBytes(op.value)}`;
    case "txn": {
      const compares = op.compares.map(describeCompare).join(" and ");
      const success = op.success.map(describeStep).join(", ");
      const failure =
        op.failure.length === 0 ? "" : ` else ${op.failure.map(describeStep).join(", ")}`;
      return `txn ${compares === "" ? "" : `if ${compares} then `}${success}${failure}`;
    }
    case "range":
      return `range ${describeBytes(op.from)} to ${op.to === null ? "the end" : describeBytes(op.to)}${
        op.limit === undefined ? "" : `, at most ${op.limit}`
      }`;
    case "watch":
      return `watch ${describeBytes(op.from)} to ${
        op.to === null ? "the end" : describeBytes(op.to)
      } from revision ${op.fromRevision}`;
  }
}

function describeCompare(compare: Compare): string {
  if ("revision" in compare) return `${describeBytes(compare.key)} is at ${compare.revision}`;
  return `${describeBytes(compare.key)} is ${describeBytes(compare.value)}`;
}

function describeStep(step: TransactionStep): string {
  if (step.kind !== "put") return `${step.kind} ${describeBytes(step.key)}`;
  return `put ${describeBytes(step.key)} = ${describeBytes(step.value)}`;
}

function describeAnswer(operation: Operation & { readonly outcome: "ok" }): string {
  const { op, result } = operation;
  switch (op.kind) {
    case "get":
      return describeGet(result as GetAnswer);
    case "put":
    case "delete":
    case "cas":
      return describeWrite(result as WriteAnswer);
    case "txn": {
      const { succeeded, results = [], revision } = result as TransactionAnswer;
      const told = results.map((one) => ("value" in one ? describeGet(one) : describeWrite(one)));
      return [succeeded ? "true" : "false", ...told, ...revisionOf(revision)].join(", ");
    }
    case "range": {
      const { entries } = result as RangeAnswer;
      const shown = entries.slice(0, 4).map((entry) => {
        return `${describeBytes(entry.key)} = ${describeBytes(entry.value)}`;
      });
      if (entries.length > shown.length) shown.push(`${entries.length - shown.length} more`);
      return entries.length === 0 ? "no key" : shown.join(", ");
    }
    case "watch": {
      const { events } = result as WatchAnswer;
      return `${events.length} event${events.length === 1 ? "" : "s"}`;
    }
  }
}

function revisionOf(revision: number | undefined): string[] {
  return revision === undefined ? [] : [`revision ${revision}`];
}

function describeGet({ value, revision }: GetAnswer): string {
  return [describeBytes(value), ...(value === null ? [] : revisionOf(revision))].join(", ");
}

function describeWrite(answer: WriteAnswer): string {
  if (answer.applied === false) return "condition false";
  const existed = answer.created === undefined ? answer.deleted : !answer.created;
  const presence = existed === undefined ? [] : [existed ? "was there" : "was not there"];
  return ["ok", ...presence, ...revisionOf(answer.revision)].join(", ");
}
