import assert from "node:assert/strict";
import type { Configuration, LogEntry, NodeId, RaftMessage } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { SeededRandom, SimProcess, SimScheduler } from "@quorate/node/testing";
import type { StateMachine, StateRestorer, StateSnapshot } from "../../src/ports/state-machine.ts";
import type { Storage } from "../../src/ports/storage.ts";
import type { Transport, TransportHandlers } from "../../src/ports/transport.ts";
import type { PersistBatch, RaftConfig, RecoveredState } from "../../src/raft/index.ts";
import { RAFT_DEFAULTS } from "../../src/raft/index.ts";
import type { DriverObserver } from "../../src/server/driver-outcomes.ts";
import { RaftDriver } from "../../src/server/raft-driver.ts";
import { SimSnapshotFiles, SimSnapshotStore } from "../../src/testing/sim-snapshot-store.ts";

const TICK_MS = 10;

const DISK_US = 200;
const NETWORK_US = 100;

/** A state that is all bytes ever written, so that a snapshot of it is a length. */
export class TapeMachine implements StateMachine<number> {
  tape: Buffer = Buffer.alloc(0);
  isBeingRead = false;
  applied: LogEntry[] = [];

  apply(entry: LogEntry): number {
    this.applied.push(entry);
    this.tape = Buffer.concat([this.tape, entry.data]);
    return this.tape.length;
  }

  snapshot(): StateSnapshot {
    assert.equal(this.isBeingRead, false, "two snapshots at once");
    this.isBeingRead = true;
    const bytes = this.tape;
    let offset = 0;
    return {
      read: (maxBytes) => {
        const piece = bytes.subarray(offset, offset + maxBytes);
        offset += piece.length;
        return piece.length === 0 ? null : piece;
      },
      release: () => {
        this.isBeingRead = false;
      },
    };
  }

  restore(): StateRestorer {
    const pieces: Uint8Array[] = [];
    return {
      write: (chunk) => {
        pieces.push(chunk.slice());
      },
      finish: () => {
        this.tape = Buffer.concat(pieces);
      },
    };
  }
}

/** What one node has on its disk; batches are durable a moment after they are written. */
export class TestDisk {
  readonly files: SimSnapshotFiles = new SimSnapshotFiles();
  recovered: RecoveredState;

  constructor(configuration: Configuration) {
    this.recovered = {
      hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
      snapshot: { lastIncludedIndex: 0, lastIncludedTerm: 0, configuration, configurationIndex: 0 },
      beforeFirst: { index: 0, term: 0 },
      entries: [],
      voteFloor: null,
    };
  }

  apply({ hardState, snapshot, entries: written }: PersistBatch): void {
    const { recovered } = this;
    const beforeFirst = snapshot?.beforeFirst ?? recovered.beforeFirst;
    const [first] = written;
    const kept = recovered.entries.filter(
      ({ index }) =>
        snapshot?.keepsLog !== false &&
        index > beforeFirst.index &&
        (first === undefined || index < first.index),
    );
    this.recovered = {
      hardState: hardState ?? recovered.hardState,
      snapshot: snapshot?.point ?? recovered.snapshot,
      beforeFirst,
      entries: [...kept, ...written],
      voteFloor: null,
    };
  }
}

export interface Life {
  readonly process: SimProcess;
  readonly driver: RaftDriver<number>;
  readonly machine: TapeMachine;
  handlers: TransportHandlers | null;
}

export interface SnapshotClusterOptions {
  readonly raft?: Partial<RaftConfig>;
  readonly snapshotLogBytes?: number;
  readonly bytesPerSecond?: number;
  readonly isSound?: (bytes: Uint8Array) => boolean;
}

/** Drivers on simulated ports, whose processes can be killed and started again. */
export class SnapshotCluster {
  readonly scheduler: SimScheduler = new SimScheduler();
  readonly ids: readonly NodeId[];
  readonly disks = new Map<NodeId, TestDisk>();
  readonly lives = new Map<NodeId, Life>();
  /** Nodes that nobody hears and that hear nobody. */
  readonly isolated = new Set<NodeId>();
  readonly sent: { readonly from: NodeId; readonly to: NodeId; readonly message: RaftMessage }[] =
    [];
  /** `n1: snapshotTaken 12`, in their order. */
  readonly told: string[] = [];
  /** Says of a message that it is lost. */
  loses: (from: NodeId, to: NodeId, message: RaftMessage) => boolean = () => false;
  readonly #options: SnapshotClusterOptions;

  constructor(ids: readonly NodeId[], options: SnapshotClusterOptions = {}) {
    this.ids = ids;
    this.#options = options;
    for (const id of ids) this.disks.set(id, new TestDisk(configurationOf({ voters: [...ids] })));
  }

  life(id: NodeId): Life {
    const life = this.lives.get(id);
    assert.ok(life !== undefined, `${id} is down`);
    return life;
  }

  disk(id: NodeId): TestDisk {
    const disk = this.disks.get(id);
    assert.ok(disk !== undefined, `${id} has no disk`);
    return disk;
  }

