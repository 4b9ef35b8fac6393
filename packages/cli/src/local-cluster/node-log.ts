import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

const LOG_MAX_BYTES = 16 * 1024 * 1024;

export function nodeLogPath(nodeDirectory: string): string {
  return join(nodeDirectory, "node.log");
}

/** Opens the log for a starting node to append to; one that grew too long becomes `node.log.1`. */
export function openNodeLog(nodeDirectory: string): number {
  const path = nodeLogPath(nodeDirectory);
  if (existsSync(path) && statSync(path).size > LOG_MAX_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, "a", 0o600);
}

/** The part of a log that a reader has seen, and the lines in it. */
export interface LogRead {
  readonly lines: readonly string[];
  /** Where to read on: the end of the last whole line. */
  readonly endOffset: number;
}

const TAIL_MAX_BYTES = 4 * 1024 * 1024;

/** Whole lines of a log from `fromOffset` on; at most its newest 4 MiB. */
export function readLogFrom(path: string, fromOffset: number): LogRead {
  if (!existsSync(path)) return { lines: [], endOffset: 0 };
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    // A log that became shorter was replaced: read the new one from its beginning.
    const start = Math.max(fromOffset > size ? 0 : fromOffset, size - TAIL_MAX_BYTES);
    const buffer = Buffer.alloc(size - start);
    const text = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, start));
    const end = text.lastIndexOf("\n") + 1;
    const lines = text.subarray(0, end).toString("utf8").split("\n").slice(0, -1);
    return { lines, endOffset: start + end };
  } finally {
    closeSync(file);
  }
}

/** The newest `count` whole lines of a log. */
export function readLogTail(path: string, count: number): LogRead {
  const { lines, endOffset } = readLogFrom(path, 0);
  return { lines: count === 0 ? [] : lines.slice(-count), endOffset };
}

/** The message of a log record of level error or fatal, or a plain `error:` line; else null. */
function failureIn(line: string): string | null {
  if (line.startsWith("error: ")) return line.slice("error: ".length);
  if (!line.startsWith("{")) return null;
  try {
    const { level, msg } = JSON.parse(line) as { readonly level?: unknown; readonly msg?: unknown };
    return (level === "error" || level === "fatal") && typeof msg === "string" ? msg : null;
  } catch {
    return null;
  }
}

/** What the newest start in these lines of a log says that went wrong; else its last lines. */
export function failuresIn(lines: readonly string[]): string[] {
  const start = lines.findLastIndex((line) => line.includes('"msg":"starting"'));
  const newest = lines.slice(start + 1);
  const failures = new Set(newest.map(failureIn).filter((failure) => failure !== null));
  return failures.size > 0 ? [...failures] : newest.slice(-3);
}
