import type { EntryId, LogEntry, LogIndex, NodeId, SessionOperation, Term } from "@quorate/wire";
import type { DecodedCommand } from "../../kv/kv-command.ts";
import type { KvResult } from "../../kv/kv-result.ts";
import { requireInvariant } from "../invariant-violation.ts";

interface OpenSession {
  readonly ttlMs: number;
  lastActiveMs: number;
  ackedBelow: number;
  /** Where each serial took effect. */
  readonly done: Map<number, EntryId>;
}

/** What an entry in a session must come to. */
type Verdict =
  | { readonly kind: "first" }
  | { readonly kind: "repeat"; readonly of: EntryId }
  | { readonly kind: "dropped" | "expired" };

/**
 * Exactly-once (Diss. §6.3), from the committed log alone: the first copy of a change takes effect,
 * each later one gets its response (and the place of the first), and what comes after the end of its session does nothing.
 */
export class SessionLedger {
  readonly #sessions = new Map<LogIndex, OpenSession>();
  readonly #verdicts = new Map<LogIndex, Verdict>();
  readonly #results = new Map<LogIndex, KvResult>();
  readonly #firsts = new Map<string, LogIndex>();
  #clusterTimeMs = 0;
  /** Of the newest command that its leader stamped. */
  #stamped = { term: 0, timeMs: 0 };

  /** The next command of the committed log. Says whether a change of a key takes effect. */
  committed({ index, term }: LogEntry, command: DecodedCommand): boolean {
    if (command.kind === "invalid") return false;
    this.#checkStamp(index, term, command.clusterTimeMs);
    this.#clusterTimeMs = Math.max(this.#clusterTimeMs, command.clusterTimeMs);
    for (const [id, { lastActiveMs, ttlMs }] of this.#sessions) {
      if (lastActiveMs + ttlMs < this.#clusterTimeMs) this.#sessions.delete(id);
    }
    switch (command.kind) {
      case "openSession":
        this.#sessions.set(index, {
          ttlMs: command.ttlMs,
          lastActiveMs: this.#clusterTimeMs,
          ackedBelow: 0,
          done: new Map(),
        });
        return false;
      case "keepSession": {
        const session = this.#sessions.get(command.sessionId);
        if (session !== undefined) session.lastActiveMs = this.#clusterTimeMs;
        return false;
      }
      case "closeSession":
        this.#sessions.delete(command.sessionId);
        return false;
      case "put":
      case "delete": {
        if (command.session === null) return true;
        const verdict = this.#judge({ index, term }, command.session);
        this.#verdicts.set(index, verdict);
        return verdict.kind === "first";
      }
    }
  }

  /** `node` has applied an entry that was committed, with this result. */
  applied(node: NodeId, { index, term }: LogEntry, result: KvResult): void {
    const verdict = this.#verdicts.get(index);
    if (verdict === undefined) return;
    const { kind } = result;
    const isEffect = kind === "put" || kind === "deleted" || kind === "conditionFailed";
    if (verdict.kind === "first" && isEffect && !this.#results.has(index)) {
      this.#results.set(index, result);
    }
    const place = verdict.kind === "repeat" ? verdict.of : { index, term };
    const original = this.#results.get(place.index);
    const isRight =
      verdict.kind === "expired"
        ? kind === "sessionExpired"
        : verdict.kind === "dropped"
          ? kind === "serialDropped"
          : isEffect && isSame(result.at, place) && isSame(result, original);
    requireInvariant(
      isRight,
      "Exactly Once",
      () =>
        `${node}: entry ${index} is ${JSON.stringify(verdict)} of its session, but the result is ` +
        `${JSON.stringify(result)}, not ${JSON.stringify(original ?? null)}`,
    );
  }

  /** Whether the change at this index came after the end of its session. */
  isLate(index: LogIndex): boolean {
    return this.#verdicts.get(index)?.kind === "expired";
  }

  /** Where this serial took effect, or null. */
  firstOf(sessionId: number, serial: number): LogIndex | null {
    return this.#firsts.get(`${sessionId}/${serial}`) ?? null;
  }

  /** What the client was told of a change must be what its one execution did. */
  acknowledged(sessionId: number, serial: number, result: KvResult): LogIndex {
    const first = this.firstOf(sessionId, serial);
    const original = first === null ? undefined : this.#results.get(first);
    requireInvariant(
      first !== null && original !== undefined && isSame(original, result),
      "Exactly Once",
      () =>
        `serial ${serial} of session ${sessionId} was answered ${JSON.stringify(result)}; it did ` +
        `${JSON.stringify(original ?? null)} at ${first ?? "no place"}`,
    );
    return first;
  }

  /** Nobody stamps a command with an earlier time than one before it in the term. */
  #checkStamp(index: LogIndex, term: Term, timeMs: number): void {
    // Commands that are in no session need no time.
    if (timeMs === 0) return;
    const before = this.#stamped;
    requireInvariant(
      term !== before.term || timeMs >= before.timeMs,
      "Monotone Progress",
      () => `entry ${index} of term ${term} is of ${timeMs} ms, after one of ${before.timeMs} ms`,
    );
    this.#stamped = { term, timeMs };
  }

  #judge(entry: EntryId, { sessionId, serial, ackedBelow }: SessionOperation): Verdict {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return { kind: "expired" };
    session.lastActiveMs = this.#clusterTimeMs;
    session.ackedBelow = Math.max(session.ackedBelow, ackedBelow);
    if (serial < session.ackedBelow) return { kind: "dropped" };
    const of = session.done.get(serial);
    if (of !== undefined) return { kind: "repeat", of };
    session.done.set(serial, entry);
    this.#firsts.set(`${sessionId}/${serial}`, entry.index);
    return { kind: "first" };
  }
}

function isSame<Value extends KvResult | EntryId>(one: Value, other: Value | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
