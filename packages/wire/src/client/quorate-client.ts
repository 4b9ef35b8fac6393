import type {
  ClientReply,
  ClientRequest,
  GetReply,
  KeyValue,
  LinkFault,
  MembersChange,
  MemberStatus,
  NodeStatus,
  ReadConsistency,
  SessionOperation,
  WritePosition,
} from "../client-messages.ts";
import { isIdentifier, type LogIndex, type NodeId, type RequestId, type Term } from "../ids.ts";
import { KEY_MAX_BYTES, VALUE_MAX_BYTES } from "../limits.ts";
import { Call, type CallContext, type CallRequest, type Interruptible } from "./call.ts";
import { clientHello } from "./client-hello.ts";
import { type ClientPlatform, systemPlatform } from "./client-platform.ts";
import { KnownNodes } from "./known-nodes.ts";
import { NodeSearch } from "./node-search.ts";
import { RequestError } from "./request-error.ts";
import { type OpenedSession, SessionWrites, type WriteLimits } from "./session-writes.ts";
import {
  LinkSubscription,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionHandlers,
} from "./subscription.ts";

const TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 1000;
const KEEP_ALIVE = { intervalMs: 500, silenceMs: 2000 } as const;
const OUTSTANDING_MAX = 4096;
const OUTSTANDING_MAX_BYTES: number = 256 * 1024 * 1024;

export interface QuorateClientOptions {
  /** `host:port` of one node or more of the cluster: the others are learned from these. */
  readonly endpoints: readonly string[];
  /** Of a request, from call to answer with all retries. In ms; default 5,000. */
  readonly timeoutMs?: number;
  /** Shown by the nodes: 1 to 64 characters. Default "client". */
  readonly clientName?: string;
  /**
   * Writes are made in a session, which the first of them opens: each may be sent again until its
   * time is over, and takes effect once. Default: true. False: a write whose answer is lost is
   * `unknown`, and is not repeated; it spares a client of few writes the opening.
   */
  readonly sessions?: boolean;
}

/** For one request. */
export interface RequestOptions {
  /** In ms. Default: the client's. */
  readonly timeoutMs?: number;
  /** Gives the request up when it is aborted: a RequestError `canceled` says what is known. */
  readonly signal?: AbortSignal;
}

export interface GetOptions extends RequestOptions {
  /** Default `linearizable`. */
  readonly consistency?: ReadConsistency;
  /** A stale answer that may not be older than this; makes the read a stale one. */
  readonly maxStalenessMs?: number;
  /** Asks this node (`host:port`) and no other. */
  readonly endpoint?: string;
}

/** For one write. */
export interface WriteOptions extends RequestOptions {
  /** Only where the key's modRevision is this; 0: only where there is no such key. Default: always. */
  readonly ifRevision?: number | null;
}

/** For a change of members. */
export interface ChangeMembersOptions extends RequestOptions {
  /** Refused as `conflict` unless the members are those of this entry. Default: whichever. */
  readonly expectedConfigurationIndex?: number | null;
  /** Begin even though too few of the voters that there would be answer. Default: no. */
  readonly force?: boolean;
  /** Only tell what would be done. Default: no. */
  readonly dryRun?: boolean;
}

export interface ChangeMembersResult {
  /** Names the members that there are now: the index of their entry. */
  readonly configurationIndex: LogIndex;
  /** In words for people: what was done, or would be. */
  readonly steps: readonly string[];
}

export interface GetResult {
  /** Null: there is no such key. */
  readonly found: KeyValue | null;
  /** The store's revision, and the applied index, that were read at. */
  readonly revision: number;
  readonly appliedIndex: LogIndex;
  /** How old the answer may be at most; 0 for a linearizable read. */
  readonly ageMs: number;
}

export interface PutResult extends WritePosition {
  /** Whether the key did not exist before. */
  readonly created: boolean;
}

export interface DeleteResult extends WritePosition {
  /** Whether the key existed. */
  readonly deleted: boolean;
}

export interface MoveLeaderResult {
  readonly leaderId: NodeId;
  readonly term: Term;
}

/**
 * A client of one cluster. It connects to a node when it first needs it, finds the leader, keeps
 * one connection to each node that it used, and retries what is safe to retry until a request's
 * time is over. Every method rejects with a {@link RequestError} and with nothing else.
 *
 * A fulfilled write is committed and on the disks of a majority. A rejected one says whether it
 * was certainly not applied, or may have been or yet be. No read goes back behind what this client
 * has read or written before, whichever nodes answer (Diss. §6.4; rule: monotonic sessions).
 */
