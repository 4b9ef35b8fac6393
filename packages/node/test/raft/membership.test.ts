import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeConfiguration } from "@quorate/wire";
import type { LogIndex, NodeId } from "@quorate/wire";
import type { ChangeResult, RaftCore } from "../../src/raft/index.ts";
import { Cluster } from "./cluster.ts";
import {
  appendEntries,
  appendReply,
  command,
  configurationEntry,
  entry,
  installReply,
  leadJoint,
  noop,
  preVote,
  requestVote,
  ServerUnderTest,
  targetOf,
  TICKS,
} from "./server-under-test.ts";

const FIVE = ["n1", "n2", "n3", "n4", "n5"];

function ask(
  server: ServerUnderTest,
  parts: Parameters<typeof targetOf>[0],
  options: { force?: boolean; expectedIndex?: LogIndex | null } = {},
): ChangeResult {
  const results: ChangeResult[] = [];
  server.step((core) => {
    const all = { expectedIndex: null, force: false, ...options };
    results.push(core.changeMembers(targetOf(parts), all));
  });
  const [result] = results;
  assert(result !== undefined);
  return result;
}

function refusal(result: ChangeResult): string {
  return result.kind === "refused" ? `${result.code}: ${result.reason}` : result.kind;
}

/** Four servers of which the first three vote; n4 waits to be added. */
function cluster(voters: readonly NodeId[], ...others: NodeId[]): Cluster {
  const logs = Object.fromEntries([...voters, ...others].map((id) => [id, []]));
  const made = new Cluster({ logs, voters });
  made.elect(voters[0] ?? "");
  made.tick(TICKS.heartbeatTicks);
  return made;
}

function change(
  all: Cluster,
  id: NodeId,
  parts: Parameters<typeof targetOf>[0],
  force = false,
): ChangeResult {
  const input = (core: RaftCore): ChangeResult =>
    core.changeMembers(targetOf(parts), { expectedIndex: null, force });
  return all.step(id, input);
}

test("Change: voters by C_old,new, in force at once, then C_new when that is committed (§6)", () => {
  const server = leadJoint();
  const joint = server.core.view();
  assert.deepEqual(joint.configuration.voters, ["n1", "n2", "n3"]);
  assert.deepEqual(joint.configuration.votersOutgoing, ["n1", "n4", "n5"]);
  assert.equal(joint.configurationIndex, 2);
  assert.deepEqual(
    joint.peers.map(({ id }) => id),
    ["n2", "n3", "n4", "n5"],
  );
  server.persistAll();
  server.stored("n2");
  assert.equal(server.core.view().configurationIndex, 2, "n4 and n5 have a majority of C_old");
  server.stored("n4");
  const settled = server.core.view();
  assert.equal(settled.commitIndex, 2);
  assert.equal(settled.configurationIndex, 3);
  assert.deepEqual(settled.configuration.votersOutgoing, []);
  assert.deepEqual(settled.configuration.retired, ["n4", "n5"]);
});

test("Change: learners by a plain entry, without C_old,new (Diss. §4.2.1)", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n1", "n2", "n3"], learners: ["n4"] });
  const { configuration } = server.core.view();
  assert.deepEqual(configuration.votersOutgoing, []);
  assert.deepEqual(configuration.learners, ["n4"]);
});

test("Change: an id or an address that nobody could read is refused", () => {
  const server = new ServerUnderTest({ voters: ["n1"] }).lead();
  const before = server.core.view().configurationIndex;
  for (const [id, address] of [
    ["n 2", "host:7002"],
    ["n2", "x".repeat(10_000)],
  ] as const) {
    const addresses = [{ id, address }];
    const result = ask(server, { voters: ["n1"], learners: [id], addresses }, { force: true });
    assert.match(refusal(result), /^invalid: an id or an address is not well-formed/u);
  }
  assert.equal(server.core.view().configurationIndex, before);
});

