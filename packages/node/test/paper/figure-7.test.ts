import assert from "node:assert/strict";
import { test } from "node:test";
import type { Term } from "@quorate/wire";
import { Cluster } from "../raft/cluster.ts";

/** The log of the leader of term 8, before its first entry. */
const LEADER: readonly Term[] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];

/** The followers of Raft Figure 7: missing entries, extra ones, or both. */
const FOLLOWERS: Readonly<Record<string, readonly Term[]>> = {
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
};

for (const [name, log] of Object.entries(FOLLOWERS)) {
  test(`Figure 7 (${name}): the leader brings this log to equal its own (§5.3)`, () => {
    // c and d have more up-to-date logs and would not vote; the third server elects the leader.
    const logs = { leader: LEADER, other: LEADER, [name]: log };
    const cluster = new Cluster({ logs, currentTerms: { leader: 7, other: 7, [name]: 7 } });
    cluster.elect("leader");
    cluster.settle();
    cluster.tick(2, ["leader"]);
    assert.equal(cluster.view("leader").currentTerm, 8);
    assert.deepEqual(cluster.logTerms(name), [...LEADER, 8]);
    cluster.checkLogMatching();
    assert.deepEqual(cluster.applied(name), cluster.applied("leader"));
    assert.equal(cluster.applied(name).length, LEADER.length + 1);
  });
}

test("Figure 7: the leader of all seven is elected by those that are not ahead of it (§5.4.1)", () => {
  const logs = { leader: LEADER, ...FOLLOWERS };
  const currentTerms = Object.fromEntries(Object.keys(logs).map((id) => [id, 7]));
  const cluster = new Cluster({ logs, currentTerms });
  cluster.elect("leader");
  cluster.settle();
  cluster.tick(4, ["leader"]);
  for (const id of cluster.ids) {
    assert.deepEqual(cluster.logTerms(id), [...LEADER, 8], id);
    assert.deepEqual(cluster.applied(id), cluster.applied("leader"), id);
  }
});
