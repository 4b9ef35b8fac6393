import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogIndex, Term } from "@quorate/wire";
import { Cluster } from "../raft/cluster.ts";
import { outputOf, preVote, requestVote, ServerUnderTest } from "../raft/server-under-test.ts";

interface Comparison {
  readonly voter: readonly Term[];
  readonly candidate: readonly [LogIndex, Term];
  readonly granted: boolean;
  readonly because: string;
}

const COMPARISONS: readonly Comparison[] = [
  { voter: [], candidate: [0, 0], granted: true, because: "both logs are empty" },
  { voter: [1], candidate: [0, 0], granted: false, because: "its log is empty" },
  { voter: [1, 1], candidate: [1, 2], granted: true, because: "its last term is later" },
  { voter: [1, 2], candidate: [9, 1], granted: false, because: "its last term is earlier" },
  { voter: [1, 2], candidate: [3, 2], granted: true, because: "its log is longer" },
  { voter: [1, 2], candidate: [2, 2], granted: true, because: "the logs are equal" },
  { voter: [1, 2], candidate: [1, 2], granted: false, because: "its log is shorter" },
];

for (const { voter, candidate, granted, because } of COMPARISONS) {
  const verb = granted ? "grants" : "denies";
  const [index, term] = candidate;

  test(`Vote: a log of terms [${voter.join(" ")}] ${verb} it to ${index}@${term}: ${because} (§5.4.1)`, () => {
    const server = new ServerUnderTest({ log: voter, currentTerm: 5 });
    const { persist } = server.receive("n2", requestVote("n2", 6, candidate));
    const votedFor = granted ? "n2" : null;
    assert.deepEqual(persist?.hardState, { currentTerm: 6, votedFor, commitIndex: 0 });
    const { freed } = server.persist();
    const message = { type: "RequestVoteReply", term: 6, voteGranted: granted } as const;
    assert.deepEqual(
      freed.map((envelope) => [envelope.to, envelope.message]),
      [["n2", message]],
    );
  });

  test(`PreVote: a log of terms [${voter.join(" ")}] ${verb} it to ${index}@${term}: ${because} (§5.4.1, Diss. §9.6)`, () => {
    const server = new ServerUnderTest({ log: voter, currentTerm: 5 });
    const message = {
      type: "PreVoteReply",
      term: 5,
      preVoteTerm: 6,
      voteGranted: granted,
    } as const;
    assert.deepEqual(
      server.receive("n2", preVote("n2", 6, candidate)),
      outputOf({ messages: [{ to: "n2", message }] }),
    );
  });
}

test("Candidate: tells its last index and term, for the voters to compare (§5.4.1)", () => {
  const server = new ServerUnderTest({ log: [1, 1, 4], currentTerm: 6 });
  const { messagesAfterPersist } = server.startElection();
  const message = requestVote("n1", 7, [3, 4]);
  assert.deepEqual(
    messagesAfterPersist.map((envelope) => envelope.message),
    [message, message],
  );
});

test("Leader Completeness: who lacks a committed entry cannot be elected (§5.4.1, §5.4.3)", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.isolate("n3");
  cluster.propose("n1", "committed without n3");
  cluster.settle();
  assert.equal(cluster.applied("n1").length, 2);
  cluster.crash("n1");
  cluster.isolate();
  cluster.tick(60, ["n3"]);
  assert.notEqual(cluster.view("n3").role, "leader");
  cluster.elect("n2");
  cluster.settle();
  cluster.tick(4, ["n2"]);
  assert.deepEqual(cluster.applied("n3"), cluster.applied("n2"));
  assert.equal(cluster.applied("n3").length, 3);
});

test("Entries keep the term of the leader that made them, whoever sends them on (§5.4.2)", () => {
  const cluster = new Cluster({ logs: { n1: [1, 2, 2], n2: [1], n3: [1] } });
  cluster.elect("n1");
  cluster.settle();
  assert.deepEqual(cluster.logTerms("n2"), [1, 2, 2, 3]);
});
