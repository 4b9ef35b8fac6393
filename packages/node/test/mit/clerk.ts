import type { Operation } from "@quorate/wire/history";
import type { NodeId, SessionOperation } from "@quorate/wire";
import type { SeededRandom } from "@quorate/node/testing";
import type { KvCommand } from "../../src/kv/kv-command.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import type { ProposalOutcome } from "../../src/server/driver-outcomes.ts";
import type { SimNode } from "../../src/testing/sim-node.ts";
import type { RaftGroup } from "./raft-group.ts";

/** A clerk asks another server when it heard nothing for so long. */
const PATIENCE_US = 150_000;
/** No test lasts so long without a word. */
const TTL_MS = 600_000;

/** What a put came to. */
export interface PutAnswer {
  /** False: the key was at another revision, and is as it was. */
  readonly isApplied: boolean;
  /** The key's revision afterwards; 0: there is no such key. */
  readonly revision: number;
}

export interface ClerkOptions {
  readonly name: string;
  /** Servers that it reaches; not told: all. */
  readonly servers?: readonly number[];
  /** On an unreliable network one request of ten is lost, and one answer of ten. */
  readonly isReliable: boolean;
}

/** A request that is sent until it is answered. */
interface Request {
  readonly ask: (node: SimNode) => void;
  isOver: boolean;
  /** How often it was sent: only the newest attempt waits and tries again. */
  attempts: number;
}

/**
 * The course's client: one operation at a time, sent to one server after the other until it is
 * answered. Puts are in a session, so each takes effect once. Everything is recorded.
 */
export class Clerk {
  /** What was asked, and what came of it. */
  readonly operations: Operation[] = [];
  readonly #group: RaftGroup;
  readonly #options: ClerkOptions;
  readonly #random: SeededRandom;
  #reach: readonly number[];
  #server: number;
  #session: number | null = null;
  #serial = 0;
  #pending: (() => Operation) | null = null;

  constructor(group: RaftGroup, options: ClerkOptions) {
    this.#group = group;
    this.#options = options;
    this.#random = group.random.fork(`clerk ${options.name}`);
    this.#reach = options.servers ?? group.servers;
    this.#server = this.#random.pick(this.#reach);
  }

  get isIdle(): boolean {
    return this.#pending === null;
  }

  /** From now on it reaches every server. */
  connectAll(): void {
    this.#reach = this.#group.servers;
  }

  /** All operations, the one under way as one of which nobody knows. */
  recorded(): Operation[] {
    return this.#pending === null ? this.operations : [...this.operations, this.#pending()];
  }

