import { setTimeout as pause } from "node:timers/promises";

/** The machine is slow, or stands still for others: a node that is well has answered by then. */
export const PATIENCE_MS = 90_000;
const POLL_MS = 50;

/** Something that the cluster must do and did not: no fault explains it. */
export class ChaosProblem extends Error {}

/** Asks again until there is an answer. @throws ChaosProblem after {@link PATIENCE_MS}. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null> | T | null,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const answer = await ask();
    if (answer !== null) return answer;
    await pause(POLL_MS);
  }
  throw new ChaosProblem(`waited ${PATIENCE_MS / 1000} s in vain for ${what}`);
}