export class QuorateClient {
  readonly #timeoutMs: number;
  readonly #nodes: KnownNodes;
  readonly #context: CallContext;
  readonly #calls: Set<Interruptible> = new Set();
  readonly #subscriptions: Set<LinkSubscription> = new Set();
  readonly #session: SessionWrites | null;
  /** Highest revision of the store that an answer told. */
  #revision = 0;
  #outstanding = 0;
  #outstandingBytes = 0;
  #closed = false;

  /** `platform`: what it runs on, for a simulator; the machine's own. */
  constructor(options: QuorateClientOptions, platform: ClientPlatform = systemPlatform) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#nodes = new KnownNodes(options.endpoints, {
      hello: clientHello(options.clientName ?? "", platform.newBootId()),
      connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, this.#timeoutMs),
      keepAlive: KEEP_ALIVE,
      stack: platform.stack,
    });
    const search = new NodeSearch(this.#nodes, platform);
    this.#context = { platform, nodes: this.#nodes, search };
    this.#session = options.sessions === false ? null : this.#createSession();
  }

  /** Every endpoint that was given or learned so far. */
  get endpoints(): readonly string[] {
    return this.#nodes.endpoints;
  }

  /** Reads a key. */
  get(key: string | Uint8Array, options: GetOptions = {}): Promise<GetResult> {
    const keyBytes = toBytes(key);
    const maxStalenessMs = options.maxStalenessMs ?? null;
    const consistency = maxStalenessMs === null ? (options.consistency ?? "linearizable") : "stale";
    const fault = faultOfKey(keyBytes);
    if (fault !== null) return Promise.reject(fault);
    return this.#call(keyBytes.byteLength, options, {
      verb: "get",
      build: (requestId) => ({
        type: "Get",
        requestId,
        key: keyBytes,
        consistency,
        maxStalenessMs,
        minRevision: this.#revision,
      }),
      read: (reply) => {
        if (reply.type !== "GetReply") return null;
        this.#saw(reply.revision);
        return getResult(reply);
      },
      effect: "read",
      need: consistency === "stale" ? "any" : "led",
      pinnedTo: options.endpoint ?? null,
    });
  }

  /** Sets a key. Neither key nor value may be changed before this is settled. */
  put(
    key: string | Uint8Array,
    value: string | Uint8Array,
    options: WriteOptions = {},
  ): Promise<PutResult> {
    const keyBytes = toBytes(key);
    const valueBytes = toBytes(value);
    const fault = faultOfKey(keyBytes) ?? faultOfValue(valueBytes);
    if (fault !== null) return Promise.reject(fault);
    return this.#write(keyBytes.byteLength + valueBytes.byteLength, options, {
      verb: "put",
      build: (requestId, session) => ({
        type: "Put",
        requestId,
        key: keyBytes,
        value: valueBytes,
        ifRevision: options.ifRevision ?? null,
        session,
      }),
      read: (reply) => {
        if (reply.type !== "PutReply") return null;
        this.#saw(reply.revision);
        return { ...positionOf(reply), created: reply.created };
      },
    });
  }

  /** Removes a key; where it does not exist, nothing changes. */
  delete(key: string | Uint8Array, options: WriteOptions = {}): Promise<DeleteResult> {
    const keyBytes = toBytes(key);
    const fault = faultOfKey(keyBytes);
    if (fault !== null) return Promise.reject(fault);
    return this.#write(keyBytes.byteLength, options, {
      verb: "delete",
      build: (requestId, session) => ({
        type: "Delete",
        requestId,
        key: keyBytes,
        ifRevision: options.ifRevision ?? null,
        session,
      }),
      read: (reply) => {
        if (reply.type !== "DeleteReply") return null;
        this.#saw(reply.revision);
        return { ...positionOf(reply), deleted: reply.deleted };
      },
    });
  }

  /** What the node at `endpoint` (`host:port`) reports about itself. Asked once. */
  status(endpoint: string, options: RequestOptions = {}): Promise<NodeStatus> {
    return this.#call(0, options, {
      verb: "status",
      build: (requestId) => ({ type: "Status", requestId }),
      read: (reply) => {
        if (reply.type !== "StatusReply") return null;
        this.#nodes.learn(endpoint, reply.status);
        return reply.status;
      },
      effect: "read",
      need: "any",
      pinnedTo: endpoint,
    });
  }

  /** Hands leadership to `target`, or to whichever voter is best caught up (null). */
  moveLeader(target: NodeId | null, options: RequestOptions = {}): Promise<MoveLeaderResult> {
    if (target !== null && !isIdentifier(target)) {
      const message = `"${target}" cannot be the name of a node`;
      return Promise.reject(new RequestError("invalid", "notApplied", { message }));
    }
    return this.#call(0, options, {
      verb: "move of the leader",
      build: (requestId) => ({ type: "MoveLeader", requestId, target }),
      read: (reply) =>
        reply.type === "MoveLeaderReply" ? { leaderId: reply.leaderId, term: reply.term } : null,
      effect: "write",
      need: "leader",
      pinnedTo: null,
    });
  }

  /**
   * Changes who belongs to the cluster (Raft §6): resolves when the first configuration of the
   * change is committed. What catches up or leaves goes on by itself: see the members of a status.
   */
  changeMembers(
    change: MembersChange,
    options: ChangeMembersOptions = {},
  ): Promise<ChangeMembersResult> {
    return this.#call(0, options, {
      verb: "change of members",
      build: (requestId) => ({
        type: "ChangeMembers",
        requestId,
        change,
        expectedConfigurationIndex: options.expectedConfigurationIndex ?? null,
        force: options.force ?? false,
        dryRun: options.dryRun ?? false,
      }),
      read: (reply) =>
        reply.type === "ChangeMembersReply"
          ? { configurationIndex: reply.configurationIndex, steps: reply.steps }
          : null,
      effect: "write",
      need: "leader",
      pinnedTo: null,
    });
  }

  /**
   * Puts `rules` in the place of the faults of the lines of the node at `endpoint` (`host:port`),
   * for `ttlMs`; none of them: its lines are well again. Refused as `faultsNotAllowed` by a node
   * that was not started with `--allow-faults`. Resolves with the time that they last, in ms.
   */
  setFaults(
    endpoint: string,
    rules: readonly LinkFault[],
    ttlMs: number,
    options: RequestOptions = {},
  ): Promise<number> {
    return this.#call(0, options, {
      verb: "setting of faults",
      build: (requestId) => ({ type: "SetFaults", requestId, rules, ttlMs }),
      read: (reply) => (reply.type === "SetFaultsReply" ? reply.ttlMs : null),
      // Said twice it does no more than once.
      effect: "read",
      need: "any",
      pinnedTo: endpoint,
    });
  }

  /** The members as `endpoint` (`host:port`) knows them. Asked once. */
  async members(
    endpoint: string,
    options: RequestOptions = {},
  ): Promise<{
    readonly configurationIndex: LogIndex;
    readonly members: readonly MemberStatus[];
  }> {
    const { configurationIndex, members } = await this.status(endpoint, options);
    return { configurationIndex, members };
  }

  /** Follows the state and the events of the node at `endpoint` (`host:port`). */
  subscribe(
    endpoint: string,
    handlers: SubscriptionHandlers,
    options: SubscribeOptions = {},
  ): Subscription {
    const subscription = new LinkSubscription(
      this.#nodes.link(endpoint),
      handlers,
      options,
      (ended) => this.#subscriptions.delete(ended),
    );
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /**
   * Ends every subscription without a word, and every request with a RequestError `closed`: a
   * write that a node may have is `unknown`, everything else `notApplied`. Then closes the
   * connections; returns without waiting for the other sides.
   */
  close(): Promise<void> {
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription.cancel();
    this.#endSession();
    for (const call of this.#calls) call.interrupt("closed", "the client was closed");
    this.#nodes.close();
    return Promise.resolve();
  }

  #createSession(): SessionWrites {
    return new SessionWrites({
      stack: this.#context.platform.stack,
      open: (limits) =>
        this.#start(limits, {
          verb: "opening of a session",
          build: (requestId) => ({ type: "OpenSession", requestId }),
          read: sessionOf,
          // Opened twice, the one that nobody uses ends by itself.
          effect: "read",
          need: "leader",
          pinnedTo: null,
        }),
      keep: (sessionId) =>
        this.#start(
          { timeoutMs: this.#timeoutMs, signal: null },
          {
            verb: "keeping of the session",
            build: (requestId) => ({ type: "KeepSession", requestId, sessionId }),
            read: sessionOf,
            effect: "read",
            need: "leader",
            pinnedTo: null,
          },
        ),
    });
  }

  /** A leader that is connected may forget the session now; else it ends by its time. */
  #endSession(): void {
    const sessionId = this.#session?.sessionId ?? null;
    const { leader } = this.#nodes;
    this.#session?.close();
    if (sessionId === null || leader === null) return;
    const link = this.#nodes.link(leader);
    if (!link.isConnected) return;
    link.request((requestId) => ({ type: "CloseSession", requestId, sessionId }), {
      onReply: () => undefined,
      onFailure: () => undefined,
    });
  }

  #saw(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  #write<Result>(
    sizeBytes: number,
    options: RequestOptions,
    request: WriteRequest<Result>,
  ): Promise<Result> {
    const session = this.#session;
    const common = {
      verb: request.verb,
      read: request.read,
      need: "leader",
      pinnedTo: null,
    } as const;
    return this.#admit(sizeBytes, options, (limits) =>
      session === null
        ? this.#start(limits, {
            ...common,
            build: (requestId) => request.build(requestId, null),
            effect: "write",
          })
        : session.run(limits, (operation, left) =>
            this.#start(left, {
              ...common,
              build: (requestId) => request.build(requestId, operation()),
              effect: "once",
            }),
          ),
    );
  }

  #call<Result>(
    sizeBytes: number,
    options: RequestOptions,
    request: CallRequest<Result>,
  ): Promise<Result> {
    return this.#admit(sizeBytes, options, (limits) => this.#start(limits, request));
  }

  /** Counts what is under way, whatever it waits for. */
  #admit<Result>(
    sizeBytes: number,
    options: RequestOptions,
    run: (limits: WriteLimits) => Promise<Result>,
  ): Promise<Result> {
    const refusal = this.#refusal(sizeBytes);
    if (refusal !== null) return Promise.reject(refusal);
    this.#outstanding += 1;
    this.#outstandingBytes += sizeBytes;
    const { timeoutMs = this.#timeoutMs, signal = null } = options;
    return run({ timeoutMs, signal }).finally(() => {
      this.#outstanding -= 1;
      this.#outstandingBytes -= sizeBytes;
    });
  }

  #start<Result>(limits: WriteLimits, request: CallRequest<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(closedError());
    const call = new Call(request, limits, this.#context);
    this.#calls.add(call);
    return call.promise.finally(() => this.#calls.delete(call));
  }

  #refusal(sizeBytes: number): RequestError | null {
    if (this.#closed) return closedError();
    const isFull =
      this.#outstanding >= OUTSTANDING_MAX ||
      this.#outstandingBytes + sizeBytes > OUTSTANDING_MAX_BYTES;
    if (!isFull) return null;
    const message = `${this.#outstanding} requests are under way: wait for some of them`;
    return new RequestError("tooManyOutstanding", "notApplied", { message });
  }
}

/** A write, in a session or in none. */
interface WriteRequest<Result> {
  readonly verb: string;
  build(requestId: RequestId, session: SessionOperation | null): ClientRequest;
  readonly read: (reply: ClientReply) => Result | null;
}

function closedError(): RequestError {
  return new RequestError("closed", "notApplied", { message: "the client was closed" });
}

function sessionOf(reply: ClientReply): OpenedSession | null {
  return reply.type === "SessionReply" ? { sessionId: reply.sessionId, ttlMs: reply.ttlMs } : null;
}

function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? Buffer.from(data, "utf8") : data;
}

function faultOfKey({ byteLength }: Uint8Array): RequestError | null {
  if (byteLength > 0 && byteLength <= KEY_MAX_BYTES) return null;
  const message = `a key has 1 to ${KEY_MAX_BYTES} bytes, this one has ${byteLength}`;
  return new RequestError(byteLength === 0 ? "invalid" : "tooLarge", "notApplied", { message });
}

function faultOfValue({ byteLength }: Uint8Array): RequestError | null {
  if (byteLength <= VALUE_MAX_BYTES) return null;
  const message = `a value has at most ${VALUE_MAX_BYTES} bytes, this one has ${byteLength}`;
  return new RequestError("tooLarge", "notApplied", { message });
}

function positionOf({ index, term, revision }: WritePosition): WritePosition {
  return { index, term, revision };
}

function getResult({ found, revision, appliedIndex, ageMs }: GetReply): GetResult {
  // The value is a view of all that was read with it: a copy lets go of the rest.
  const own = found === null ? null : { ...found, value: new Uint8Array(found.value) };
  return { found: own, revision, appliedIndex, ageMs };
}
