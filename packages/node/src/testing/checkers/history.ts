import type { LogEntry, LogIndex } from "@quorate/wire";
import { decodeCommand } from "../../kv/command-codec.ts";
import type { KvResult } from "../../kv/kv-result.ts";
import { requireInvariant } from "../invariant-violation.ts";
import { SessionLedger } from "./session-ledger.ts";

/** A request of a client, from its sending on. */
export interface Operation {
  readonly client: string;
  readonly key: Uint8Array;
  /** The command's bytes, which no other operation has; null for a read. */
  readonly command: Uint8Array | null;
  /** Every answer must be at least as new as this: what clients knew when it was sent. */
  readonly floor: LogIndex;
}

interface Version {
  readonly index: LogIndex;
  readonly value: string | null;
}

/**
 * What clients were told, held against the committed log. As the log gives the one order of all
 * writes, three rules make the history linearizable: an acknowledged write is in the log, after
 * everything that was acknowledged or read before it was sent; a read gives the value at a place
 * in the log; and that place is no earlier than what was acknowledged or read before it was sent.
 * A write that was called not applied never appears, and none appears twice.
 */
export class History {
  readonly sessions: SessionLedger = new SessionLedger();
  readonly #versions = new Map<string, Version[]>();
  readonly #committed = new Map<string, LogIndex>();
  readonly #refused = new Set<string>();
  #floor: LogIndex = 0;

  /** Place in the log that any operation sent from now on must reach. */
  get floor(): LogIndex {
    return this.#floor;
  }

  /** The next entry of the committed log. */
  entryCommitted(entry: LogEntry): void {
    if (entry.kind !== "command") return;
    const command = decodeCommand(entry.data);
    const takesEffect = this.sessions.committed(entry, command);
    if (command.kind !== "put" && command.kind !== "delete") return;
    if (command.session === null) this.#committedOnce(entry);
    if (!takesEffect) return;
    const value = command.kind === "put" ? bytesText(command.value) : null;
    const key = bytesText(command.key);
    const versions = this.#versions.get(key);
    if (versions === undefined) this.#versions.set(key, [{ index: entry.index, value }]);
    else versions.push({ index: entry.index, value });
  }

  /** Nobody repeats a command that is in no session. */
  #committedOnce(entry: LogEntry): void {
    const text = bytesText(entry.data);
    const first = this.#committed.get(text);
    requireInvariant(
      first === undefined,
      "Honest Outcomes",
      () => `a command that was sent once is committed twice: at ${first ?? 0} and ${entry.index}`,
    );
    requireInvariant(
      !this.#refused.has(text),
      "Honest Outcomes",
      () => `the client was told that its write is not applied; it is committed at ${entry.index}`,
    );
    this.#committed.set(text, entry.index);
  }

  /** A client was told that its write is applied at `index`. */
  writeAcknowledged({ client, command, floor }: Operation, index: LogIndex): void {
    const at = command === null ? undefined : this.#committed.get(bytesText(command));
    requireInvariant(
      at === index,
      "Acknowledged Writes Survive",
      () => `a write of ${client} was acknowledged at ${index}; the log has it at ${at ?? "none"}`,
    );
    requireInvariant(
      index > floor,
      "Acknowledged Writes Survive",
      () => `a write of ${client} took the place ${index}, but ${floor} was known before it`,
    );
    this.#floor = Math.max(this.#floor, index);
  }

  /**
   * A client was told, by the entry at `index`, what its change in a session did; `floor` is of the
   * first time that it was sent.
   */
  changeAcknowledged(
    change: { readonly sessionId: number; readonly serial: number; readonly floor: LogIndex },
    index: LogIndex,
    result: KvResult,
  ): void {
    const first = this.sessions.acknowledged(change.sessionId, change.serial, result);
    requireInvariant(
      first > change.floor && first <= index,
      "Exactly Once",
      () =>
        `a change sent when ${change.floor} was known, and answered at ${index}, took the place ` +
        `${first}`,
    );
    this.#floor = Math.max(this.#floor, index);
  }

  /** A client was told that its write is not applied and never will be. */
  writeRefused({ client, command }: Operation): void {
    if (command === null) return;
    const text = bytesText(command);
    this.#refused.add(text);
    const at = this.#committed.get(text);
    requireInvariant(
      at === undefined,
      "Honest Outcomes",
      () => `${client} was told that its write is not applied; it is committed at ${at ?? 0}`,
    );
  }

  /** A client has read `value` (null: no such key) in the state after entry `appliedIndex`. */
  readAnswered(
    { client, key, floor }: Operation,
    appliedIndex: LogIndex,
    value: Uint8Array | null,
  ): void {
    requireInvariant(
      appliedIndex >= floor,
      "Fresh Reads",
      () => `${client} read at ${appliedIndex}, but ${floor} was known before it asked`,
    );
    const expected = this.#valueAt(bytesText(key), appliedIndex);
    const actual = value === null ? null : bytesText(value);
    requireInvariant(
      actual === expected,
      "Fresh Reads",
      () =>
        `${client} read ${actual ?? "no key"} at ${appliedIndex}; the log makes it ` +
        (expected ?? "no key"),
    );
    this.#floor = Math.max(this.#floor, appliedIndex);
  }

  #valueAt(key: string, index: LogIndex): string | null {
    const versions = this.#versions.get(key) ?? [];
    return versions.findLast((version) => version.index <= index)?.value ?? null;
  }
}

function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
