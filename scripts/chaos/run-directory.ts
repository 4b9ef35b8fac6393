import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "quorate-chaos-";
const OWNER = "owner.json";

/** A new folder for one run, in `parent`. This process owns it for as long as it lives. */
export function makeRunDirectory(parent: string = tmpdir()): string {
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, PREFIX));
  const startTime = startTimeOf(process.pid);
  writeFileSync(join(directory, OWNER), JSON.stringify({ pid: process.pid, startTime }));
  return directory;
}

/** From here on nobody removes it. */
export function keepRunDirectory(directory: string): void {
  rmSync(join(directory, OWNER), { force: true });
}

/**
 * Removes what runs that were killed have left in `parent`: their nodes, by their ids, and their folders. Runs
 * in namespaces of their own leave no nodes. Says what it removed.
 */
export function sweepLeftovers(parent: string = tmpdir()): string[] {
  const swept: string[] = [];
  for (const name of readdirSync(parent)) {
    const directory = join(parent, name);
    if (!name.startsWith(PREFIX) || isOwned(directory)) continue;
    for (const pid of processesIn(directory)) {
      process.kill(pid, "SIGKILL");
      swept.push(`process ${pid} of ${directory}`);
    }
    rmSync(directory, { recursive: true, force: true });
    swept.push(directory);
  }
  return swept;
}

/** A folder without an owner was kept on purpose. */
function isOwned(directory: string): boolean {
  try {
    const owner = JSON.parse(readFileSync(join(directory, OWNER), "utf8")) as {
      pid: number;
      startTime: string;
    };
    return startTimeOf(owner.pid) === owner.startTime;
  } catch {
    return true;
  }
}

/** Tells a process from a later one of the same id; empty: there is none, or it is not Linux. */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")")).split(" ")[20] ?? "";
  } catch {
    return "";
  }
}

/** Daemons whose data lies in the folder: each names it on its command line. */
function processesIn(directory: string): number[] {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d+$/u.test(name))
    .filter((name) => commandLineOf(name).includes(`--data-dir=${directory}/`))
    .map(Number);
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
