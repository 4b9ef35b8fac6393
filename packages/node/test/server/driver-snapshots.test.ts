import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstallSnapshot, NodeId } from "@quorate/wire";
import { SnapshotCluster } from "./snapshot-cluster.ts";

const KIB = 1024;

/** Three nodes, of which the last heard nothing of a snapshot's worth of writes. */
function withStraggler(options: ConstructorParameters<typeof SnapshotCluster>[1] = {}): {
  cluster: SnapshotCluster;
  leader: NodeId;
  straggler: NodeId;
} {
  const cluster = new SnapshotCluster(["n1", "n2", "n3"], {
    snapshotLogBytes: 1024 * KIB,
    ...options,
  });
  for (const id of cluster.ids) cluster.start(id);
  const leader = cluster.leader();
  const straggler = leader === "n3" ? "n2" : "n3";
  cluster.write(1, 10);
  cluster.runUntilEqual(straggler);
  cluster.crash(straggler);
  cluster.write(40, 50 * KIB);
  cluster.runUntil("a snapshot", () => cluster.life(leader).driver.view().snapshotIndex > 0);
  cluster.runFor(50);
  cluster.sent.length = 0;
  cluster.told.length = 0;
  return { cluster, leader, straggler };
}

function pieces(cluster: SnapshotCluster): InstallSnapshot[] {
  return cluster.sent.flatMap(({ message }) =>
    message.type === "InstallSnapshot" ? [message] : [],
  );
}

test("snapshots: taken when enough of the log was applied, and the log goes (§7)", () => {
  const cluster = new SnapshotCluster(["n1"], { snapshotLogBytes: 300 * KIB });
  const { driver } = cluster.start("n1");
  cluster.write(5, 50 * KIB);
  cluster.runFor(50);
  assert.equal(driver.view().snapshotIndex, 0);
  cluster.write(5, 50 * KIB);
  cluster.runFor(50);
  const { snapshotIndex, firstLogIndex } = driver.view();
  assert.ok(snapshotIndex > 0);
  assert.equal(firstLogIndex, snapshotIndex - 2 + 1, "a window of 2 entries stays below it");
  const { index, bytes } = driver.snapshotStatus();
  assert.equal(index, snapshotIndex);
  assert.ok(bytes >= 300 * KIB);
  assert.deepEqual(cluster.told, [`n1: taken ${snapshotIndex}`]);
});

test("snapshots: writes go on while one is written, and are not in it", () => {
  const cluster = new SnapshotCluster(["n1"], { snapshotLogBytes: 1024 * KIB });
  const { driver } = cluster.start("n1");
  cluster.write(25, 50 * KIB);
  const { takingIndex } = driver.snapshotStatus();
  assert.ok(takingIndex !== null, "it is under way");
  cluster.write(1, 10);
  assert.equal(driver.snapshotStatus().takingIndex, takingIndex);
  cluster.runUntil("a snapshot", () => driver.snapshotStatus().index > 0);
  assert.equal(driver.snapshotStatus().index, takingIndex);
  cluster.crash("n1");
  const { machine, driver: next } = cluster.start("n1");
  cluster.write(1, 10);
  assert.equal(next.lastApplied, driver.lastApplied + 2, "the no-op of its term, and the write");
  assert.equal(machine.tape.length, 25 * 50 * KIB + 20);
  assert.ok(machine.applied.every(({ index }) => index > takingIndex));
});

test("snapshots: who was sent one finds the log behind it, although the next is due (§7)", () => {
  // One entry at a time, for longer than it takes to write a snapshot.
  const raft = { appendEntriesMaxBytes: 1, inFlightMaxMessages: 1 };
  const { cluster, leader, straggler } = withStraggler({ raft, bytesPerSecond: 4 * 1024 * KIB });
  cluster.start(straggler);
  cluster.runUntil("a piece", () => pieces(cluster).length > 0);
  const { snapshotIndex } = cluster.life(leader).driver.view();
  cluster.write(30, 50 * KIB);
  cluster.runUntilEqual(straggler);
  const installed = cluster.told.filter((text) => text.includes("installed"));
  assert.deepEqual(installed, [`${straggler}: installed ${snapshotIndex}`]);
  cluster.runUntil(
    "the next",
    () => cluster.life(leader).driver.view().snapshotIndex > snapshotIndex,
  );
});