test("Change: one at a time, until C_new is committed", () => {
  const server = leadJoint();
  const target = { voters: ["n1", "n2"] };
  assert.match(refusal(ask(server, target, { force: true })), /^changeInProgress/u);
  server.persistAll();
  for (const id of ["n2", "n3", "n4"]) server.stored(id);
  assert.equal(server.core.view().configurationIndex, 3);
  assert.match(refusal(ask(server, target, { force: true })), /^changeInProgress/u);
  server.persistAll();
  server.stored("n2");
  assert.equal(ask(server, target, { force: true }).kind, "accepted");
});

test("Change: learners too, one at a time", () => {
  const server = new ServerUnderTest().lead();
  const voters = ["n1", "n2", "n3"];
  server.change({ voters, learners: ["n4"] });
  assert.match(refusal(ask(server, { voters, learners: ["n4", "n5"] })), /^changeInProgress/u);
});

test("Change: not before an entry of the leader's own term is committed (the bug of 2015)", () => {
  const server = new ServerUnderTest({ log: [1, 1] });
  server.win();
  assert.match(refusal(ask(server, { voters: ["n1", "n2"] }, { force: true })), /^notReady/u);
  server.persistAll();
  server.stored("n2");
  assert.equal(ask(server, { voters: ["n1", "n2"] }).kind, "accepted");
});

test("Change: only by a leader, and not while it hands over", () => {
  const server = new ServerUnderTest();
  assert.deepEqual(ask(server, { voters: ["n1"] }), { kind: "notLeader", leaderId: null });
  const leader = new ServerUnderTest().lead();
  leader.step((core) => core.transferLeadership("n2"));
  assert.match(refusal(ask(leader, { voters: ["n1", "n2"] })), /^changeInProgress: leadership/u);
});

test("Change: refused when the members are not those it was thought of for", () => {
  const server = new ServerUnderTest().lead();
  const target = { voters: ["n1", "n2"] };
  assert.match(refusal(ask(server, target, { expectedIndex: 1 })), /^conflict/u);
  assert.equal(ask(server, target, { expectedIndex: 0 }).kind, "accepted");
});

test("Change: what breaks a rule of members is refused", () => {
  const server = new ServerUnderTest({ learners: ["n4"] }).lead();
  const place = { id: "n1", address: "x".repeat(1000) };
  for (const parts of [
    { voters: [] },
    { voters: ["n1", "n1"] },
    { voters: ["n1"], learners: ["n1"] },
    { voters: ["n1", "n2"], learners: ["n3"] },
    { voters: ["n1", "n2", "n3"], staging: ["n4"] },
    { voters: ["n1", "n2", "n3"], learners: ["n4"], staging: ["n4", "n4"] },
    { voters: ["n1", "n2", "not an id"] },
    { voters: ["n1", "n2", "n3"], addresses: [place] },
  ]) {
    const { lastLogIndex } = server.core.view();
    assert.match(refusal(ask(server, parts, { force: true })), /^invalid/u, JSON.stringify(parts));
    assert.equal(server.core.view().lastLogIndex, lastLogIndex);
  }
});

test("Change: an id is used once; a learner that a joint change drops is retired, too", () => {
  const server = new ServerUnderTest({ learners: ["n4"] }).lead();
  server.change({ voters: ["n1", "n2"] });
  server.persistAll();
  server.stored("n2");
  server.persistAll();
  server.stored("n2");
  assert.deepEqual(server.core.view().configuration.retired, ["n3", "n4"]);
  for (const id of ["n3", "n4"]) {
    const back = { voters: ["n1", "n2"], learners: [id] };
    assert.match(refusal(ask(server, back)), /^invalid: n. was a member before/u);
  }
});

test("Change: addresses of others are kept, those of whoever leaves are forgotten", () => {
  const server = new ServerUnderTest().lead();
  const address = (id: NodeId, port: number) => ({ id, address: `127.0.0.1:${port}` });
  const voters = ["n1", "n2", "n3"];
  server.change({ voters, addresses: [address("n3", 7003), address("n2", 7002)] });
  server.persistAll();
  server.stored("n2");
  server.change({ voters: ["n1", "n2"], addresses: [address("n2", 8002)] });
  server.persistAll();
  server.stored("n2");
  assert.deepEqual(server.core.view().configuration.addresses, [address("n2", 8002)]);
});

