import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppendEntries, ClientReply, GetRequest, SessionOperation } from "@quorate/wire";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import type { RaftView } from "../../src/raft/index.ts";
import { ClusterClock } from "../../src/server/cluster-clock.ts";
import { describeQuorum } from "../../src/server/quorum-arithmetic.ts";
import { ReadFreshness, UNKNOWN_AGE_MS } from "../../src/server/read-freshness.ts";
import { ReadRequests } from "../../src/server/read-requests.ts";
import type { Refusal } from "../../src/server/refusal.ts";
import { WriteRequests } from "../../src/server/write-requests.ts";
import { peerOf, viewOf } from "../testing/checkers/view-of.ts";
import { SimClock } from "./sim-clock.ts";

type Answer = ClientReply | Refusal;

const KEY = Uint8Array.of(1);
const STALE: GetRequest = {
  type: "Get",
  requestId: 1,
  key: KEY,
  consistency: "stale",
  maxStalenessMs: null,
  minRevision: 0,
};

/** Writes that are applied to a store the moment that they are proposed. */
class Node {
  readonly clock = new SimClock();
  readonly store = new KvStateMachine();
  readonly writes: WriteRequests;
  readonly reads: ReadRequests;
  ageMs = 0;
  leaseIndex: number | null = null;
  #index = 0;

  constructor() {
    this.writes = new WriteRequests({
      driver: {
        propose: (data, done) => {
          this.#index += 1;
          const index = this.#index;
          const result = this.store.apply({ index, term: 3, kind: "command", data });
          done({ kind: "applied", index, term: 3, result });
        },
        view: () => viewOf({ role: "leader", currentTerm: 3 }),
      },
      store: this.store,
      clock: this.clock,
      noteCommit: () => undefined,
    });
    this.reads = new ReadRequests({
      driver: {
        readIndex: () => assert.fail("the lease or a stale read asks nobody"),
        leaseRead: () => this.leaseIndex,
        lastApplied: 0,
      },
      store: this.store,
      clock: this.clock,
      ageMs: () => this.ageMs,
    });
  }

  get(changes: Partial<GetRequest> = {}): Answer[] {
    const answers: Answer[] = [];
    this.reads.get({ ...STALE, ...changes }, (answer) => answers.push(answer));
    return answers;
  }

  put(session: SessionOperation | null, ifRevision: number | null = null): Answer {
    const answers: Answer[] = [];
    const put = { type: "Put", requestId: 1, key: KEY, value: KEY, ifRevision, session } as const;
    this.writes.write(put, (answer) => answers.push(answer));
    const [answer] = answers;
    assert.ok(answer !== undefined);
    return answer;
  }

  openSession(): { sessionId: number; ttlMs: number } {
    const answers: Answer[] = [];
    this.writes.write({ type: "OpenSession", requestId: 1 }, (answer) => answers.push(answer));
    const [answer] = answers;
    assert.ok(answer !== undefined && "type" in answer && answer.type === "SessionReply");
    return answer;
  }
}

function codeOf(answer: Answer | undefined): string | undefined {
  return answer === undefined || "type" in answer ? answer?.type : answer.code;
}

test("writes: in a session each takes effect once, and a repeat has the first one's answer", () => {
  const node = new Node();
  const { sessionId } = node.openSession();
  const first = node.put({ sessionId, serial: 1, ackedBelow: 1 });
  const repeat = node.put({ sessionId, serial: 1, ackedBelow: 1 });
  assert.ok("type" in first && first.type === "PutReply" && first.created);
  assert.deepEqual(repeat, first);
  assert.equal(node.store.revision, 1);
});

test("writes: sessions end by the time that leaders write into the log, not before (§6.3)", () => {
  const node = new Node();
  const { sessionId, ttlMs } = node.openSession();
  const write = (serial: number): string | undefined =>
    codeOf(node.put({ sessionId, serial, ackedBelow: serial }));
  node.clock.pass(ttlMs - 1000);
  assert.equal(write(1), "PutReply");
  node.clock.pass(ttlMs - 1000);
  assert.equal(write(2), "PutReply", "each write is a sign of life");
  node.clock.pass(ttlMs + 1000);
  assert.equal(write(3), "sessionExpired");
  assert.equal(write(1), "sessionExpired", "never made anew in silence");
});

