import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEntry, RaftMessage, RequestId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { Invariant, NodeParts, SimulationFailure } from "@quorate/node/testing";
import { simulate, SimStorage } from "@quorate/node/testing";
import type { Output, PersistBatch } from "../../src/raft/index.ts";
import { RaftCore } from "../../src/raft/index.ts";

/** A bug must show itself within so many seeds. */
const SEEDS = 40;

function firstFailure(parts: NodeParts): SimulationFailure {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { failure } = simulate(seed, { parts });
    if (failure !== null) return failure;
  }
  return assert.fail(`the bug went unnoticed through ${SEEDS} seeds`);
}

function assertCaughtAs(parts: NodeParts, ...invariants: readonly Invariant[]): void {
  const failure = firstFailure(parts);
  assert.ok(
    invariants.includes(failure.invariant),
    `caught as "${failure.invariant}" (${failure.message}), not as ${invariants.join(" or ")}`,
  );
  assert.ok(failure.lastEvents.length > 0);
}

/** A core that is right but for what `change` makes of its messages. */
function coreWithMessages(
  change: (message: RaftMessage) => RaftMessage,
): NonNullable<NodeParts["createCore"]> {
  class ChangedCore extends RaftCore {
    override takeOutput(): Output {
      const output = super.takeOutput();
      return {
        ...output,
        messages: output.messages.map((sent) => ({ ...sent, message: change(sent.message) })),
        messagesAfterPersist: output.messagesAfterPersist.map((sent) => ({
          ...sent,
          message: change(sent.message),
        })),
      };
    }
  }
  return (...given) => new ChangedCore(...given);
}

test("seeded bug: a voter that grants every vote is caught (§5.2)", () => {
  const createCore = coreWithMessages((message) =>
    message.type === "RequestVoteReply" ? { ...message, voteGranted: true } : message,
  );
  assertCaughtAs({ createCore }, "Durability Before Promise", "One Vote Per Term");
});

test("seeded bug: promises that leave before the disk has them are caught (Figure 2)", () => {
  class HastyCore extends RaftCore {
    override takeOutput(): Output {
      const output = super.takeOutput();
      const messages = [...output.messages, ...output.messagesAfterPersist];
      return { ...output, messages, messagesAfterPersist: [] };
    }
  }
  assertCaughtAs(
    { createCore: (...given) => new HastyCore(...given) },
    "Durability Before Promise",
  );
});

test("seeded bug: a storage that says durable before it is, is caught", () => {
  class LyingStorage extends SimStorage {
    readonly #soon: (fn: () => void) => void;

    constructor(...[context]: ConstructorParameters<typeof SimStorage>) {
      super(context);
      this.#soon = (fn) => {
        context.process.soon(fn);
      };
    }

    override persist(batch: PersistBatch, done: () => void): void {
      super.persist(batch, () => {});
      this.#soon(done);
    }
  }
  assertCaughtAs(
    { createStorage: (context) => new LyingStorage(context) },
    "Durability Before Promise",
    "Committed On Quorum",
  );
});

test("seeded bug: a storage that forgets votes is caught (§5.2)", () => {
  class ForgetfulStorage extends SimStorage {
    override persist(batch: PersistBatch, done: () => void): void {
      const { hardState } = batch;
      const kept = hardState === null ? null : { ...hardState, votedFor: null };
      super.persist({ ...batch, hardState: kept }, done);
    }
  }
  assertCaughtAs(
    { createStorage: (context) => new ForgetfulStorage(context) },
    "Durability Before Promise",
    "One Vote Per Term",
  );
});

test("seeded bug: a follower that accepts entries it cannot place is caught (§5.3)", () => {
  const createCore = coreWithMessages((message) =>
    message.type === "AppendEntriesReply" && !message.success
      ? { ...message, success: true, matchIndex: message.prevLogIndex }
      : message,
  );
  assertCaughtAs({ createCore }, "Durability Before Promise", "Replication Belief");
});

test("seeded bug: a majority of one is caught (§5.2, §5.4)", () => {
  assertCaughtAs(
    {
      createCore: (config, recovered, random, codec) => {
        const configuration = configurationOf({ voters: [config.nodeId] });
        const snapshot = { ...recovered.snapshot, configuration };
        return new RaftCore(config, { ...recovered, snapshot }, random, codec);
      },
    },
    "Election Safety",
    "Log Matching",
    "Committed Immutable",
  );
});

test("seeded bug: a leader that reads without asking a majority is caught (Diss. §6.4)", () => {
  class HastyReader extends RaftCore {
    #ownReads: RequestId[] = [];
    #nextRead = 1;

    override readIndex(): RequestId {
      if (this.view().role !== "leader") return super.readIndex();
      this.#ownReads.push(-this.#nextRead);
      return -this.#nextRead++;
    }

    override hasOutput(): boolean {
      return super.hasOutput() || this.#ownReads.length > 0;
    }

    override takeOutput(): Output {
      const output = super.takeOutput();
      const readIndex = this.view().commitIndex;
      const own = this.#ownReads.splice(0).map((requestId) => ({ requestId, readIndex }));
      return { ...output, readStates: [...output.readStates, ...own] };
    }
  }
  assertCaughtAs({ createCore: (...given) => new HastyReader(...given) }, "Fresh Reads");
});

test("seeded bug: entries applied in another guise are caught (§5.4.3)", () => {
  class BentCore extends RaftCore {
    override takeOutput(): Output {
      const output = super.takeOutput();
      return { ...output, committedEntries: output.committedEntries.map(bend) };
    }
  }
  const bend = (entry: LogEntry): LogEntry =>
    entry.index % 7 === 0 && entry.kind === "command"
      ? { ...entry, data: entry.data.slice(0, -1) }
      : entry;
  assertCaughtAs({ createCore: (...given) => new BentCore(...given) }, "State Machine Safety");
});

test("seeded bug: a cluster that never campaigns is caught as dead (§5.2)", () => {
  class PatientCore extends RaftCore {
    override tick(): void {}
  }
  assertCaughtAs({ createCore: (...given) => new PatientCore(...given) }, "Liveness");
});

test("seeded bug: an exception is caught with its origin", () => {
  class FallingCore extends RaftCore {
    override propose(): never {
      throw new TypeError("fell over");
    }
  }
  const failure = firstFailure({ createCore: (...given) => new FallingCore(...given) });
  assert.equal(failure.invariant, "No Exception");
  assert.match(failure.message, /fell over/u);
});
