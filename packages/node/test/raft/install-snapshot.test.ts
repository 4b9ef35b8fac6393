import assert from "node:assert/strict";
import { test } from "node:test";
import { configurationOf } from "@quorate/wire";
import type { InstallSnapshot } from "@quorate/wire";
import type { Output } from "../../src/raft/index.ts";
import { Cluster } from "./cluster.ts";
import {
  appendEntries,
  appendReply,
  command,
  configurationEntry,
  entry,
  installReply,
  installSnapshot,
  logOf,
  outputOf,
  requestVote,
  ServerUnderTest,
  TICKS,
} from "./server-under-test.ts";

const JOINED = configurationOf({ voters: ["n2", "n3", "n4"], retired: ["n1"] });

function received(server: ServerUnderTest, message: InstallSnapshot): Output {
  return server.step((core) => {
    core.snapshotReceived({ from: message.leaderId, message });
  });
}

/** A follower of n2 in `term` whose log, of these terms, is durable. */
function follower(terms: readonly number[], term: number, commitIndex = 0): ServerUnderTest {
  const server = new ServerUnderTest({ log: terms, currentTerm: term, commitIndex });
  server.receive("n2", appendEntries({ term }));
  return server;
}

test("Chunk: goes to the driver, counts as contact, and is acknowledged when it is stored (Figure 13)", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  server.tick(TICKS.electionTicks - 1);
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5, done: false });
  const output = server.receive("n2", message);
  assert.deepEqual(output, outputOf({ snapshotChunks: [{ from: "n2", message }] }));
  assert.equal(server.core.view().leaderId, "n2");
  server.tick(TICKS.electionTicks - 1);
  assert.equal(server.core.view().role, "follower");
  const stored = server.step((core) => core.snapshotChunkStored({ from: "n2", message }, 3));
  const reply = installReply({ term: 2, lastIncludedIndex: 5, nextOffset: 3, installed: false });
  assert.deepEqual(stored, outputOf({ messages: [{ to: "n2", message: reply }] }));
});

test("Chunk: of an earlier term is refused with the current one, and not stored (Figure 13, 1)", () => {
  const server = new ServerUnderTest({ currentTerm: 3 });
  const output = server.receive("n2", installSnapshot({ term: 2, lastIncludedIndex: 5 }));
  const message = installReply({
    term: 3,
    lastIncludedIndex: 0,
    nextOffset: 0,
    installed: false,
  });
  assert.deepEqual(output, outputOf({ messages: [{ to: "n2", message }] }));
});

test("Chunk: refused because of an earlier reign, it is no contact with this one (Diss. §6.2)", () => {
  const server = new ServerUnderTest({ currentTerm: 4 }).lead();
  const { currentTerm: term } = server.core.view();
  // Sent when n1 led term 4, and long on its way.
  const late = installSnapshot({ term: 4, leaderId: "n1", lastIncludedIndex: 1 });
  const [refusal] = new ServerUnderTest({ id: "n2", currentTerm: term }).receive(
    "n1",
    late,
  ).messages;
  assert.equal(refusal?.message.term, term);
  for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
    assert.deepEqual(server.receive("n2", refusal.message).snapshotAcks, []);
    server.tick();
  }
  assert.equal(server.core.view().role, "follower");
});

test("Chunk: stored when another term has begun, it is acknowledged to nobody", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5, done: false });
  server.receive("n2", message);
  server.receive("n3", appendEntries({ term: 3, leaderId: "n3" }));
  server.persistAll();
  const output = server.step((core) => core.snapshotChunkStored({ from: "n2", message }, 8));
  assert.deepEqual(output, outputOf({}));
});

test("Chunk: of another leader of the term, or one that contradicts itself, is ignored", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  for (const parts of [
    { leaderId: "n3" },
    { lastIncludedTerm: 3 },
    { configurationIndex: 6 },
    { configuration: configurationOf({ voters: [] }) },
  ]) {
    const message = installSnapshot({ term: 2, lastIncludedIndex: 5, ...parts });
    assert.deepEqual(server.receive("n2", message), outputOf({}), JSON.stringify(parts));
  }
});

