import type { ClientReply, GetRequest, LogIndex } from "@quorate/wire";
import { isKeySize } from "../kv/kv-command.ts";
import type { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Clock } from "../ports/clock.ts";
import type { RaftDriver } from "./raft-driver.ts";
import { ReadBatcher } from "./read-batcher.ts";
import type { Refusal } from "./refusal.ts";
import { keySizeRefusal } from "./refusal.ts";
import { RevisionWaits } from "./revision-waits.ts";

export interface ReadRequestsOptions {
  readonly driver: Pick<RaftDriver<unknown>, "readIndex" | "leaseRead" | "lastApplied">;
  readonly store: Pick<KvStateMachine, "get" | "revision">;
  readonly clock: Clock;
  /** How old this node's state may be at most, in ms. */
  readonly ageMs: () => number;
}

/** How long a read waits for a revision that this node has not applied. */
const PATIENCE_MS = 1000;

/** Answers reads: linearizable ones, and those of whatever this node has. */
export class ReadRequests {
  readonly #options: ReadRequestsOptions;
  readonly #batch: ReadBatcher;
  readonly #waits: RevisionWaits;

  constructor(options: ReadRequestsOptions) {
    const { driver, clock } = options;
    this.#options = options;
    this.#waits = new RevisionWaits(clock);
    this.#batch = new ReadBatcher((done) => {
      driver.readIndex(done);
    }, clock);
  }

  /** Calls `done` once, now or later. */
  get(request: GetRequest, done: (answer: ClientReply | Refusal) => void): void {
    const { driver } = this.#options;
    if (!isKeySize(request.key.length)) {
      done(keySizeRefusal(request.key));
    } else if (request.consistency === "stale") {
      this.#atRevision(request, done, () => this.#readStale(request));
    } else if (driver.leaseRead() !== null) {
      // The lease is judged in this turn and holds for nothing that waits: so does the answer.
      const isThere = request.minRevision <= this.#options.store.revision;
      if (isThere) done(this.#read(request, 0));
      else this.#readLinearizable(request, done);
    } else {
      this.#readLinearizable(request, done);
    }
  }

  /** Entries were applied. */
  applied(): void {
    this.#waits.reached(this.#options.store.revision);
  }

  #readLinearizable(request: GetRequest, done: (answer: ClientReply | Refusal) => void): void {
    this.#batch.add((outcome) => {
      if (outcome.kind !== "ready") done(outcome);
      else this.#atRevision(request, done, () => this.#read(request, 0));
    });
  }

  /** What was linearizable before the wait still is after it: the state has only moved on. */
  #atRevision(
    { minRevision }: GetRequest,
    done: (answer: ClientReply | Refusal) => void,
    read: () => ClientReply | Refusal,
  ): void {
    const { store } = this.#options;
    if (minRevision <= store.revision) {
      done(read());
      return;
    }
    this.#waits.add(minRevision, PATIENCE_MS, (isReached) => {
      const message = `this node is at revision ${store.revision}, not yet at ${minRevision}`;
      done(isReached ? read() : { code: "behind", message });
    });
  }

  #readStale(request: GetRequest): ClientReply | Refusal {
    const ageMs = this.#options.ageMs();
    const { maxStalenessMs } = request;
    if (maxStalenessMs === null || ageMs <= maxStalenessMs) return this.#read(request, ageMs);
    const age = ageMs === Number.MAX_SAFE_INTEGER ? "of unknown age" : `up to ${ageMs} ms old`;
    const message = `this node's state is ${age}, and ${maxStalenessMs} ms were asked for`;
    return { code: "tooStale", message };
  }

  #read({ requestId, key }: GetRequest, ageMs: number): ClientReply {
    const { store, driver } = this.#options;
    const appliedIndex: LogIndex = driver.lastApplied;
    const { revision } = store;
    return { type: "GetReply", requestId, found: store.get(key), revision, appliedIndex, ageMs };
  }
}
