/**
 * MIT 6.5840, lab 3C: what survives crashes. Same names and numbers, in simulated time. A shutdown
 * is a power cut: writes that were not synced are lost.
 */
import assert from "node:assert/strict";
import { mitTest } from "./mit-test.ts";
import { ELECTION_TIMEOUT_MS, RaftGroup } from "./raft-group.ts";

mitTest(
  "TestPersist13C: all servers restart, then leaders and followers one by one",
  async (seed) => {
    const group = new RaftGroup(3, { seed });
    await group.one("11", 3, true);
    group.shutdown(...group.servers);
    group.start(...group.servers);
    await group.one("12", 3, true);

    const first = await group.checkOneLeader();
    group.shutdown(first);
    group.start(first);
    await group.one("13", 3, true);

    const second = await group.checkOneLeader();
    group.shutdown(second);
    const index = await group.one("14", 2, true);
    group.start(second);
    assert.equal(await group.wait(index, 3), "14");

    const third = ((await group.checkOneLeader()) + 1) % 3;
    group.shutdown(third);
    await group.one("15", 2, true);
    group.start(third);
    await group.one("16", 3, true);
  },
);

mitTest(
  "TestPersist23C: rolling restarts of five servers, so that majorities never know each other's latest",
  async (seed) => {
    const group = new RaftGroup(5, { seed });
    for (let round = 0; round < 5; round += 1) {
      await group.one(`${round} all`, 5, true);
      const leader = await group.checkOneLeader();
      const at = (offset: number): number => (leader + offset) % 5;
      group.shutdown(at(1), at(2));
      await group.one(`${round} three`, 3, true);
      group.shutdown(at(0), at(3), at(4));
      group.start(at(1), at(2));
      await group.run(ELECTION_TIMEOUT_MS);
      group.start(at(3));
      await group.one(`${round} other three`, 3, true);
      group.start(at(4), at(0));
    }
    await group.one("1000", 5, true);
  },
);

mitTest(
  "TestPersist33C: leader and follower crash while the third is cut off; the leader's log carries over",
  async (seed) => {
    const group = new RaftGroup(3, { seed });
    await group.one("101", 3, true);
    const leader = await group.checkOneLeader();
    const [companion, other] = [(leader + 1) % 3, (leader + 2) % 3];
    group.disconnect(other);
    const index = await group.one("102", 2, true);
    group.shutdown(leader, companion);
    group.connect(other);
    group.start(leader);
    await group.one("103", 2, true);
    assert.equal(group.commandAt(index), "102");
    group.start(companion);
    await group.one("104", 3, true);
  },
);

/** How long the course waits in an iteration of Figure 8: mostly shorter than a commit takes. */
async function waitALittle(group: RaftGroup): Promise<void> {
  const isLong = group.random.chance(0.1);
  await group.run(1 + group.random.below(isLong ? ELECTION_TIMEOUT_MS / 2 : 13));
}

mitTest(
  "TestFigure83C: a thousand times a leader takes a command and crashes, mostly before it commits",
  async (seed) => {
    // Slow enough that a crash comes between the places of a commit.
    const group = new RaftGroup(5, { seed, delayMeanUs: 30_000 });
    await group.one("0", 1, true);
    for (let iteration = 0; iteration < 1000; iteration += 1) {
      const leaders = group.submitToAll(String(iteration));
      await waitALittle(group);
      const leader = leaders.at(-1);
      if (leader !== undefined) group.shutdown(leader);
      if (group.servers.filter((server) => group.isRunning(server)).length < 3) {
        group.start(group.random.below(5));
      }
    }
    group.start(...group.servers);
    await group.one("end", 5, true);
    const { coverage } = group.cluster;
    assert.ok(coverage.count("crashes") >= 20, "few leaders crashed");
    assert.ok(coverage.count("truncations") > 0, "no entry was ever overwritten");
  },
);

