import type {
  ChangeMembersRequest,
  ClientReply,
  ClientRequest,
  ErrorReply,
  LinkFault,
  MoveLeaderRequest,
  NodeId,
  NodeStatus,
  RequestId,
  SetFaultsRequest,
  StorageState,
} from "@quorate/wire";
import type { KvResult } from "../kv/kv-result.ts";
import type { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { FaultsOutcome } from "./fault-switch.ts";
import type { Membership } from "./membership.ts";
import type { RaftDriver } from "./raft-driver.ts";
import { ReadRequests } from "./read-requests.ts";
import type { Refusal } from "./refusal.ts";
import { describeRefusal } from "./refusal.ts";
import type { Telemetry } from "./telemetry.ts";
import type { WriteRequest } from "./write-requests.ts";
import { WriteRequests } from "./write-requests.ts";

/** Requests that have exactly one answer. */
export type AnsweredRequest = Exclude<ClientRequest, { type: "Subscribe" | "Cancel" }>;

export interface RouterOptions {
  readonly driver: Pick<
    RaftDriver<KvResult>,
    "propose" | "readIndex" | "leaseRead" | "transferLeadership" | "view" | "lastApplied"
  >;
  readonly store: Pick<KvStateMachine, "get" | "revision" | "clusterTimeMs">;
  readonly membership: Pick<Membership, "change">;
  readonly telemetry: Pick<Telemetry, "noteCommit" | "noteRead" | "noteFailure">;
  readonly clock: Clock;
  /** How long clients' sessions last in which nothing happens. */
  readonly sessionTtlMs?: number | undefined;
  readonly status: () => NodeStatus;
  /** `host:port` of a member, or null. */
  readonly addressOf: (id: NodeId) => string | null;
  /** How old this node's state may be at most, in ms. */
  readonly ageMs: () => number;
  readonly storageState: () => StorageState;
  /** Null: clients may not. */
  readonly setFaults: ((rules: readonly LinkFault[], ttlMs: number) => FaultsOutcome) | null;
  /** This node is a member no more: it answers nothing but its status. */
  readonly isRetired: () => boolean;
}

type Reply = (reply: ClientReply) => void;

/** Answers what clients ask: reads from the store, writes through the log. */
export class RequestRouter {
  readonly #options: RouterOptions;
  readonly #reads: ReadRequests;
  readonly #writes: WriteRequests;
  #stopping = false;

  constructor(options: RouterOptions) {
    const { telemetry } = options;
    this.#options = options;
    this.#reads = new ReadRequests(options);
    this.#writes = new WriteRequests({
      ...options,
      noteCommit: (durationMs) => {
        telemetry.noteCommit(durationMs);
      },
    });
  }

  /**
   * From now on writes, transfers and changes of members are refused as `stopping`; reads and status
   * are still answered.
   */
  beginStop(): void {
    this.#stopping = true;
  }

  /** Entries were applied to the store. */
  applied(): void {
    this.#reads.applied();
  }

  /** Calls `reply` once, now or later. */
  handle(request: AnsweredRequest, reply: Reply): void {
    const { requestId } = request;
    if (request.type === "Status") {
      reply({ type: "StatusReply", requestId, status: this.#options.status() });
      return;
    }
    if (request.type === "SetFaults") {
      this.#setFaults(request, reply);
      return;
    }
    if (this.#options.isRetired()) {
      reply(this.refuse(requestId, { code: "notMember" }));
      return;
    }
    switch (request.type) {
      case "Get":
        this.#reads.get(request, (answer) => {
          if ("type" in answer) this.#options.telemetry.noteRead();
          this.#finish(requestId, answer, reply);
        });
        break;
      case "Put":
      case "Delete":
      case "OpenSession":
      case "KeepSession":
      case "CloseSession":
        this.#write(request, reply);
        break;
      case "MoveLeader":
        this.#moveLeader(request, reply);
        break;
      case "ChangeMembers":
        this.#changeMembers(request, reply);
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
      message: message ?? describeRefusal(code, leaderId),
      leaderId,
      leaderAddress: leaderId === null ? null : addressOf(leaderId),
    };
  }

  #finish(requestId: RequestId, answer: ClientReply | Refusal, reply: Reply): void {
    reply("type" in answer ? answer : this.refuse(requestId, answer));
  }

  #write(request: WriteRequest, reply: Reply): void {
    const { requestId } = request;
    const refusal = this.#refuseWrites();
    if (refusal === null) {
      this.#writes.write(request, (answer) => {
        this.#finish(requestId, answer, reply);
      });
    } else {
      reply(this.refuse(requestId, refusal));
    }
  }

  /** A leader whose disk takes nothing accepts nothing: it could not answer. */
  #refuseWrites(): Refusal | null {
    const { driver, storageState } = this.#options;
    if (this.#stopping) return { code: "stopping", leaderId: driver.view().leaderId };
    const state = storageState();
    if (state === "ok" || driver.view().role !== "leader") return null;
    if (state === "full") return { code: "storageFull" };
    return { code: "overloaded", message: "the leader waits for its disk; try again later" };
  }

  #setFaults({ requestId, rules, ttlMs }: SetFaultsRequest, reply: Reply): void {
    const { setFaults } = this.#options;
    if (setFaults === null) {
      reply(this.refuse(requestId, { code: "faultsNotAllowed" }));
      return;
    }
    const outcome = setFaults(rules, ttlMs);
    if (outcome.kind === "refused") {
      reply(this.refuse(requestId, { code: "invalid", message: outcome.message }));
      return;
    }
    reply({ type: "SetFaultsReply", requestId, rules, ttlMs: outcome.ttlMs });
  }

  #changeMembers(request: ChangeMembersRequest, reply: Reply): void {
    const { requestId } = request;
    const refusal = this.#refuseWrites();
    if (refusal !== null) {
      reply(this.refuse(requestId, refusal));
      return;
    }
    this.#options.membership.change(request, (outcome) => {
      if (outcome.kind === "done") {
        const { configurationIndex, steps } = outcome;
        reply({ type: "ChangeMembersReply", requestId, configurationIndex, steps });
        return;
      }
      const { message, ...rest } = outcome;
      reply(this.refuse(requestId, message === null ? rest : { ...rest, message }));
    });
  }

  #moveLeader({ requestId, target }: MoveLeaderRequest, reply: Reply): void {
    if (this.#stopping) {
      const { leaderId } = this.#options.driver.view();
      reply(this.refuse(requestId, { code: "stopping", leaderId, outcome: "notApplied" }));
      return;
    }
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
