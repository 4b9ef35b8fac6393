import type { KeyValue } from "@quorate/wire";

/** What is known of one key: the newest write that was acknowledged, and those that may have been. */
interface KeyLedger {
  revision: number;
  /** Null: it deleted the key. */
  value: string | null;
  /** Values of writes whose outcome nobody knows. */
  readonly unknownValues: Set<string>;
  hasUnknownDelete: boolean;
}

/** A key whose final state no longer has what was acknowledged. */
export interface Loss {
  readonly key: string;
  readonly explanation: string;
}

/**
 * Remembers of each key what was acknowledged last, to hold it against the store at the end:
 * a check of its own, by revisions, that shares nothing with the search for an order.
 */
export class Acknowledged {
  readonly #keys = new Map<string, KeyLedger>();
  #writes = 0;

  /** Writes that were acknowledged and had an effect. */
  get writes(): number {
    return this.#writes;
  }

  /** A write of `value` (null: a delete) was acknowledged at this revision of the store. */
  acknowledged(key: string, value: string | null, revision: number): void {
    this.#writes += 1;
    const ledger = this.#of(key);
    if (revision <= ledger.revision) return;
    ledger.revision = revision;
    ledger.value = value;
  }

  /** A write of `value` (null: a delete) may take effect, now or later, or never. */
  unknown(key: string, value: string | null): void {
    const ledger = this.#of(key);
    if (value === null) ledger.hasUnknownDelete = true;
    else ledger.unknownValues.add(value);
  }

  /** What is lost where the key ends as `found`; null: nothing. */
  lossAt(key: string, found: KeyValue | null): Loss | null {
    const ledger = this.#keys.get(key);
    if (ledger === undefined) return null;
    const explanation = lossOf(ledger, found);
    return explanation === null ? null : { key, explanation };
  }

  #of(key: string): KeyLedger {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const made = {
      revision: 0,
      value: null,
      unknownValues: new Set<string>(),
      hasUnknownDelete: false,
    };
    this.#keys.set(key, made);
    return made;
  }
}

function lossOf(ledger: KeyLedger, found: KeyValue | null): string | null {
  const { revision, value, unknownValues, hasUnknownDelete } = ledger;
  if (found === null) {
    if (value === null || hasUnknownDelete) return null;
    return `"${value}" was acknowledged at revision ${revision}, and the key is gone`;
  }
  const text = Buffer.from(found.value).toString("utf8");
  const is = `the key has "${text}" of revision ${found.modRevision}`;
  if (found.modRevision < revision) {
    const what = value === null ? "a delete" : `"${value}"`;
    return `${what} was acknowledged at revision ${revision}, and ${is}`;
  }
  if (found.modRevision === revision) {
    return text === value ? null : `revision ${revision} wrote "${value ?? "nothing"}", and ${is}`;
  }
  return unknownValues.has(text) ? null : `${is}, which nobody has acknowledged or left open`;
}
