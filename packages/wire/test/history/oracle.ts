import type {
  Compare,
  GetAnswer,
  HistoryBytes,
  Operation,
  RangeAnswer,
  TransactionAnswer,
  WriteAnswer,
} from "@quorate/wire/history";

/** `revision`: null: not known, but above `above`. */
interface Held {
  readonly value: string | null;
  readonly revision: number | null;
  readonly above: number;
}

type Store = ReadonlyMap<string, Held>;

const ABSENT: Held = { value: null, revision: null, above: 0 };

/**
 * Whether a history has an order, by trying all of them on a store of plain maps: slow, short, and
 * made of nothing that the checker is made of.
 */
export function hasOrder(operations: readonly Operation[]): boolean {
  const placed = operations.filter(
    ({ outcome, op }) =>
      outcome === "ok" || (outcome === "info" && op.kind !== "get" && op.kind !== "range"),
  );
  return tryAll(placed, new Map());
}

function tryAll(left: readonly Operation[], store: Store): boolean {
  if (left.every(({ outcome }) => outcome === "info")) return true;
  return left.some((operation) => {
    const isFirst = left.every(
      (other) => other === operation || other.outcome !== "ok" || other.return >= operation.call,
    );
    if (!isFirst) return false;
    const others = left.filter((other) => other !== operation);
    return outcomesOf(operation, store).some((next) => tryAll(others, next));
  });
}

/** The stores that there may be after an operation at this moment. */
function outcomesOf(operation: Operation, store: Store): Store[] {
  const { op } = operation;
  const isKnown = operation.outcome === "ok";
  const result = isKnown ? operation.result : {};
  switch (op.kind) {
    case "get":
      return seeing(store, text(op.key), result as GetAnswer);
    case "put":
    case "cas":
    case "delete": {
      const answer = result as WriteAnswer;
      const conditions: Compare[] = [];
      if (op.kind === "cas") conditions.push({ key: op.key, value: op.expect });
      if (op.kind === "put" && op.expect !== undefined) {
        conditions.push({ key: op.key, value: op.expect });
      }
      if (op.kind !== "cas" && op.ifRevision !== undefined) {
        conditions.push({ key: op.key, revision: op.ifRevision });
      }
      if (answer.applied === false) return conditionsFalse(store, conditions);
      return conditionsTrue(store, conditions).flatMap((known) => {
        const held = at(known, op.key);
        if (answer.created !== undefined && answer.created !== (held.value === null)) return [];
        if (answer.deleted !== undefined && answer.deleted !== (held.value !== null)) return [];
        const value = op.kind === "delete" ? null : text(op.value);
        return writing(known, text(op.key), value, answer.revision);
      });
    }
    case "txn": {
      const answers = isKnown
        ? [result as TransactionAnswer]
        : [{ succeeded: true }, { succeeded: false }];
      return answers.flatMap((answer) => {
        const begun = answer.succeeded
          ? conditionsTrue(store, op.compares)
          : conditionsFalse(store, op.compares);
        let stores = begun;
        const results: readonly (GetAnswer | WriteAnswer)[] =
          "results" in answer && answer.results !== undefined ? answer.results : [];
        const revision = "revision" in answer ? answer.revision : undefined;
        // All steps make one revision: the last write of a key counts.
        const written = new Map<string, string | null>();
        (answer.succeeded ? op.success : op.failure).forEach((step, index) => {
          const told = results[index];
          const key = text(step.key);
          if (step.kind !== "get") {
            written.set(key, step.kind === "put" ? text(step.value) : null);
          } else if (told !== undefined && "value" in told) {
            const own = written.get(key);
            if (own === undefined) stores = stores.flatMap((one) => seeing(one, key, told));
            else if (own !== text(told.value)) stores = [];
          }
        });
        for (const [key, value] of written) {
          stores = stores.flatMap((one) => writing(one, key, value, revision));
        }
        return stores;
      });
    }
    case "range": {
      const { entries } = result as RangeAnswer;
      const inside = [...store]
        .filter(([key, { value }]) => value !== null && key >= (text(op.from) ?? ""))
        .filter(([key]) => op.to === null || key < (text(op.to) ?? ""))
        .map(([key]) => key)
        .toSorted();
      const wanted = op.limit === undefined ? inside : inside.slice(0, op.limit);
      if (wanted.join("\n") !== entries.map(({ key }) => text(key)).join("\n")) return [];
      let stores: Store[] = [store];
      for (const entry of entries) {
        stores = stores.flatMap((one) => seeing(one, text(entry.key), entry));
      }
      return stores;
    }
    case "watch":
      return [store];
  }
}

function text(bytes: HistoryBytes): string;
function text(bytes: HistoryBytes | null): string | null;
function text(bytes: HistoryBytes | null): string | null {
  return bytes === null || typeof bytes === "string" ? bytes : `b64:${bytes.b64}`;
}

function at(store: Store, key: HistoryBytes): Held {
  return store.get(text(key)) ?? ABSENT;
}

function seeing(store: Store, key: string, { value, revision }: GetAnswer): Store[] {
  const held = store.get(key) ?? ABSENT;
  if (held.value !== text(value)) return [];
  if (value === null || revision === undefined) return [store];
  if (held.revision !== null) return held.revision === revision ? [store] : [];
  if (revision <= held.above) return [];
  return [new Map(store).set(key, { ...held, revision })];
}

function writing(store: Store, key: string, value: string | null, revision?: number): Store[] {
  const held = store.get(key) ?? ABSENT;
  const above = held.revision ?? held.above;
  if (value === null && held.value === null) {
    return revision === undefined || revision >= above ? [store] : [];
  }
  if (revision !== undefined && revision <= above) return [];
  if (value === null) {
    return [new Map(store).set(key, { value, revision: null, above: revision ?? above })];
  }
  return [new Map(store).set(key, { value, revision: revision ?? null, above })];
}

/** `null`: it depends on a revision that is not known. */
function isTrue(store: Store, compare: Compare): boolean | null {
  const held = at(store, compare.key);
  if (!("revision" in compare)) return held.value === text(compare.value);
  if (compare.revision === 0) return held.value === null;
  if (held.value === null) return false;
  if (held.revision !== null) return held.revision === compare.revision;
  return compare.revision > held.above ? null : false;
}

function conditionsTrue(store: Store, compares: readonly Compare[]): Store[] {
  let known = store;
  for (const compare of compares) {
    const is = isTrue(known, compare);
    if (is === false) return [];
    if (is === null && "revision" in compare) {
      const key = text(compare.key);
      known = new Map(known).set(key, { ...at(known, key), revision: compare.revision });
    }
  }
  return [known];
}

function conditionsFalse(store: Store, compares: readonly Compare[]): Store[] {
  return compares.every((compare) => isTrue(store, compare) === true) ? [] : [store];
}