test("snapshots: the log behind one waits until it arrived, not until it was sent (§7)", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 4 * 1024 * KIB });
  cluster.start(straggler);
  cluster.runUntil("a piece", () => pieces(cluster).length > 0);
  const { driver } = cluster.life(leader);
  const { snapshotIndex } = driver.view();
  cluster.write(30, 50 * KIB);
  let isLost = false;
  // The connection goes down with the first entries beyond the first message.
  cluster.loses = (_from, to, message) => {
    isLost ||=
      to === straggler &&
      message.type === "AppendEntries" &&
      message.prevLogIndex > snapshotIndex &&
      message.entries.length > 0;
    return isLost && to === straggler;
  };
  cluster.runUntil("entries are lost", () => isLost);
  cluster.runFor(20);
  cluster.loses = () => false;
  cluster.life(leader).handlers?.onPeerDown(straggler, false);
  cluster.runUntilEqual(straggler);
  const installed = cluster.told.filter((text) => text.includes("installed"));
  assert.deepEqual(installed, [`${straggler}: installed ${snapshotIndex}`]);
});

test("snapshots: who restarts with one that it was sent finds the log behind it (§7)", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 4 * 1024 * KIB });
  cluster.start(straggler);
  cluster.runUntil("a piece", () => pieces(cluster).length > 0);
  cluster.loses = (_from, to, message) =>
    to === straggler && message.type === "AppendEntries" && message.entries.length > 0;
  const { driver } = cluster.life(leader);
  cluster.write(30, 50 * KIB);
  cluster.runUntil("it is installed", () => driver.snapshotStatus().sending.size === 0);
  cluster.crash(straggler);
  cluster.loses = () => false;
  cluster.life(leader).handlers?.onPeerDown(straggler, true);
  cluster.runFor(500);
  cluster.start(straggler);
  cluster.runUntilEqual(straggler);
  const sent = cluster.told.filter((text) => text.includes("sending"));
  assert.equal(sent.length, 1, sent.join());
});

test("snapshots: who leads no more waits for no follower that has one, and compacts its log", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 4 * 1024 * KIB });
  cluster.start(straggler);
  cluster.runUntil("a piece", () => pieces(cluster).length > 0);
  cluster.loses = (_from, to, message) =>
    to === straggler && message.type === "AppendEntries" && message.entries.length > 0;
  const { driver } = cluster.life(leader);
  const { snapshotIndex } = driver.view();
  cluster.write(30, 50 * KIB);
  cluster.runUntil("it is installed", () => driver.snapshotStatus().sending.size === 0);
  cluster.runFor(200);
  const { index, takingIndex } = driver.snapshotStatus();
  assert.deepEqual([index, takingIndex], [snapshotIndex, null]);
  cluster.isolated.add(leader);
  cluster.runUntil("it steps down", () => driver.view().role !== "leader");
  cluster.runUntil("the next", () => driver.snapshotStatus().index > snapshotIndex);
});

test("snapshots: one that is due when another ends needs no further write (§7)", () => {
  const cluster = new SnapshotCluster(["n1"], { snapshotLogBytes: 1024 * KIB });
  const { driver } = cluster.start("n1");
  cluster.write(25, 50 * KIB);
  const { takingIndex } = driver.snapshotStatus();
  assert.ok(takingIndex !== null, "the first is under way");
  cluster.write(25, 50 * KIB);
  assert.equal(driver.snapshotStatus().takingIndex, takingIndex, "it still is");
  const { lastApplied } = driver;
  cluster.runFor(200);
  assert.equal(driver.lastApplied, lastApplied);
  assert.deepEqual(cluster.told, [`n1: taken ${takingIndex}`, `n1: taken ${lastApplied}`]);
});

