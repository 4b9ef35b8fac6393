import assert from "node:assert/strict";
import { configurationOf } from "@quorate/wire";
import { test } from "node:test";
import type { RaftView } from "../../src/raft/index.ts";
import { EventSource } from "../../src/server/event-source.ts";
import type { EventDraft } from "../../src/server/event-text.ts";
import { SimClock } from "./sim-clock.ts";

const FOLLOWER: RaftView = {
  role: "follower",
  currentTerm: 7,
  votedFor: null,
  leaderId: "n2",
  commitIndex: 1040,
  lastApplied: 1040,
  firstLogIndex: 1,
  lastLogIndex: 1045,
  lastLogTerm: 7,
  durableIndex: 1045,
  configuration: configurationOf({ voters: ["n1", "n2", "n3"] }),
  configurationIndex: 0,
  snapshotIndex: 0,
  isStalled: false,
  voteFloor: null,
  round: 0,
  confirmedRound: 0,
  votesGranted: null,
  electionTicksLeft: 10,
  electionTimeoutTicks: 30,
  transferTarget: null,
  peers: [],
};

class Scene {
  readonly clock = new SimClock();
  readonly told: EventDraft[] = [];
  view: RaftView = FOLLOWER;
  readonly source: EventSource = new EventSource({
    nodeId: "n1",
    clock: this.clock,
    view: () => this.view,
    emit: (draft) => this.told.push(draft),
    persistSlowMs: 100,
    recoveredLastIndex: 1045,
  });

  step(changes: Partial<RaftView>): void {
    const before = this.view;
    this.view = { ...before, ...changes };
    this.source.onStep(before, this.view);
  }

  /** What was told since the last call. */
  texts(): string[] {
    return this.told.splice(0).map(({ kind, text }) => `${kind}: ${text}`);
  }

  hearLeader(): void {
    this.source.onMessageReceived("n2", {
      type: "AppendEntries",
      term: 7,
      leaderId: "n2",
      prevLogIndex: 1045,
      prevLogTerm: 7,
      entries: [],
      leaderCommit: 1040,
      round: 1,
    });
  }

  askVote(lastLogIndex: number, lastLogTerm: number, term: number): void {
    const asked = { candidateId: "n3", lastLogIndex, lastLogTerm, term };
    const request = { type: "RequestVote", leadershipTransfer: false, ...asked } as const;
    this.source.onMessageReceived("n3", request);
    const reply = { type: "RequestVoteReply", voteGranted: false } as const;
    this.source.onMessageSent("n3", { ...reply, term: this.view.currentTerm });
  }
}

test("events: a won election tells the silence, the campaign and who voted (§5.2)", () => {
  const scene = new Scene();
  scene.hearLeader();
  scene.clock.pass(287);
  scene.step({ role: "preCandidate", leaderId: null });
  scene.step({ role: "candidate", currentTerm: 8, votedFor: "n1" });
  scene.clock.pass(14);
  const granted = { type: "RequestVoteReply", term: 8, voteGranted: true } as const;
  scene.source.onMessageReceived("n3", granted);
  scene.step({ role: "leader", leaderId: "n1" });
  assert.deepEqual(scene.texts(), [
    "roleChanged: heard nothing from n2 for 287 ms; asked for pre-votes of term 8",
    "electionStarted: became candidate of term 8",
    "electionWon: leads term 8 with 2 of 3 votes (n1 n3), 14 ms",
  ]);
  scene.clock.pass(41_000);
  scene.step({ role: "follower", currentTerm: 9, votedFor: null, leaderId: null });
  assert.deepEqual(scene.texts(), [
    "steppedDown: stepped down: saw term 9 (led term 8 for 41 s)",
    "termChanged: entered term 9",
  ]);
});

test("events: a leader whose process is gone is named as that", () => {
  const scene = new Scene();
  scene.source.onPeerDown("n2", false);
  scene.source.onPeerDown("n2", true);
  scene.step({ role: "preCandidate", leaderId: null });
  assert.deepEqual(scene.texts(), [
    "peerDisconnected: lost the connection to n2",
    "peerRefused: found n2's process gone (connection refused)",
    "roleChanged: found n2's process gone; asked for pre-votes of term 8",
  ]);
});

test("events: a vote and a new leader are told with their term", () => {
  const scene = new Scene();
  scene.step({ currentTerm: 8, votedFor: "n3", leaderId: null });
  scene.step({ leaderId: "n3" });
  assert.deepEqual(scene.texts(), [
    "voteGranted: voted for n3 in term 8",
    "leaderChanged: knows no leader of term 8",
    "leaderChanged: follows n3 in term 8",
  ]);
});