test("Chunk: its term and leader are taken over; a candidate gives up (Raft §5.1, §5.2)", () => {
  const server = new ServerUnderTest();
  server.startElection();
  server.receive("n2", installSnapshot({ term: 2, lastIncludedIndex: 5 }));
  const { role, currentTerm, leaderId } = server.core.view();
  assert.deepEqual(
    { role, currentTerm, leaderId },
    {
      role: "follower",
      currentTerm: 2,
      leaderId: "n2",
    },
  );
});

for (const [name, log] of [
  ["empty", []],
  ["shorter", [1, 1]],
  ["conflicting", [1, 1, 1, 1, 1]],
  ["longer, conflicting", [1, 1, 1, 1, 1, 1, 1, 1]],
] as const) {
  test(`Install: over a log that is ${name}: all of it goes, in one batch with the switch (Figure 13, 7)`, () => {
    const server = follower(log, 2);
    const message = installSnapshot({
      term: 2,
      lastIncludedIndex: 5,
      configuration: JOINED,
      configurationIndex: 4,
    });
    server.receive("n2", message);
    const output = received(server, message);
    const point = {
      lastIncludedIndex: 5,
      lastIncludedTerm: 2,
      configuration: JOINED,
      configurationIndex: 4,
    };
    assert.deepEqual(output.installed, point);
    assert.deepEqual(output.committedEntries, []);
    assert.deepEqual(output.persist?.entries, []);
    assert.deepEqual(output.persist?.snapshot, {
      point,
      beforeFirst: { index: 5, term: 2 },
      keepsLog: false,
    });
    assert.deepEqual(output.messages, [], "nothing is promised before it is durable");
    const view = server.core.view();
    assert.deepEqual(
      [view.firstLogIndex, view.lastLogIndex, view.lastLogTerm, view.commitIndex, view.lastApplied],
      [6, 5, 2, 5, 5],
    );
    assert.deepEqual(view.configuration, JOINED);
    assert.equal(view.configurationIndex, 4);
    const { freed } = server.persist();
    assert.deepEqual(
      freed.map(({ message: reply }) => reply),
      [installReply({ term: 2, lastIncludedIndex: 5 })],
    );
    assert.equal(server.core.view().durableIndex, 5);
  });
}

test("Install: with the last included entry in the log nothing is sent or lost: what follows stays (Figure 13, 6)", () => {
  const server = follower([1, 1, 2, 2, 2], 2);
  const output = server.receive("n2", installSnapshot({ term: 2, lastIncludedIndex: 3 }));
  const message = installReply({ term: 2, lastIncludedIndex: 3 });
  assert.deepEqual(output.messages, [{ to: "n2", message }]);
  assert.deepEqual(output.snapshotChunks, []);
  assert.deepEqual(output.committedEntries, logOf([1, 1, 2]));
  assert.deepEqual(server.logTerms(), [1, 1, 2, 2, 2]);
});

test("Install: older than what is committed is ignored, and said to be there", () => {
  const server = follower([1, 1, 1, 1], 2, 4);
  const older = installSnapshot({ term: 2, lastIncludedIndex: 3, lastIncludedTerm: 1 });
  const output = server.receive("n2", older);
  assert.deepEqual(
    output.messages.at(-1)?.message,
    installReply({ term: 2, lastIncludedIndex: 3 }),
  );
  assert.deepEqual(output.snapshotChunks, []);
  assert.equal(server.core.view().commitIndex, 4);
});

