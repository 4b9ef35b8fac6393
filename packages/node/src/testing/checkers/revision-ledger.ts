import type { KeyChange } from "../../kv/kv-command.ts";

/** The store's revision and that of each key, from the committed changes alone. */
export class RevisionLedger {
  readonly #ofKeys = new Map<string, number>();
  #revision = 0;

  /** The next change, a first copy. Says whether its condition holds: else it does nothing. */
  changed({ kind, key, ifRevision = null }: KeyChange): boolean {
    const name = Buffer.from(key).toString("latin1");
    const current = this.#ofKeys.get(name) ?? 0;
    if (ifRevision !== null && ifRevision !== current) return false;
    if (kind === "put") this.#ofKeys.set(name, ++this.#revision);
    else if (this.#ofKeys.delete(name)) this.#revision++;
    return true;
  }
}
