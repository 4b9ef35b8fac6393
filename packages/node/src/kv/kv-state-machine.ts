import type { KeyValue, LogEntry } from "@quorate/wire";
import type { StateMachine, StateRestorer, StateSnapshot } from "../ports/state-machine.ts";
import { assert } from "../raft/index.ts";
import type { KvCommand } from "./kv-command.ts";
import { decodeCommand } from "./kv-command.ts";
import { KvRestorer } from "./kv-restorer.ts";
import { KvSnapshot } from "./kv-snapshot.ts";
import { KvState } from "./kv-state.ts";

/** What applying a command did. `revision` is the store's after it. */
export type KvResult =
  | { readonly kind: "put"; readonly revision: number; readonly created: boolean }
  | { readonly kind: "deleted"; readonly revision: number; readonly deleted: boolean }
  | { readonly kind: "invalid"; readonly revision: number; readonly reason: string };

/**
 * The replicated key-value store, in memory. One revision counts every change that had an effect;
 * each key carries the revisions of its creation and last change and the number of its changes.
 *
 * Deterministic (rule: same entries, same state, same results on every node): it reads nothing but
 * the entries, and an entry that is no command changes nothing and says so in its result.
 */
export class KvStateMachine implements StateMachine<KvResult> {
  #state = new KvState();
  #isSnapshotOpen = false;

  apply(entry: LogEntry): KvResult {
    const state = this.#state;
    state.appliedIndex = entry.index;
    const command = decodeCommand(entry.data);
    switch (command.kind) {
      case "put":
        return this.#put(command);
      case "delete":
        return this.#delete(command);
      case "invalid":
        return { kind: "invalid", revision: state.revision, reason: command.reason };
    }
  }

  snapshot(): StateSnapshot {
    assert(!this.#isSnapshotOpen, "a snapshot was begun while another is open");
    this.#isSnapshotOpen = true;
    return new KvSnapshot(this.#state, () => {
      this.#isSnapshotOpen = false;
    });
  }

  /** Its `finish` throws a `KvSnapshotError`. */
  restore(): StateRestorer {
    return new KvRestorer((state) => {
      this.#state = state;
    });
  }

  /** A copy of what `key` holds, or null. */
  get(key: Uint8Array): KeyValue | null {
    return this.#state.records.get(key);
  }

  /** Changes so far: 0 in an empty store, up by one with each change that had an effect. */
  get revision(): number {
    return this.#state.revision;
  }

  get keyCount(): number {
    return this.#state.records.keyCount;
  }

  /**
   * 16 hexadecimal digits that are equal on two nodes that applied the same entries, and almost
   * certainly differ where keys, values or revisions do.
   */
  stateHash(): string {
    return this.#state.digest();
  }

  #put({ key, value }: Extract<KvCommand, { kind: "put" }>): KvResult {
    const state = this.#state;
    state.revision += 1;
    const created = state.records.put(key, value, state.revision);
    return { kind: "put", revision: state.revision, created };
  }

  #delete({ key }: Extract<KvCommand, { kind: "delete" }>): KvResult {
    const state = this.#state;
    const deleted = state.records.delete(key);
    if (deleted) state.revision += 1;
    return { kind: "deleted", revision: state.revision, deleted };
  }
}
