import type { Configuration, LogEntry, LogIndex } from "@quorate/wire";
import { assert } from "./assert.ts";

/** Turns configurations into entries' data and back; the core knows no encoding. */
export interface ConfigurationCodec {
  encode(configuration: Configuration): Uint8Array;
  /** @throws where `data` is not a configuration: the sender is broken. */
  decode(data: Uint8Array): Configuration;
}

interface Placed {
  /** Index of the entry that brought it; 0: the bootstrap. */
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/**
 * The configurations in the log. A server uses the latest one in its log, committed or not
 * (Raft §6); when that entry is cut, the one before it is in force again.
 */
export class ConfigurationLog {
  readonly #codec: ConfigurationCodec;
  #base: Placed;
  #placed: Placed[] = [];

  constructor(codec: ConfigurationCodec, base: Placed, entries: readonly LogEntry[]) {
    this.#codec = codec;
    this.#base = base;
    for (const entry of entries) this.appended(entry);
  }

  /** The configuration in force. */
  get current(): Configuration {
    return this.#last.configuration;
  }

  /** Names the configuration in force: the index of its entry. */
  get currentIndex(): LogIndex {
    return this.#last.index;
  }

  /** The configuration that was in force once the log reached `index`. */
  at(index: LogIndex): Placed {
    assert(index >= this.#base.index, `no configuration is known at ${index}`);
    return this.#placed.findLast((placed) => placed.index <= index) ?? this.#base;
  }

  /** Takes note of a new last entry of the log. */
  appended(entry: LogEntry): void {
    if (entry.kind !== "configuration" || entry.index <= this.#base.index) return;
    const configuration = this.#codec.decode(entry.data);
    this.#placed.push({ index: entry.index, configuration });
  }

  /** Whether `entry` is no configuration, or one that can be decoded. */
  canRead(entry: LogEntry): boolean {
    if (entry.kind !== "configuration") return true;
    try {
      this.#codec.decode(entry.data);
      return true;
    } catch {
      return false;
    }
  }

  /** Whether an entry for `configuration` can be read by whoever receives it. */
  canHold(configuration: Configuration): boolean {
    try {
      this.#codec.decode(this.#codec.encode(configuration));
      return true;
    } catch {
      return false;
    }
  }

  /** The data of an entry for `configuration`. */
  encode(configuration: Configuration): Uint8Array {
    return this.#codec.encode(configuration);
  }

  /** The log was cut from `index` on. */
  cutFrom(index: LogIndex): void {
    this.#placed = this.#placed.filter((placed) => placed.index < index);
  }

  /** A snapshot at `lastIncludedIndex` holds `base`; what came before it needs no keeping. */
  startAt(base: Placed, lastIncludedIndex: LogIndex): void {
    this.#base = base;
    this.#placed = this.#placed.filter((placed) => placed.index > lastIncludedIndex);
  }

  get #last(): Placed {
    return this.#placed.at(-1) ?? this.#base;
  }
}