test("Install: when the log caught up while the pieces came, the file is not needed, the leader is told", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  const message = installSnapshot({ term: 1, lastIncludedIndex: 2 });
  server.receive("n2", message);
  server.receive("n2", appendEntries({ term: 1, entries: logOf([1, 1, 1]) }));
  server.persistAll();
  const results: boolean[] = [];
  const output = server.step((core) => {
    results.push(core.snapshotReceived({ from: "n2", message }));
  });
  assert.deepEqual(results, [false]);
  assert.equal(output.installed, null);
  assert.deepEqual(
    output.messages.at(-1)?.message,
    installReply({ term: 1, lastIncludedIndex: 2 }),
  );
  assert.equal(server.core.view().commitIndex, 2);
});

test("Install: while a batch is in flight: the batch's entries count for nothing, their promise never leaves", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  server.receive("n3", appendEntries({ term: 2, leaderId: "n3", entries: [entry(1, 1)] }));
  server.receive(
    "n3",
    appendEntries({
      term: 2,
      leaderId: "n3",
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [entry(2, 1), entry(3, 1)],
    }),
  );
  const message = installSnapshot({ term: 3, lastIncludedIndex: 3 });
  server.receive("n2", message);
  received(server, message);
  const first = server.persist();
  assert.equal(server.core.view().durableIndex, 0);
  assert.deepEqual(
    first.freed.map(({ message: { type } }) => type),
    ["AppendEntriesReply"],
    "what the batch in flight holds is promised, what waited for the next is not",
  );
  assert.equal(first.output.persist?.snapshot?.keepsLog, false);
  const second = server.persist();
  assert.equal(server.core.view().durableIndex, 3);
  assert.deepEqual(
    second.freed.map(({ message: { type } }) => type),
    ["InstallSnapshotReply"],
  );
});

test("Install: entries after it, before the switch is durable, are in the same log on disk", () => {
  const server = new ServerUnderTest({ currentTerm: 2, log: [1] });
  server.receive(
    "n2",
    appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)] }),
  );
  const message = installSnapshot({ term: 2, lastIncludedIndex: 7 });
  server.receive("n2", message);
  received(server, message);
  const after = appendEntries({
    term: 2,
    prevLogIndex: 7,
    prevLogTerm: 2,
    entries: [entry(8, 2)],
    leaderCommit: 8,
  });
  server.receive("n2", after);
  const { output } = server.persist();
  assert.deepEqual(output.persist?.entries, [entry(8, 2)]);
  assert.equal(output.persist?.snapshot?.point.lastIncludedIndex, 7);
  server.persist();
  assert.equal(server.core.view().durableIndex, 8);
});

test("Install: a newer leader's term does it no harm, its sender is answered no more", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5 });
  server.receive("n2", message);
  server.receive("n3", appendEntries({ term: 3, leaderId: "n3" }));
  server.persistAll();
  const output = received(server, message);
  assert.equal(output.installed?.lastIncludedIndex, 5);
  assert.deepEqual([...output.messages, ...output.messagesAfterPersist], []);
  assert.equal(server.core.view().leaderId, "n3");
});

test("Install: a campaign ends, the votes were asked for with the log that goes", () => {
  for (const begin of ["startPreVote", "startElection"] as const) {
    const server = new ServerUnderTest({ currentTerm: 2 });
    const message = installSnapshot({ term: 2, lastIncludedIndex: 5, configuration: JOINED });
    server.receive("n2", message);
    server[begin]();
    received(server, message);
    assert.equal(server.core.view().role, "follower");
    const { currentTerm } = server.core.view();
    for (const from of ["n2", "n3"]) {
      server.receive(from, {
        type: "PreVoteReply",
        term: currentTerm,
        preVoteTerm: currentTerm + 1,
        voteGranted: true,
      });
    }
    assert.equal(server.core.view().role, "follower");
  }
});

