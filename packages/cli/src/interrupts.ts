import type { Interrupts } from "./context.ts";
import { CommandError } from "./errors.ts";
import { exitCodeOf } from "./exit-codes.ts";

const REASONS = { SIGINT: "interrupted", SIGTERM: "terminated" } as const;

/** Listens to Ctrl-C and SIGTERM on behalf of the running command. */
export function installInterrupts(): Interrupts {
  const controller = new AbortController();
  let isClaimed = false;
  const onSignal = (signal: "SIGINT" | "SIGTERM"): void => {
    if (!isClaimed || controller.signal.aborted) process.exit(exitCodeOf(REASONS[signal]));
    process.stderr.write("\nInterrupted: cleaning up. Press Ctrl-C again to stop at once.\n");
    controller.abort(new CommandError(REASONS[signal], `ended by ${signal}`));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    claim: () => {
      isClaimed = true;
      return controller.signal;
    },
    leaveToCommand: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