test("Quorum at risk: who does not answer counts as lost; the reason has the arithmetic", () => {
  const server = new ServerUnderTest().lead();
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
    server.stored("n2");
    server.tick();
  }
  const reason = "quorumAtRisk: of the 2 new voters 1 answer, 2 are needed; silent: n3";
  assert.equal(refusal(ask(server, { voters: ["n1", "n3"] })), reason);
  assert.equal(ask(server, { voters: ["n1", "n2"] }).kind, "accepted");
});

test("Quorum at risk: a voter that is new and has never answered counts as lost; force overrides", () => {
  const server = new ServerUnderTest({ voters: ["n1"] }).lead();
  const target = { voters: ["n1", "n2"] };
  assert.match(refusal(ask(server, target)), /of the 2 new voters 1 answer, 2 are needed/u);
  server.change({ voters: ["n1"], learners: ["n2"] });
  server.persistAll();
  // It was asked a moment ago: nobody can know yet.
  const early = "notReady: n2 has not answered this leader yet";
  assert.equal(refusal(ask(server, target)), early);
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) server.tick();
  assert.match(refusal(ask(server, target)), /^quorumAtRisk: .*silent: n2/u);
  server.stored("n2");
  assert.equal(ask(server, target).kind, "accepted");
});

test("Rollback: when its entry is cut, the members are those of before (§6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  const parts = { voters: ["n1", "n4"], votersOutgoing: ["n1", "n2", "n3"] };
  server.receive(
    "n2",
    appendEntries({ term: 1, entries: [entry(1, 1), configurationEntry(2, 1, parts)] }),
  );
  assert.deepEqual(server.core.view().configuration.votersOutgoing, ["n1", "n2", "n3"]);
  server.receive(
    "n3",
    appendEntries({
      term: 2,
      leaderId: "n3",
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [noop(2, 2)],
    }),
  );
  const { configuration, configurationIndex } = server.core.view();
  assert.deepEqual(configuration.voters, ["n1", "n2", "n3"]);
  assert.equal(configurationIndex, 0);
});

test("Rollback: a leader that dies before C_old,new is anywhere else leaves C_old", () => {
  const all = cluster(["n1", "n2", "n3"], "n4");
  assert.equal(change(all, "n1", { voters: ["n1", "n4"] }, true).kind, "accepted");
  all.finishWrite("n1");
  all.network = [];
  all.crash("n1");
  all.elect("n2");
  all.tick(TICKS.electionTicks);
  all.restart("n1");
  all.tick(2 * TICKS.electionTicks);
  for (const id of ["n1", "n2", "n3"]) assert.equal(all.view(id).configurationIndex, 0, id);
});

test("New leader: finishes the change that it finds in its log", () => {
  const all = cluster(["n1", "n2", "n3"], "n4");
  const { commitIndex } = all.view("n1");
  change(all, "n1", { voters: ["n1", "n2", "n4"] }, true);
  for (const posted of all.network.filter(({ to }) => to === "n2")) all.deliver(posted);
  all.finishWrite("n2");
  all.network = [];
  all.crash("n1");
  assert.equal(all.view("n2").configurationIndex, commitIndex + 1);
  all.elect("n2");
  all.tick(2 * TICKS.electionTicks);
  const { configuration, configurationIndex, commitIndex: committed } = all.view("n2");
  assert.deepEqual(configuration.voters, ["n1", "n2", "n4"]);
  assert.deepEqual(configuration.votersOutgoing, []);
  assert.ok(committed >= configurationIndex);
  assert.equal(all.view("n4").configurationIndex, configurationIndex);
});

test("New leader: a committed C_old,new is left as soon as its no-op is committed", () => {
  const joint = configurationEntry(1, 1, {
    voters: ["n1", "n2"],
    votersOutgoing: ["n1", "n2", "n3"],
  });
  const server = new ServerUnderTest({ currentTerm: 1 });
  server.receive("n2", appendEntries({ term: 1, entries: [joint], leaderCommit: 1 }));
  server.persistAll();
  server.win();
  assert.equal(server.core.view().configurationIndex, 1);
  server.persistAll();
  server.stored("n2");
  assert.equal(server.core.view().commitIndex, 2);
  assert.equal(server.core.view().configurationIndex, 3);
});

