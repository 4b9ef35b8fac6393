/**
 * MIT 6.5840, lab 3D: snapshots. Same names and numbers, in simulated time. The course takes a
 * snapshot every ten entries and wants less than 2,000 bytes on each disk; our servers take one
 * when the log has so many bytes as ten of these commands have.
 */
import assert from "node:assert/strict";
import { mitTest } from "./mit-test.ts";
import { RaftGroup } from "./raft-group.ts";

const SNAPSHOT_INTERVAL = 10;
const SNAPSHOT_LOG_BYTES = 300;
const MAX_LOG_SIZE = 2000;

interface Trouble {
  readonly isReliable: boolean;
  readonly disconnects?: boolean;
  readonly crashes?: boolean;
}

/** Thirty rounds: a victim misses enough for a snapshot, and comes back. */
async function snapCommon(
  seed: string,
  { isReliable, disconnects = false, crashes = false }: Trouble,
): Promise<RaftGroup> {
  const group = new RaftGroup(3, { seed, isReliable, snapshotLogBytes: SNAPSHOT_LOG_BYTES });
  await group.one("0", 3, true);
  let leader = await group.checkOneLeader();
  const most = disconnects || crashes ? 2 : 3;
  for (let round = 0; round < 30; round += 1) {
    const other = (leader + 1) % 3;
    const [victim, sender] = round % 3 === 1 ? [leader, other] : [other, leader];
    if (disconnects) group.disconnect(victim);
    if (crashes) group.shutdown(victim);
    if (most < 3) await group.one(`${round} without`, most, true);
    const count = SNAPSHOT_INTERVAL / 2 + group.random.below(SNAPSHOT_INTERVAL);
    for (let number = 0; number < count; number += 1) group.submit(sender, `${round}-${number}`);
    await group.one(`${round} more`, most, true);
    assert.ok(group.logSize() < MAX_LOG_SIZE, `${group.logSize()} bytes of log`);
    if (most === 3) continue;
    group.start(victim);
    await group.one(`${round} with`, 3, true);
    leader = await group.checkOneLeader();
  }
  return group;
}

mitTest(
  "TestSnapshotBasic3D: logs stay short; nobody who keeps up needs a snapshot",
  async (seed) => {
    const group = await snapCommon(seed, { isReliable: true });
    assert.ok(group.cluster.coverage.count("snapshotsTaken") > 30);
    assert.equal(group.cluster.coverage.count("snapshotsInstalled"), 0);
  },
);

const TROUBLES: Readonly<Record<string, Trouble & { claim: string }>> = {
  TestSnapshotInstall3D: { isReliable: true, disconnects: true, claim: "who was cut off" },
  TestSnapshotInstallUnreliable3D: {
    isReliable: false,
    disconnects: true,
    claim: "who was cut off, on a network that loses messages",
  },
  TestSnapshotInstallCrash3D: { isReliable: true, crashes: true, claim: "who was down" },
  TestSnapshotInstallUnCrash3D: {
    isReliable: false,
    crashes: true,
    claim: "who was down, on a network that loses messages",
  },
};

for (const [name, { claim, ...trouble }] of Object.entries(TROUBLES)) {
  mitTest(`${name}: ${claim} catches up by snapshots`, async (seed) => {
    const group = await snapCommon(seed, trouble);
    assert.ok(group.cluster.coverage.count("snapshotsInstalled") > 5, "none was installed");
  });
}

mitTest(
  "TestSnapshotAllCrash3D: all servers crash and go on from snapshot and log; no index is lost",
  async (seed) => {
    const group = new RaftGroup(3, {
      seed,
      isReliable: false,
      snapshotLogBytes: SNAPSHOT_LOG_BYTES,
    });
    await group.one("0", 3, true);
    for (let round = 0; round < 5; round += 1) {
      const count = SNAPSHOT_INTERVAL / 2 + group.random.below(SNAPSHOT_INTERVAL);
      for (let number = 0; number < count; number += 1) {
        await group.one(`${round}-${number}`, 3, true);
      }
      const before = await group.one(`${round} before`, 3, true);
      group.shutdown(...group.servers);
      group.start(...group.servers);
      const after = await group.one(`${round} after`, 3, true);
      assert.ok(after > before, `the index went from ${before} to ${after}`);
    }
    assert.ok(group.cluster.coverage.count("snapshotsTaken") > 5);
  },
);

mitTest("TestSnapshotInit3D: the snapshot is not lost by the second restart", async (seed) => {
  const group = new RaftGroup(3, {
    seed,
    isReliable: false,
    snapshotLogBytes: SNAPSHOT_LOG_BYTES,
  });
  for (let number = 0; number <= SNAPSHOT_INTERVAL + 1; number += 1) {
    await group.one(String(number), 3, true);
  }
  assert.ok(group.cluster.coverage.count("snapshotsTaken") > 0);
  for (let restart = 1; restart <= 2; restart += 1) {
    group.shutdown(...group.servers);
    group.start(...group.servers);
    await group.one(`after restart ${restart}`, 3, true);
  }
});
