import type {
  ClientReply,
  ClientRequest,
  DeleteRequest,
  ErrorReply,
  GetRequest,
  MoveLeaderRequest,
  NodeId,
  NodeStatus,
  Outcome,
  PutRequest,
  RequestErrorCode,
  RequestId,
} from "@quorate/wire";
import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from "@quorate/wire";
import type { KvCommand } from "../kv/kv-command.ts";
import { encodeCommand, isKeySize, isValueSize } from "../kv/kv-command.ts";
import type { KvResult, KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import { assert } from "../raft/index.ts";
import type { ProposalOutcome } from "./driver-outcomes.ts";
import type { RaftDriver } from "./raft-driver.ts";
import { ReadBatcher } from "./read-batcher.ts";
import type { Telemetry } from "./telemetry.ts";

/** Requests that have exactly one answer. */
export type AnsweredRequest = Exclude<ClientRequest, { type: "Subscribe" | "Cancel" }>;

export interface RouterOptions {
  readonly driver: Pick<
    RaftDriver<KvResult>,
    "propose" | "readIndex" | "transferLeadership" | "view" | "lastApplied"
  >;
  readonly store: KvStateMachine;
  readonly telemetry: Pick<Telemetry, "noteCommit" | "noteRead" | "noteFailure">;
  readonly clock: Clock;
  readonly status: () => NodeStatus;
  /** `host:port` of a member, or null. */
  readonly addressOf: (id: NodeId) => string | null;
}

type Reply = (reply: ClientReply) => void;
type Applied = Extract<ProposalOutcome<KvResult>, { kind: "applied" }>;

/** Answers what clients ask: reads from the store, writes through the log. */
export class RequestRouter {
  readonly #options: RouterOptions;
  readonly #reads: ReadBatcher;
  #stopping = false;

  constructor(options: RouterOptions) {
    const { driver, clock } = options;
    this.#options = options;
    this.#reads = new ReadBatcher((done) => {
      driver.readIndex(done);
    }, clock);
  }

  /** From now on writes are refused as `stopping`; reads and status are still answered. */
  stopWrites(): void {
    this.#stopping = true;
  }

  /** Calls `reply` once, now or later. */
  handle(request: AnsweredRequest, reply: Reply): void {
    switch (request.type) {
      case "Get":
        this.#get(request, reply);
        break;
      case "Put":
        this.#put(request, reply);
        break;
      case "Delete":
        this.#delete(request, reply);
        break;
      case "Status":
        reply({
          type: "StatusReply",
          requestId: request.requestId,
          status: this.#options.status(),
        });
        break;
      case "MoveLeader":
        this.#moveLeader(request, reply);
        break;
    }
  }

  /** The answer to a request that failed; it counts as one. */
  refuse(requestId: RequestId, refusal: Refusal): ErrorReply {
    const { telemetry, addressOf } = this.#options;
    const { code, outcome = "notApplied", leaderId = null, message } = refusal;
    telemetry.noteFailure();
    return {
      type: "ErrorReply",
      requestId,
      code,
      outcome,
      message: message ?? describe(code, leaderId),
      leaderId,
      leaderAddress: leaderId === null ? null : addressOf(leaderId),
    };
  }

  #get(request: GetRequest, reply: Reply): void {
    const { requestId, key, consistency } = request;
    if (!isKeySize(key.length)) {
      reply(this.refuse(requestId, keySizeRefusal(key)));
    } else if (consistency === "stale") {
      reply(this.#read(requestId, key));
    } else {
      this.#reads.add((outcome) => {
        reply(
          outcome.kind === "ready" ? this.#read(requestId, key) : this.refuse(requestId, outcome),
        );
      });
    }
  }

  #read(requestId: RequestId, key: Uint8Array): ClientReply {
    const { store, driver, telemetry } = this.#options;
    telemetry.noteRead();
    const found = store.get(key);
    return {
      type: "GetReply",
      requestId,
      found,
      revision: store.revision,
      appliedIndex: driver.lastApplied,
    };
  }

  #put({ requestId, key, value }: PutRequest, reply: Reply): void {
    if (!isValueSize(value.length)) {
      const message = `a value has at most ${VALUE_MAX_BYTES} bytes, not ${value.length}`;
      reply(this.refuse(requestId, { code: "tooLarge", message }));
      return;
    }
    this.#write(requestId, { kind: "put", key, value }, reply, ({ result, index, term }) => {
      assert(result.kind === "put", `a put was applied as ${result.kind}`);
      const { revision, created } = result;
      return { type: "PutReply", requestId, index, term, revision, created };
    });
  }

  #delete({ requestId, key }: DeleteRequest, reply: Reply): void {
    this.#write(requestId, { kind: "delete", key }, reply, ({ result, index, term }) => {
      assert(result.kind === "deleted", `a delete was applied as ${result.kind}`);
      const { revision, deleted } = result;
      return { type: "DeleteReply", requestId, index, term, revision, deleted };
    });
  }

  #write(
    requestId: RequestId,
    command: KvCommand,
    reply: Reply,
    answer: (applied: Applied) => ClientReply,
  ): void {
    const { driver, telemetry, clock } = this.#options;
    if (!isKeySize(command.key.length)) {
      reply(this.refuse(requestId, keySizeRefusal(command.key)));
      return;
    }
    if (this.#stopping) {
      const { leaderId } = driver.view();
      reply(this.refuse(requestId, { code: "stopping", leaderId }));
      return;
    }
    const proposedMs = clock.nowMs();
    driver.propose(encodeCommand(command), (outcome) => {
      if (outcome.kind === "applied") {
        telemetry.noteCommit(clock.nowMs() - proposedMs);
        reply(answer(outcome));
      } else {
        const { code, leaderId, kind } = outcome;
        reply(this.refuse(requestId, { code, leaderId, outcome: kind }));
      }
    });
  }

  #moveLeader({ requestId, target }: MoveLeaderRequest, reply: Reply): void {
    // What is refused at once has had no effect; a transfer that was begun may still come about.
    let begun = false;
    this.#options.driver.transferLeadership(target, (outcome) => {
      if (outcome.kind === "moved") {
        const { leaderId, term } = outcome;
        reply({ type: "MoveLeaderReply", requestId, leaderId, term });
        return;
      }
      const { code, leaderId, reason } = outcome;
      const refusal: Refusal = { code, leaderId, outcome: begun ? "unknown" : "notApplied" };
      const failed = code === "transferFailed";
      reply(this.refuse(requestId, failed ? { ...refusal, message: reason } : refusal));
    });
    begun = true;
  }
}

