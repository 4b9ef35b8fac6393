import { bytesIdentity, compareBytes } from "./bytes-identity.ts";
import { describeBytes } from "./describe-operation.ts";
import type {
  GetAnswer,
  History,
  HistoryBytes,
  Operation,
  RangeAnswer,
  TransactionAnswer,
  WatchAnswer,
  WatchEvent,
  WatchOperation,
  WriteAnswer,
} from "./operation.ts";
import type { ViolationProblem } from "./verdict.ts";

/** A stream that is not what a stream promises. */
export interface WatchFault {
  readonly problem: ViolationProblem;
  readonly keys: readonly HistoryBytes[];
  /** The stream, and the operation that it is held against. */
  readonly operations: readonly Operation[];
  readonly explanation: string;
}

/** A change that surely happened, and who tells so. */
interface Change {
  readonly key: HistoryBytes;
  /** Null: a delete. */
  readonly value: HistoryBytes | null;
  readonly revision: number;
  readonly told: Operation;
}

type OkWatch = Extract<Operation, { readonly outcome: "ok"; readonly op: WatchOperation }>;

/**
 * Holds every stream against the store's revisions, which number the changes in their order. With
 * or without log positions, this is what is checked of each stream:
 * - ordered: revisions never fall, and start at `fromRevision`;
 * - unique: no change comes twice;
 * - true: the key lies in the range, some operation wrote that value there, not after the stream
 *   ended, and no answer, and no other stream, tells of another change of that key and revision;
 * - gapless: every change of the range that an answer or another stream tells of, from
 *   `fromRevision` to the stream's last revision (or `throughRevision`), is there. So a stream
 *   that resumes right behind another one has nothing missing between them.
 * A change that nobody else tells of, neither its writer nor another stream, cannot be missed.
 */
export function findWatchFault(history: History): WatchFault | null {
  const streams = history.operations.filter(isOkWatch);
  if (streams.length === 0) return null;
  for (const stream of streams) {
    const fault = findDisorder(stream);
    if (fault !== null) return fault;
  }
  const known = new KnownChanges();
  for (const operation of history.operations) known.addAnswer(operation);
  for (const stream of streams) {
    const fault = known.addStream(stream);
    if (fault !== null) return fault;
  }
  const written = writtenValues(history);
  for (const stream of streams) {
    const fault = findPhantomEvent(stream, written) ?? known.findGap(stream);
    if (fault !== null) return fault;
  }
  return null;
}

function isOkWatch(operation: Operation): operation is OkWatch {
  return operation.op.kind === "watch" && operation.outcome === "ok";
}

function eventsOf(stream: OkWatch): readonly WatchEvent[] {
  return (stream.result as WatchAnswer).events;
}

function describeEvent(event: WatchEvent): string {
  const what =
    event.kind === "put"
      ? `put ${describeBytes(event.key)} = ${describeBytes(event.value ?? null)}`
      : `delete ${describeBytes(event.key)}`;
  return `${what} at revision ${event.revision}`;
}

function isInRange(op: WatchOperation, key: HistoryBytes): boolean {
  return compareBytes(key, op.from) >= 0 && (op.to === null || compareBytes(key, op.to) < 0);
}

function faultOf(
  problem: ViolationProblem,
  event: { readonly key: HistoryBytes },
  operations: readonly Operation[],
  explanation: string,
): WatchFault {
  return { problem, keys: [event.key], operations, explanation };
}

/** What a stream shows to be wrong by itself. */
function findDisorder(stream: OkWatch): WatchFault | null {
  const { op, client } = stream;
  let last = op.fromRevision;
  let seen = new Set<string>();
  for (const event of eventsOf(stream)) {
    const what = `${client}'s stream told of ${describeEvent(event)}`;
    if (!isInRange(op, event.key)) {
      return faultOf("watchPhantom", event, [stream], `${what}, which is outside of its range.`);
    }
    if (event.revision < last) {
      const limit = last === op.fromRevision ? "asked for what came from" : "had come to";
      const explanation = `${what} after it ${limit} revision ${last}.`;
      return faultOf("watchOrder", event, [stream], explanation);
    }
    if (event.revision > last) seen = new Set();
    last = event.revision;
    const key = bytesIdentity(event.key);
    if (seen.has(key)) return faultOf("watchDuplicate", event, [stream], `${what} twice.`);
    seen.add(key);
  }
  return null;
}

function findPhantomEvent(
  stream: OkWatch,
  written: ReadonlyMap<string, number>,
): WatchFault | null {
  for (const event of eventsOf(stream)) {
    const call = written.get(writtenKey(event.key, event.kind === "put" ? event.value : null));
    if (call !== undefined && call <= stream.return) continue;
    const why = call === undefined ? "which nobody did" : "before anybody had begun to";
    const explanation = `${stream.client}'s stream told of ${describeEvent(event)}, ${why}.`;
    return faultOf("watchPhantom", event, [stream], explanation);
  }
  return null;
}

function writtenKey(key: HistoryBytes, value: HistoryBytes | null | undefined): string {
  const name = bytesIdentity(key);
  const text = value === null || value === undefined ? "" : `=${bytesIdentity(value)}`;
  // With its length: a key may hold any separator.
  return `${name.length} ${name}${text}`;
}