test("snapshots: a restarted node begins with its snapshot, before it hears anybody (§7)", () => {
  const { cluster, leader } = withStraggler();
  const { machine } = cluster.life(leader);
  cluster.crash(leader);
  const next = cluster.start(leader);
  assert.equal(next.handlers, null, "the state is not there yet");
  assert.ok(next.driver.snapshotStatus().installing !== null);
  cluster.runUntil("it takes part", () => next.handlers !== null);
  assert.equal(next.driver.snapshotStatus().installing, null);
  assert.ok(next.machine.tape.length > 0);
  cluster.runUntilEqual(cluster.leader());
  assert.ok(machine.tape.length > 0);
});

test("snapshots: a follower that needs what the log has no more is sent one (§7, Figure 13)", () => {
  const { cluster, leader, straggler } = withStraggler();
  const { snapshotIndex } = cluster.life(leader).driver.view();
  const { driver } = cluster.start(straggler);
  cluster.runUntilEqual(straggler);
  assert.deepEqual(cluster.told, [
    `${leader}: sending ${straggler} ${snapshotIndex}`,
    `${straggler}: installed ${snapshotIndex}`,
  ]);
  assert.equal(driver.snapshotStatus().index, snapshotIndex);
  const offsets = pieces(cluster).map(({ offset }) => offset);
  assert.equal(new Set(offsets).size, offsets.length, "nothing was sent twice");
  assert.ok(pieces(cluster).every(({ data }) => data.length <= 256 * KIB));
  assert.equal(cluster.life(leader).driver.snapshotStatus().sending.size, 0);
  cluster.write(3, 10);
  cluster.runUntilEqual(straggler);
  cluster.crash(straggler);
  cluster.start(straggler);
  cluster.runUntilEqual(straggler);
});

test("snapshots: reads see the old state until the new one is whole", () => {
  const { cluster, straggler } = withStraggler();
  const { driver, machine } = cluster.start(straggler);
  cluster.runUntil("it installs", () => driver.snapshotStatus().installing !== null);
  assert.equal(machine.tape.length, 0);
  assert.ok(driver.lastApplied < driver.view().commitIndex);
  const seen: number[] = [];
  driver.readIndex(() => seen.push(machine.tape.length));
  cluster.runUntil("the read is answered", () => seen.length > 0);
  assert.ok((seen[0] ?? 0) > 1024 * KIB, "a linearizable read waits for it");
});

test("snapshots: a follower that crashes in the middle goes on where it was (rule 42)", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 10 * 1024 * KIB });
  const { driver } = cluster.start(straggler);
  const stored = (): number => driver.snapshotStatus().receiving?.bytes ?? 0;
  cluster.runUntil("half of it is stored", () => stored() >= 512 * KIB);
  const storedBytes = stored();
  cluster.crash(straggler);
  cluster.sent.length = 0;
  cluster.start(straggler);
  cluster.runUntilEqual(straggler);
  const again = pieces(cluster).filter(({ offset }) => offset < storedBytes - 512 * KIB);
  assert.deepEqual(again, [], "what it had was not sent again");
  assert.equal(cluster.life(leader).driver.snapshotStatus().sending.size, 0);
});

test("snapshots: lost pieces and lost answers are made good", () => {
  const { cluster, straggler } = withStraggler();
  let count = 0;
  cluster.loses = (_from, _to, { type }) => {
    if (type !== "InstallSnapshot" && type !== "InstallSnapshotReply") return false;
    count += 1;
    return count % 3 === 0;
  };
  cluster.start(straggler);
  cluster.runUntilEqual(straggler);
});