test("Install: nothing is applied until the driver says that the state is there", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5 });
  server.receive("n2", message);
  assert.equal(received(server, message).installed?.lastIncludedIndex, 5);
  server.core.pauseApplying(true);
  const append = appendEntries({
    term: 2,
    prevLogIndex: 5,
    prevLogTerm: 2,
    entries: [entry(6, 2)],
    leaderCommit: 6,
  });
  assert.deepEqual(server.receive("n2", append).committedEntries, []);
  server.persistAll();
  assert.equal(server.core.hasOutput(), false);
  server.core.pauseApplying(false);
  assert.equal(server.core.hasOutput(), true);
  assert.deepEqual(server.step(() => undefined).committedEntries, [entry(6, 2)]);
});

test("Install: a snapshot and what follows it in one group of inputs: the snapshot comes first", () => {
  const server = new ServerUnderTest({ currentTerm: 2 });
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5 });
  const append = appendEntries({
    term: 2,
    prevLogIndex: 5,
    prevLogTerm: 2,
    entries: [entry(6, 2)],
    leaderCommit: 6,
  });
  const output = server.step((core) => {
    core.receive("n2", message);
    core.snapshotReceived({ from: "n2", message });
    core.receive("n2", append);
  });
  assert.equal(output.installed?.lastIncludedIndex, 5);
  assert.deepEqual(output.committedEntries, []);
  assert.deepEqual(output.persist?.entries, [entry(6, 2)]);
});

test("Install: its members are in force, and votes are for logs as up to date as it", () => {
  const server = follower([1, 1, 1, 1, 1, 1, 1, 1], 2);
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5 });
  server.receive("n2", message);
  received(server, message);
  server.persistAll();
  server.tick(2 * TICKS.electionTicks);
  server.receive("n3", requestVote("n3", 9, [8, 1]));
  assert.equal(server.core.view().votedFor, null, "8@1 is behind 5@2");
  server.receive("n3", requestVote("n3", 9, [5, 2]));
  assert.equal(server.core.view().votedFor, "n3");
});

test("Install: its members need not name this server: the entry that adds it comes behind it", () => {
  const server = new ServerUnderTest({ voters: [], currentTerm: 2 });
  const configuration = configurationOf({ voters: ["n2", "n3"] });
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5, configuration });
  server.receive("n2", message);
  received(server, message);
  const adds = configurationEntry(6, 2, { voters: ["n2", "n3"], learners: ["n1"] });
  server.receive(
    "n2",
    appendEntries({ term: 2, prevLogIndex: 5, prevLogTerm: 2, entries: [adds] }),
  );
  assert.deepEqual(server.core.view().configuration.learners, ["n1"]);
});

/** n1 leads with nine entries, of which the first five are compacted; all have them. */
function compactedLeader(): ServerUnderTest {
  const server = new ServerUnderTest({ log: [1, 1, 1, 1, 1, 1, 1, 1] });
  server.lead();
  server.persistAll();
  server.step((core) => core.snapshotTaken(9));
  server.persistAll();
  return server;
}

test("Leader: a follower that needs a compacted entry is sent the snapshot, and no appends (§7)", () => {
  const server = compactedLeader();
  assert.equal(server.core.view().firstLogIndex, 6);
  const output = lose(server);
  assert.deepEqual(output.snapshotsToSend, ["n3"]);
  const peer = server.core.view().peers.find(({ id }) => id === "n3");
  assert.equal(peer?.state, "snapshot");
  const later = server.step((core) => core.propose(command("x")));
  assert.deepEqual(
    later.messages.map(({ to }) => to),
    ["n2"],
  );
});

/** n3 has lost everything: its rejections lead the leader to its first entry. */
function lose(server: ServerUnderTest): Output {
  const rejection = { success: false, prevLogIndex: 9, conflictIndex: 1 };
  const { currentTerm: term } = server.core.view();
  server.receive("n3", appendReply({ term, ...rejection }));
  const { round } = server.core.view();
  return server.receive("n3", appendReply({ term, ...rejection, round }));
}