  /** A linearizable read. */
  get(key: string, done: (value: string | null) => void): void {
    const base = {
      client: this.#options.name,
      call: this.#nowUs,
      op: { kind: "get", key },
    } as const;
    this.#pending = () => ({ ...base, outcome: "info" });
    this.#send((node, request) => {
      node.read(Buffer.from(key), (answer) => {
        if (answer.kind === "failed") {
          this.#answered(request, () => this.#retry(request, answer.leaderId));
          return;
        }
        this.#answered(request, () => {
          request.isOver = true;
          const value = answer.value === null ? null : Buffer.from(answer.value).toString();
          const index = answer.appliedIndex;
          this.#record({ ...base, outcome: "ok", return: this.#nowUs, result: { value }, index });
          done(value);
        });
      });
    });
  }

  /** Puts a value that nobody else puts, if the key is at this revision (0: if there is none). */
  put(key: string, value: string, ifRevision: number, done: (answer: PutAnswer) => void): void {
    const op = { kind: "put", key, value, ifRevision } as const;
    const base = { client: this.#options.name, call: this.#nowUs, op } as const;
    this.#pending = () => ({ ...base, outcome: "info" });
    const bytes = { key: Buffer.from(key), value: Buffer.from(value) };
    this.#inSession((sessionId) => {
      this.#serial += 1;
      const serial = this.#serial;
      const session = { sessionId, serial, ackedBelow: serial };
      const command = { kind: "put", ...bytes, ifRevision } as const;
      const { sessions } = this.#group.cluster.checker.history;
      this.#propose(command, session, (result) => {
        if (result.kind !== "put" && result.kind !== "conditionFailed") return false;
        const isApplied = result.kind === "put";
        const revision = isApplied ? result.revision : result.currentRevision;
        // A retry is answered by a later copy: the first one is where it took effect.
        const index = sessions.acknowledged(sessionId, serial, result);
        const answer = { ...(isApplied ? { revision } : {}), applied: isApplied };
        this.#record({ ...base, outcome: "ok", return: this.#nowUs, result: answer, index });
        done({ isApplied, revision });
        return true;
      });
    });
  }

  get #nowUs(): number {
    return this.#group.cluster.scheduler.nowUs;
  }

  #record(operation: Operation): void {
    this.operations.push(operation);
    this.#pending = null;
  }

  #inSession(act: (sessionId: number) => void): void {
    if (this.#session !== null) {
      act(this.#session);
      return;
    }
    this.#propose({ kind: "openSession", ttlMs: TTL_MS }, null, (result) => {
      if (result.kind !== "sessionOpened") return false;
      this.#session = result.sessionId;
      act(result.sessionId);
      return true;
    });
  }

  /** `take` says whether the result is an answer; what is none is asked for again. */
  #propose(
    command: KvCommand,
    session: SessionOperation | null,
    take: (result: KvResult) => boolean,
  ): void {
    this.#send((node, request) => {
      node.proposeInSession(command, session, (outcome: ProposalOutcome<KvResult>) => {
        this.#answered(request, () => {
          if (outcome.kind !== "applied") {
            this.#retry(request, outcome.leaderId);
            return;
          }
          request.isOver = true;
          if (!take(outcome.result)) throw new Error(`${outcome.result.kind} for ${command.kind}`);
        });
      });
    });
  }

  #send(ask: (node: SimNode, request: Request) => void): void {
    const request: Request = { ask: (node) => ask(node, request), isOver: false, attempts: 0 };
    this.#try(request);
  }

  #try(request: Request): void {
    const server = this.#server;
    request.attempts += 1;
    const attempt = request.attempts;
    const { scheduler } = this.#group.cluster;
    if (!this.#isLost() && this.#reach.includes(server)) {
      this.#later(() => {
        if (!request.isOver) request.ask(this.#group.node(server));
      });
    }
    scheduler.schedule(PATIENCE_US, () => {
      if (request.isOver || request.attempts !== attempt) return;
      this.#moveOn();
      this.#try(request);
    });
  }

  /** An answer is on its way to the clerk, unless it is lost. */
  #answered(request: Request, act: () => void): void {
    if (this.#isLost()) return;
    this.#later(() => {
      if (!request.isOver) act();
    });
  }

  /** This server cannot do it; it may know who leads. */
  #retry(request: Request, leaderId: NodeId | null): void {
    const leader = this.#reach.find((server) => this.#group.node(server).id === leaderId);
    if (leader === undefined || leader === this.#server) this.#moveOn();
    else this.#server = leader;
    const attempt = request.attempts;
    this.#group.cluster.scheduler.schedule(10_000, () => {
      if (!request.isOver && request.attempts === attempt) this.#try(request);
    });
  }

  #moveOn(): void {
    const at = this.#reach.indexOf(this.#server);
    this.#server = this.#reach[(at + 1) % this.#reach.length] ?? this.#server;
  }

  #isLost(): boolean {
    return !this.#options.isReliable && this.#random.chance(0.1);
  }

  #later(act: () => void): void {
    const meanUs = this.#options.isReliable ? 150 : 13_000;
    this.#group.cluster.scheduler.schedule(50 + this.#random.exponential(meanUs), act);
  }
}