test("Removed leader: leads without counting itself, hands over and retires on commit (§6)", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n2", "n3"] });
  server.persistAll();
  for (const id of ["n2", "n3"]) server.stored(id);
  assert.equal(server.core.view().configurationIndex, 3, "C_new is appended by the old leader");
  server.persistAll();
  server.stored("n2");
  assert.equal(server.core.view().commitIndex, 2, "n2 alone is no majority of n2 and n3");
  const output = server.stored("n3");
  const { role, commitIndex, leaderId } = server.core.view();
  assert.deepEqual(
    { role, commitIndex, leaderId },
    {
      role: "follower",
      commitIndex: 3,
      leaderId: null,
    },
  );
  assert.deepEqual(
    output.messages.filter(({ message }) => message.type === "TimeoutNow"),
    [{ to: "n2", message: { type: "TimeoutNow", term: 1, leaderId: "n1" } }],
  );
  for (let ticks = 0; ticks < 4 * TICKS.electionTicks; ticks += 1) {
    assert.deepEqual(server.tick().messages, [], "it campaigns no more");
  }
});

test("Removed leader: the others have a leader without an election timeout (Diss. §4.2.2)", () => {
  const all = cluster(["n1", "n2", "n3"]);
  change(all, "n1", { voters: ["n2", "n3"] });
  all.settle();
  assert.equal(all.view("n1").role, "follower");
  assert.ok(["n2", "n3"].some((id) => all.view(id).role === "leader"));
});

test("Removed leader: reads and a hand-over end with its leadership, nothing is left", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n2", "n3"] });
  server.persistAll();
  for (const id of ["n2", "n3"]) server.stored(id);
  server.persistAll();
  const asked: number[] = [];
  server.step((core) => {
    asked.push(core.readIndex());
    core.transferLeadership("n3");
  });
  server.stored("n2");
  const output = server.stored("n3");
  assert.deepEqual(output.abortedReads, asked);
  assert.equal(server.core.view().transferTarget, null);
});

test("Removed follower: is told that it is out, then forgotten; it campaigns no more", () => {
  const all = cluster(["n1", "n2", "n3"]);
  change(all, "n1", { voters: ["n1", "n2"] });
  all.settle();
  assert.deepEqual(
    all.view("n1").peers.map(({ id, isDeparting }) => [id, isDeparting]),
    [
      ["n2", false],
      ["n3", true],
    ],
  );
  all.tick(2 * TICKS.heartbeatTicks);
  assert.deepEqual(
    all.view("n1").peers.map(({ id }) => id),
    ["n2"],
  );
  const { configuration, configurationIndex, commitIndex } = all.view("n3");
  assert.deepEqual(configuration.retired, ["n3"]);
  assert.ok(commitIndex >= configurationIndex);
  all.tick(4 * TICKS.electionTicks);
  assert.equal(all.view("n3").role, "follower");
  assert.equal(all.view("n1").currentTerm, all.view("n3").currentTerm);
});

test("Removed follower: its answer of a later term deposes nobody; a leader's request does (§6)", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n1", "n2"] });
  server.persistAll();
  server.stored("n2");
  const { currentTerm, lastLogIndex } = server.core.view();
  server.receive("n3", appendReply({ term: currentTerm + 8, success: false, prevLogIndex: 1 }));
  server.receive("n3", installReply({ term: currentTerm + 8, lastIncludedIndex: lastLogIndex }));
  assert.equal(server.core.view().role, "leader");
  assert.equal(server.core.view().currentTerm, currentTerm);
  // Its removal may be undone, and it may lead: then it is heard.
  server.receive("n3", appendEntries({ term: currentTerm + 8, leaderId: "n3" }));
  assert.equal(server.core.view().leaderId, "n3");
});

test("Removed follower: one that is down is forgotten after a while", () => {
  const all = cluster(["n1", "n2", "n3"]);
  all.crash("n3");
  change(all, "n1", { voters: ["n1", "n2"] });
  all.tick(4 * TICKS.electionTicks + 1);
  assert.deepEqual(
    all.view("n1").peers.map(({ id }) => id),
    ["n2"],
  );
});