  start(id: NodeId): Life {
    const disk = this.disk(id);
    const process = new SimProcess(this.scheduler, 1, () => {});
    const machine = new TapeMachine();
    const { raft, snapshotLogBytes, bytesPerSecond, isSound } = this.#options;
    const later = (done: () => void): void => {
      this.scheduler.schedule(DISK_US, () => {
        process.deliver(done);
      });
    };
    const driver = new RaftDriver<number>({
      config: { ...RAFT_DEFAULTS, trailingEntries: 2, ...raft, nodeId: id },
      tickIntervalMs: TICK_MS,
      storage: this.#storage(disk, later),
      transport: this.#transport(id),
      clock: process,
      random: new SeededRandom(`${id} ${this.told.length}`),
      stateMachine: machine,
      snapshots: new SimSnapshotStore({
        files: disk.files,
        current: () => disk.recovered.snapshot,
        later,
        ...(isSound === undefined ? {} : { isSound }),
      }),
      snapshotLogBytes: snapshotLogBytes ?? Number.MAX_SAFE_INTEGER,
      snapshotSendBytesPerSecond: bytesPerSecond ?? Number.MAX_SAFE_INTEGER,
      observer: this.#observer(id),
    });
    const life: Life = { process, driver, machine, handlers: null };
    this.lives.set(id, life);
    driver.start();
    return life;
  }

  /** Kills the process and what the system had not synced. */
  crash(id: NodeId): void {
    this.life(id).process.kill();
    this.lives.delete(id);
    this.disk(id).files.crash();
  }

  runFor(forMs: number): void {
    const end = { isReached: false };
    this.scheduler.schedule(forMs * 1000, () => {
      end.isReached = true;
    });
    while (!end.isReached) this.scheduler.runNext();
  }

  /** Runs until `isTrue`, at most ten seconds. */
  runUntil(what: string, isTrue: () => boolean): void {
    for (let ms = 0; !isTrue(); ms++) {
      assert.ok(ms < 10_000, `never: ${what}\n${this.told.join("\n")}`);
      this.runFor(1);
    }
  }

  leader(): NodeId {
    const leading = (): NodeId | undefined =>
      [...this.lives].find(([, { driver }]) => driver.view().role === "leader")?.[0];
    this.runUntil("a leader", () => leading() !== undefined);
    const id = leading();
    assert.ok(id !== undefined);
    return id;
  }

  /** Writes `count` commands of `bytes` each at the leader, and waits until they are applied. */
  write(count: number, bytes: number): void {
    const { driver } = this.life(this.leader());
    let applied = 0;
    for (let made = 0; made < count; made++) {
      driver.propose(Buffer.alloc(bytes, String.fromCodePoint(97 + (made % 26))), (outcome) => {
        assert.equal(outcome.kind, "applied");
        applied += 1;
      });
    }
    this.runUntil(`${count} writes`, () => applied === count);
  }

  /** Runs until `id` has applied what the leader has. */
  runUntilEqual(id: NodeId): void {
    const leading = this.life(this.leader());
    this.runUntil(`${id} has caught up`, () => {
      const { driver } = this.life(id);
      return driver.lastApplied === leading.driver.lastApplied;
    });
    assert.ok(this.life(id).machine.tape.equals(leading.machine.tape), `${id} has another state`);
  }

  #storage(disk: TestDisk, later: (done: () => void) => void): Storage {
    return {
      recovered: disk.recovered,
      persist: (batch, done) => {
        later(() => {
          disk.apply(batch);
          done();
        });
      },
      sizeBytes: () => 0,
      close: () => Promise.resolve(),
    };
  }

  #transport(id: NodeId): Transport {
    const send = (to: NodeId, message: RaftMessage): void => {
      if (this.isolated.has(id) || this.isolated.has(to) || this.loses(id, to, message)) return;
      this.sent.push({ from: id, to, message });
      this.scheduler.schedule(NETWORK_US, () => {
        const life = this.lives.get(to);
        life?.process.deliver(() => {
          life.handlers?.onMessage(id, message);
          life.handlers?.onBatchEnd();
        });
      });
    };
    return {
      start: (handlers) => {
        this.life(id).handlers = handlers;
      },
      send,
      sendBulk: send,
      flush: () => undefined,
      close: () => Promise.resolve(),
    };
  }

  #observer(id: NodeId): DriverObserver<number> {
    const tell = (what: string): void => {
      this.told.push(`${id}: ${what}`);
    };
    return {
      onStep: () => undefined,
      onSnapshotTaken: (name) => {
        tell(`taken ${name.lastIncludedIndex}`);
      },
      onSnapshotInstalled: (name) => {
        tell(`installed ${name.lastIncludedIndex}`);
      },
      onSnapshotSending: (to, name) => {
        tell(`sending ${to} ${name.lastIncludedIndex}`);
      },
      onSnapshotDamaged: (from) => {
        tell(`damaged from ${from}`);
      },
    };
  }
}
