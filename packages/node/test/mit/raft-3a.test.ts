/** MIT 6.5840, lab 3A: leader election. Same names and numbers, in simulated time. */
import assert from "node:assert/strict";
import { mitTest } from "./mit-test.ts";
import { ELECTION_TIMEOUT_MS, RaftGroup } from "./raft-group.ts";

mitTest(
  "TestInitialElection3A: one leader is elected, and its term lasts while nothing fails",
  async (seed) => {
    const group = new RaftGroup(3, { seed });
    const leader = await group.checkOneLeader();
    await group.run(50);
    const term = group.checkTerms();
    assert.ok(term >= 1);
    await group.run(2 * ELECTION_TIMEOUT_MS);
    // The original only warns where the term changed; in simulated time nothing can excuse it.
    assert.equal(group.checkTerms(), term);
    assert.equal(await group.checkOneLeader(), leader);
  },
);

mitTest(
  "TestReElection3A: a new leader when the old one is cut off, none without a quorum, one again after",
  async (seed) => {
    const group = new RaftGroup(3, { seed });
    const first = await group.checkOneLeader();
    group.disconnect(first);
    const second = await group.checkOneLeader();
    assert.notEqual(second, first);

    // The old leader comes back and disturbs nobody.
    const term = group.node(second).view()?.currentTerm;
    group.connect(first);
    assert.equal(await group.checkOneLeader(), second);
    assert.equal(group.checkTerms(), term);

    group.disconnect(second, (second + 1) % 3);
    await group.run(2 * ELECTION_TIMEOUT_MS);
    group.checkNoLeader();

    group.connect((second + 1) % 3);
    await group.checkOneLeader();
    group.connect(second);
    await group.checkOneLeader();
  },
);

mitTest(
  "TestManyElections3A: seven servers, three of them cut off, ten times: always one leader",
  async (seed) => {
    const group = new RaftGroup(7, { seed });
    await group.checkOneLeader();
    for (let round = 1; round < 10; round += 1) {
      const cut = [0, 1, 2].map(() => group.random.below(7));
      group.disconnect(...cut);
      await group.checkOneLeader();
      group.connect(...cut);
    }
    await group.checkOneLeader();
  },
);