test("Leader: heartbeats go on meanwhile, any log agrees with them, and they move nothing", () => {
  const server = compactedLeader();
  lose(server);
  const seen = (): unknown => server.core.view().peers.map((peer) => ({ ...peer, silentTicks: 0 }));
  const before = seen();
  const { messages } = server.tick(TICKS.heartbeatTicks);
  const heartbeat = messages.find(({ to }) => to === "n3")?.message;
  assert.equal(heartbeat?.type === "AppendEntries" ? heartbeat.prevLogIndex : null, 0);
  const { currentTerm: term, round } = server.core.view();
  const output = server.receive("n3", appendReply({ term, prevLogIndex: 0, matchIndex: 0, round }));
  assert.deepEqual(seen(), before);
  assert.deepEqual(output.snapshotsToSend, []);
});

test("Leader: a late rejection does not begin the snapshot anew", () => {
  const server = compactedLeader();
  lose(server);
  const { currentTerm: term, round } = server.core.view();
  const late = { success: false, prevLogIndex: 8, conflictIndex: 1 };
  const output = server.receive("n3", appendReply({ term, ...late, round }));
  assert.deepEqual(output, outputOf({}));
});

test("Leader: acknowledged pieces go to whoever streams them; those of others go nowhere", () => {
  const server = compactedLeader();
  lose(server);
  const { currentTerm: term } = server.core.view();
  const reply = installReply({ term, lastIncludedIndex: 9, nextOffset: 3, installed: false });
  assert.deepEqual(
    server.receive("n3", reply),
    outputOf({ snapshotAcks: [{ from: "n3", snapshotId: "s1", nextOffset: 3 }] }),
  );
  assert.deepEqual(server.receive("n2", reply), outputOf({}));
  assert.deepEqual(server.receive("n9", reply), outputOf({}));
  assert.deepEqual(server.receive("n3", { ...reply, term: term - 1 }), outputOf({}));
});

test("Leader: once it is installed, replication goes on behind it", () => {
  const server = compactedLeader();
  lose(server);
  server.step((core) => core.propose(command("x")));
  const { currentTerm: term } = server.core.view();
  const output = server.receive("n3", installReply({ term, lastIncludedIndex: 9 }));
  const sent = output.messages.flatMap(({ to, message }) =>
    to === "n3" && message.type === "AppendEntries"
      ? [[message.prevLogIndex, message.entries.length]]
      : [],
  );
  assert.deepEqual(sent, [[9, 1]]);
  const peer = server.core.view().peers.find(({ id }) => id === "n3");
  assert.equal(peer?.matchIndex, 9);
});

test("Leader: installed answers count for commits; of what it does not have they are ignored", () => {
  const server = new ServerUnderTest().lead();
  server.step((core) => core.propose(command("x")));
  server.persistAll();
  server.receive("n2", installReply({ term: 1, lastIncludedIndex: 3 }));
  assert.equal(server.core.view().commitIndex, 1);
  server.receive("n2", installReply({ term: 1, lastIncludedIndex: 2 }));
  assert.equal(server.core.view().commitIndex, 2);
});

test("Leader: a follower that crashed in the middle is sent the snapshot again", () => {
  const server = compactedLeader();
  lose(server);
  const output = server.step((core) => core.peerDown("n3"));
  assert.deepEqual(output.snapshotsToSend, ["n3"]);
});

test("Leader: an answer to a piece is contact: a long transfer does not end its leadership", () => {
  const server = compactedLeader();
  lose(server);
  const { currentTerm: term } = server.core.view();
  const reply = installReply({ term, lastIncludedIndex: 9, nextOffset: 3, installed: false });
  for (let ticks = 0; ticks < 3 * TICKS.electionTicks; ticks += 1) {
    server.receive("n3", reply);
    server.tick();
  }
  assert.equal(server.core.view().role, "leader");
});

