import { bytesIdentity, compareBytes, TextNumbers } from "./bytes-identity.ts";
import type { KeyGroups } from "./key-groups.ts";
import type {
  Compare,
  GetAnswer,
  HistoryBytes,
  Operation,
  RangeAnswer,
  RangeOperation,
  TransactionAnswer,
  TransactionOperation,
  TransactionStep,
  WriteAnswer,
} from "./operation.ts";
import type { OperationTable } from "./terms.ts";
import {
  ABSENT,
  IMPOSSIBLE,
  NO_REVISION,
  PRESENT,
  TERM_EFFECT,
  TERM_GUARD,
  TERM_UNLESS,
} from "./terms.ts";

/** What a key must hold: a value, nothing, or whatever; at a revision or not. */
interface Match {
  readonly value: number;
  readonly revision: number;
}

/** Turns operations into rows of the table. */
export class RowBuilder {
  readonly #table: OperationTable;
  readonly #groups: KeyGroups;
  readonly #rankOf: (revision: number) => number;
  /** Values are numbered for each key by itself: a number tells the key, too. */
  readonly #values = new TextNumbers();

  constructor(table: OperationTable, groups: KeyGroups, rankOf: (revision: number) => number) {
    this.#table = table;
    this.#groups = groups;
    this.#rankOf = rankOf;
  }

  /** How many values there are by now. */
  get values(): number {
    return this.#values.count;
  }

  valueOf(cell: number, bytes: HistoryBytes): number {
    return this.#values.of(`${cell} ${bytesIdentity(bytes)}`);
  }

  /** Adds the rows of an operation that did, or may have done, something. */
  add(operation: Operation, source: number): void {
    const { op } = operation;
    const end = operation.outcome === "ok" ? operation.return : Infinity;
    if (op.kind === "txn" && operation.outcome === "info") {
      this.#addUnknownTransaction(op, source, operation.call);
      return;
    }
    const row = this.#table.addRow(source, operation.call, end);
    if (operation.outcome === "ok" && operation.index !== undefined) {
      this.#table.position[row] = operation.index;
    }
    const result = operation.outcome === "ok" ? operation.result : null;
    switch (op.kind) {
      case "get":
        if (result !== null) this.#addGet(row, op.key, result as GetAnswer);
        break;
      case "put":
      case "delete":
      case "cas":
        this.#addWrite(row, op.key, operation, (result ?? {}) as WriteAnswer);
        break;
      case "txn":
        this.#addTransaction(row, op, result as TransactionAnswer);
        break;
      case "range":
        if (result !== null) this.#addRange(row, op, result as RangeAnswer);
        break;
      case "watch":
        break;
    }
  }

