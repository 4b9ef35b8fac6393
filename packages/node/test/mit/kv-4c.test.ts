/**
 * MIT 6.5840, lab 4C: the key-value service with snapshots. Same names and numbers, in simulated
 * time; sizes are those of our own log and snapshot format.
 */
import assert from "node:assert/strict";
import { readAll } from "../kv/store-under-test.ts";
import type { KvTest } from "./kv-group.ts";
import { KvGroup } from "./kv-group.ts";
import { mitTest } from "./mit-test.ts";
import { ELECTION_TIMEOUT_MS } from "./raft-group.ts";
import { checkSpeed } from "./speed.ts";

const MAX_RAFT_STATE = 1000;

const GENERIC: Readonly<Record<string, KvTest & { claim: string }>> = {
  TestSnapshotRecover4C: {
    clients: 1,
    servers: 5,
    isReliable: true,
    crashes: true,
    claim: "one client, all servers restart",
  },
  TestSnapshotRecoverManyClients4C: {
    clients: 20,
    servers: 5,
    isReliable: true,
    crashes: true,
    claim: "twenty clients, all servers restart",
  },
  TestSnapshotUnreliable4C: {
    clients: 5,
    servers: 5,
    isReliable: false,
    claim: "five clients, a network that loses messages",
  },
  TestSnapshotUnreliableRecover4C: {
    clients: 5,
    servers: 5,
    isReliable: false,
    crashes: true,
    claim: "five clients, a network that loses messages, all servers restart",
  },
  TestSnapshotUnreliableRecoverConcurrentPartition4C: {
    clients: 5,
    servers: 5,
    isReliable: false,
    crashes: true,
    partitions: true,
    claim: "five clients, a network that loses messages, partitions, all servers restart",
  },
  TestSnapshotUnreliableRecoverConcurrentPartitionLinearizable4C: {
    clients: 15,
    servers: 7,
    isReliable: false,
    crashes: true,
    partitions: true,
    hasRandomKeys: true,
    claim: "fifteen clients of a hundred keys, seven servers, and all of it",
  },
};

for (const [name, { claim, ...kvTest }] of Object.entries(GENERIC)) {
  mitTest(`${name}: snapshots, ${claim}: the history is linearizable`, async (seed) => {
    await new KvGroup({ ...kvTest, maxRaftState: MAX_RAFT_STATE }, seed).runGenericTest();
  });
}

mitTest(
  "TestSnapshotRPC4C: a server that fell behind recovers by a snapshot; a majority trims its log without it",
  async (seed) => {
    const test = { clients: 0, servers: 3, isReliable: true, maxRaftState: MAX_RAFT_STATE };
    const group = new KvGroup(test, seed);
    const { raft } = group;
    const clerk = group.clerk();
    await group.put(clerk, "a", "A", 0);
    await group.checkGet(clerk, "a", "A");

    raft.partition([0, 1], [2]);
    const first = group.clerk({ servers: [0, 1] });
    for (let number = 0; number < 50; number += 1) {
      await group.put(first, String(number), String(number), 0);
    }
    await raft.run(ELECTION_TIMEOUT_MS);
    await group.put(first, "b", "B", 0);
    assert.ok(raft.logSize() <= 8 * MAX_RAFT_STATE, `${raft.logSize()} bytes of log`);

    // A majority that needs the one which lags.
    raft.partition([0, 2], [1]);
    const second = group.clerk({ servers: [0, 2] });
    await group.put(second, "c", "C", 0);
    await group.put(second, "d", "D", 0);
    await group.checkGet(second, "a", "A");
    await group.checkGet(second, "b", "B");
    await group.checkGet(second, "1", "1");
    await group.checkGet(second, "49", "49");
    assert.ok(raft.cluster.coverage.count("snapshotsInstalled") > 0, "no snapshot was needed");

    raft.partition([0, 1, 2]);
    await group.put(clerk, "e", "E", 0);
    await group.checkGet(clerk, "c", "C");
    await group.checkGet(clerk, "e", "E");
    await group.checkGet(clerk, "1", "1");
    group.checkHistory();
  },
);

mitTest(
  "TestSnapshotSize4C: after 400 puts of one key a snapshot has at most 500 bytes",
  async (seed) => {
    const test = { clients: 0, servers: 3, isReliable: true, maxRaftState: MAX_RAFT_STATE };
    const group = new KvGroup(test, seed);
    const clerk = group.clerk();
    let revision = 0;
    for (let number = 0; number < 400; number += 1) {
      const value = String(number);
      ({ revision } = await group.put(clerk, "x", value, revision));
      await group.checkGet(clerk, "x", value);
    }
    assert.ok(group.raft.logSize() <= 8 * MAX_RAFT_STATE, `${group.raft.logSize()} bytes of log`);
    for (const server of group.raft.servers) {
      const snapshot = group.raft.machine(server)?.snapshot();
      assert(snapshot !== undefined);
      const sizeBytes = readAll(snapshot).length;
      assert.ok(sizeBytes <= 500, `a snapshot of ${sizeBytes} bytes`);
    }
  },
);

mitTest(
  "TestSpeed4C: a thousand puts one after the other with snapshots, at most 33 ms each",
  async (seed) => {
    const test = { clients: 0, servers: 3, isReliable: true, maxRaftState: MAX_RAFT_STATE };
    await checkSpeed(new KvGroup(test, seed));
  },
);
