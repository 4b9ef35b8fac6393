import type { Logger } from "pino";
import { StorageError } from "../storage/index.ts";
import type { QuorateServer } from "./server.ts";

/** Exit codes of the daemon. */
export const EXIT = {
  stopped: 0,
  configuration: 2,
  /** The directory or the port belongs to someone else. */
  conflict: 9,
  /** A bug: a broken invariant, or an exception that nobody expected. */
  bug: 70,
  /** The data directory cannot be read or written. */
  io: 74,
} as const;

/**
 * Ends the process on everything that nobody handles, with one line of the reason: after a bug
 * nothing may be promised any more. Call it first.
 */
export function endOnUnhandled(log: Logger): void {
  const end = (error: unknown): void => {
    log.fatal({ err: error, exitCode: EXIT.bug }, "ended by a bug");
    process.exit(EXIT.bug);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}

/**
 * Ends the process after a failed write or sync: never retried, because the system may have
 * dropped what it could not write. By SIGABRT: on an orderly exit SQLite would copy what was
 * never synced from its write-ahead log into the database.
 */
export function endOnDiskFailure(log: Logger, error: Error): void {
  const facts = error instanceof StorageError ? { code: error.code, subject: error.subject } : {};
  log.fatal({ err: error, ...facts }, "ended by a failed disk");
  process.abort();
}

/**
 * SIGTERM and SIGINT stop the server in order and exit 0; a second one ends the process at once,
 * which is as safe as any crash.
 */
export function stopOnSignals(server: QuorateServer, log: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, stopping ? "ends at once" : "stops");
    if (stopping) {
      process.kill(process.pid, "SIGKILL");
      return;
    }
    stopping = true;
    server.stop().then(
      () => {
        log.info("stopped");
        process.exit(EXIT.stopped);
      },
      (error: unknown) => {
        log.fatal({ err: error, exitCode: EXIT.bug }, "could not stop in order");
        process.exit(EXIT.bug);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
