import type {
  ClientReply,
  CloseSessionRequest,
  DeleteRequest,
  KeepSessionRequest,
  OpenSessionRequest,
  PutRequest,
  SessionOperation,
} from "@quorate/wire";
import { VALUE_MAX_BYTES } from "@quorate/wire";
import { encodeCommand } from "../kv/command-codec.ts";
import type { KvCommand } from "../kv/kv-command.ts";
import {
  isKeySize,
  isSessionOperation,
  isValueSize,
  SESSION_TTL_DEFAULT_MS,
} from "../kv/kv-command.ts";
import type { KvResult } from "../kv/kv-result.ts";
import type { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import { ClusterClock } from "./cluster-clock.ts";
import type { ProposalOutcome } from "./driver-outcomes.ts";
import type { RaftDriver } from "./raft-driver.ts";
import type { Refusal } from "./refusal.ts";
import { keySizeRefusal } from "./refusal.ts";

export type WriteRequest =
  | PutRequest
  | DeleteRequest
  | OpenSessionRequest
  | KeepSessionRequest
  | CloseSessionRequest;

export interface WriteRequestsOptions {
  readonly driver: Pick<RaftDriver<KvResult>, "propose" | "view">;
  readonly store: Pick<KvStateMachine, "clusterTimeMs">;
  readonly clock: Clock;
  /** How long a session lasts in which nothing happens. Default: {@link SESSION_TTL_DEFAULT_MS}. */
  readonly sessionTtlMs?: number | undefined;
  /** A write was applied, so many ms after it was proposed. */
  readonly noteCommit: (durationMs: number) => void;
}

type Applied = Extract<ProposalOutcome<KvResult>, { kind: "applied" }>;

/** Answers what goes through the log: changes of keys, and of sessions (Diss. §6.3). */
export class WriteRequests {
  readonly #options: WriteRequestsOptions;
  readonly #clusterClock: ClusterClock;

  constructor(options: WriteRequestsOptions) {
    const { clock, store } = options;
    this.#options = options;
    this.#clusterClock = new ClusterClock(
      () => clock.nowMs(),
      () => store.clusterTimeMs,
    );
  }

  /** Calls `done` once, now or later. */
  write(request: WriteRequest, done: (answer: ClientReply | Refusal) => void): void {
    const refusal = refuseForm(request);
    if (refusal !== null) {
      done(refusal);
      return;
    }
    const { driver, clock, noteCommit } = this.#options;
    const proposedMs = clock.nowMs();
    const clusterTimeMs = this.#clusterClock.stamp(driver.view().currentTerm);
    const data = encodeCommand(this.#commandOf(request), {
      clusterTimeMs,
      session: sessionOf(request),
    });
    driver.propose(data, (outcome) => {
      if (outcome.kind === "applied") {
        noteCommit(clock.nowMs() - proposedMs);
        done(answerOf(request.requestId, outcome));
      } else {
        const { code, leaderId, kind } = outcome;
        done({ code, leaderId, outcome: kind });
      }
    });
  }

  #commandOf(request: WriteRequest): KvCommand {
    switch (request.type) {
      case "Put": {
        const { key, value, ifRevision } = request;
        return { kind: "put", key, value, ifRevision };
      }
      case "Delete": {
        const { key, ifRevision } = request;
        return { kind: "delete", key, ifRevision };
      }
      case "OpenSession": {
        const { sessionTtlMs = SESSION_TTL_DEFAULT_MS } = this.#options;
        return { kind: "openSession", ttlMs: sessionTtlMs };
      }
      case "KeepSession":
        return { kind: "keepSession", sessionId: request.sessionId };
      case "CloseSession":
        return { kind: "closeSession", sessionId: request.sessionId };
    }
  }
}

function refuseForm(request: WriteRequest): Refusal | null {
  if (request.type !== "Put" && request.type !== "Delete") return null;
  const { key, session } = request;
  if (request.type === "Put" && !isValueSize(request.value.length)) {
    const { length } = request.value;
    const message = `a value has at most ${VALUE_MAX_BYTES} bytes, not ${length}`;
    return { code: "tooLarge", message };
  }
  if (!isKeySize(key.length)) return keySizeRefusal(key);
  if (session === null || isSessionOperation(session)) return null;
  return { code: "invalid", message: "serials of a session begin at 1, its own not acknowledged" };
}

function sessionOf(request: WriteRequest): SessionOperation | null {
  return request.type === "Put" || request.type === "Delete" ? request.session : null;
}

function answerOf(requestId: number, { result }: Applied): ClientReply | Refusal {
  const { revision } = result;
  switch (result.kind) {
    case "put": {
      const { created, at } = result;
      return { type: "PutReply", requestId, ...at, revision, created };
    }
    case "deleted": {
      const { deleted, at } = result;
      return { type: "DeleteReply", requestId, ...at, revision, deleted };
    }
    case "sessionOpened":
    case "sessionKept": {
      const { sessionId, ttlMs } = result;
      return { type: "SessionReply", requestId, sessionId, ttlMs };
    }
    case "sessionClosed":
      return { type: "SessionReply", requestId, sessionId: result.sessionId, ttlMs: 0 };
    case "conditionFailed": {
      const { currentRevision: found } = result;
      const where = found === 0 ? "there is no such key" : `the key is at revision ${found}`;
      return { code: "conditionFailed", message: where };
    }
    case "sessionExpired":
      return { code: "sessionExpired" };
    case "sessionFull": {
      const message = `${result.outstanding} answers of the session are not acknowledged`;
      return { code: "overloaded", message };
    }
    case "serialDropped": {
      const message = `serial ${result.serial} was acknowledged: its answer is gone`;
      return { code: "invalid", outcome: "unknown", message };
    }
    case "invalid":
      return { code: "invalid", message: result.reason };
  }
}
