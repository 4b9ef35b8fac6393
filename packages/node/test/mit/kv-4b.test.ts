/**
 * MIT 6.5840, lab 4B: the key-value service without snapshots. Same names and numbers, in
 * simulated time. The course's version of a key is our revision.
 */
import assert from "node:assert/strict";
import type { KvTest } from "./kv-group.ts";
import { KvGroup } from "./kv-group.ts";
import { mitTest } from "./mit-test.ts";
import { ELECTION_TIMEOUT_MS } from "./raft-group.ts";
import { checkSpeed } from "./speed.ts";

const GENERIC: Readonly<Record<string, KvTest & { claim: string }>> = {
  TestBasic4B: { clients: 1, servers: 5, isReliable: true, claim: "one client" },
  TestConcurrent4B: { clients: 5, servers: 5, isReliable: true, claim: "five clients" },
  TestUnreliable4B: {
    clients: 5,
    servers: 5,
    isReliable: false,
    claim: "five clients, a network that loses messages",
  },
  TestManyPartitionsOneClient4B: {
    clients: 1,
    servers: 5,
    isReliable: false,
    partitions: true,
    claim: "one client, partitions",
  },
  TestManyPartitionsManyClients4B: {
    clients: 5,
    servers: 5,
    isReliable: false,
    partitions: true,
    claim: "five clients, partitions",
  },
  TestPersistOneClient4B: {
    clients: 1,
    servers: 5,
    isReliable: false,
    crashes: true,
    claim: "one client, all servers restart",
  },
  TestPersistConcurrent4B: {
    clients: 5,
    servers: 5,
    isReliable: false,
    crashes: true,
    claim: "five clients, all servers restart",
  },
  // The course calls these two unreliable and runs them on a reliable network; here they are.
  TestPersistConcurrentUnreliable4B: {
    clients: 5,
    servers: 5,
    isReliable: false,
    crashes: true,
    claim: "five clients, a network that loses messages, all servers restart",
  },
  TestPersistPartition4B: {
    clients: 5,
    servers: 5,
    isReliable: true,
    crashes: true,
    partitions: true,
    claim: "five clients, partitions, all servers restart",
  },
  TestPersistPartitionUnreliable4B: {
    clients: 5,
    servers: 5,
    isReliable: false,
    crashes: true,
    partitions: true,
    claim: "five clients, a network that loses messages, partitions, all servers restart",
  },
  TestPersistPartitionUnreliableLinearizable4B: {
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
  mitTest(`${name}: ${claim}: the history is linearizable`, async (seed) => {
    await new KvGroup(kvTest, seed).runGenericTest();
  });
}

mitTest("TestSpeed4B: a thousand puts one after the other, at most 33 ms each", async (seed) => {
  await checkSpeed(new KvGroup({ clients: 0, servers: 3, isReliable: true }, seed));
});

mitTest(
  "TestOnePartition4B: no progress in the minority, some in the majority, all after healing",
  async (seed) => {
    const group = new KvGroup({ clients: 0, servers: 5, isReliable: false }, seed);
    const { raft } = group;
    const clerk = group.clerk();
    const first = await group.put(clerk, "1", "13", 0);

    // The leader of before is in the minority.
    const leader = await raft.checkOneLeader();
    const others = raft.servers.filter((server) => server !== leader);
    const [majority, minority] = [others.slice(1), [leader, ...others.slice(0, 1)]];
    raft.partition(majority, minority);
    // Asked while the minority's leader has not noticed anything: it must not answer by itself.
    const early = group.clerk({ servers: [leader] });
    const answers: string[] = [];
    early.get("1", () => answers.push("early get"));
    const inMajority = group.clerk({ servers: majority });
    const second = await group.put(inMajority, "1", "14", first.revision);
    assert.ok(second.isApplied);
    await group.checkGet(inMajority, "1", "14");

    const [putter, getter] = [
      group.clerk({ servers: minority }),
      group.clerk({ servers: minority }),
    ];
    putter.put("1", "15", second.revision + 1, () => answers.push("put"));
    getter.get("1", () => answers.push("get"));
    await raft.run(1000);
    assert.deepEqual(answers, [], "the minority answered");

    await group.checkGet(inMajority, "1", "14");
    const third = await group.put(inMajority, "1", "16", second.revision);
    assert.equal(third.revision, second.revision + 1);
    await group.checkGet(inMajority, "1", "16");

    raft.connect(...raft.servers);
    putter.connectAll();
    getter.connectAll();
    early.connectAll();
    await raft.run(ELECTION_TIMEOUT_MS);
    assert.ok(await raft.runUntil(() => answers.length === 3, 3000), "not served after healing");
    await group.checkGet(clerk, "1", "15");
    group.checkHistory();
  },
);
