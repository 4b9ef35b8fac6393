import assert from "node:assert/strict";
import { test } from "node:test";
import type { RaftMessage, Term } from "@quorate/wire";
import type { Start } from "../raft/server-under-test.ts";
import {
  appendEntries,
  appendReply,
  command,
  entry,
  outputOf,
  preVote,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "../raft/server-under-test.ts";

/** A server in each role, in term 5. */
const ROLES: Readonly<Record<string, () => ServerUnderTest>> = {
  follower: () => new ServerUnderTest({ currentTerm: 5 }),
  preCandidate: () => {
    const server = new ServerUnderTest({ currentTerm: 5 });
    server.startPreVote();
    return server;
  },
  candidate: () => {
    const server = new ServerUnderTest({ currentTerm: 4 });
    server.startElection();
    server.persist();
    return server;
  },
  leader: () => new ServerUnderTest({ currentTerm: 4 }).lead(),
};

/** Every message that carries its sender's term; `leadershipTransfer` gets past loyalty. */
function messagesOf(term: Term): RaftMessage[] {
  return [
    requestVote("n2", term, [0, 0], true),
    { type: "RequestVoteReply", term, voteGranted: false },
    { type: "PreVoteReply", term, preVoteTerm: 6, voteGranted: false },
    appendEntries({ term }),
    appendReply({ term, success: false, conflictIndex: 1 }),
    { type: "TimeoutNow", term, leaderId: "n2" },
    { type: "ReadIndex", term, requestId: 1 },
    { type: "ReadIndexReply", term, requestId: 1, readIndex: null },
  ];
}

test("Roles: a follower issues no requests on its own (§5.1)", () => {
  const server = new ServerUnderTest();
  for (let tick = 1; tick < TICKS.electionTicks; tick += 1) {
    assert.deepEqual(server.tick(), outputOf({}));
  }
});

test("Roles: a follower that a client contacts names the leader (§5.1)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  assert.deepEqual(server.core.propose(command("x")), { kind: "notLeader", leaderId: null });
  server.receive("n3", appendEntries({ term: 1, leaderId: "n3" }));
  assert.deepEqual(server.core.propose(command("x")), { kind: "notLeader", leaderId: "n3" });
  assert.equal(server.core.view().lastLogIndex, 0);
});

test("Terms: consecutive elections have consecutive terms (§5.1)", () => {
  const server = new ServerUnderTest({ currentTerm: 7 });
  const terms: Term[] = [];
  for (let election = 0; election < 3; election += 1) {
    server.startElection();
    server.persist();
    terms.push(server.core.view().currentTerm);
    server.receive("n2", requestVoteRefusal(server.core.view().currentTerm));
    server.receive("n3", requestVoteRefusal(server.core.view().currentTerm));
  }
  assert.deepEqual(terms, [8, 9, 10]);
});

function requestVoteRefusal(term: Term): RaftMessage {
  return { type: "RequestVoteReply", term, voteGranted: false };
}

for (const [role, make] of Object.entries(ROLES)) {
  for (const message of messagesOf(9)) {
    test(`Terms: a ${role} takes over the later term of a ${message.type} (§5.1)`, () => {
      const server = make();
      assert.equal(server.core.view().role, role);
      server.receive("n2", message);
      const { currentTerm, role: roleAfter } = server.core.view();
      const campaigns = message.type === "TimeoutNow";
      assert.equal(currentTerm, campaigns ? 10 : 9);
      // "Immediately reverts to follower"; TimeoutNow then asks that follower to campaign.
      assert.equal(roleAfter, campaigns ? "candidate" : "follower");
    });
  }

  for (const message of messagesOf(4)) {
    test(`Terms: a ${role} is not moved by the earlier term of a ${message.type} (§5.1)`, () => {
      const server = make();
      const before = server.core.view();
      server.receive("n2", message);
      assert.deepEqual(server.core.view(), before);
    });
  }

  test(`Terms: a ${role} rejects requests of an earlier term with its own (§5.1)`, () => {
    const server = make();
    const vote = server.receive("n2", requestVote("n2", 4, [9, 4]));
    const voteReply = { type: "RequestVoteReply", term: 5, voteGranted: false } as const;
    assert.deepEqual(vote, outputOf({ messages: [{ to: "n2", message: voteReply }] }));

    const request = { term: 4, prevLogIndex: 2, prevLogTerm: 4, entries: [entry(3, 4)], round: 8 };
    const rejection = appendReply({
      term: 5,
      success: false,
      prevLogIndex: 2,
      conflictIndex: 0,
      round: 8,
    });
    const append = server.receive("n2", appendEntries(request));
    assert.deepEqual(append, outputOf({ messages: [{ to: "n2", message: rejection }] }));

    const read = server.receive("n2", { type: "ReadIndex", term: 4, requestId: 3 });
    const readReply = { type: "ReadIndexReply", term: 5, requestId: 3, readIndex: null } as const;
    assert.deepEqual(read, outputOf({ messages: [{ to: "n2", message: readReply }] }));
  });
}

test("Terms: a later term clears the vote, and is durable before it is told (§5.1, Figure 2)", () => {
  const start: Start = { currentTerm: 5, votedFor: "n3", log: [1, 5] };
  const server = new ServerUnderTest(start);
  // This log is more up to date, so the vote is refused: the term is taken over all the same.
  const output = server.receive("n2", requestVote("n2", 6, [1, 1]));
  const message = { type: "RequestVoteReply", term: 6, voteGranted: false } as const;
  assert.deepEqual(
    output,
    outputOf({
      messagesAfterPersist: [{ to: "n2", message, afterSequence: 1 }],
      persist: {
        sequence: 1,
        hardState: { currentTerm: 6, votedFor: null, commitIndex: 0 },
        entries: [],
      },
    }),
  );
});

test("RPCs: a candidate without answers asks all servers again, in a new election (§5.1)", () => {
  const server = new ServerUnderTest();
  server.startElection();
  server.persist();
  const again = server.tick(TICKS.electionTicks);
  const message = preVote("n1", 2);
  assert.deepEqual(
    again,
    outputOf({
      messages: [
        { to: "n2", message },
        { to: "n3", message },
      ],
    }),
  );
});

test("RPCs: a leader without an answer asks again with the heartbeat, then sends the entries again (§5.1)", () => {
  const server = new ServerUnderTest();
  const first = server.win();
  assert.ok(first.messages.length > 0);
  const again = server.tick(TICKS.heartbeatTicks);
  assert.deepEqual(
    again.messages,
    first.messages.map(({ to, message }) => ({ to, message: { ...message, entries: [] } })),
  );
  const toAnswerer = first.messages.filter(({ to }) => to === "n2");
  const { messages } = server.receive("n2", appendReply({ term: 1 }));
  assert.deepEqual(messages, toAnswerer);
});
