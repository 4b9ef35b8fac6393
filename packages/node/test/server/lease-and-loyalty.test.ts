import assert from "node:assert/strict";
import { test } from "node:test";
import { SimProcess, SimScheduler } from "@quorate/node/testing";
import { LeaderLease } from "../../src/server/leader-lease.ts";
import { TickSource } from "../../src/server/tick-source.ts";
import { appendEntries, preVote, ServerUnderTest } from "../raft/server-under-test.ts";
import { viewOf } from "../testing/checkers/view-of.ts";

const TICK_MS = 10;
/** Of a clock that runs so much faster than the leader's, which is what a lease allows for. */
const DRIFT_MAX = 0.9;
/** When the loop stops, off the beat of the ticks. */
const STALL_FROM_MS = 104;

interface Timing {
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
}

/** A voter with the daemon's ticks, which does not campaign itself. */
class Voter {
  readonly process: SimProcess;
  readonly #scheduler = new SimScheduler();
  readonly #server: ServerUnderTest;

  constructor({ heartbeatTicks, electionTicks }: Timing) {
    this.#server = new ServerUnderTest({
      currentTerm: 1,
      dice: [0, electionTicks - 1],
      config: { heartbeatTicks, electionTicks, leaseReads: true },
    });
    const { core } = this.#server;
    this.process = new SimProcess(this.#scheduler, 1, () => {});
    new TickSource({
      clock: this.process,
      intervalMs: TICK_MS,
      burstMaxTicks: heartbeatTicks,
      ticksUntilElection: () => core.view().electionTicksLeft,
      tick: () => {
        core.tick();
      },
    }).start();
  }

  /** Whether it promises nobody else its vote. */
  get isLoyal(): boolean {
    const { messages } = this.#server.step((core) => {
      core.receive("n3", preVote("n3", core.view().currentTerm + 1));
    });
    return !messages.some(({ message }) => message.type === "PreVoteReply" && message.voteGranted);
  }

  hear(): void {
    this.#server.step((core) => {
      core.receive("n2", appendEntries({ term: 1 }));
    });
  }

  runTo(ms: number): void {
    const end = { isReached: false };
    this.#scheduler.schedule(ms * 1000 - this.#scheduler.nowUs, () => {
      end.isReached = true;
    });
    while (!end.isReached) this.#scheduler.runNext();
  }
}

/** For how long a voter is loyal that reads a heartbeat at the end of a stall of its loop. */
function loyaltyMs(timing: Timing, stallMs: number): number {
  const voter = new Voter(timing);
  voter.runTo(STALL_FROM_MS);
  voter.process.pause();
  const heardMs = STALL_FROM_MS + stallMs;
  voter.runTo(heardMs);
  voter.process.deliver(() => {
    voter.hear();
  });
  voter.process.resume();
  for (let ms = heardMs + 1; ; ms++) {
    voter.runTo(ms);
    if (!voter.isLoyal) return ms - heardMs;
  }
}

/** For how long a leader reads by the lease of a round that it sent at 0. */
function leaseMs({ heartbeatTicks, electionTicks }: Timing): number {
  const lease = new LeaderLease({
    electionTimeoutMs: electionTicks * TICK_MS,
    heartbeatIntervalMs: heartbeatTicks * TICK_MS,
    tickIntervalMs: TICK_MS,
    nowMs: 0,
  });
  const leads = viewOf({ role: "leader", currentTerm: 1, leaderId: "n1", round: 1 });
  lease.observe(leads, 0);
  lease.observe({ ...leads, confirmedRound: 1 }, 0);
  for (let ms = 0; ; ms++) {
    lease.ticked(ms);
    if (!lease.holds(ms)) return ms;
  }
}

for (const [heartbeatTicks, electionTicks] of [
  [1, 3],
  [2, 6],
  [2, 12],
  [3, 9],
  [3, 18],
  [5, 15],
  [5, 30],
] as const) {
  const title = `heartbeats of ${heartbeatTicks} ticks, elections of ${electionTicks}`;
  test(`no lease outlasts the loyalty of a voter after a stall: ${title} (Diss. §6.4.1)`, () => {
    const timing = { heartbeatTicks, electionTicks };
    const lastsMs = leaseMs(timing);
    for (let stallMs = 0; stallMs <= (heartbeatTicks + 2) * TICK_MS; stallMs++) {
      const loyalMs = loyaltyMs(timing, stallMs);
      assert.ok(
        lastsMs <= Math.ceil(loyalMs * DRIFT_MAX),
        `a stall of ${stallMs} ms: the voter is loyal for ${loyalMs} ms, the lease lasts ${lastsMs}`,
      );
    }
  });
}
