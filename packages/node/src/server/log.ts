import type { Logger } from "pino";
import { destination, pino, stdTimeFunctions } from "pino";
import type { NodeConfig } from "../config/node-config.ts";

/**
 * The daemon's log: one JSON line an event, to standard output or to a file that is appended to.
 * Lines are written before the call returns, so that the reason of an end is always in it.
 */
export function createLogger(config: Pick<NodeConfig, "nodeId" | "logLevel" | "logFile">): Logger {
  const { nodeId, logLevel, logFile } = config;
  return pino(
    {
      level: logLevel,
      base: { nodeId },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ dest: logFile ?? 1, append: true, mkdir: true, sync: true }),
  );
}

/** The log of a server that is embedded without one. */
export function silentLogger(): Logger {
  return pino({ level: "silent" });
}