test("writes: a condition that fails says what the key is at, and changes nothing", () => {
  const node = new Node();
  node.put(null);
  const refused = node.put(null, 7);
  assert.deepEqual(refused, { code: "conditionFailed", message: "the key is at revision 1" });
  assert.equal(codeOf(node.put(null, 0)), "conditionFailed");
  assert.equal(codeOf(node.put(null, 1)), "PutReply");
});

test("writes: a serial of 0 and one that acknowledges itself are refused", () => {
  const node = new Node();
  assert.equal(codeOf(node.put({ sessionId: 1, serial: 0, ackedBelow: 0 })), "invalid");
  assert.equal(codeOf(node.put({ sessionId: 1, serial: 1, ackedBelow: 2 })), "invalid");
});

test("reads: a stale one that may be older than asked for is refused", () => {
  const node = new Node();
  node.ageMs = 400;
  assert.equal(codeOf(node.get({ maxStalenessMs: 399 })[0]), "tooStale");
  const [answer] = node.get({ maxStalenessMs: 400 });
  assert.ok(answer !== undefined && "type" in answer && answer.type === "GetReply");
  assert.equal(answer.ageMs, 400);
});

test("reads: one that asks for a later revision waits for it, but not for ever", () => {
  const node = new Node();
  const early = node.get({ minRevision: 1 });
  const late = node.get({ minRevision: 2 });
  assert.deepEqual([early, late], [[], []]);
  node.put(null);
  node.reads.applied();
  assert.deepEqual([early.map(codeOf), late], [["GetReply"], []]);
  node.clock.pass(1000);
  assert.deepEqual(late.map(codeOf), ["behind"]);
  node.put(null);
  node.reads.applied();
  assert.deepEqual([early.length, late.length], [1, 1]);
});

test("reads: a leader with a lease answers at once, without a round (§6.4.1)", () => {
  const node = new Node();
  node.leaseIndex = 0;
  const [answer] = node.get({ consistency: "linearizable" });
  assert.ok(answer !== undefined && "type" in answer && answer.type === "GetReply");
  assert.equal(answer.ageMs, 0);
});

test("ReadFreshness: what the leader had committed counts from when it is applied, and from when it was told", () => {
  const clock = new SimClock();
  const freshness = new ReadFreshness(300, () => clock.nowMs());
  const follower = viewOf({ currentTerm: 2, leaderId: "n2" });
  const heartbeat: AppendEntries = {
    type: "AppendEntries",
    term: 2,
    leaderId: "n2",
    prevLogIndex: 5,
    prevLogTerm: 2,
    entries: [],
    leaderCommit: 5,
    round: 1,
  };
  assert.equal(freshness.ageMs(follower, 4), UNKNOWN_AGE_MS);
  freshness.received("n2", heartbeat, follower, 4);
  assert.equal(freshness.ageMs(follower, 4), UNKNOWN_AGE_MS);
  clock.pass(50);
  freshness.applied(5);
  assert.equal(freshness.ageMs(follower, 5), 350);
  freshness.received("n2", { ...heartbeat, term: 1 }, follower, 5);
  assert.equal(freshness.ageMs(follower, 5), 350, "a leader of an earlier term knows nothing");
  freshness.received("n2", heartbeat, follower, 5);
  assert.equal(freshness.ageMs(follower, 5), 300);
});

test("ClusterClock: goes on from the applied time, and never back within a term", () => {
  const clock = new SimClock();
  let appliedMs = 5000;
  const clusterClock = new ClusterClock(
    () => clock.nowMs(),
    () => appliedMs,
  );
  clock.pass(777);
  assert.equal(clusterClock.stamp(1), 5000);
  clock.pass(100.5);
  assert.equal(clusterClock.stamp(1), 5100);
  clock.pass(10_000);
  assert.equal(clusterClock.stamp(2), 5000, "while others led, their time counts, not this clock");
  appliedMs = 9000;
  assert.equal(clusterClock.stamp(2), 9000);
});

test("describeQuorum: counts who answers, before and after", () => {
  const view: RaftView = viewOf({
    role: "leader",
    peers: [peerOf({ id: "n2" }), peerOf({ id: "n3", recentlyActive: false })],
  });
  const { lines, lossesAfter } = describeQuorum(view, "n1", ["n1", "n2"]);
  assert.equal(lossesAfter, 0);
  assert.match(
    lines[0] ?? "",
    /2 of 3 voters answer \(not n3\), 2 are a majority; no further loss/u,
  );
  assert.equal(describeQuorum(view, "n1", ["n1", "n3"]).lossesAfter, -1);
});