/** Every change that anybody may have made, and when it was first asked for. */
function writtenValues({ header, operations }: History): ReadonlyMap<string, number> {
  const written = new Map<string, number>();
  const add = (key: HistoryBytes, value: HistoryBytes | null, call: number): void => {
    const name = writtenKey(key, value);
    written.set(name, Math.min(call, written.get(name) ?? Infinity));
  };
  for (const { key, value } of header.initial ?? []) add(key, value, -Infinity);
  for (const { op, outcome, call } of operations) {
    if (outcome === "fail") continue;
    if (op.kind === "put" || op.kind === "cas") add(op.key, op.value, call);
    if (op.kind === "delete") add(op.key, null, call);
    if (op.kind !== "txn") continue;
    for (const step of [...op.success, ...op.failure]) {
      if (step.kind !== "get") add(step.key, step.kind === "put" ? step.value : null, call);
    }
  }
  return written;
}

/** The changes that answers and streams tell of, by revision and key. */
class KnownChanges {
  readonly #changes = new Map<string, Change>();
  #sorted: Change[] | null = null;

  addAnswer(operation: Operation): void {
    if (operation.outcome !== "ok") return;
    const { op, result } = operation;
    switch (op.kind) {
      case "get": {
        const { value, revision } = result as GetAnswer;
        if (value !== null) this.#note(op.key, value, revision, operation);
        break;
      }
      case "range":
        for (const { key, value, revision } of (result as RangeAnswer).entries) {
          this.#note(key, value, revision, operation);
        }
        break;
      case "put":
      case "cas": {
        const answer = result as WriteAnswer;
        if (answer.applied !== false) this.#note(op.key, op.value, answer.revision, operation);
        break;
      }
      case "delete": {
        const answer = result as WriteAnswer;
        // Without the word that the key existed nothing may have been changed.
        if (answer.deleted === true) this.#note(op.key, null, answer.revision, operation);
        break;
      }
      case "txn":
        this.#noteTransaction(operation, result as TransactionAnswer);
        break;
      case "watch":
        break;
    }
  }

  /** Adds what a stream tells. Returns where that contradicts what is known. */
  addStream(stream: OkWatch): WatchFault | null {
    for (const event of eventsOf(stream)) {
      const value = event.kind === "put" ? (event.value ?? null) : null;
      const known = this.#note(event.key, value, event.revision, stream);
      if (known === null || identityOf(known.value) === identityOf(value)) continue;
      const other =
        known.value === null
          ? `delete ${describeBytes(known.key)}`
          : `put ${describeBytes(known.key)} = ${describeBytes(known.value)}`;
      const explanation =
        `${stream.client}'s stream told of ${describeEvent(event)}, where ${known.told.client}` +
        ` was told: ${other}.`;
      return faultOf("watchPhantom", event, [known.told, stream], explanation);
    }
    return null;
  }

  findGap(stream: OkWatch): WatchFault | null {
    const { op } = stream;
    const events = eventsOf(stream);
    const through = (stream.result as WatchAnswer).throughRevision ?? events.at(-1)?.revision;
    if (through === undefined) return null;
    const told = new Set(events.map((event) => changeName(event.key, event.revision)));
    this.#sorted ??= [...this.#changes.values()].sort((a, b) => a.revision - b.revision);
    const sorted = this.#sorted;
    for (let at = firstFrom(sorted, op.fromRevision); at < sorted.length; at++) {
      const change = sorted[at];
      if (change === undefined || change.revision > through) break;
      if (!isInRange(op, change.key) || told.has(changeName(change.key, change.revision))) continue;
      const what =
        change.value === null
          ? `the delete of ${describeBytes(change.key)}`
          : `${describeBytes(change.key)} = ${describeBytes(change.value)}`;
      const explanation =
        `${stream.client}'s stream from revision ${op.fromRevision} to ${through} left out ${what}` +
        ` at revision ${change.revision}, of which ${change.told.client} was told.`;
      return faultOf("watchGap", change, [change.told, stream], explanation);
    }
    return null;
  }

  #noteTransaction(operation: Operation, { succeeded, revision }: TransactionAnswer): void {
    if (operation.op.kind !== "txn" || revision === undefined) return;
    const last = new Map<string, { readonly key: HistoryBytes; readonly value: HistoryBytes }>();
    for (const step of succeeded ? operation.op.success : operation.op.failure) {
      if (step.kind === "put") last.set(bytesIdentity(step.key), step);
      if (step.kind === "delete") last.delete(bytesIdentity(step.key));
    }
    for (const { key, value } of last.values()) this.#note(key, value, revision, operation);
  }

  /** Returns what was known of the change before. */
  #note(
    key: HistoryBytes,
    value: HistoryBytes | null,
    revision: number | undefined,
    told: Operation,
  ): Change | null {
    if (revision === undefined || revision === 0) return null;
    const name = changeName(key, revision);
    const known = this.#changes.get(name);
    if (known !== undefined) return known;
    this.#changes.set(name, { key, value, revision, told });
    return null;
  }
}

function changeName(key: HistoryBytes, revision: number): string {
  return `${revision} ${bytesIdentity(key)}`;
}

function identityOf(value: HistoryBytes | null): string | null {
  return value === null ? null : bytesIdentity(value);
}

function firstFrom(sorted: readonly Change[], revision: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.revision ?? 0) < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