test("events: a refused vote says why (§5.2, §5.4.1)", () => {
  const scene = new Scene();
  scene.askVote(1042, 7, 7);
  scene.askVote(1045, 7, 6);
  scene.view = { ...FOLLOWER, votedFor: "n2" };
  scene.askVote(1045, 7, 7);
  scene.view = FOLLOWER;
  scene.askVote(1045, 7, 7);
  assert.deepEqual(scene.texts(), [
    "voteRefused: refused n3: its log ends at 1042@7, mine at 1045@7",
    "voteRefused: refused n3: its term 6 is behind my 7",
    "voteRefused: refused n3: had voted for n2 in term 7",
    "voteRefused: refused n3: n2 leads term 7",
  ]);
});

test("events: commits are told at once, then folded for a second", () => {
  const scene = new Scene();
  scene.step({ commitIndex: 1041 });
  assert.deepEqual(scene.texts(), ["committed: committed 1041"]);
  for (let index = 1042; index <= 1045; index += 1) {
    scene.step({ commitIndex: index });
    scene.clock.pass(10);
  }
  assert.deepEqual(scene.texts(), []);
  scene.clock.pass(1000);
  assert.deepEqual(scene.texts(), ["committed: committed 1042–1045 (4 entries)"]);
});

test("events: entries that a leader replaced are told with what took their place (§5.3)", () => {
  const scene = new Scene();
  scene.view = { ...FOLLOWER, leaderId: "n3" };
  const entry = { index: 1043, term: 8, kind: "noop", data: new Uint8Array() } as const;
  scene.source.onPersisted({ sequence: 1, hardState: null, entries: [entry] }, 1);
  scene.source.onPersisted(
    { sequence: 2, hardState: null, entries: [{ ...entry, index: 1044 }] },
    1,
  );
  assert.deepEqual(scene.texts(), [
    "entriesTruncated: dropped 1043–1045 (3 entries): leader n3 has term 8 there",
  ]);
});

test("events: a slow disk is told, at most once a second", () => {
  const scene = new Scene();
  const batch = { sequence: 1, hardState: null, entries: [] };
  for (const durationMs of [100, 340, 350]) scene.source.onPersisted(batch, durationMs);
  scene.clock.pass(1000);
  scene.source.onPersisted(batch, 4100);
  assert.deepEqual(scene.texts(), [
    "persistSlow: needed 340 ms to make 0 entries durable",
    "persistSlow: needed 4.1 s to make 0 entries durable",
  ]);
});

test("events: a transfer is told at its beginning and with its end (Diss. §3.10)", () => {
  const scene = new Scene();
  scene.view = { ...FOLLOWER, role: "leader", leaderId: "n1" };
  scene.step({ transferTarget: "n3" });
  scene.step({ transferTarget: null });
  scene.step({ transferTarget: "n2" });
  scene.step({ transferTarget: null, role: "follower", leaderId: "n2", currentTerm: 8 });
  assert.deepEqual(
    scene.texts().filter((text) => text.startsWith("transfer")),
    [
      "transferStarted: began to hand leadership to n3",
      "transferEnded: gave up handing leadership to n3",
      "transferStarted: began to hand leadership to n2",
      "transferEnded: handed leadership to n2",
    ],
  );
});

test("events: members are told with their entry, and who was promoted (§6)", () => {
  const scene = new Scene();
  const { voters } = FOLLOWER.configuration;
  const learning = configurationOf({ voters, learners: ["n4"], staging: ["n4"] });
  scene.step({ configuration: learning, configurationIndex: 1050 });
  const wider = [...voters, "n4"];
  const joint = configurationOf({ voters: wider, votersOutgoing: voters });
  scene.step({ configuration: joint, configurationIndex: 1060 });
  scene.step({ configuration: learning, configurationIndex: 1050 });
  assert.deepEqual(scene.texts(), [
    "membersChanged: took over the members of entry 1050: n1 n2 n3, n4 without a vote",
    "membersChanged: took over the members of entry 1060: n1 n2 n3 to n1 n2 n3 n4",
    "promoted: counts n4 among the voters: it has caught up",
    "membersChanged: went back to the members of entry 1050: n1 n2 n3, n4 without a vote",
  ]);
});

test("events: a node says that it is retired once its removal is committed", () => {
  const scene = new Scene();
  const configuration = configurationOf({ voters: ["n2", "n3"], retired: ["n1"] });
  scene.step({ configuration, configurationIndex: 1046 });
  scene.texts();
  scene.step({ commitIndex: 1046 });
  assert.deepEqual(scene.texts(), [
    "retired: was removed from the cluster for good: stop it, and delete its data",
    "committed: committed 1041–1046 (6 entries)",
  ]);
});
