/**
 * MIT 6.5840, lab 4A: the replicated state machine, and its snapshots (4C). Same names and numbers,
 * in simulated time. The course's counter is the store's revision: one up with each put.
 */
import assert from "node:assert/strict";
import { mitTest } from "./mit-test.ts";
import { ELECTION_TIMEOUT_MS, RaftGroup } from "./raft-group.ts";

const SERVERS = 3;
const MAX_RAFT_STATE = 1000;

/** How a submission ended: `ok` with the counter, or without a promise. */
type Submitted = { readonly kind: "ok"; readonly counter: number } | { readonly kind: "failed" };

/** Submits one increment to one server. */
function submit(group: RaftGroup, server: number, done: (submitted: Submitted) => void): void {
  group.propose(server, "inc", (outcome) => {
    if (outcome.kind === "applied") done({ kind: "ok", counter: outcome.result.revision });
    else done({ kind: "failed" });
  });
}

/** Increments by whoever leads among `servers`, within ten seconds; the counter afterwards. */
async function increment(
  group: RaftGroup,
  servers: readonly number[] = group.servers,
): Promise<number> {
  const endMs = group.nowMs + 10_000;
  while (group.nowMs < endMs) {
    const leader = servers.find((server) => group.node(server).view()?.role === "leader");
    const found: Submitted[] = [];
    if (leader !== undefined) submit(group, leader, (submitted) => found.push(submitted));
    await group.runUntil(() => found.length > 0, leader === undefined ? 50 : 2000);
    const [submitted] = found;
    if (submitted?.kind === "ok") return submitted.counter;
  }
  return assert.fail("no increment was executed");
}

/** Waits until at least so many running servers have counted to `counter`, and none further. */
async function checkCounter(group: RaftGroup, counter: number, servers: number): Promise<void> {
  const counters = (): (number | undefined)[] =>
    group.servers.map((server) => group.machine(server)?.revision);
  const isDone = (): boolean => counters().filter((one) => one === counter).length >= servers;
  assert.ok(await group.runUntil(isDone, 10_000), `${counter} expected: ${counters().join(" ")}`);
}

async function countTo(group: RaftGroup, count: number): Promise<void> {
  for (let number = 1; number <= count; number += 1) {
    assert.equal(await increment(group), number);
    await checkCounter(group, number, SERVERS);
  }
}

/** A hundred submissions at once; what came of each so far. */
function submitMany(group: RaftGroup, server: number): (Submitted | null)[] {
  const all: (Submitted | null)[] = Array.from({ length: 100 }, () => null);
  for (const at of all.keys()) {
    submit(group, server, (submitted) => {
      all[at] = submitted;
    });
  }
  return all;
}

mitTest("TestBasic4A: ten increments, each counted once by every server", async (seed) => {
  await countTo(new RaftGroup(SERVERS, { seed }), 10);
});

mitTest("TestConcurrent4A: fifty increments at once count to fifty", async (seed) => {
  const group = new RaftGroup(SERVERS, { seed });
  const leader = await group.checkOneLeader();
  const counters = new Set<number>();
  for (let number = 0; number < 50; number += 1) {
    submit(group, leader, (submitted) => {
      if (submitted.kind === "ok") counters.add(submitted.counter);
    });
  }
  assert.ok(await group.runUntil(() => counters.size === 50, 10_000), `${counters.size} of 50`);
  await checkCounter(group, 50, SERVERS);
});

mitTest("TestLeaderFailure4A: the others go on without the leader; it catches up", async (seed) => {
  const group = new RaftGroup(SERVERS, { seed });
  await checkCounter(group, await increment(group), SERVERS);
  const leader = await group.checkOneLeader();
  group.disconnect(leader);
  const others = group.servers.filter((server) => server !== leader);
  const counter = await increment(group, others);
  await checkCounter(group, counter, SERVERS - 1);
  group.connect(leader);
  await checkCounter(group, counter, SERVERS);
});