test("Removed server: one that was not told campaigns, and disturbs nobody (§6)", () => {
  const all = cluster(["n1", "n2", "n3"]);
  all.isolate("n3");
  change(all, "n1", { voters: ["n1", "n2"] });
  all.tick(5 * TICKS.electionTicks, ["n1", "n2"]);
  const { currentTerm } = all.view("n1");
  all.isolate();
  for (let ticks = 0; ticks < 5 * TICKS.electionTicks; ticks += 1) {
    all.tick(1);
    assert.equal(all.view("n1").role, "leader");
  }
  assert.equal(all.view("n1").currentTerm, currentTerm);
});

test("Outside its latest, uncommitted members: it still campaigns, not counting itself (Diss. §4.2.2)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  const entries = [
    configurationEntry(1, 1, { voters: ["n2", "n3"], votersOutgoing: ["n1", "n2", "n3"] }),
    configurationEntry(2, 1, { voters: ["n2", "n3"] }),
  ];
  server.receive("n2", appendEntries({ term: 1, entries, leaderCommit: 1 }));
  server.persistAll();
  server.startElection();
  server.persist();
  server.receive("n2", { type: "RequestVoteReply", term: 2, voteGranted: true });
  assert.equal(server.core.view().role, "candidate", "its own vote does not count");
  server.receive("n3", { type: "RequestVoteReply", term: 2, voteGranted: true });
  assert.equal(server.core.view().role, "leader");
});

test("Outside its members once they are committed: it campaigns no more (§6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  const entries = [configurationEntry(1, 1, { voters: ["n2", "n3"] })];
  server.receive("n2", appendEntries({ term: 1, entries, leaderCommit: 1 }));
  server.tick(5 * TICKS.electionTicks);
  assert.equal(server.core.view().role, "follower");
  server.receive("n2", { type: "TimeoutNow", term: 1, leaderId: "n2" });
  assert.equal(server.core.view().role, "follower");
});

test("Learner: votes when it is asked, it may have been promoted unknowingly", () => {
  const server = new ServerUnderTest({ id: "n4", voters: ["n1", "n2", "n3"], learners: ["n4"] });
  const asked = server.receive("n1", preVote("n1", 1));
  assert.deepEqual(asked.messages.at(0)?.message, {
    type: "PreVoteReply",
    term: 0,
    preVoteTerm: 1,
    voteGranted: true,
  });
  server.receive("n1", requestVote("n1", 1));
  const { freed } = server.persist();
  assert.deepEqual(freed.at(0)?.message, { type: "RequestVoteReply", term: 1, voteGranted: true });
});

test("Learner: never campaigns; one that waits to be added neither", () => {
  for (const start of [{ voters: ["n2"], learners: ["n1"] }, { voters: [] }]) {
    const server = new ServerUnderTest(start);
    server.tick(5 * TICKS.electionTicks);
    assert.equal(server.core.view().role, "follower");
    assert.equal(server.core.view().currentTerm, 0);
  }
});

test("Promotion: a staging learner votes as soon as a round was short (Diss. §4.2.1)", () => {
  const all = cluster(["n1"], "n2");
  all.propose("n1", "before");
  all.settle();
  change(all, "n1", { voters: ["n1"], learners: ["n2"], staging: ["n2"] });
  all.settle();
  assert.deepEqual(all.view("n1").configuration.voters, ["n1"]);
  all.tick(3 * TICKS.heartbeatTicks);
  for (const id of ["n1", "n2"]) {
    const { voters, votersOutgoing, learners, staging } = all.view(id).configuration;
    assert.deepEqual(
      { voters, votersOutgoing, learners, staging },
      { voters: ["n1", "n2"], votersOutgoing: [], learners: [], staging: [] },
    );
  }
});

