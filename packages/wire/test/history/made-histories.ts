import type {
  Compare,
  HistoryBytes,
  HistoryOperationBody,
  Operation,
  TransactionStep,
} from "@quorate/wire/history";

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface MadeOptions {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** Values are drawn from so many; 0: every write has its own. */
  readonly values: number;
  readonly kinds: readonly HistoryOperationBody["kind"][];
  /** Chance that an operation's end stays unknown. */
  readonly info: number;
  readonly revisions: boolean;
  readonly positions: boolean;
  /** Conditional writes, and answers that tell whether the key existed. */
  readonly conditions: boolean;
}

interface Held {
  readonly value: string;
  readonly revision: number;
}

/**
 * What a store that does one thing at a time answers to clients that come and go at random: every
 * operation takes effect at a moment between its call and its return.
 */
export class MadeStore {
  readonly #random: () => number;
  readonly #options: MadeOptions;
  readonly #held = new Map<string, Held>();
  #revision = 0;
  #position = 0;
  #written = 0;

  constructor(options: MadeOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** A history that has an order. */
  run(): Operation[] {
    const { operations, clients, info } = this.#options;
    const random = this.#random;
    const nextCall = new Float64Array(clients);
    const names = Array.from({ length: clients }, (_, client) => `c${client}`);
    interface Asked {
      readonly client: number;
      readonly name: string;
      readonly call: number;
      readonly at: number;
      readonly end: number;
    }
    const asked: Asked[] = [];
    for (let count = 0; count < operations; count++) {
      const client = Math.floor(random() * clients);
      const call = Math.floor((nextCall[client] ?? 0) + random() * 10);
      const took = 1 + Math.floor(random() * 30);
      const end = call + took;
      nextCall[client] = end;
      asked.push({ client, name: names[client] ?? "", call, at: call + random() * took, end });
    }
    asked.sort((a, b) => a.at - b.at);
    return asked.map(({ name, call, end }): Operation => {
      const op = this.#draw();
      const isLost = random() < info;
      if (isLost && random() < 0.5) return { client: name, call, op, outcome: "info" } as Operation;
      const result = this.#do(op);
      if (isLost) return { client: name, call, op, outcome: "info" } as Operation;
      const operation = { client: name, call, return: end, op, outcome: "ok", result };
      if (!this.#options.positions) return operation as Operation;
      return { ...operation, index: this.#position } as Operation;
    });
  }

  #key(): string {
    return `k${Math.floor(this.#random() * this.#options.keys)}`;
  }

  #value(): string {
    const { values } = this.#options;
    return values === 0 ? `v${this.#written++}` : `v${Math.floor(this.#random() * values)}`;
  }

  #draw(): HistoryOperationBody {
    const { kinds, conditions } = this.#options;
    const random = this.#random;
    const kind = kinds[Math.floor(random() * kinds.length)];
    const key = this.#key();
    const held = this.#held.get(key);
    const isConditional = conditions && random() < 0.5;
    switch (kind) {
      case "put":
        if (!isConditional) return { kind, key, value: this.#value() };
        if (random() < 0.5) return { kind, key, value: this.#value(), expect: this.#guess(key) };
        return { kind, key, value: this.#value(), ifRevision: this.#guessRevision(held) };
      case "delete":
        return isConditional ? { kind, key, ifRevision: this.#guessRevision(held) } : { kind, key };
      case "cas":
        return { kind, key, expect: this.#guess(key), value: this.#value() };
      case "txn": {
        const compares = random() < 0.3 ? [] : [this.#compare(), this.#compare()];
        const steps = (): TransactionStep[] => [this.#step(), this.#step()];
        return { kind, compares, success: steps(), failure: random() < 0.5 ? [] : steps() };
      }
      case "range": {
        const to = random() < 0.3 ? null : this.#key();
        const range = { kind, from: key, to } as const;
        return random() < 0.3 ? { ...range, limit: 1 + Math.floor(random() * 2) } : range;
      }
      default:
        return { kind: "get", key };
    }
  }

  #guess(key: string): string | null {
    if (this.#random() < 0.6) return this.#held.get(key)?.value ?? null;
    const { values } = this.#options;
    if (this.#random() < 0.2) return null;
    return `v${Math.floor(this.#random() * (values === 0 ? this.#written + 1 : values))}`;
  }

  #guessRevision(held: Held | undefined): number {
    return this.#random() < 0.6
      ? (held?.revision ?? 0)
      : Math.floor(this.#random() * (this.#revision + 1));
  }

  #compare(): Compare {
    const key = this.#key();
    if (!this.#options.revisions || this.#random() < 0.6) return { key, value: this.#guess(key) };
    return { key, revision: this.#guessRevision(this.#held.get(key)) };
  }

  #step(): TransactionStep {
    const chance = this.#random();
    const key = this.#key();
    if (chance < 0.4) return { kind: "get", key };
    return chance < 0.8 ? { kind: "put", key, value: this.#value() } : { kind: "delete", key };
  }

  #isTrue(compare: Compare): boolean {
    const held = this.#held.get(textOf(compare.key));
    if ("revision" in compare) return (held?.revision ?? 0) === compare.revision;
    return (held?.value ?? null) === compare.value;
  }

  #do(op: HistoryOperationBody): object {
    switch (op.kind) {
      case "get":
        return this.#see(textOf(op.key));
      case "put":
      case "delete":
      case "cas":
        return this.#write(op);
      case "txn": {
        this.#position++;
        const succeeded = op.compares.every((compare) => this.#isTrue(compare));
        const steps = succeeded ? op.success : op.failure;
        const isWriting = steps.some(({ kind }) => kind !== "get");
        const before = this.#revision;
        if (isWriting) this.#revision++;
        const changed = new Set<string>();
        const results = steps.map((step) => {
          const key = textOf(step.key);
          if (step.kind === "get") {
            const seen = this.#see(key) as { value: string | null };
            return changed.has(key) ? { value: seen.value } : seen;
          }
          changed.add(key);
          if (step.kind === "delete") this.#held.delete(key);
          else this.#held.set(key, { value: textOf(step.value), revision: this.#revision });
          return {};
        });
        if (!isWriting || !this.#options.revisions) return { succeeded, results };
        return { succeeded, results, revision: Math.max(before, this.#revision) };
      }
      case "range": {
        const keys = [...this.#held.keys()].filter(
          (key) => key >= textOf(op.from) && (op.to === null || key < textOf(op.to)),
        );
        const shown = keys.toSorted().slice(0, op.limit ?? Infinity);
        return { entries: shown.map((key) => ({ key, ...this.#see(key) })) };
      }
      case "watch":
        return { events: [] };
    }
  }

  #see(key: string): object {
    const held = this.#held.get(key);
    if (held === undefined) return this.#revisionOf({ value: null }, 0);
    return this.#revisionOf({ value: held.value }, held.revision);
  }

  #revisionOf(answer: object, revision: number): object {
    return this.#options.revisions ? { ...answer, revision } : answer;
  }

  #write(op: HistoryOperationBody & { readonly kind: "put" | "delete" | "cas" }): object {
    this.#position++;
    const key = textOf(op.key);
    const compares: Compare[] = [];
    if (op.kind === "cas") compares.push({ key, value: op.expect });
    if (op.kind === "put" && op.expect !== undefined) compares.push({ key, value: op.expect });
    if (op.kind !== "cas" && op.ifRevision !== undefined) {
      compares.push({ key, revision: op.ifRevision });
    }
    if (!compares.every((compare) => this.#isTrue(compare))) return { applied: false };
    const existed = this.#held.has(key);
    if (op.kind !== "delete" || existed) this.#revision++;
    if (op.kind === "delete") this.#held.delete(key);
    else this.#held.set(key, { value: textOf(op.value), revision: this.#revision });
    const told = op.kind === "delete" ? { deleted: existed } : { created: !existed };
    const isTold = this.#options.conditions && op.kind !== "cas";
    return this.#revisionOf(isTold ? told : {}, this.#revision);
  }
}

/** A history with a fault in it, which may or may not leave it without an order. */
export function spoil(operations: readonly Operation[], random: () => number): Operation[] {
  const spoilt = [...operations];
  const pick = (): number => Math.floor(random() * spoilt.length);
  const [at, other] = [pick(), pick()];
  const [one, two] = [spoilt[at], spoilt[other]];
  if (one === undefined || two === undefined) return spoilt;
  const chance = random();
  if (chance < 0.4) {
    // Answers change places: a stale read, or a write that is told what another one did.
    if (shapeOf(one.op) === shapeOf(two.op) && one.outcome === "ok" && two.outcome === "ok") {
      spoilt[at] = { ...one, result: two.result } as Operation;
      spoilt[other] = { ...two, result: one.result } as Operation;
    }
  } else if (chance < 0.6) {
    // An acknowledged write is lost.
    if (one.op.kind !== "get") spoilt.splice(at, 1);
  } else if (chance < 0.8) {
    // It happened at another time than was recorded.
    const delay = Math.floor(random() * 60);
    if (one.outcome === "ok") {
      spoilt[at] = { ...one, client: "late", call: one.call + delay, return: one.return + delay };
    }
  } else if (one.outcome === "ok" && "applied" in one.result) {
    spoilt[at] = { ...one, result: {} } as Operation;
  } else if (one.outcome === "info") {
    // Somebody claims to know.
    if (one.op.kind === "put") {
      spoilt[at] = { ...one, outcome: "ok", return: one.call + 5, result: {} } as Operation;
    }
  }
  return spoilt;
}

/** Operations of one shape have answers of one shape. */
function shapeOf(op: HistoryOperationBody): string {
  if (op.kind !== "txn") return op.kind;
  return [...op.success, ...op.failure].map(({ kind }) => kind).join() + String(op.failure.length);
}

function textOf(bytes: HistoryBytes): string {
  return typeof bytes === "string" ? bytes : bytes.b64;
}
