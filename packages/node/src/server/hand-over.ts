import type { Logger } from "pino";
import type { Clock } from "../ports/clock.ts";
import type { TransferOutcome } from "./driver-outcomes.ts";
import type { RaftDriver } from "./raft-driver.ts";

/** A leader that stops asks so often: a busy target may need more than an election timeout. */
export const HAND_OVER_TRIES = 5;

/** So often it looks whether a transfer that somebody else asked for has ended. */
const TRANSFER_POLL_MS = 10;

/**
 * Asks a peer to lead in the place of this server, which is about to stop (Diss. §3.10). Ends when
 * another node leads, when there is nobody to ask, or after {@link HAND_OVER_TRIES} tries of one
 * election timeout each: who waits for a stop cannot be kept waiting for ever.
 */
export async function handOver(
  driver: Pick<RaftDriver<unknown>, "view" | "transferLeadership">,
  clock: Clock,
  log: Logger,
): Promise<void> {
  for (let tries = 0; tries < HAND_OVER_TRIES; tries++) {
    await endOfTransfer(driver, clock);
    const { role, configuration } = driver.view();
    if (role !== "leader" || configuration.voters.length < 2) return;
    const { promise, resolve } = Promise.withResolvers<TransferOutcome>();
    driver.transferLeadership(null, resolve);
    const isBegun = driver.view().transferTarget !== null;
    const outcome = await promise;
    if (outcome.kind === "moved") return;
    log.warn({ reason: outcome.reason }, "kept leadership");
    if (!isBegun) return;
  }
}

/** An operator's transfer may be under way; it is given up after one election timeout. */
async function endOfTransfer(
  driver: Pick<RaftDriver<unknown>, "view">,
  clock: Clock,
): Promise<void> {
  while (driver.view().transferTarget !== null) {
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.after(TRANSFER_POLL_MS, resolve);
    await promise;
  }
}
