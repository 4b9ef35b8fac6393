import { bytesIdentity, compareBytes, TextNumbers } from "./bytes-identity.ts";
import type { HistoryBytes, Operation, RangeAnswer, RangeOperation } from "./operation.ts";

interface Range {
  readonly from: HistoryBytes;
  readonly to: HistoryBytes | null;
  /** A key that it returned, which may even lie outside of it; -1: it returned none. */
  readonly first: number;
}

/** Which keys have to be looked at together, because one operation is about several of them. */
export class KeyGroups {
  /** The cell of each key, by its number: the cells of a group are neighbours, in byte order. */
  cellOfKey: Int32Array = new Int32Array(0);
  /** By cell. */
  keys: HistoryBytes[] = [];
  /** First cell of each group, and one more: where the last one ends. */
  firstCell: number[] = [0];
  groupOfCell: Int32Array = new Int32Array(0);
  readonly #numbers = new TextNumbers();
  readonly #found: HistoryBytes[] = [];
  readonly #parent: number[] = [];
  readonly #ranges: Range[] = [];
  /** Numbers of the keys in the order of their bytes: only where ranges need it. */
  #sorted: number[] | null = null;

  /** Takes note of the keys of an operation, and that it ties them together. */
  add(operation: Operation): void {
    const { op } = operation;
    switch (op.kind) {
      case "get":
      case "put":
      case "delete":
      case "cas":
        this.addKey(op.key);
        break;
      case "txn": {
        const steps = [...op.compares, ...op.success, ...op.failure];
        const numbers = steps.map((step) => this.addKey(step.key));
        for (const number of numbers) this.#join(number, numbers[0] ?? number);
        break;
      }
      case "range":
        if (operation.outcome === "ok") this.#addRange(op, operation.result as RangeAnswer);
        break;
      case "watch":
        break;
    }
  }

  #addRange({ from, to }: RangeOperation, { entries }: RangeAnswer): void {
    const numbers = entries.map((entry) => this.addKey(entry.key));
    const [first = -1] = numbers;
    for (const number of numbers) this.#join(number, first);
    this.#ranges.push({ from, to, first });
  }

  addKey(key: HistoryBytes): number {
    const number = this.#numbers.of(bytesIdentity(key));
    if (number === this.#found.length) {
      this.#found.push(key);
      this.#parent.push(number);
    }
    return number;
  }

  /** Gives every key its cell: after all of them were added. */
  settle(): void {
    if (this.#ranges.length > 0) this.#joinRanges();
    const order = this.#sorted ?? this.#found.map((_, number) => number);
    const members = new Map<number, number[]>();
    for (const number of order) {
      const root = this.#root(number);
      const group = members.get(root);
      if (group === undefined) members.set(root, [number]);
      else group.push(number);
    }
    this.cellOfKey = new Int32Array(this.#found.length);
    this.groupOfCell = new Int32Array(this.#found.length);
    for (const group of members.values()) {
      for (const number of group) {
        this.cellOfKey[number] = this.keys.length;
        this.groupOfCell[this.keys.length] = this.firstCell.length - 1;
        this.keys.push(this.#found[number] ?? "");
      }
      this.firstCell.push(this.keys.length);
    }
  }

  cellOf(key: HistoryBytes): number {
    return this.cellOfKey[this.#numbers.find(bytesIdentity(key))] ?? -1;
  }

  /** The cells of a range, which are neighbours; null: it spans no key of the history. */
  cellsOf(from: HistoryBytes, to: HistoryBytes | null): { from: number; to: number } | null {
    const [begin, end] = this.#span(from, to);
    if (begin >= end) return null;
    const cell = (at: number): number => this.cellOfKey[this.#sorted?.[at] ?? 0] ?? 0;
    return { from: cell(begin), to: cell(end - 1) + 1 };
  }

  #joinRanges(): void {
    this.#sorted = this.#found.map((_, number) => number);
    this.#sorted.sort((a, b) => compareBytes(this.#found[a] ?? "", this.#found[b] ?? ""));
    const seen = new Set<string>();
    for (const range of this.#ranges) {
      const [begin, end] = this.#span(range.from, range.to);
      const span = `${begin} ${end}`;
      if (seen.has(span)) continue;
      seen.add(span);
      for (let at = begin + 1; at < end; at++) {
        this.#join(this.#sorted[at - 1] ?? 0, this.#sorted[at] ?? 0);
      }
    }
    for (const { from, to, first } of this.#ranges) {
      const [begin, end] = this.#span(from, to);
      if (first !== -1 && begin < end) this.#join(first, this.#sorted[begin] ?? first);
    }
  }

  /** Where a range begins and ends among the sorted keys. */
  #span(from: HistoryBytes, to: HistoryBytes | null): readonly [begin: number, end: number] {
    const { length } = this.#sorted ?? [];
    return [this.#lowerBound(from), to === null ? length : this.#lowerBound(to)];
  }

  #lowerBound(key: HistoryBytes): number {
    const sorted = this.#sorted ?? [];
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.#found[sorted[middle] ?? 0] ?? "", key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #join(left: number, right: number): void {
    this.#parent[this.#root(left)] = this.#root(right);
  }

  #root(number: number): number {
    let at = number;
    for (let up = this.#parent[at] ?? at; up !== at; up = this.#parent[at] ?? at) {
      this.#parent[at] = this.#parent[up] ?? up;
      at = up;
    }
    return at;
  }
}
