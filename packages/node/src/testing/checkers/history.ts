import type { LogEntry, LogIndex, NodeId, SessionOperation } from "@quorate/wire";
import { decodeCommand, encodeCommand } from "../../kv/command-codec.ts";
import type { CommandEnvelope, KeyChange } from "../../kv/kv-command.ts";
import type { KvResult } from "../../kv/kv-result.ts";
import { requireInvariant } from "../invariant-violation.ts";
import { RevisionLedger } from "./revision-ledger.ts";
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
  readonly #revisions = new RevisionLedger();
  /** Changes whose condition did not hold. */
  readonly #unmet = new Set<string>();
  readonly #refused = new Set<string>();
  /** Entries that are no command. */
  readonly #invalid = new Set<LogIndex>();
  /**
   * Changes that nobody repeats but who makes them, and the newest session that was over when they
   * were first sent (0: none was).
   */
  readonly #unique = new Map<string, LogIndex>();
  /** Changes of which a copy came after its session's end, and the newest such session. */
  readonly #late = new Map<string, LogIndex>();
  /** A change came a second time, in its session. */
  readonly #onRepeated: () => void;
  #floor: LogIndex = 0;

  /** `onRepeated`: a change that a client makes once came a second time, in its session. */
  constructor(onRepeated: () => void = () => undefined) {
    this.#onRepeated = onRepeated;
  }

  /** Place in the log that any operation sent from now on must reach. */
  get floor(): LogIndex {
    return this.#floor;
  }

  /** The next entry of the committed log. */
  entryCommitted(entry: LogEntry): void {
    if (entry.kind !== "command") return;
    const command = decodeCommand(entry.data);
    if (command.kind === "invalid") this.#invalid.add(entry.index);
    const isFirst = this.sessions.committed(entry, command);
    if (command.kind !== "put" && command.kind !== "delete") return;
    const identity = identityOf(command, entry.data);
    if (command.session !== null) this.#checkSession(identity, command.session, entry.index);
    const takesEffect = isFirst && this.#revisions.changed(command);
    if (isFirst && !takesEffect) this.#unmet.add(identity);
    else if (command.session === null) this.#committedOnce(identity, entry.index);
    else this.#committedInSession(identity, entry.index, takesEffect);
    if (!takesEffect) return;
    const value = command.kind === "put" ? bytesText(command.value) : null;
    const key = bytesText(command.key);
    const versions = this.#versions.get(key);
    if (versions === undefined) this.#versions.set(key, [{ index: entry.index, value }]);
    else versions.push({ index: entry.index, value });
  }

  /** `node` has applied an entry that was committed, with this result. */
  applied(node: NodeId, entry: LogEntry, result: KvResult): void {
    const isInvalid = result.kind === "invalid";
    requireInvariant(
      isInvalid === this.#invalid.has(entry.index),
      "Determinism",
      () =>
        `${node}: entry ${entry.index} is ${isInvalid ? "a" : "no"} command; it made ${result.kind}`,
    );
    this.sessions.applied(node, entry, result);
  }

  /** Nobody repeats a command that is in no session. */
  #committedOnce(identity: string, index: LogIndex): void {
    const first = this.#committed.get(identity);
    requireInvariant(
      first === undefined,
      "Honest Outcomes",
      () => `a command that was sent once is committed twice: at ${first ?? 0} and ${index}`,
    );
    this.#takesEffect(identity, index);
  }

  /** Who was told that its session is over makes no further change in it. */
  #checkSession(identity: string, { sessionId }: SessionOperation, index: LogIndex): void {
    const over = this.#unique.get(identity) ?? 0;
    requireInvariant(
      sessionId > over,
      "Exactly Once",
      () =>
        `the change at ${index} is in session ${sessionId}; its client was told before it was ` +
        `made that session ${over} is over`,
    );
    if (this.sessions.isLate(index)) this.#late.set(identity, sessionId);
  }

  /** Others may make the same change, but for those that are told to be unique. */
  #committedInSession(identity: string, index: LogIndex, takesEffect: boolean): void {
    if (!this.#unique.has(identity)) return;
    const first = this.#committed.get(identity);
    if (first !== undefined) this.#onRepeated();
    if (!takesEffect) return;
    requireInvariant(
      first === undefined,
      "Exactly Once",
      () => `a client's one change takes effect twice: at ${first ?? 0} and ${index}`,
    );
    this.#takesEffect(identity, index);
  }

  #takesEffect(identity: string, index: LogIndex): void {
    requireInvariant(
      !this.#refused.has(identity),
      "Honest Outcomes",
      () => `the client was told that its write is not applied; it is committed at ${index}`,
    );
    this.#committed.set(identity, index);
  }

  /**
   * Nobody else makes this change, and however often it is sent, it takes effect once. Its client
   * knows that this session of its own is over, and all before; 0: it knows of none.
   */
  changesOnce({ command }: Operation, sessionOver: LogIndex = 0): void {
    if (command !== null) this.#unique.set(bytesText(command), sessionOver);
  }

  /** The newest session that was over when a copy of this change came; 0: there was none. */
  sessionOverFor({ command }: Operation): LogIndex {
    return command === null ? 0 : (this.#late.get(bytesText(command)) ?? 0);
  }

  /** A client was told that its change's session is over. Says which one that was. */
  sessionExpired(operation: Operation): LogIndex {
    const over = this.sessionOverFor(operation);
    requireInvariant(
      over > 0,
      "Honest Outcomes",
      () => `${operation.client} was told that its session is over; the log says otherwise`,
    );
    return over;
  }

  /**
   * A client was told that a change which nobody else makes took effect at `index`; `isNew`: it made the key that it puts, or it removed the key that it deletes.
   */
  onceAcknowledged(
    { client, key, command, floor }: Operation,
    index: LogIndex,
    isNew: boolean,
  ): void {
    const first = command === null ? undefined : this.#committed.get(bytesText(command));
    requireInvariant(
      first !== undefined && first === index && first > floor,
      "Acknowledged Writes Survive",
      () =>
        `a change of ${client}, sent when ${floor} was known, was acknowledged at ${index}; ` +
        `it took effect at ${first ?? "no place"}`,
    );
    const before = this.#valueAt(bytesText(key), first - 1);
    const isDelete = this.#valueAt(bytesText(key), first) === null;
    requireInvariant(
      isNew === (isDelete ? before !== null : before === null),
      "Exactly Once",
      () => `a change of ${client} at ${first} found ${before ?? "no key"}, and says otherwise`,
    );
    this.#floor = Math.max(this.#floor, index);
  }

  /** A client was told that the key was not at the revision that its change asked for. */
  conditionUnmet({ client, command }: Operation): void {
    const text = command === null ? "" : bytesText(command);
    requireInvariant(
      this.#unmet.has(text) && !this.#committed.has(text),
      "Honest Outcomes",
      () => `${client} was told that its condition did not hold; the log says otherwise`,
    );
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

/** A change without what its leader and its session put on it. */
function identityOf(command: KeyChange & CommandEnvelope, data: Uint8Array): string {
  const isBare = command.clusterTimeMs === 0 && (command.ifRevision ?? null) === null;
  if (isBare && command.session === null) return bytesText(data);
  const { key } = command;
  if (command.kind === "delete") return bytesText(encodeCommand({ kind: "delete", key }));
  return bytesText(encodeCommand({ kind: "put", key, value: command.value }));
}

function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
