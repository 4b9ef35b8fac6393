import { crc32 } from "node:zlib";
import type { KeyValue, LogEntry } from "@quorate/wire";
import type { StateMachine } from "../ports/state-machine.ts";
import type { KvCommand } from "./kv-command.ts";
import { decodeCommand } from "./kv-command.ts";
import type { HashedRecord } from "./state-hash.ts";
import { StateHash } from "./state-hash.ts";

/** What applying a command did. `revision` is the store's after it. */
export type KvResult =
  | { readonly kind: "put"; readonly revision: number; readonly created: boolean }
  | { readonly kind: "deleted"; readonly revision: number; readonly deleted: boolean }
  | { readonly kind: "invalid"; readonly revision: number; readonly reason: string };

interface KvRecord extends KeyValue, HashedRecord {}

/**
 * The replicated key-value store, in memory. One revision counts every change that had an effect;
 * each key carries the revisions of its creation and last change and the number of its changes.
 *
 * Deterministic (rule: same entries, same state, same results on every node): it reads nothing but
 * the entries, and an entry that is no command changes nothing and says so in its result.
 */
export class KvStateMachine implements StateMachine<KvResult> {
  /**
   * By key, each byte one character (latin1): equal bytes are equal strings, and the order of
   * such strings is the order of the bytes.
   */
  readonly #records = new Map<string, KvRecord>();
  readonly #hash = new StateHash();
  #revision = 0;

  apply(entry: LogEntry): KvResult {
    const command = decodeCommand(entry.data);
    switch (command.kind) {
      case "put":
        return this.#put(command);
      case "delete":
        return this.#delete(command);
      case "invalid":
        return { kind: "invalid", revision: this.#revision, reason: command.reason };
    }
  }

  /** What `key` holds, or null. The value belongs to the store: read it, do not change it. */
  get(key: Uint8Array): KeyValue | null {
    return this.#records.get(keyText(key)) ?? null;
  }

  /** Changes so far: 0 in an empty store, up by one with each change that had an effect. */
  get revision(): number {
    return this.#revision;
  }

  get keyCount(): number {
    return this.#records.size;
  }

  /**
   * 16 hexadecimal digits that are equal on two nodes that applied the same entries, and almost
   * certainly differ where keys, values or revisions do.
   */
  stateHash(): string {
    return this.#hash.digest(this.#revision);
  }

  #put({ key, value }: Extract<KvCommand, { kind: "put" }>): KvResult {
    const text = keyText(key);
    const before = this.#records.get(text);
    this.#revision += 1;
    const record: KvRecord = {
      key: text,
      // The entry's data may be a view of a frame: keeping it would keep the whole frame.
      value: Uint8Array.from(value),
      valueCrc: crc32(value),
      createRevision: before?.createRevision ?? this.#revision,
      modRevision: this.#revision,
      version: (before?.version ?? 0) + 1,
    };
    if (before !== undefined) this.#hash.remove(before);
    this.#hash.add(record);
    this.#records.set(text, record);
    return { kind: "put", revision: this.#revision, created: before === undefined };
  }

  #delete({ key }: Extract<KvCommand, { kind: "delete" }>): KvResult {
    const text = keyText(key);
    const before = this.#records.get(text);
    if (before === undefined) {
      return { kind: "deleted", revision: this.#revision, deleted: false };
    }
    this.#revision += 1;
    this.#hash.remove(before);
    this.#records.delete(text);
    return { kind: "deleted", revision: this.#revision, deleted: true };
  }
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