test("Cluster: a follower far behind, and a new server, get the snapshot and serve on", () => {
  const cluster = new Cluster({
    logs: { n1: [], n2: [], n3: [], n4: [] },
    voters: ["n1", "n2", "n3"],
  });
  cluster.elect("n1");
  cluster.crash("n3");
  for (let count = 0; count < 20; count += 1) cluster.propose("n1", `${count}`);
  cluster.tick(TICKS.heartbeatTicks);
  assert.ok(cluster.compact("n1"));
  cluster.settle();
  cluster.restart("n3");
  const target = { voters: ["n1", "n2", "n3"], learners: ["n4"], staging: ["n4"], addresses: [] };
  cluster.step("n1", (core) => core.changeMembers(target, { expectedIndex: null, force: false }));
  cluster.tick(2 * TICKS.electionTicks);
  const { lastLogIndex } = cluster.view("n1");
  for (const id of ["n3", "n4"]) {
    assert.equal(cluster.applied(id).length, lastLogIndex);
    assert.ok(cluster.view(id).snapshotIndex >= 20, `${id} has the snapshot`);
    assert.deepEqual(cluster.view(id).configuration.voters, ["n1", "n2", "n3", "n4"]);
  }
  cluster.crash("n4");
  cluster.restart("n4");
  cluster.tick(TICKS.heartbeatTicks);
  assert.equal(cluster.applied("n4").length, lastLogIndex, "it is on its disk");
});

test("Cluster: the leader changes in the middle; the next one sends its own", () => {
  const cluster = new Cluster({ logs: { n1: [], n2: [], n3: [] } });
  cluster.elect("n1");
  cluster.crash("n3");
  for (let count = 0; count < 20; count += 1) cluster.propose("n1", `${count}`);
  cluster.tick(TICKS.heartbeatTicks);
  for (const id of ["n1", "n2"]) assert.ok(cluster.compact(id));
  cluster.settle();
  cluster.restart("n3");
  for (let ticks = 0; ticks < 50 && !cluster.isInstalling("n3"); ticks += 1) {
    cluster.step("n1", (core) => core.tick());
    cluster.sendSnapshots("n1");
    for (const posted of cluster.network.slice()) cluster.deliver(posted);
  }
  assert.ok(cluster.isInstalling("n3"));
  cluster.crash("n1");
  cluster.elect("n2");
  cluster.tick(2 * TICKS.electionTicks);
  assert.equal(cluster.applied("n3").length, cluster.view("n2").lastLogIndex);
});

test("Install: members of an entry behind it, which goes with the log, are in force no more (§6)", () => {
  const server = new ServerUnderTest({ currentTerm: 1 });
  const undone = configurationEntry(7, 1, { voters: ["n1", "n9"] });
  const entries = [1, 2, 3, 4, 5, 6].map((index) => entry(index, 1));
  server.receive("n3", appendEntries({ term: 1, leaderId: "n3", entries: [...entries, undone] }));
  assert.equal(server.core.view().configurationIndex, 7);
  const message = installSnapshot({ term: 2, lastIncludedIndex: 5 });
  server.receive("n2", message);
  received(server, message);
  assert.equal(server.core.view().configurationIndex, 0);
  assert.deepEqual(server.core.view().configuration.voters, ["n1", "n2", "n3"]);
});

test("Leader: a removed server gets no snapshot: it needs no state any more", () => {
  const server = compactedLeader();
  server.change({ voters: ["n1", "n2"] });
  server.persistAll();
  server.stored("n2");
  assert.equal(server.core.view().peers.find(({ id }) => id === "n3")?.isDeparting, true);
  const rejection = { success: false, prevLogIndex: 9, conflictIndex: 1 };
  const { currentTerm: term } = server.core.view();
  server.receive("n3", appendReply({ term, ...rejection }));
  const { round } = server.core.view();
  const output = server.receive("n3", appendReply({ term, ...rejection, round }));
  assert.deepEqual(output.snapshotsToSend, []);
});
