import type { EntryId, KeyValue, LogEntry, SessionOperation } from "@quorate/wire";
import type { StateMachine, StateRestorer, StateSnapshot } from "../ports/state-machine.ts";
import { assert } from "../raft/index.ts";
import { decodeCommand } from "./command-codec.ts";
import { noteDropped } from "./dropped-memory.ts";
import type { KeyChange } from "./kv-command.ts";
import { KvRestorer } from "./kv-restorer.ts";
import { KvSnapshot } from "./kv-snapshot.ts";
import type { ChangeResult, KvResult } from "./kv-result.ts";
import { KvState } from "./kv-state.ts";
import { OUTSTANDING_MAX } from "./session-table.ts";

/**
 * The replicated key-value store, in memory. One revision counts every change that had an effect;
 * each key carries the revisions of its creation and last change and the number of its changes.
 *
 * Deterministic (rule: same entries, same state, same results on every node): it reads nothing but
 * the entries, and an entry that is no command changes nothing and says so in its result.
 *
 * A change may be in a session (Diss. §6.3): then it takes effect once, however often it is in the
 * log, and each copy has the response of the first. Sessions end by the clock that leaders write
 * into the log, never by this server's.
 */
export class KvStateMachine implements StateMachine<KvResult> {
  #state = new KvState();
  #isSnapshotOpen = false;

  apply(entry: LogEntry): KvResult {
    const state = this.#state;
    assert(entry.index > state.appliedIndex, "an entry was applied twice");
    state.appliedIndex = entry.index;
    const command = decodeCommand(entry.data);
    if (command.kind === "invalid") {
      return { kind: "invalid", revision: state.revision, reason: command.reason };
    }
    state.clusterTimeMs = Math.max(state.clusterTimeMs, command.clusterTimeMs);
    state.sessions.expire(state.clusterTimeMs);
    const moment = { index: entry.index, clusterTimeMs: state.clusterTimeMs };
    const { revision } = state;
    switch (command.kind) {
      case "put":
      case "delete":
        return command.session === null
          ? this.#change(command, entry)
          : this.#changeOnce(command, command.session, entry);
      case "openSession": {
        const { ttlMs } = command;
        state.sessions.open(ttlMs, moment);
        return { kind: "sessionOpened", revision, sessionId: entry.index, ttlMs };
      }
      case "keepSession": {
        const { sessionId } = command;
        const session = state.sessions.touch(sessionId, 0, moment);
        return session === null
          ? { kind: "sessionExpired", revision, sessionId }
          : { kind: "sessionKept", revision, sessionId, ttlMs: session.ttlMs };
      }
      case "closeSession": {
        const { sessionId } = command;
        const existed = state.sessions.close(sessionId);
        return { kind: "sessionClosed", revision, sessionId, existed };
      }
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
      noteDropped(this.#state.records.reservedBytes);
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

  /** Bytes of all keys and values. */
  get payloadBytes(): number {
    return this.#state.records.payloadBytes;
  }

  /** Memory that keys' numbers and values take outside the JavaScript heap, in bytes. */
  get reservedBytes(): number {
    return this.#state.records.reservedBytes;
  }

  get sessionCount(): number {
    return this.#state.sessions.count;
  }

  /** Greatest cluster time of any command that was applied, in ms; sessions expire by it. */
  get clusterTimeMs(): number {
    return this.#state.clusterTimeMs;
  }

  /**
   * 16 hexadecimal digits that are equal on two nodes that applied the same entries, and almost
   * certainly differ where keys, values, revisions, sessions or the cluster time do.
   */
  stateHash(): string {
    return this.#state.digest();
  }

  #changeOnce(command: KeyChange, operation: SessionOperation, entry: EntryId): KvResult {
    const { sessions, revision, clusterTimeMs } = this.#state;
    const { sessionId, serial, ackedBelow } = operation;
    const session = sessions.touch(sessionId, ackedBelow, { index: entry.index, clusterTimeMs });
    if (session === null) return { kind: "sessionExpired", revision, sessionId };
    if (serial < session.ackedBelow) {
      return { kind: "serialDropped", revision, serial, ackedBelow: session.ackedBelow };
    }
    const known = session.responses.get(serial);
    if (known !== undefined) {
      const reason = `serial ${serial} of session ${sessionId} was another command`;
      return canAnswer(known, command) ? known : { kind: "invalid", revision, reason };
    }
    const outstanding = session.responses.size;
    if (outstanding >= OUTSTANDING_MAX) return { kind: "sessionFull", revision, outstanding };
    const response = this.#change(command, entry);
    sessions.keep(sessionId, serial, response);
    return response;
  }

  #change(command: KeyChange, { index, term }: EntryId): ChangeResult {
    const state = this.#state;
    const at = { index, term };
    const { key, ifRevision = null } = command;
    if (ifRevision !== null) {
      const currentRevision = state.records.modRevisionOf(key);
      if (currentRevision !== ifRevision) {
        return { kind: "conditionFailed", revision: state.revision, currentRevision, at };
      }
    }
    if (command.kind === "put") {
      state.revision += 1;
      const created = state.records.put(key, command.value, state.revision);
      return { kind: "put", revision: state.revision, created, at };
    }
    const deleted = state.records.delete(key);
    if (deleted) state.revision += 1;
    return { kind: "deleted", revision: state.revision, deleted, at };
  }
}

/** A client that gives two commands one serial is not told of one what the other did. */
function canAnswer(known: ChangeResult, command: KeyChange): boolean {
  if (known.kind === "conditionFailed") return true;
  return (known.kind === "put") === (command.kind === "put");
}
