import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const running = new Set<ChildProcess>();

/**
 * A process in a session of its own hears of no Ctrl-C. This one takes it along when it ends, by
 * itself, by an error, or by a signal that nobody else here listens to. Not by SIGKILL: what that
 * leaves is found by the folder that it works in (`sweepLeftovers`).
 */
export function endWithThisProcess(child: ChildProcess): void {
  if (!process.listeners("exit").includes(endAll)) watch();
  running.add(child);
  const forget = (): void => void running.delete(child);
  child.once("exit", forget);
  child.once("error", forget);
}

function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

function watch(): void {
  process.on("exit", endAll);
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      // Anybody else who listens says when it is over: until then the processes are needed.
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}
