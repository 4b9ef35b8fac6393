import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestVote } from "@quorate/wire";
import {
  appendEntries,
  appendReply,
  preVote,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "./server-under-test.ts";

const LEASES = { config: { leaseReads: true } };

function isGranted(server: ServerUnderTest, request: RequestVote): boolean {
  server.receive("n3", request);
  return server.core.view().votedFor === "n3";
}

test("Lease: a voter keeps its loyalty for the whole time, whatever it learns (Diss. §6.4.1)", () => {
  for (const leaseReads of [true, false]) {
    const server = new ServerUnderTest({ currentTerm: 1, config: { leaseReads } });
    server.tick(TICKS.electionTicks);
    server.receive("n2", appendEntries({ term: 1 }));
    // A later term, of somebody who knows no leader: its leader is known no more.
    server.receive("n3", { type: "RequestVoteReply", term: 2, voteGranted: false });
    assert.equal(server.core.view().leaderId, null);
    assert.equal(isGranted(server, requestVote("n3", 3)), !leaseReads);
  }
});

test("Lease: nor does it vote in a term that it learned otherwise, until its time is over (Diss. §6.4.1)", () => {
  const candidate = requestVote("n3", 2);
  for (const leaseReads of [true, false]) {
    const server = new ServerUnderTest({ currentTerm: 1, config: { leaseReads }, dice: [0, 9, 9] });
    server.receive("n2", appendEntries({ term: 1 }));
    // The candidate's answer to a pre-vote is here before its request, which waits for its disk.
    server.receive("n3", { type: "PreVoteReply", term: 2, preVoteTerm: 2, voteGranted: false });
    assert.equal(server.core.view().currentTerm, 2);
    assert.equal(isGranted(server, candidate), !leaseReads);
    server.tick(TICKS.electionTicks - 1);
    assert.equal(isGranted(server, candidate), !leaseReads);
    server.tick();
    assert.equal(isGranted(server, candidate), true);
  }
});

test("Lease: in such a term the election that the leader asked for is not held up (Diss. §3.10)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, ...LEASES });
  server.receive("n2", appendEntries({ term: 1 }));
  server.receive("n3", { type: "PreVoteReply", term: 2, preVoteTerm: 2, voteGranted: false });
  assert.equal(isGranted(server, requestVote("n3", 2, [0, 0], true)), true);
});

test("Lease: the loyalty ends with the shortest election timeout (Diss. §6.4.1)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, ...LEASES, dice: [0, 9, 9, 9] });
  server.receive("n2", appendEntries({ term: 1 }));
  server.tick(TICKS.electionTicks - 1);
  assert.equal(isGranted(server, requestVote("n3", 2)), false);
  server.tick();
  assert.equal(isGranted(server, requestVote("n3", 2)), true);
});

test("Lease: a restarted voter holds the promise that it may have made just before", () => {
  for (const leaseReads of [true, false]) {
    const server = new ServerUnderTest({ currentTerm: 1, config: { leaseReads } });
    const [reply] = server.receive("n3", preVote("n3", 2)).messages;
    assert.equal(reply?.message.type === "PreVoteReply" && reply.message.voteGranted, !leaseReads);
    assert.equal(isGranted(server, requestVote("n3", 2)), !leaseReads);
  }
});

test("Lease: the loss of the leader's process hurries no election: its lease may still be used", () => {
  for (const leaseReads of [true, false]) {
    const server = new ServerUnderTest({ currentTerm: 1, config: { leaseReads } });
    server.receive("n2", appendEntries({ term: 1 }));
    server.step((core) => core.peerDown("n2"));
    server.tick(TICKS.electionTicks - 1);
    assert.equal(server.core.view().role === "follower", leaseReads);
  }
});

test("Lease: an election that the leader asked for is not held up (Diss. §3.10)", () => {
  const server = new ServerUnderTest({ currentTerm: 1, ...LEASES });
  server.receive("n2", appendEntries({ term: 1 }));
  assert.equal(isGranted(server, requestVote("n3", 2, [0, 0], true)), true);
});

test("Lease: none before an entry of the own term is committed, none without leadership", () => {
  const server = new ServerUnderTest();
  assert.equal(server.core.leaseReadIndex(), null);
  server.win();
  assert.equal(server.core.leaseReadIndex(), null);
  server.persistAll();
  server.stored("n2");
  assert.equal(server.core.leaseReadIndex(), 1);
  server.receive("n3", appendEntries({ term: 9, leaderId: "n3" }));
  assert.equal(server.core.leaseReadIndex(), null);
});

test("Lease: given up for good with TimeoutNow, which may arrive after the transfer's end", () => {
  const server = new ServerUnderTest(LEASES);
  server.tick(TICKS.electionTicks);
  server.lead();
  assert.equal(server.core.leaseReadIndex(), 1);
  server.step((core) => core.transferLeadership("n2"));
  assert.equal(server.core.leaseReadIndex(), null);
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
    server.stored("n2");
    server.tick();
  }
  assert.equal(server.core.view().transferTarget, null);
  assert.equal(server.core.view().role, "leader");
  assert.equal(server.core.leaseReadIndex(), null);
});

test("Lease: rounds go on with the heartbeats when nobody reads, and only with leases", () => {
  for (const leaseReads of [true, false]) {
    const server = new ServerUnderTest({ config: { leaseReads } }).lead();
    const { round } = server.core.view();
    server.tick(2 * TICKS.heartbeatTicks);
    assert.equal(server.core.view().round, leaseReads ? round + 2 : round);
  }
});

test("Lease: a round is confirmed by a majority's echo (Diss. §6.4.1)", () => {
  const server = new ServerUnderTest({
    voters: ["n1", "n2", "n3", "n4", "n5"],
    learners: ["n6"],
    ...LEASES,
  }).lead();
  server.tick(TICKS.heartbeatTicks);
  const { round, confirmedRound } = server.core.view();
  assert.ok(round > confirmedRound);
  const echo = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 1, round });
  for (const from of ["n2", "n6"]) server.receive(from, echo);
  assert.equal(server.core.view().confirmedRound, confirmedRound);
  server.receive("n5", echo);
  assert.equal(server.core.view().confirmedRound, round);
});

test("Lease: a single voter confirms its rounds by itself", () => {
  const server = new ServerUnderTest({ voters: ["n1"], ...LEASES }).lead();
  server.tick(3 * TICKS.heartbeatTicks);
  const { round, confirmedRound } = server.core.view();
  assert.ok(round > 0);
  assert.equal(confirmedRound, round);
});
