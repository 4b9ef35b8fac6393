import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration, LogEntry, RaftMessage, RequestId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { NodeParts } from "@quorate/node/testing";
import { SimSnapshotStore, SimStorage } from "@quorate/node/testing";
import { decodeCommand, encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import type { SnapshotWriter } from "../../src/ports/snapshot-store.ts";
import type { StateRestorer } from "../../src/ports/state-machine.ts";
import type { ConfigurationCodec, Output, PersistBatch, RaftView } from "../../src/raft/index.ts";
import { RaftCore } from "../../src/raft/index.ts";
import type { SimulationPlan } from "../../src/testing/simulation-plan.ts";
import { assertCaughtAs, assertIs, firstFailure } from "./first-failure.ts";

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

test("seeded bug: a voter that grants every vote is caught (§5.2)", async () => {
  const createCore = coreWithMessages((message) =>
    message.type === "RequestVoteReply" ? { ...message, voteGranted: true } : message,
  );
  await assertCaughtAs({ createCore }, "Durability Before Promise", "One Vote Per Term");
});

test("seeded bug: promises that leave before the disk has them are caught (Figure 2)", async () => {
  class HastyCore extends RaftCore {
    override takeOutput(): Output {
      const output = super.takeOutput();
      const messages = [...output.messages, ...output.messagesAfterPersist];
      return { ...output, messages, messagesAfterPersist: [] };
    }
  }
  await assertCaughtAs(
    { createCore: (...given) => new HastyCore(...given) },
    "Durability Before Promise",
  );
});

test("seeded bug: a storage that says durable before it is, is caught", async () => {
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
  await assertCaughtAs(
    { createStorage: (context) => new LyingStorage(context) },
    "Durability Before Promise",
    "Committed On Quorum",
  );
});

test("seeded bug: a storage that forgets votes is caught (§5.2)", async () => {
  class ForgetfulStorage extends SimStorage {
    override persist(batch: PersistBatch, done: () => void): void {
      const { hardState } = batch;
      const kept = hardState === null ? null : { ...hardState, votedFor: null };
      super.persist({ ...batch, hardState: kept }, done);
    }
  }
  await assertCaughtAs(
    { createStorage: (context) => new ForgetfulStorage(context) },
    "Durability Before Promise",
    "One Vote Per Term",
  );
});

test("seeded bug: a follower that accepts entries it cannot place is caught (§5.3)", async () => {
  const createCore = coreWithMessages((message) =>
    message.type === "AppendEntriesReply" && !message.success
      ? { ...message, success: true, matchIndex: message.prevLogIndex }
      : message,
  );
  await assertCaughtAs({ createCore }, "Durability Before Promise", "Replication Belief");
});

test("seeded bug: a majority of one is caught (§5.2, §5.4)", async () => {
  await assertCaughtAs(
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
    "Committed On Quorum",
  );
});

test("seeded bug: a leader that reads without asking a majority is caught (Diss. §6.4)", async () => {
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
  await assertCaughtAs({ createCore: (...given) => new HastyReader(...given) }, "Fresh Reads");
});

test("seeded bug: entries applied in another guise are caught (§5.4.3)", async () => {
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
  await assertCaughtAs(
    { createCore: (...given) => new BentCore(...given) },
    "State Machine Safety",
  );
});

test("seeded bug: a cluster that never campaigns is caught as dead (§5.2)", async () => {
  class PatientCore extends RaftCore {
    override tick(): void {}
  }
  await assertCaughtAs({ createCore: (...given) => new PatientCore(...given) }, "Liveness");
});

test("seeded bug: an exception is caught with its origin", async () => {
  class FallingCore extends RaftCore {
    override propose(): never {
      throw new TypeError("fell over");
    }
  }
  const failure = await firstFailure({ createCore: (...given) => new FallingCore(...given) });
  assert.equal(failure.invariant, "No Exception");
  assert.match(failure.message, /fell over/u);
});

/** A core that is right but for how it reads and writes configurations. */
function coreWithCodec(
  change: (codec: ConfigurationCodec) => ConfigurationCodec,
): NonNullable<NodeParts["createCore"]> {
  return (config, recovered, random, codec) =>
    new RaftCore(config, recovered, random, change(codec));
}

test("seeded bug: members that are in force one change late are caught (§6)", async () => {
  const createCore = coreWithCodec((codec) => {
    const seen: { readonly text: string; readonly configuration: Configuration }[] = [];
    return {
      ...codec,
      encode: (configuration) => codec.encode(configuration),
      decode: (data) => {
        const configuration = codec.decode(data);
        const text = Buffer.from(data).toString("latin1");
        let at = seen.findIndex((one) => one.text === text);
        if (at < 0) at = seen.push({ text, configuration }) - 1;
        return seen[at - 1]?.configuration ?? configuration;
      },
    };
  });
  await assertCaughtAs({ createCore }, "Configuration Safety");
});

test("seeded bug: a change of members without a joint configuration is caught (§6)", async () => {
  const createCore = coreWithCodec((codec) => ({
    encode: (configuration) => codec.encode({ ...configuration, votersOutgoing: [] }),
    decode: (data) => codec.decode(data),
  }));
  const changesOften = ({ changeGapMeanUs }: SimulationPlan): boolean => changeGapMeanUs === 60_000;
  const says = /majorities that do not meet$/u;
  const failure = await firstFailure({ createCore }, changesOften, undefined, says);
  assertIs(failure, ["Configuration Safety"]);
});

test("seeded bug: learners that count as voters are caught (Diss. §4.2.1)", async () => {
  const createCore = coreWithCodec((codec) => ({
    encode: (configuration) => codec.encode(configuration),
    decode: (data) => {
      const configuration = codec.decode(data);
      const voters = [...configuration.voters, ...configuration.learners].toSorted();
      return { ...configuration, voters, learners: [], staging: [] };
    },
  }));
  await assertCaughtAs({ createCore }, "Configuration Safety");
});

test("seeded bug: servers that campaign against a leader that is heard are caught (§6)", async () => {
  const createCore = coreWithMessages((message) => {
    if (message.type === "PreVoteReply") return { ...message, voteGranted: true };
    if (message.type === "RequestVote") return { ...message, leadershipTransfer: true };
    return message;
  });
  await assertCaughtAs({ createCore }, "No Disruption");
});

test("seeded bug: a log that is compacted before the snapshot is durable is caught (§7)", async () => {
  class HastySnapshots extends SimSnapshotStore {
    readonly #later: (done: () => void) => void;

    constructor(...[options]: ConstructorParameters<typeof SimSnapshotStore>) {
      super(options);
      this.#later = options.later;
    }

    override create(...given: Parameters<SimSnapshotStore["create"]>): SnapshotWriter {
      return { ...super.create(...given), finish: this.#later };
    }
  }
  await assertCaughtAs(
    { createSnapshots: (options) => new HastySnapshots(options) },
    "Snapshot Durable",
  );
});

test("seeded bug: a log that stays where a snapshot contradicts it is caught (§7)", async () => {
  class KeepingStorage extends SimStorage {
    override persist(batch: PersistBatch, done: () => void): void {
      const { snapshot } = batch;
      const kept = snapshot === undefined ? {} : { snapshot: { ...snapshot, keepsLog: true } };
      super.persist({ ...batch, ...kept }, done);
    }
  }
  const failure = await firstFailure({ createStorage: (context) => new KeepingStorage(context) });
  assert.match(failure.message, /a log that is kept ends before it begins|holds another log/u);
});

test("seeded bug: a snapshot without the members of its index is caught (§7)", async () => {
  class MemberlessStorage extends SimStorage {
    readonly #first: Configuration;

    constructor(...[context]: ConstructorParameters<typeof SimStorage>) {
      super(context);
      this.#first = this.recovered.snapshot.configuration;
    }

    override persist(batch: PersistBatch, done: () => void): void {
      const { snapshot } = batch;
      if (snapshot === undefined) {
        super.persist(batch, done);
        return;
      }
      const point = { ...snapshot.point, configuration: this.#first, configurationIndex: 0 };
      super.persist({ ...batch, snapshot: { ...snapshot, point } }, done);
    }
  }
  await assertCaughtAs(
    { createStorage: (context) => new MemberlessStorage(context) },
    "Configuration Safety",
  );
});

/** A store that is right but for the entries of which `change` makes others. */
class ChangedMachine extends KvStateMachine {
  protected isRestored = false;

  override apply(entry: LogEntry): KvResult {
    const command = decodeCommand(entry.data);
    const isChange = command.kind === "put" || command.kind === "delete";
    if (!isChange || command.session === null || !this.forgetsSessions()) return super.apply(entry);
    const { clusterTimeMs } = command;
    return super.apply({
      ...entry,
      data: encodeCommand(command, { clusterTimeMs, session: null }),
    });
  }

  override restore(): StateRestorer {
    const restorer = super.restore();
    return {
      write: (chunk) => {
        restorer.write(chunk);
      },
      finish: () => {
        restorer.finish();
        this.isRestored = true;
      },
    };
  }

  protected forgetsSessions(): boolean {
    return true;
  }
}

test("seeded bug: a store that does every repeat again is caught (Diss. §6.3)", async () => {
  await assertCaughtAs({ createStateMachine: () => new ChangedMachine() }, "Exactly Once");
});

test("seeded bug: sessions that no snapshot carries are caught (Diss. §6.3)", async () => {
  class ForgettingMachine extends ChangedMachine {
    protected override forgetsSessions(): boolean {
      return this.isRestored;
    }
  }
  await assertCaughtAs(
    { createStateMachine: () => new ForgettingMachine() },
    "Exactly Once",
    "Determinism",
  );
});

test("seeded bug: a snapshot that is not the state of its index is caught (§7)", async () => {
  class StrayMachine extends KvStateMachine {
    override restore(): StateRestorer {
      const restorer = super.restore();
      const key = Buffer.from("stray");
      const data = encodeCommand({ kind: "put", key, value: key });
      return {
        write: (chunk) => {
          restorer.write(chunk);
        },
        finish: () => {
          restorer.finish();
          this.apply({ index: 2 ** 50, term: 1, kind: "command", data });
        },
      };
    }
  }
  await assertCaughtAs({ createStateMachine: () => new StrayMachine() }, "Snapshot Equals Replay");
});

test("seeded bug: leases by a clock that stands still in pauses are caught (Diss. §6.4.1)", async () => {
  const createClock: NonNullable<NodeParts["createClock"]> = (process) => {
    let lastMs = 0;
    let lostMs = 0;
    return {
      // A process that runs looks at its clock with every tick: a gap was a pause.
      nowMs: () => {
        const trueMs = process.nowMs();
        if (trueMs - lastMs > 50) lostMs += trueMs - lastMs;
        lastMs = trueMs;
        return trueMs - lostMs;
      },
      after: (delayMs, fn) => process.after(delayMs, fn),
      soon: (fn) => {
        process.soon(fn);
      },
    };
  };
  const failure = await firstFailure(
    { createClock },
    ({ faults, raft, thinkMeanUs }) =>
      raft.leaseReads &&
      faults.has("isolateLeader") &&
      faults.has("pause") &&
      thinkMeanUs <= 10_000,
    undefined,
    /and has stood still after round \d+$/u,
  );
  assertIs(failure, ["Fresh Reads"]);
});

test("seeded bug: leases of rounds that nobody echoed are caught before a read is wrong (Diss. §6.4.1)", async () => {
  class HastyCore extends RaftCore {
    override view(): RaftView {
      const view = super.view();
      return { ...view, confirmedRound: view.round };
    }
  }
  const failure = await firstFailure(
    { createCore: (...from) => new HastyCore(...from), judgesSteps: true },
    ({ raft }) => raft.leaseReads,
    "messages",
    /no quorum has to wait for it any more$/u,
  );
  assertIs(failure, ["Fresh Reads"]);
});

test("seeded bug: a damaged log that votes as if it were whole is caught (§5.4.1)", async () => {
  const createCore: NonNullable<NodeParts["createCore"]> = (config, recovered, random, codec) =>
    new RaftCore(config, { ...recovered, voteFloor: null }, random, codec);
  const failure = await firstFailure(
    { createCore },
    ({ faults, configuration }) =>
      faults.has("damage") && faults.has("powerCut") && configuration.voters.length === 3,
  );
  assertIs(failure, [
    "Leader Completeness",
    "Committed Immutable",
    "Committed On Quorum",
    "Replication Belief",
  ]);
});