mitTest(
  "TestLeaderPartition4A: a hundred submissions in a minority never return OK, and return after healing",
  async (seed) => {
    const group = new RaftGroup(SERVERS, { seed });
    await checkCounter(group, await increment(group), SERVERS);
    const leader = await group.checkOneLeader();
    const others = group.servers.filter((server) => server !== leader);
    group.partition(others, [leader]);
    const minority = submitMany(group, leader);
    await group.run(10);
    const counter = await increment(group, others);
    await group.run(ELECTION_TIMEOUT_MS);
    // The course wants that they have not all returned; ours may have said that the outcome is
    // unknown, as a leader without a quorum steps down. None may say OK, then or later.
    assert.ok(!minority.some((submitted) => submitted?.kind === "ok"), "executed in a minority");

    group.connect(...group.servers);
    const haveReturned = (): boolean => minority.every((submitted) => submitted !== null);
    assert.ok(await group.runUntil(haveReturned, 1000), "not returned after healing");
    assert.ok(!minority.some((submitted) => submitted?.kind === "ok"), "executed after healing");
    await checkCounter(group, counter, SERVERS);
  },
);

mitTest(
  "TestRestartReplay4A: a hundred increments are counted once after all servers restart",
  async (seed) => {
    const group = new RaftGroup(SERVERS, { seed });
    await countTo(group, 100);
    group.shutdown(...group.servers);
    await group.run(1000);
    group.start(...group.servers);
    assert.equal(await increment(group), 101);
    await group.run(1000);
    await checkCounter(group, 101, SERVERS);
  },
);

mitTest(
  "TestShutdown4A: what a hundred submissions said before a shutdown holds after it",
  async (seed) => {
    const group = new RaftGroup(SERVERS, { seed });
    const leader = await group.checkOneLeader();
    const submissions = submitMany(group, leader);
    await group.run(5);
    // The course wants submissions to return on shutdown. Here a shutdown is a power cut: nobody is
    // left to answer, so a client's own time limit ends them (TestPersistConcurrent4B), and what is
    // asked for is that no answer was a lie.
    group.shutdown(...group.servers);
    const promised = submissions.filter((submitted) => submitted?.kind === "ok").length;
    await group.run(2000);
    assert.equal(submissions.filter((submitted) => submitted?.kind === "ok").length, promised);
    group.start(...group.servers);
    const counter = await increment(group);
    assert.ok(counter > promised && counter <= 101, `${counter} after ${promised} promises`);
  },
);

mitTest(
  "TestRestartSubmit4A: submissions after a restart are not confused with those before it",
  async (seed) => {
    const group = new RaftGroup(SERVERS, { seed });
    await countTo(group, 100);
    group.shutdown(...group.servers);
    await group.run(1000);
    group.start(...group.servers);
    assert.equal(await increment(group), 101);
    await group.run(1000);

    const submissions = submitMany(group, await group.checkOneLeader());
    await group.run(20);
    group.shutdown(...group.servers);
    const promised = submissions.filter((submitted) => submitted?.kind === "ok").length;
    group.start(...group.servers);
    const counter = await increment(group);
    assert.ok(counter > 101 + promised && counter <= 202, `${counter} after ${promised} promises`);
    await checkCounter(group, counter, SERVERS);
  },
);

mitTest(
  "TestSnapshot4C: a hundred increments, a trimmed log, and a restart from the snapshot",
  async (seed) => {
    const group = new RaftGroup(SERVERS, { seed, snapshotLogBytes: MAX_RAFT_STATE });
    for (let number = 1; number <= 100; number += 1) assert.equal(await increment(group), number);
    await checkCounter(group, 100, SERVERS);
    await group.run(ELECTION_TIMEOUT_MS);
    assert.ok(group.logSize() <= 2 * MAX_RAFT_STATE, `${group.logSize()} bytes of log`);
    assert.ok(group.cluster.coverage.count("snapshotsTaken") >= SERVERS);
    group.shutdown(...group.servers);
    group.start(...group.servers);
    assert.equal(await increment(group), 101);
    await checkCounter(group, 101, SERVERS);
  },
);