test("Promotion: not before a round of catching up has ended (Diss. §4.2.1)", () => {
  const server = new ServerUnderTest().lead();
  server.change({ voters: ["n1", "n2", "n3"], learners: ["n4"], staging: ["n4"] });
  server.persistAll();
  server.stored("n2");
  server.stored("n3");
  // It answers, and has nothing yet: three others are a majority of four, so a vote would be safe.
  const { currentTerm: term } = server.core.view();
  for (let ticks = 0; ticks < 3 * TICKS.electionTicks; ticks += 1) {
    for (const id of ["n2", "n3", "n4"]) server.receive(id, appendReply({ term }));
    server.tick();
  }
  assert.deepEqual(server.core.view().configuration.voters, ["n1", "n2", "n3"]);
  assert.deepEqual(server.core.view().configuration.staging, ["n4"]);
});

test("Promotion: given up after ten rounds that were not short; it stays a learner", () => {
  const server = new ServerUnderTest({ voters: ["n1"] }).lead();
  server.change({ voters: ["n1"], learners: ["n2"], staging: ["n2"] });
  server.persistAll();
  for (let round = 0; round < 12; round += 1) {
    server.step((core) => core.propose(command("more")));
    server.persistAll();
    const { lastLogIndex } = server.core.view();
    server.tick(TICKS.electionTicks + 1);
    if (server.core.view().configuration.staging.length === 0) break;
    server.stored("n2", lastLogIndex);
    server.step((core) => core.propose(command("and more")));
    server.tick();
    server.persistAll();
  }
  const { configuration } = server.core.view();
  assert.deepEqual(configuration.staging, []);
  assert.deepEqual(configuration.learners, ["n2"]);
  assert.deepEqual(configuration.voters, ["n1"]);
});

test("Promotion: given up when it is never heard: a typo in its port?", () => {
  const server = new ServerUnderTest({ voters: ["n1"] }).lead();
  server.change({ voters: ["n1"], learners: ["n2"], staging: ["n2"] });
  server.persistAll();
  server.tick(20 * TICKS.electionTicks - 1);
  assert.deepEqual(server.core.view().configuration.staging, ["n2"]);
  server.tick(2);
  assert.deepEqual(server.core.view().configuration.staging, []);
  assert.deepEqual(server.core.view().configuration.learners, ["n2"]);
});

test("Promotion: two at once, one after the other; waiting for the other counts against none", () => {
  const all = cluster(["n1"], "n2", "n3");
  change(all, "n1", { voters: ["n1"], learners: ["n2", "n3"], staging: ["n2", "n3"] });
  all.tick(TICKS.electionTicks);
  assert.deepEqual(all.view("n1").configuration.voters, ["n1", "n2", "n3"]);
  assert.deepEqual(all.view("n3").configuration.voters, ["n1", "n2", "n3"]);
});

test("Promotion: whoever leads carries it on (Diss. §4.2.1)", () => {
  const all = cluster(["n1", "n2", "n3"], "n4");
  all.crash("n4");
  change(all, "n1", { voters: ["n1", "n2", "n3"], learners: ["n4"], staging: ["n4"] });
  all.tick(TICKS.heartbeatTicks);
  all.crash("n1");
  all.elect("n2");
  all.restart("n4");
  all.tick(2 * TICKS.electionTicks);
  assert.deepEqual(all.view("n2").configuration.voters, ["n1", "n2", "n3", "n4"]);
});

for (const [from, to] of [
  [["n1"], ["n1", "n2"]],
  [["n1", "n2"], ["n1"]],
  [["n1", "n2"], ["n2"]],
  [["n1", "n2", "n3"], FIVE],
  [FIVE, ["n1", "n2", "n3"]],
  [FIVE, ["n4", "n5"]],
  [
    ["n1", "n2", "n3"],
    ["n1", "n2", "n4"],
  ],
  [
    ["n1", "n2", "n3"],
    ["n4", "n5", "n6"],
  ],
  [
    ["n1", "n2", "n3", "n4"],
    ["n1", "n2", "n3", "n4", "n5", "n6"],
  ],
] as const) {
  test(`Change: ${from.join()} to ${to.join()}: all of the new members have it, and serve (§6)`, () => {
    const all = cluster(from, ...to.filter((id) => !(from as readonly NodeId[]).includes(id)));
    assert.equal(change(all, "n1", { voters: to }, true).kind, "accepted");
    all.tick(5 * TICKS.electionTicks);
    const leader = to.find((id) => all.view(id).role === "leader");
    assert(leader !== undefined, "nobody leads");
    const index = all.propose(leader, "after");
    all.tick(2 * TICKS.heartbeatTicks);
    for (const id of to) {
      assert.deepEqual(all.view(id).configuration.voters, to);
      assert.equal(all.applied(id).length, index);
    }
    const entries = all.applied(leader).filter(({ kind }) => kind === "configuration");
    assert.deepEqual(
      entries.map(({ data }) => decodeConfiguration(data).votersOutgoing),
      [from, []],
    );
  });
}

