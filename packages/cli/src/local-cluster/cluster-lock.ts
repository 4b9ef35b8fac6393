import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CommandError } from "../errors.ts";
import { observeProcess, stateOfProcess } from "./process-identity.ts";
import type { NotedProcess } from "./process-identity.ts";
import { makePrivateDirectory } from "./state-directory.ts";

/** Held while a command changes which processes of a cluster run: one such command at a time. */
export interface ClusterLock {
  release(): void;
}

const RETRY_INTERVAL_MS = 25;

interface Generation {
  readonly number: number;
  /** Null: released. */
  readonly holder: NotedProcess | null;
}

/*
 * A lock is a file `<name>.<generation>` whose highest generation rules; its text is the holder's
 * process, or empty once released. Taking it makes the next generation, which only one process can
 * (link(2) fails where the name exists), and then removes the older ones. The highest is never
 * removed, so a taker that acts on an old listing finds a higher one afterwards and steps back.
 * A holder that died is told by its pid and start time: nothing is left to clean by hand.
 */
function generationsOf(directory: string, name: string): number[] {
  const prefix = `${name}.`;
  return readdirSync(directory)
    .filter((file) => file.startsWith(prefix) && /^\d+$/u.test(file.slice(prefix.length)))
    .map((file) => Number(file.slice(prefix.length)))
    .toSorted((left, right) => left - right);
}

function highestGeneration(directory: string, name: string): Generation {
  for (;;) {
    const number = generationsOf(directory, name).at(-1);
    if (number === undefined) return { number: 0, holder: null };
    try {
      const text = readFileSync(join(directory, `${name}.${number}`), "utf8");
      return { number, holder: text === "" ? null : (JSON.parse(text) as NotedProcess) };
    } catch (error) {
      // A newer generation removed this one between the listing and the reading.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

function isHeld(generation: Generation): boolean {
  if (generation.holder === null) return false;
  const state = stateOfProcess(generation.holder);
  return state === "running" || state === "paused";
}

function tryToLink(written: string, path: string): boolean {
  try {
    linkSync(written, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function tryToTake(directory: string, name: string, self: NotedProcess): ClusterLock | null {
  const ruling = highestGeneration(directory, name);
  if (isHeld(ruling)) return null;
  const number = ruling.number + 1;
  const path = join(directory, `${name}.${number}`);
  const written = join(directory, `${name}.by-${self.pid}`);
  writeFileSync(written, JSON.stringify(self), { mode: 0o600 });
  const linked = tryToLink(written, path);
  rmSync(written, { force: true });
  if (!linked) return null;
  const all = generationsOf(directory, name);
  if (all.at(-1) !== number) {
    rmSync(path, { force: true });
    return null;
  }
  for (const older of all.filter((other) => other < number)) {
    rmSync(join(directory, `${name}.${older}`), { force: true });
  }
  return { release: () => writeFileSync(path, "") };
}

interface LockRequest {
  readonly stateRoot: string;
  readonly clusterName: string;
  /** How long to wait for another command that holds it. */
  readonly waitMs: number;
  readonly signal: AbortSignal | null;
  /** Called once, when another command holds the lock. */
  readonly onWait: (holderPid: number) => void;
}

/**
 * Takes the lock of a cluster, after waiting for whoever holds it.
 *
 * @throws CommandError `localConflict` when it is still held after `waitMs`.
 */
export async function lockCluster(request: LockRequest): Promise<ClusterLock> {
  const directory = join(request.stateRoot, ".locks");
  makePrivateDirectory(directory);
  const startTime = observeProcess(process.pid)?.startTime ?? "";
  const deadline = performance.now() + request.waitMs;
  let toldHolder = false;
  for (;;) {
    const lock = tryToTake(directory, request.clusterName, { pid: process.pid, startTime });
    if (lock !== null) return lock;
    request.signal?.throwIfAborted();
    const holder = highestGeneration(directory, request.clusterName).holder;
    if (performance.now() > deadline) throw lockedError(request.clusterName, holder);
    if (!toldHolder && holder !== null) {
      toldHolder = true;
      request.onWait(holder.pid);
    }
    // A file system tells nobody of a release.
    await sleep(RETRY_INTERVAL_MS);
  }
}

function lockedError(clusterName: string, holder: NotedProcess | null): CommandError {
  const who = holder === null ? "another command" : `another command (pid ${holder.pid})`;
  return new CommandError("localConflict", `${who} is changing cluster "${clusterName}"`, {
    why: ["one command at a time starts and stops the nodes of a cluster"],
    try: ["wait for it to end and repeat", "quorate ps -a"],
  });
}
