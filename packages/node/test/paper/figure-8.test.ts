import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../raft/cluster.ts";
import { appendReply, command, ServerUnderTest } from "../raft/server-under-test.ts";

test("Figure 8 (c): an entry of an earlier term on a majority is not committed by that (§5.4.2)", () => {
  // S1 leads term 4. Its entry 2 is of term 2; it sends that on before any of its own.
  const s1 = new ServerUnderTest({
    log: [1, 2],
    voters: ["n1", "n2", "n3", "n4", "n5"],
    currentTerm: 3,
  });
  s1.win();
  s1.persist();
  for (const follower of ["n2", "n3", "n4", "n5"]) {
    const stored = appendReply({ term: 4, prevLogIndex: 2, matchIndex: 2 });
    assert.deepEqual(s1.receive(follower, stored).committedEntries, []);
  }
  assert.equal(s1.core.view().commitIndex, 0);
});

test("Figure 8 (d): what was not committed may be overwritten by a later leader (§5.4.2)", () => {
  const cluster = new Cluster({
    logs: { s1: [1, 2, 4], s2: [1, 2], s3: [1, 2], s4: [1], s5: [1, 3] },
    currentTerms: { s1: 4, s2: 4, s3: 4, s4: 3, s5: 4 },
  });
  // Entry 2@2 is on a majority here. S1 is gone; S5 gets the votes of S2, S3 and S4.
  cluster.crash("s1");
  cluster.elect("s5");
  cluster.settle();
  assert.equal(cluster.view("s5").currentTerm, 5);
  for (const id of ["s2", "s3", "s4"]) assert.deepEqual(cluster.logTerms(id), [1, 3, 5], id);
  cluster.restart("s1");
  cluster.tick(4, ["s5"]);
  assert.deepEqual(cluster.logTerms("s1"), [1, 3, 5]);
});

test("Figure 8 (e): an entry of its own term on a majority commits those before it for ever (§5.4.2)", () => {
  const cluster = new Cluster({
    logs: { s1: [1, 2], s2: [1, 2], s3: [1, 2], s4: [1], s5: [1, 3] },
    currentTerms: { s1: 3, s2: 2, s3: 2, s4: 3, s5: 3 },
  });
  cluster.crash("s4");
  cluster.crash("s5");
  cluster.elect("s1");
  cluster.settle();
  assert.equal(cluster.view("s1").currentTerm, 4);
  assert.equal(cluster.applied("s1").length, 3);
  cluster.crash("s1");
  cluster.restart("s4");
  cluster.restart("s5");
  // S5 cannot win any more: S2 and S3 have the entry of term 4.
  cluster.tick(60, ["s5", "s4"]);
  assert.notEqual(cluster.view("s5").role, "leader");
  cluster.elect("s2");
  cluster.settle();
  cluster.tick(4, ["s2"]);
  for (const id of ["s2", "s3", "s4", "s5"]) {
    assert.deepEqual(cluster.logTerms(id).slice(0, 3), [1, 2, 4], id);
  }
});

test("Figure 8: a leader's own next entry is what commits the earlier ones (§5.4.2)", () => {
  const s1 = new ServerUnderTest({ log: [1, 2] });
  s1.win();
  s1.step((core) => core.propose(command("x")));
  s1.persistAll();
  const older = appendReply({ term: 3, prevLogIndex: 2, matchIndex: 2 });
  assert.deepEqual(s1.receive("n2", older).committedEntries, []);
  const own = appendReply({ term: 3, prevLogIndex: 2, matchIndex: 3 });
  const terms = s1.receive("n2", own).committedEntries.map(({ term }) => term);
  assert.deepEqual(terms, [1, 2, 3]);
  assert.equal(s1.core.view().commitIndex, 3);
});