test("Direct switch of 3 to 5 would make two majorities: joint, neither half elects alone", () => {
  const joint = { voters: FIVE, votersOutgoing: ["n1", "n2", "n3"] };
  for (const voters of [
    ["n1", "n2"],
    ["n3", "n4", "n5"],
  ]) {
    const server = new ServerUnderTest({ id: voters[0] ?? "", ...joint });
    server.startPreVote();
    for (const from of voters.slice(1)) {
      server.receive(from, { type: "PreVoteReply", term: 0, preVoteTerm: 1, voteGranted: true });
    }
    assert.equal(server.core.view().role, "preCandidate", voters.join());
  }
});

test("Lost log: a follower whose disk lost what it stored is sent it again (Raft §5.4.1)", () => {
  const server = new ServerUnderTest().lead();
  for (let count = 0; count < 4; count += 1) server.step((core) => core.propose(command("x")));
  server.persistAll();
  server.stored("n2");
  const rejected = (prevLogIndex: LogIndex, round: number) =>
    appendReply({ term: 1, success: false, prevLogIndex, conflictIndex: 2, round });
  const match = (): number | undefined => server.core.view().peers[0]?.matchIndex;
  // A late rejection says nothing; a new round asks.
  server.receive("n2", rejected(5, 0));
  server.receive("n2", rejected(5, 0));
  assert.equal(match(), 5);
  const { round } = server.core.view();
  assert.equal(round, 1);
  const output = server.receive("n2", rejected(5, round));
  assert.equal(match(), 0);
  const sent = output.messages.flatMap(({ message }) =>
    message.type === "AppendEntries" ? message.entries.map(({ index }) => index) : [],
  );
  assert.deepEqual(sent, [2, 3, 4, 5]);
  assert.equal(server.core.view().commitIndex, 5);
});

for (const [how, storesMore] of [
  ["it stores more after all", appendReply({ term: 1, prevLogIndex: 5, matchIndex: 5 })],
  ["a snapshot brings it more", installReply({ term: 1, lastIncludedIndex: 5 })],
] as const) {
  test(`Lost log: when ${how}, the doubt was for nothing`, () => {
    const server = new ServerUnderTest().lead();
    for (let count = 0; count < 4; count += 1) server.step((core) => core.propose(command("x")));
    server.persistAll();
    server.stored("n2", 3);
    const rejection = { success: false, conflictIndex: 2 };
    server.receive("n2", appendReply({ term: 1, ...rejection, prevLogIndex: 2 }));
    server.receive("n2", storesMore);
    // Sent after the doubt, and rejected before the follower had what it has now.
    server.receive("n2", appendReply({ term: 1, ...rejection, prevLogIndex: 4, round: 1 }));
    assert.equal(server.core.view().peers[0]?.matchIndex, 5);
  });
}

test("Promotion: one that is tried again begins anew: its old rounds count for nothing", () => {
  const server = new ServerUnderTest({ voters: ["n1"] }).lead();
  const staging = { voters: ["n1"], learners: ["n2"], staging: ["n2"] };
  server.change(staging);
  server.persistAll();
  server.tick(TICKS.electionTicks);
  assert.equal(server.core.view().peers[0]?.catchUpRounds, 1);
  server.change({ voters: ["n1"], learners: ["n2"] });
  server.persistAll();
  server.tick();
  assert.equal(server.core.view().peers[0]?.catchUpRounds, 0);
});
