import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@quorate/wire";
import { Cluster } from "./cluster.ts";
import {
  appendEntries,
  appendReply,
  command,
  outputOf,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "./server-under-test.ts";

const timeoutNow = { type: "TimeoutNow", term: 1, leaderId: "n1" } as const;

function answer(server: ServerUnderTest, ...from: readonly NodeId[]): void {
  const { currentTerm: term, lastLogIndex } = server.core.view();
  for (const id of from) {
    server.receive(id, appendReply({ term, prevLogIndex: lastLogIndex, matchIndex: lastLogIndex }));
  }
}

test("Transfer: a target that has the whole log is asked to campaign at once (Diss. §3.10)", () => {
  const server = new ServerUnderTest().lead();
  const output = server.step((core) => {
    assert.deepEqual(core.transferLeadership("n3"), { kind: "started", target: "n3" });
  });
  assert.deepEqual(output, outputOf({ messages: [{ to: "n3", message: timeoutNow }] }));
  assert.equal(server.core.view().transferTarget, "n3");
});

test("Transfer: a target that lags is brought up to date first (Diss. §3.10)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("x")));
  const started = server.step((core) => core.transferLeadership("n3"));
  assert.deepEqual(started.messages, []);
  const { messages } = server.receive(
    "n3",
    appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }),
  );
  assert.deepEqual(messages, [{ to: "n3", message: timeoutNow }]);
  const again = server.receive("n3", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }));
  assert.deepEqual(again.messages, [], "asked once");
});

test("Transfer: no proposals are taken meanwhile (Diss. §3.10)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.transferLeadership("n3"));
  assert.deepEqual(server.core.propose(command("x")), { kind: "transferring", target: "n3" });
});

test("Transfer: given up after an election timeout; the leader serves on (Diss. §3.10)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.transferLeadership("n3"));
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
    assert.equal(server.core.view().transferTarget, "n3");
    answer(server, "n2");
    server.tick();
  }
  assert.equal(server.core.view().transferTarget, null);
  assert.equal(server.core.propose(command("x")).kind, "accepted");
});

test("Transfer: without a name, the voter with the longest log that was heard from", () => {
  const server = new ServerUnderTest({ learners: ["n9"] }).lead();
  answer(server, "n9");
  server.step((core) => core.propose(command("x")));
  server.receive("n3", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }));
  server.receive("n9", appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 }));
  server.step((core) => {
    assert.deepEqual(core.transferLeadership(null), { kind: "started", target: "n3" });
  });
});

test("Transfer: without a name, works at any tick of a leader that hears its followers", () => {
  for (let ticks = 0; ticks <= 2 * TICKS.electionTicks; ticks += 1) {
    const server = new ServerUnderTest().lead();
    for (let passed = 0; passed < ticks; passed += 1) {
      if (passed % TICKS.heartbeatTicks === 0) answer(server, "n2", "n3");
      server.tick();
    }
    assert.equal(server.core.transferLeadership(null).kind, "started", `after ${ticks} ticks`);
  }
});

test("Transfer: refused to itself, to a stranger, to a learner, and while one is under way", () => {
  const kinds = ["n1", "n7", "n4"].map((target) => {
    const server = new ServerUnderTest({ learners: ["n4"] }).lead();
    return server.core.transferLeadership(target).kind;
  });
  assert.deepEqual(kinds, ["refused", "refused", "refused"]);
  const busy = new ServerUnderTest().lead();
  busy.core.transferLeadership("n2");
  assert.equal(busy.core.transferLeadership("n3").kind, "refused");
  const follower = new ServerUnderTest({ currentTerm: 1 });
  follower.receive("n2", appendEntries({ term: 1 }));
  assert.deepEqual(follower.core.transferLeadership("n3"), { kind: "notLeader", leaderId: "n2" });
});

test("TimeoutNow: the target campaigns without PreVote, past the others' loyalty (Diss. §3.10)", () => {
  const server = new ServerUnderTest({ id: "n3", currentTerm: 1, log: [1] });
  server.receive("n1", appendEntries({ term: 1, leaderId: "n1", prevLogIndex: 1, prevLogTerm: 1 }));
  const output = server.receive("n1", timeoutNow);
  const message = requestVote("n3", 2, [1, 1], true);
  assert.deepEqual(
    output,
    outputOf({
      messagesAfterPersist: [
        { to: "n1", message, afterSequence: 1 },
        { to: "n2", message, afterSequence: 1 },
      ],
      persist: {
        sequence: 1,
        hardState: { currentTerm: 2, votedFor: "n3", commitIndex: 0 },
        entries: [],
      },
    }),
  );
});

test("TimeoutNow: the old leader's heartbeat does not stop the target (Diss. §3.10)", () => {
  const server = new ServerUnderTest({ id: "n3", currentTerm: 1 });
  server.receive("n1", timeoutNow);
  server.receive("n1", appendEntries({ term: 1, leaderId: "n1" }));
  assert.equal(server.core.view().role, "candidate");
});

test("TimeoutNow: the election after a failed one waits for voters again (Diss. §3.10)", () => {
  const server = new ServerUnderTest({ id: "n3", currentTerm: 1 });
  server.receive("n1", timeoutNow);
  server.persist();
  server.tick(TICKS.electionTicks);
  assert.equal(server.core.view().role, "preCandidate");
  server.receive("n2", { type: "PreVoteReply", term: 2, preVoteTerm: 3, voteGranted: true });
  const { freed } = server.persist();
  assert.deepEqual(
    freed.map(({ to, message }) => [to, message]),
    ["n1", "n2"].map((to) => [to, requestVote("n3", 3)]),
  );
  assert.equal(server.core.view().currentTerm, 3);
});

test("Transfer: ends with the leadership; the next one starts without it (Diss. §3.10)", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.transferLeadership("n3"));
  server.receive("n3", requestVote("n3", 2, [1, 1], true));
  assert.equal(server.core.view().role, "follower");
  assert.equal(server.core.view().votedFor, "n3");
  server.persistAll();
  server.lead();
  assert.equal(server.core.view().transferTarget, null);
});

test("Transfer: a cluster changes its leader within one exchange and loses nothing (Diss. §3.10)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  for (const text of ["a", "b", "c"]) cluster.propose("n1", text);
  cluster.step("n1", (core) => core.transferLeadership("n2"));
  cluster.settle();
  const { role, currentTerm } = cluster.view("n2");
  assert.deepEqual({ role, currentTerm }, { role: "leader", currentTerm: 2 });
  cluster.tick(2, ["n2"]);
  assert.deepEqual(cluster.applied("n1"), cluster.applied("n2"));
  assert.equal(cluster.applied("n1").length, 5);
});