  #rank(revision: number | undefined): number {
    return revision === undefined ? NO_REVISION : this.#rankOf(revision);
  }

  #addGet(row: number, key: HistoryBytes, answer: GetAnswer): void {
    const cell = this.#groups.cellOf(key);
    this.#table.addTerm(TERM_GUARD, cell, ...this.#seen(cell, answer));
    this.#noteRevision(row, answer.value === null ? undefined : answer.revision);
  }

  #seen(cell: number, answer: GetAnswer): [value: number, revision: number] {
    if (answer.value === null) return [ABSENT, NO_REVISION];
    return [this.valueOf(cell, answer.value), this.#rank(answer.revision)];
  }

  #noteRevision(row: number, revision: number | undefined): void {
    const known = Math.max(this.#table.revision[row] ?? NO_REVISION, this.#rank(revision));
    this.#table.revision[row] = known;
  }

  #addWrite(row: number, key: HistoryBytes, operation: Operation, answer: WriteAnswer): void {
    const table = this.#table;
    const cell = this.#groups.cellOf(key);
    const conditions = this.#conditionsOf(cell, operation);
    if (answer.applied === false) {
      if (conditions.length === 0) table.addTerm(TERM_GUARD, cell, IMPOSSIBLE, NO_REVISION);
      for (const { value, revision } of conditions) {
        table.addTerm(TERM_UNLESS, cell, value, revision);
      }
      return;
    }
    for (const { value, revision } of conditions) table.addTerm(TERM_GUARD, cell, value, revision);
    const existed = answer.created === undefined ? answer.deleted : !answer.created;
    if (existed !== undefined) {
      table.addTerm(TERM_GUARD, cell, existed ? PRESENT : ABSENT, NO_REVISION);
    }
    const { op } = operation;
    const value = op.kind === "put" || op.kind === "cas" ? this.valueOf(cell, op.value) : ABSENT;
    const revision = this.#rank(answer.revision);
    table.addTerm(TERM_EFFECT, cell, value, revision);
    if (value !== ABSENT || answer.deleted !== undefined) this.#noteRevision(row, answer.revision);
    // What found nothing to delete is a read that tells the store's revision.
    if (answer.deleted === false) table.readOnly[row] = 1;
  }

  #conditionsOf(cell: number, { op }: Operation): Match[] {
    const conditions: Match[] = [];
    if (op.kind === "cas") conditions.push(this.#matchValue(cell, op.expect));
    if (op.kind === "put" && op.expect !== undefined) {
      conditions.push(this.#matchValue(cell, op.expect));
    }
    if ((op.kind === "put" || op.kind === "delete") && op.ifRevision !== undefined) {
      conditions.push(this.#matchRevision(op.ifRevision));
    }
    return conditions;
  }

  #matchValue(cell: number, value: HistoryBytes | null): Match {
    return { value: value === null ? ABSENT : this.valueOf(cell, value), revision: NO_REVISION };
  }

  #matchRevision(revision: number): Match {
    if (revision === 0) return { value: ABSENT, revision: NO_REVISION };
    return { value: PRESENT, revision: this.#rank(revision) };
  }

  #matchOf(cell: number, compare: Compare): Match {
    if ("revision" in compare) return this.#matchRevision(compare.revision);
    return this.#matchValue(cell, compare.value);
  }

  #addCompares(op: TransactionOperation, kind: number): void {
    for (const compare of op.compares) {
      const cell = this.#groups.cellOf(compare.key);
      const { value, revision } = this.#matchOf(cell, compare);
      this.#table.addTerm(kind, cell, value, revision);
    }
  }

  #addTransaction(row: number, op: TransactionOperation, answer: TransactionAnswer): void {
    const guards = new TermList();
    const effects = new Map<number, readonly [value: number, revision: number]>();
    const steps = answer.succeeded ? op.success : op.failure;
    steps.forEach((step, at) => {
      const told = answer.results?.[at];
      this.#addStep(step, told, answer.revision, { guards, effects });
    });
    if (answer.succeeded) this.#addCompares(op, TERM_GUARD);
    else if (op.compares.length === 0) guards.add(0, IMPOSSIBLE, NO_REVISION);
    for (const [cell, value, revision] of guards.terms) {
      this.#table.addTerm(TERM_GUARD, cell, value, revision);
    }
    if (!answer.succeeded) this.#addCompares(op, TERM_UNLESS);
    for (const [cell, [value, revision]] of effects) {
      this.#table.addTerm(TERM_EFFECT, cell, value, revision);
      if (value !== ABSENT) this.#table.revision[row] = Math.max(revision, NO_REVISION);
    }
  }

  #addStep(
    step: TransactionStep,
    told: GetAnswer | WriteAnswer | undefined,
    revision: number | undefined,
    { guards, effects }: BranchTerms,
  ): void {
    const cell = this.#groups.cellOf(step.key);
    const before = effects.get(cell);
    if (step.kind === "get") {
      if (told === undefined || !("value" in told)) return;
      const [value, rank] = this.#seen(cell, told);
      // It sees what a step before it wrote.
      if (before === undefined) guards.add(cell, value, rank);
      else if (before[0] !== value) guards.add(cell, IMPOSSIBLE, NO_REVISION);
      return;
    }
    const answer = (told ?? {}) as WriteAnswer;
    const existed = answer.created === undefined ? answer.deleted : !answer.created;
    if (existed !== undefined) {
      if (before === undefined) guards.add(cell, existed ? PRESENT : ABSENT, NO_REVISION);
      else if ((before[0] !== ABSENT) !== existed) guards.add(cell, IMPOSSIBLE, NO_REVISION);
    }
    const value = step.kind === "put" ? this.valueOf(cell, step.value) : ABSENT;
    effects.set(cell, [value, this.#rank(revision ?? answer.revision)]);
  }

  /** Either branch may have been taken, or none: a row for each that changes something. */
  #addUnknownTransaction(op: TransactionOperation, source: number, call: number): void {
    const rows: number[] = [];
    for (const succeeded of [true, false]) {
      const steps = succeeded ? op.success : op.failure;
      const isPossible = succeeded || op.compares.length > 0;
      if (!isPossible || steps.every((step) => step.kind === "get")) continue;
      const row = this.#table.addRow(source, call, Infinity);
      this.#addTransaction(row, op, { succeeded });
      rows.push(row);
    }
    const [first, second] = rows;
    if (first === undefined || second === undefined) return;
    this.#table.twin[first] = second;
    this.#table.twin[second] = first;
  }

  #addRange(row: number, op: RangeOperation, { entries }: RangeAnswer): void {
    const table = this.#table;
    const cells = this.#groups.cellsOf(op.from, op.to);
    const last = entries.at(-1);
    let newest: number | undefined;
    for (const entry of entries) {
      const cell = this.#groups.cellOf(entry.key);
      table.addTerm(TERM_GUARD, cell, this.valueOf(cell, entry.value), this.#rank(entry.revision));
      if (entry.revision !== undefined) newest = Math.max(newest ?? 0, entry.revision);
    }
    this.#noteRevision(row, newest);
    if (!isRangeAnswer(op, entries)) {
      const cell = this.#groups.cellOf(last?.key ?? "");
      table.addTerm(TERM_GUARD, cell, IMPOSSIBLE, NO_REVISION);
      return;
    }
    if (cells === null) return;
    const isFull = op.limit !== undefined && entries.length >= op.limit && last !== undefined;
    table.rangeFrom[row] = cells.from;
    table.rangeTo[row] = isFull ? this.#groups.cellOf(last.key) + 1 : cells.to;
  }
}

interface BranchTerms {
  readonly guards: TermList;
  readonly effects: Map<number, readonly [value: number, revision: number]>;
}

class TermList {
  readonly terms: (readonly [cell: number, value: number, revision: number])[] = [];

  add(cell: number, value: number, revision: number): void {
    this.terms.push([cell, value, revision]);
  }
}

/** Whether entries are in order, within the range, and not more than were asked for. */
function isRangeAnswer(op: RangeOperation, entries: RangeAnswer["entries"]): boolean {
  if (op.limit !== undefined && entries.length > op.limit) return false;
  return entries.every((entry, at) => {
    const before = entries[at - 1];
    if (before !== undefined && compareBytes(before.key, entry.key) >= 0) return false;
    if (compareBytes(entry.key, op.from) < 0) return false;
    return op.to === null || compareBytes(entry.key, op.to) < 0;
  });
}
