import type { LogIndex, Term } from "@quorate/wire";
import type { ChangeResult } from "./kv-result.ts";
import type { StateHash } from "./state-hash.ts";

/** Most sessions at a time: a new one ends the one that was idle for longest. */
const SESSIONS_MAX = 10_000;
/** Most responses that one session keeps for repeats. */
export const OUTSTANDING_MAX = 64;

const SESSION_MEMBER = 1;
const RESPONSE_MEMBER = 2;

/** One client's session, as it is in the state. */
export interface Session {
  /** Index of the entry that opened it. */
  readonly id: number;
  readonly ttlMs: number;
  /** Index of the last command that named it: no two sessions have the same. */
  readonly lastActiveIndex: number;
  /** Cluster time of that command. */
  readonly lastActiveMs: number;
  readonly ackedBelow: number;
  readonly responses: ReadonlyMap<number, ChangeResult>;
}

interface LiveSession extends Session {
  lastActiveIndex: number;
  lastActiveMs: number;
  ackedBelow: number;
  readonly responses: Map<number, ChangeResult>;
}

/** The moment of a command: what a session's activity is measured by. */
export interface Moment {
  readonly index: number;
  readonly clusterTimeMs: number;
}

/**
 * The clients' sessions (Diss. §6.3): they remember the response to each change until the client
 * has it, so that a change that is in the log twice takes effect once. Everything here follows
 * from the entries alone: time is what leaders wrote into the log.
 */
export class SessionTable {
  /** In the order of activity: the one that was idle for longest comes first. */
  #sessions = new Map<number, LiveSession>();
  readonly #hash: StateHash;
  /** No session ends before this; when it has passed, all are looked at. */
  #noneEndsBeforeMs = 0;
  /** Called before a session changes or goes; null while nobody needs it. */
  beforeChange: ((session: Session) => void) | null = null;

  /** @param hash follows every change of the sessions. */
  constructor(hash: StateHash) {
    this.#hash = hash;
  }

  get count(): number {
    return this.#sessions.size;
  }

  /**
   * Sessions by activity. The iterator may be kept while sessions change: those that are active
   * meanwhile come (again) after all that were not.
   */
  byActivity(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Ends the sessions that were idle for longer than their time to live. */
  expire(clusterTimeMs: number): void {
    if (clusterTimeMs <= this.#noneEndsBeforeMs) return;
    let first = Infinity;
    for (const session of this.#sessions.values()) {
      const endMs = session.lastActiveMs + session.ttlMs;
      if (endMs < clusterTimeMs) this.#remove(session);
      else first = Math.min(first, endMs);
    }
    this.#noneEndsBeforeMs = first;
  }

  /** Opens the session that has the moment's index for its id. */
  open(ttlMs: number, { index, clusterTimeMs }: Moment): void {
    if (this.#sessions.size >= SESSIONS_MAX) {
      const [idle] = this.#sessions.values();
      if (idle !== undefined) this.#remove(idle);
    }
    this.#add({
      id: index,
      ttlMs,
      lastActiveIndex: index,
      lastActiveMs: clusterTimeMs,
      ackedBelow: 0,
      responses: new Map(),
    });
    this.#noneEndsBeforeMs = Math.min(this.#noneEndsBeforeMs, clusterTimeMs + ttlMs);
  }

  /** Notes that a session was active, and drops the responses that its client has. */
  touch(id: number, ackedBelow: number, moment: Moment): Session | null {
    const session = this.#sessions.get(id);
    if (session === undefined) return null;
    this.beforeChange?.(session);
    this.#unhash(session);
    session.lastActiveIndex = moment.index;
    session.lastActiveMs = moment.clusterTimeMs;
    if (ackedBelow > session.ackedBelow) {
      session.ackedBelow = ackedBelow;
      for (const [serial, response] of session.responses) {
        if (serial >= ackedBelow) continue;
        session.responses.delete(serial);
        this.#hash.remove(...responseMember(id, serial, response));
      }
    }
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    this.#hash.add(...sessionMember(session));
    return session;
  }

  /** Keeps the response to a change of a session that was touched for it. */
  keep(id: number, serial: number, response: ChangeResult): void {
    this.#sessions.get(id)?.responses.set(serial, response);
    this.#hash.add(...responseMember(id, serial, response));
  }

  /** Ends a session; returns whether there was one. */
  close(id: number): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined) return false;
    this.#remove(session);
    return true;
  }

  /** Adds a session of a snapshot; false: it is there already, and nothing was done. */
  restore(session: Session): boolean {
    if (this.#sessions.has(session.id)) return false;
    this.#add({ ...session, responses: new Map(session.responses) });
    for (const [serial, response] of session.responses) {
      this.#hash.add(...responseMember(session.id, serial, response));
    }
    return true;
  }

  /** All sessions of the snapshot are there: puts them into the order of their activity. */
  finishRestore(): void {
    const sessions = [...this.#sessions.values()];
    sessions.sort((a, b) => a.lastActiveIndex - b.lastActiveIndex);
    this.#sessions = new Map(sessions.map((session) => [session.id, session]));
  }

  #add(session: LiveSession): void {
    this.#sessions.set(session.id, session);
    this.#hash.add(...sessionMember(session));
  }

  #remove(session: LiveSession): void {
    this.beforeChange?.(session);
    this.#sessions.delete(session.id);
    this.#unhash(session);
    for (const [serial, response] of session.responses) {
      this.#hash.remove(...responseMember(session.id, serial, response));
    }
  }

  #unhash(session: Session): void {
    this.#hash.remove(...sessionMember(session));
  }
}

function sessionMember(session: Session): number[] {
  const { id, ttlMs, ackedBelow, lastActiveIndex, lastActiveMs } = session;
  return [SESSION_MEMBER, id, ttlMs, ackedBelow, lastActiveIndex, lastActiveMs];
}

function responseMember(id: number, serial: number, response: ChangeResult): number[] {
  const { kind, revision, detail, index, term } = responseFields(response);
  return [RESPONSE_MEMBER, id, serial, kind, revision, detail, index, term];
}

/** A response as numbers, for the hash and for snapshots. */
export interface ResponseFields {
  /** 1 put, 2 deleted, 3 conditionFailed. */
  readonly kind: number;
  readonly revision: number;
  /** Whether it created or deleted something (1, 0), or the key's revision. */
  readonly detail: number;
  /** The entry that did it. */
  readonly index: LogIndex;
  readonly term: Term;
}

export function responseFields(response: ChangeResult): ResponseFields {
  const { revision, at } = response;
  switch (response.kind) {
    case "put":
      return { kind: 1, revision, detail: response.created ? 1 : 0, ...at };
    case "deleted":
      return { kind: 2, revision, detail: response.deleted ? 1 : 0, ...at };
    case "conditionFailed":
      return { kind: 3, revision, detail: response.currentRevision, ...at };
  }
}

/** The response that has these fields; null: none has. */
export function responseOf(fields: ResponseFields): ChangeResult | null {
  const { kind, revision, detail, index, term } = fields;
  const at = { index, term };
  if (kind === 3) return { kind: "conditionFailed", revision, currentRevision: detail, at };
  if (detail > 1) return null;
  if (kind === 1) return { kind: "put", revision, created: detail === 1, at };
  return kind === 2 ? { kind: "deleted", revision, deleted: detail === 1, at } : null;
}
