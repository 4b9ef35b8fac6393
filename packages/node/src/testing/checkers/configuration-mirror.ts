import type { Configuration, LogEntry, LogIndex, NodeId } from "@quorate/wire";
import { decodeConfiguration } from "@quorate/wire";

/** A configuration, and the index of the entry that brought it; 0: the one of the start. */
export interface PlacedConfiguration {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/** The configurations in one process's log, as the checker reads them from the entries. */
export class ConfigurationMirror {
  #placed: PlacedConfiguration[] = [];

  /** The log has changed from `newFrom` on; says which configurations came. */
  follow(
    newFrom: LogIndex,
    lastIndex: LogIndex,
    entryAt: (index: LogIndex) => LogEntry | null,
  ): readonly PlacedConfiguration[] {
    this.#placed = this.#placed.filter(({ index }) => index < newFrom);
    const added: PlacedConfiguration[] = [];
    for (let index = newFrom; index <= lastIndex; index++) {
      const entry = entryAt(index);
      if (entry?.kind !== "configuration") continue;
      added.push({ index, configuration: decodeConfiguration(entry.data) });
    }
    this.#placed.push(...added);
    return added;
  }

  /** The last one above `beforeFirst`, or null. */
  lastAfter(beforeFirst: LogIndex): PlacedConfiguration | null {
    const last = this.#placed.at(-1);
    return last === undefined || last.index <= beforeFirst ? null : last;
  }

  /** The last one above `beforeFirst` and below entry `index`, or null: none in this log. */
  between(beforeFirst: LogIndex, index: LogIndex): PlacedConfiguration | null {
    const last = this.#placed.findLast((placed) => placed.index < index) ?? null;
    return last === null || last.index <= beforeFirst ? null : last;
  }

  /**
   * Where `id` began to catch up, which it does in the last configuration below `index`; null: in
   * `base` it did already, which was in force where this log begins.
   */
  stagedAt(id: NodeId, index: LogIndex, base: PlacedConfiguration): LogIndex | null {
    let first: LogIndex | null = null;
    for (const placed of [base, ...this.after(base.index)].toReversed()) {
      if (placed.index >= index) continue;
      if (!placed.configuration.staging.includes(id)) return first;
      first = placed.index;
    }
    return null;
  }

  /** Those above `index`. */
  after(index: LogIndex): readonly PlacedConfiguration[] {
    return this.#placed.filter((placed) => placed.index > index);
  }
}
