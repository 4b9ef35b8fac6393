import { mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { DestinationStream, Logger } from "pino";
import { pino, stdTimeFunctions } from "pino";
import type { NodeConfig } from "../config/node-config.ts";

/** What the parts of a node tell their log. */
export type Log = Pick<Logger, "debug" | "info" | "warn">;

const STANDARD_OUTPUT = 1;

/**
 * The daemon's log: one JSON line an event, to standard output or to a file that is appended to.
 * Lines are written before the call returns, so that the reason of an end is always in it.
 *
 * @throws the system's error where the file cannot be opened.
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
    new LineWriter(logFile === null ? STANDARD_OUTPUT : openForAppend(logFile)),
  );
}

/** The log of a server that is embedded without one. */
export function silentLogger(): Logger {
  return pino({ level: "silent" });
}

function openForAppend(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  return openSync(path, "a");
}

/**
 * Writes lines to a file descriptor at once and drops what cannot be written: a full disk or a
 * reader that went away takes lines, never the node. (Pino's own destination waits for ever on
 * a full disk when it is to write the last line of a process.)
 */
class LineWriter implements DestinationStream {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
    } catch {
      // Where could it be told?
    }
  }
}
