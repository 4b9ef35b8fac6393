import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage, simulate, SimSnapshotStore, SimStorage } from "@quorate/node/testing";
import type { PersistBatch } from "../../src/raft/index.ts";
import { assertIs, firstFailure } from "./first-failure.ts";

/** Writes get lost in each of them, nearly, where disks forget. */
const CANARY_SEEDS = 30;

test("seeded bug: a storage that forgets what finds no room is caught (Figure 2)", async () => {
  class ForgetfulStorage extends SimStorage {
    readonly #given: ConstructorParameters<typeof SimStorage>[0];

    constructor(...[context]: ConstructorParameters<typeof SimStorage>) {
      super(context);
      this.#given = context;
    }

    override persist(batch: PersistBatch, done: () => void): void {
      if (this.#given.disk.trouble.isFull) this.#given.process.soon(done);
      else super.persist(batch, done);
    }
  }
  const failure = await firstFailure(
    { createStorage: (context) => new ForgetfulStorage(context) },
    ({ faults }) => faults.has("diskFull"),
  );
  assertIs(failure, ["Durability Before Promise", "Committed On Quorum", "No Exception"]);
});

test("seeded bug: a storage that swallows a failed sync is caught (Figure 2)", async () => {
  class SwallowingStorage extends SimStorage {
    readonly #given: ConstructorParameters<typeof SimStorage>[0];

    constructor(...[context]: ConstructorParameters<typeof SimStorage>) {
      super(context);
      this.#given = context;
    }

    override persist(batch: PersistBatch, done: () => void): void {
      const { disk, process } = this.#given;
      if (!disk.trouble.failsNextSync) {
        super.persist(batch, done);
        return;
      }
      disk.trouble.failsNextSync = false;
      process.soon(done);
    }
  }
  const failure = await firstFailure(
    { createStorage: (context) => new SwallowingStorage(context) },
    ({ faults }) => faults.has("syncFailure"),
  );
  assertIs(failure, ["Durability Before Promise", "Committed On Quorum", "No Exception"]);
});

test("seeded bug: a received snapshot that nobody checks is caught where a crash tore it (§7)", async () => {
  const failure = await firstFailure(
    {
      createSnapshots: (options) => new SimSnapshotStore({ ...options, isSound: () => true }),
    },
    ({ faults, snapshots, streams, changeGapMeanUs }) =>
      streams === null &&
      faults.has("tornWrite") &&
      (faults.has("crash") || faults.has("powerCut")) &&
      snapshots.pieceMaxBytes <= 300 &&
      snapshots.logBytes <= 2000 &&
      changeGapMeanUs !== null,
  );
  assertIs(failure, ["Snapshot Equals Replay", "No Exception"]);
});

test("seeded bug: a disk that never forgets makes a campaign vacuous", async () => {
  class EternalStorage extends SimStorage {
    readonly #given: ConstructorParameters<typeof SimStorage>[0];

    constructor(...[context]: ConstructorParameters<typeof SimStorage>) {
      super(context);
      this.#given = context;
    }

    override persist(batch: PersistBatch, done: () => void): void {
      const { disk, process } = this.#given;
      disk.write(batch);
      disk.sync(disk.unsyncedBatches);
      process.soon(done);
    }
  }
  const coverage = new Coverage();
  for (let seed = 1; seed <= CANARY_SEEDS; seed++) {
    const result = await simulate(seed, {
      parts: { createStorage: (context) => new EternalStorage(context) },
      overrides: { without: ["diskStall"] },
    });
    assert.equal(result.failure, null);
    coverage.merge(result.coverage);
  }
  const missing = coverage.missing();
  assert.ok(!missing.includes("crashes"));
  assert.ok(missing.includes("crashesThatLostWrites"), `missing: ${missing.join(", ")}`);
  assert.ok(missing.includes("tornWrites"));
});

test("seeded bug: a server that comes back under its old name with an empty disk is caught (Diss. §3.8)", async () => {
  const failure = await firstFailure(
    { admitsWiped: true },
    ({ faults, configuration }) => faults.has("wipe") && configuration.voters.length === 3,
  );
  assertIs(failure, [
    "Committed Immutable",
    "Committed On Quorum",
    "Leader Completeness",
    "One Vote Per Term",
    "Replication Belief",
    "Election Safety",
    "No Exception",
  ]);
});