/** Why a request is not answered as asked. */
export interface Refusal {
  readonly code: RequestErrorCode;
  /** Default: `notApplied`. */
  readonly outcome?: Outcome;
  readonly leaderId?: NodeId | null;
  /** Default: the words for `code`. */
  readonly message?: string;
}

function keySizeRefusal(key: Uint8Array): Refusal {
  return key.length === 0
    ? { code: "invalid", message: "a key has at least one byte" }
    : {
        code: "tooLarge",
        message: `a key has at most ${KEY_MAX_BYTES} bytes, not ${key.length}`,
      };
}

function describe(code: RequestErrorCode, leaderId: NodeId | null): string {
  switch (code) {
    case "notLeader":
      return `this node does not lead; ${leaderId ?? "another node"} does`;
    case "noLeader":
      return "this node knows no leader";
    case "leadershipLost":
      return "leadership was lost before the request was decided";
    case "proposalDropped":
      return "another leader's entry took the place of this one";
    case "transferring":
      return "leadership is being handed over";
    case "overloaded":
      return "too much waits to be committed; try again later";
    case "tooLarge":
      return "the request is too large";
    case "invalid":
      return "the request is not valid";
    case "stopping":
      return "this node is stopping";
    case "transferFailed":
      return "leadership did not move";
  }
}
