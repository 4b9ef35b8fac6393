/** A broken promise of our own code. The process ends: nothing may be promised on a state that is wrong. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Ends the step with an {@link InvariantError} unless `condition` holds. Stays on in production. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