test("snapshots: a leader that is lost in the middle is followed by another's own file", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 5 * 1024 * KIB });
  const { driver } = cluster.start(straggler);
  cluster.runUntil("some of it is stored", () => {
    return (driver.snapshotStatus().receiving?.bytes ?? 0) > 0;
  });
  cluster.crash(leader);
  cluster.runUntilEqual(straggler);
  const senders = new Set(pieces(cluster).map(({ leaderId }) => leaderId));
  assert.equal(senders.size, 2);
  assert.equal(cluster.disk(straggler).files.count, 1, "nothing of the first is left");
});

test("snapshots: a leader without a quorum stops sending", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 1024 * KIB });
  cluster.start(straggler);
  const { driver } = cluster.life(leader);
  cluster.runUntil("it sends", () => driver.snapshotStatus().sending.size > 0);
  cluster.isolated.add(leader);
  cluster.runUntil("it steps down", () => driver.view().role !== "leader");
  cluster.runFor(1);
  assert.equal(driver.snapshotStatus().sending.size, 0);
});

test("snapshots: a file that is not what was announced is sent again from its start", () => {
  let checks = 0;
  const { cluster, leader, straggler } = withStraggler({
    isSound: () => {
      checks += 1;
      return checks > 1;
    },
  });
  cluster.start(straggler);
  cluster.runUntilEqual(straggler);
  assert.ok(cluster.told.includes(`${straggler}: damaged from ${leader}`));
  assert.equal(pieces(cluster).filter(({ offset }) => offset === 0).length, 2);
});

test("snapshots: no more than the rate leaves in a second", () => {
  const { cluster, straggler } = withStraggler({ bytesPerSecond: 1024 * KIB });
  cluster.start(straggler);
  cluster.runUntil("a piece", () => pieces(cluster).length > 0);
  cluster.runFor(1000);
  const bytes = pieces(cluster).reduce((sum, { data }) => sum + data.length, 0);
  assert.ok(bytes > 512 * KIB && bytes <= (1024 + 512) * KIB, `${bytes} bytes`);
});

test("snapshots: a node that stops in the middle begins nothing more", async () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 1024 * KIB });
  const { driver } = cluster.start(straggler);
  cluster.runUntil("some of it is stored", () => driver.snapshotStatus().receiving !== null);
  const stopping = [driver.stop(), cluster.life(leader).driver.stop()];
  cluster.runFor(1000);
  await Promise.all(stopping);
  const count = pieces(cluster).length;
  cluster.runFor(1000);
  assert.equal(pieces(cluster).length, count);
});

test("snapshots: none is begun for the log while one is sent, unless the log grows too long", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 1024 * KIB });
  cluster.start(straggler);
  const { driver } = cluster.life(leader);
  cluster.runUntil("it sends", () => driver.snapshotStatus().sending.size > 0);
  const { index } = driver.snapshotStatus();
  cluster.write(30, 50 * KIB);
  assert.equal(driver.snapshotStatus().takingIndex, null);
  assert.equal(driver.snapshotStatus().index, index);
  assert.equal(driver.snapshotStatus().sending.size, 1, "it is still being sent");
  cluster.write(60, 50 * KIB);
  cluster.runUntil("it is compacted", () => driver.snapshotStatus().index > index);
  cluster.runUntilEqual(straggler);
});

test("snapshots: nothing is read or sent for a follower that does not answer", () => {
  const { cluster, leader, straggler } = withStraggler({ bytesPerSecond: 2048 * KIB });
  const { driver } = cluster.life(leader);
  cluster.start(straggler);
  cluster.runUntil("it sends", () => driver.snapshotStatus().sending.size > 0);
  cluster.crash(straggler);
  cluster.runFor(1000);
  cluster.sent.length = 0;
  cluster.runFor(2000);
  assert.deepEqual(pieces(cluster), []);
  assert.equal(driver.snapshotStatus().sending.size, 1, "it still waits for it");
  cluster.start(straggler);
  cluster.runUntilEqual(straggler);
});
