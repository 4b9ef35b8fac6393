import assert from "node:assert/strict";
import type { NodeId, RaftMessage } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { SeededRandom, SimProcess, SimScheduler } from "@quorate/node/testing";
import { encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import type { Storage } from "../../src/ports/storage.ts";
import type { Transport, TransportHandlers } from "../../src/ports/transport.ts";
import type { PersistBatch } from "../../src/raft/index.ts";
import { RAFT_DEFAULTS } from "../../src/raft/index.ts";
import type { ProposalOutcome } from "../../src/server/driver-outcomes.ts";
import { RaftDriver } from "../../src/server/raft-driver.ts";
import { SimSnapshotFiles, SimSnapshotStore } from "../../src/testing/sim-snapshot-store.ts";

export const TICK_MS = 10;

/** A storage whose syncs end when the test says so. */
class HeldStorage implements Storage {
  readonly recovered: Storage["recovered"];
  readonly batches: PersistBatch[] = [];
  readonly #dones: (() => void)[] = [];
  readonly #log: string[];

  constructor(voters: readonly NodeId[], log: string[]) {
    this.recovered = {
      hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
      entries: [],
      snapshot: {
        lastIncludedIndex: 0,
        lastIncludedTerm: 0,
        configuration: configurationOf({ voters }),
        configurationIndex: 0,
      },
      beforeFirst: { index: 0, term: 0 },
      voteFloor: null,
    };
    this.#log = log;
  }

  get inFlight(): number {
    return this.#dones.length;
  }

  persist(batch: PersistBatch, done: () => void): void {
    this.#log.push(`persist ${batch.entries.map(({ index }) => index).join(" ")}`);
    this.batches.push(batch);
    this.#dones.push(done);
  }

  /** Ends the sync in flight. */
  finish(): void {
    this.#dones.shift()?.();
  }

  sizeBytes(): number {
    return 0;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class RecordingTransport implements Transport {
  readonly sent: { readonly to: NodeId; readonly message: RaftMessage }[] = [];
  handlers: TransportHandlers | null = null;
  readonly #log: string[];

  constructor(log: string[]) {
    this.#log = log;
  }

  start(handlers: TransportHandlers): void {
    this.handlers = handlers;
  }

  send(to: NodeId, message: RaftMessage): void {
    this.#log.push(`send ${message.type}`);
    this.sent.push({ to, message });
  }

  sendBulk(to: NodeId, message: RaftMessage): void {
    this.#log.push(`send ${message.type} in bulk`);
    this.sent.push({ to, message });
  }

  flush(): void {
    this.#log.push("flush");
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** One node, n1, alone on ports that the test holds. */
export class Bench {
  readonly log: string[] = [];
  readonly scheduler: SimScheduler = new SimScheduler();
  readonly process: SimProcess = new SimProcess(this.scheduler, 1, () => {});
  readonly transport: RecordingTransport = new RecordingTransport(this.log);
  readonly storage: HeldStorage;
  readonly machine: KvStateMachine = new KvStateMachine();
  readonly driver: RaftDriver<KvResult>;

  constructor(voters: readonly NodeId[], applyMaxBytes = RAFT_DEFAULTS.applyMaxBytes) {
    this.storage = new HeldStorage(voters, this.log);
    this.driver = new RaftDriver({
      config: { ...RAFT_DEFAULTS, nodeId: "n1", applyMaxBytes },
      tickIntervalMs: TICK_MS,
      storage: this.storage,
      transport: this.transport,
      clock: this.process,
      random: new SeededRandom("driver"),
      stateMachine: this.machine,
      snapshots: new SimSnapshotStore({
        files: new SimSnapshotFiles(),
        current: () => this.storage.recovered.snapshot,
        later: (done) => {
          this.process.soon(done);
        },
      }),
      snapshotLogBytes: Number.MAX_SAFE_INTEGER,
      snapshotSendBytesPerSecond: Number.MAX_SAFE_INTEGER,
      observer: {
        onStep: () => {},
        onApplied: (entry) => this.log.push(`apply ${entry.index}`),
      },
    });
    this.driver.start();
  }

  runFor(forMs: number): void {
    const end = { isReached: false };
    this.scheduler.schedule(forMs * 1000, () => {
      end.isReached = true;
    });
    while (!end.isReached) this.scheduler.runNext();
  }

  /** Runs until a batch is in flight. */
  runToPersist(): void {
    for (let turns = 0; this.storage.inFlight === 0; turns++) {
      assert.ok(turns < 1000, "nothing is persisted");
      this.runFor(1);
    }
  }

  receive(from: NodeId, message: RaftMessage): void {
    this.transport.handlers?.onMessage(from, message);
    this.transport.handlers?.onBatchEnd();
  }

  /** Makes this node the leader of a cluster of one. */
  leadAlone(): void {
    this.runToPersist();
    this.storage.finish();
    this.runToPersist();
    this.storage.finish();
    this.runFor(1);
    assert.equal(this.driver.view().role, "leader");
  }

  put(value: string): ProposalOutcome<KvResult>[] {
    const outcomes: ProposalOutcome<KvResult>[] = [];
    const command = { kind: "put", key: Buffer.from("k"), value: Buffer.from(value) } as const;
    this.driver.propose(encodeCommand(command), (outcome) => outcomes.push(outcome));
    return outcomes;
  }
}