mitTest(
  "TestUnreliableAgree3C: 245 commands, five at a time, on a network that loses one message of ten",
  async (seed) => {
    const group = new RaftGroup(5, { seed, isReliable: false });
    const placed: number[] = [];
    for (let iteration = 1; iteration < 50; iteration += 1) {
      for (let one = 0; one < 4; one += 1) {
        // The original waits for each in a thread; here they are in the log when the fifth is committed.
        const command = String(100 * iteration + one);
        group.submitToAll(command);
      }
      placed.push(await group.one(String(iteration), 1, true));
    }
    group.setReliable(true);
    const last = await group.one("100", 5, true);
    assert.ok(placed.every((index) => index < last));
    assert.ok(group.cluster.coverage.count("drops") >= 20, "the network lost next to nothing");
  },
);

mitTest(
  "TestFigure8Unreliable3C: the same as Figure 8 with loss and long reordering; leaders are cut off, not crashed",
  async (seed) => {
    const group = new RaftGroup(5, { seed, isReliable: false });
    await group.one("0", 1, true);
    for (let iteration = 0; iteration < 1000; iteration += 1) {
      if (iteration === 200) group.setLongReordering();
      const leaders = group.submitToAll(String(iteration));
      const leader = leaders.findLast((server) => group.isConnected(server));
      await waitALittle(group);
      if (leader !== undefined && group.random.chance(0.5)) group.disconnect(leader);
      if (group.servers.filter((server) => group.isConnected(server)).length < 3) {
        group.connect(group.random.below(5));
      }
    }
    group.connect(...group.servers);
    // The course leaves the network as it is; so does this.
    await group.one("end", 5, true);
    const { coverage } = group.cluster;
    assert.ok(coverage.count("reorders") >= 100, "next to nothing was reordered");
    assert.ok(coverage.count("leadersDeposed") >= 3, "few leaders were deposed");
  },
);

/** Three clients submit while servers are cut off, crash and come back: 14 simulated seconds. */
async function churn(group: RaftGroup): Promise<void> {
  const client = { isActive: true };
  const acknowledged: { index: number; command: string }[] = [];
  for (const name of ["a", "b", "c"]) submitForEver(group, name, client, acknowledged);
  for (let iteration = 0; iteration < 20; iteration += 1) {
    const { random } = group;
    if (random.chance(0.2)) group.disconnect(random.below(5));
    if (random.chance(0.5)) group.start(random.below(5));
    if (random.chance(0.2)) group.shutdown(random.below(5));
    await group.run(ELECTION_TIMEOUT_MS * 0.7);
  }
  await group.run(ELECTION_TIMEOUT_MS);
  group.setReliable(true);
  group.start(...group.servers);
  client.isActive = false;
  await group.run(ELECTION_TIMEOUT_MS);
  const last = await group.one("end", 5, true);
  assert.equal(await group.wait(last, 5), "end");
  assert.ok(acknowledged.length > 20, `only ${acknowledged.length} commands were committed`);
  for (const { index, command } of acknowledged) assert.equal(group.commandAt(index), command);
}

function submitForEver(
  group: RaftGroup,
  name: string,
  client: { readonly isActive: boolean },
  acknowledged: { index: number; command: string }[],
): void {
  const { scheduler } = group.cluster;
  let number = 0;
  const submit = (): void => {
    if (!client.isActive) return;
    number += 1;
    const command = `${name}${number}`;
    const placed = group.servers.map((server) => group.submit(server, command));
    const { index } = placed.findLast((one) => one !== null) ?? { index: 0 };
    if (index === 0) scheduler.schedule(79_000, submit);
    else look(index, command, [10, 20, 50, 100, 200]);
  };
  const look = (index: number, command: string, delaysMs: readonly number[]): void => {
    const { count, command: found } = group.committed(index);
    const [delayMs, ...later] = delaysMs;
    if (count > 0 && found === command) acknowledged.push({ index, command });
    if (count > 0 || delayMs === undefined) scheduler.schedule(1000, submit);
    else scheduler.schedule(delayMs * 1000, () => look(index, command, later));
  };
  submit();
}

mitTest(
  "TestReliableChurn3C: what was committed stays, while servers crash and are cut off",
  async (seed) => {
    await churn(new RaftGroup(5, { seed }));
  },
);

mitTest(
  "TestUnreliableChurn3C: what was committed stays, on a network that loses messages besides",
  async (seed) => {
    await churn(new RaftGroup(5, { seed, isReliable: false }));
  },
);
