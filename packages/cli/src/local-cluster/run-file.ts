import { join } from "node:path";

import { readJsonFields } from "./json-file.ts";
import type { NotedProcess } from "./process-identity.ts";
import { replaceFile } from "./state-directory.ts";

/** How a node's process ended, as far as this command did it. */
export interface LastExit {
  readonly at: string;
  /** `SIGKILL by quorate kill`, `SIGTERM by quorate stop`, … */
  readonly reason: string;
}

/** What `run.json` says: the process that was started last for a node. */
export interface RunFile extends NotedProcess {
  /** From the node's hello; null until it was reached once. */
  readonly bootId: string | null;
  readonly address: string;
  readonly softwareVersion: string | null;
  readonly startedAt: string;
  /** Null while nobody ended it: a process that is gone with this null ended by itself. */
  readonly lastExit: LastExit | null;
}

export function readRunFile(nodeDirectory: string): RunFile | null {
  const fields = readJsonFields(join(nodeDirectory, "run.json"));
  if (fields === null) return null;
  const lastExit = fields.objectOrNull("lastExit");
  return {
    pid: fields.integer("pid"),
    startTime: fields.string("startTime"),
    bootId: fields.stringOrNull("bootId"),
    address: fields.string("address"),
    softwareVersion: fields.stringOrNull("softwareVersion"),
    startedAt: fields.string("startedAt"),
    lastExit:
      lastExit === null ? null : { at: lastExit.string("at"), reason: lastExit.string("reason") },
  };
}

export function writeRunFile(nodeDirectory: string, run: RunFile): void {
  replaceFile(join(nodeDirectory, "run.json"), `${JSON.stringify(run, null, 2)}\n`);
}
