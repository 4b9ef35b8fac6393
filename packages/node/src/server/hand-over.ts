import type { Logger } from "pino";
import type { Clock } from "../ports/clock.ts";
import type { TransferOutcome } from "./driver-outcomes.ts";
import type { RaftDriver } from "./raft-driver.ts";

/** A leader that stops asks so often: a busy target may need more than an election timeout. */
export const HAND_OVER_TRIES = 5;

const POLL_MS = 10;

export interface HandOverOptions {
  readonly driver: Pick<RaftDriver<unknown>, "view" | "transferLeadership">;
  readonly clock: Clock;
  readonly electionTimeoutMs: number;
  readonly log: Logger;
}

/**
 * Asks a peer to lead in the place of this server, which is about to stop and takes no requests for
 * transfers any more (Diss. §3.10). Ends when another node leads, when there is nobody to ask, an
 * election timeout after a try that cost this server its leadership without a successor, or after
 * {@link HAND_OVER_TRIES} tries of an election timeout each: who stops a server is not kept waiting
 * for ever.
 */
export async function handOver(options: HandOverOptions): Promise<void> {
  const { driver, clock, log } = options;
  for (let tries = 0; tries < HAND_OVER_TRIES; tries++) {
    // An operator's may be under way; it is given up after one election timeout.
    while (driver.view().transferTarget !== null) await pause(clock);
    const { role, configuration } = driver.view();
    if (role !== "leader" || configuration.voters.length < 2) return;
    const begunMs = clock.nowMs();
    const attempt = begin(driver);
    while (attempt.outcome === null) {
      const isLate = clock.nowMs() - begunMs >= options.electionTimeoutMs;
      if (isLate && driver.view().role !== "leader") return;
      await pause(clock);
    }
    if (attempt.outcome.kind === "moved") return;
    log.warn({ reason: attempt.outcome.reason }, "kept leadership");
    if (!attempt.isBegun) return;
  }
}

function begin(driver: HandOverOptions["driver"]): {
  outcome: TransferOutcome | null;
  readonly isBegun: boolean;
} {
  const attempt: { outcome: TransferOutcome | null; isBegun: boolean } = {
    outcome: null,
    isBegun: false,
  };
  driver.transferLeadership(null, (outcome) => {
    attempt.outcome = outcome;
  });
  attempt.isBegun = driver.view().transferTarget !== null;
  return attempt;
}

function pause(clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  clock.after(POLL_MS, resolve);
  return promise;
}
