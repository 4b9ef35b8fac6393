import assert from "node:assert/strict";
import { test } from "node:test";
import type { RaftMessage } from "@quorate/wire";
import { RAFT_DEFAULTS } from "../../src/raft/index.ts";
import type { HandOverOptions } from "../../src/server/hand-over.ts";
import { HAND_OVER_TRIES, handOver } from "../../src/server/hand-over.ts";
import { silentLogger } from "../../src/server/log.ts";
import { Bench, TICK_MS } from "./driver-bench.ts";

const TRY_MS = RAFT_DEFAULTS.electionTicks * TICK_MS;

/** n1 leads n2, which stores what it gets at once and answers; it campaigns when the test says so. */
class LedPair {
  readonly bench: Bench = new Bench(["n1", "n2"]);
  #answered = 0;

  constructor() {
    const { bench } = this;
    bench.runFor(2 * TRY_MS);
    bench.receive("n2", { type: "PreVoteReply", term: 0, preVoteTerm: 1, voteGranted: true });
    bench.runToPersist();
    bench.storage.finish();
    bench.receive("n2", { type: "RequestVoteReply", term: 1, voteGranted: true });
    this.answerFor(TRY_MS);
    assert.equal(bench.driver.view().role, "leader");
  }

  /** How often n2 was asked to campaign. */
  get asked(): number {
    return this.bench.transport.sent.filter(({ message }) => message.type === "TimeoutNow").length;
  }

  answerFor(forMs: number): void {
    for (let ms = 0; ms < forMs; ms += TICK_MS) {
      this.bench.runFor(TICK_MS);
      this.bench.storage.finish();
      for (const { message } of this.bench.transport.sent.slice(this.#answered)) {
        this.#answer(message);
      }
      this.#answered = this.bench.transport.sent.length;
    }
  }

  /** Lets what waits for a promise go on, and answers meanwhile. */
  async runUntil(isReached: () => boolean): Promise<void> {
    for (let turns = 0; !isReached(); turns++) {
      assert.ok(turns < 1000, "it does not end");
      this.answerFor(TICK_MS);
      await Promise.resolve();
      await Promise.resolve();
    }
  }

  #answer(message: RaftMessage): void {
    if (message.type !== "AppendEntries") return;
    const { prevLogIndex, entries, round } = message;
    const matchIndex = prevLogIndex + entries.length;
    const stored = { success: true, matchIndex, conflictIndex: 0, conflictTerm: null };
    this.bench.receive("n2", {
      type: "AppendEntriesReply",
      term: 1,
      prevLogIndex,
      round,
      ...stored,
    });
  }
}

function optionsOf({ driver, process }: Bench): HandOverOptions {
  return { driver, clock: process, electionTimeoutMs: TRY_MS, log: silentLogger() };
}

function leave({ bench }: LedPair): { isOver: boolean } {
  const state = { isOver: false };
  void handOver(optionsOf(bench)).then(() => {
    state.isOver = true;
  });
  return state;
}

test("handOver: who does not take over within an election timeout is asked again (Diss. §3.10)", async () => {
  const pair = new LedPair();
  const leaving = leave(pair);
  await pair.runUntil(() => pair.asked === 2);
  assert.equal(leaving.isOver, false);
  pair.bench.receive("n2", {
    type: "RequestVote",
    term: 2,
    candidateId: "n2",
    lastLogIndex: pair.bench.driver.view().lastLogIndex,
    lastLogTerm: 1,
    leadershipTransfer: true,
  });
  await pair.runUntil(() => pair.bench.driver.view().role === "follower");
  pair.bench.receive("n2", {
    type: "AppendEntries",
    term: 2,
    leaderId: "n2",
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [],
    leaderCommit: 0,
    round: 1,
  });
  await pair.runUntil(() => leaving.isOver);
  assert.equal(pair.asked, 2);
});

test("handOver: a leader that hears nobody waits for one election timeout", async () => {
  const pair = new LedPair();
  const { bench } = pair;
  const begunMs = bench.process.nowMs();
  const leaving = leave(pair);
  while (!leaving.isOver) {
    bench.runFor(TICK_MS);
    await Promise.resolve();
  }
  assert.equal(bench.driver.view().role, "follower");
  const tookMs = bench.process.nowMs() - begunMs;
  assert.ok(tookMs <= TRY_MS + 3 * TICK_MS, `${tookMs} ms`);
});

test("handOver: gives up after its tries, and leads on", async () => {
  const pair = new LedPair();
  const leaving = leave(pair);
  await pair.runUntil(() => leaving.isOver);
  assert.equal(pair.asked, HAND_OVER_TRIES);
  assert.equal(pair.bench.driver.view().role, "leader");
});

test("handOver: waits for the end of a transfer that is under way, then asks itself", async () => {
  const pair = new LedPair();
  pair.bench.driver.transferLeadership("n2", () => {});
  const leaving = leave(pair);
  await pair.runUntil(() => pair.asked === 1 + HAND_OVER_TRIES);
  assert.equal(leaving.isOver, false);
  await pair.runUntil(() => leaving.isOver);
});

test("handOver: a leader without peers has nobody to ask", async () => {
  const bench = new Bench(["n1"]);
  bench.leadAlone();
  await handOver(optionsOf(bench));
  assert.equal(bench.driver.view().transferTarget, null);
});
