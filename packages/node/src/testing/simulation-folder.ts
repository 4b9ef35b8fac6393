import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "quorate-simulation-";
/** Says which process made it. */
const NAME = new RegExp(`^${PREFIX}(?<pid>\\d+)-`, "u");

/**
 * A folder for the directories of one simulation: in memory, where the system has such a place.
 * Those of processes that were killed are removed meanwhile.
 */
export function makeSimulationFolder(): string {
  removeFolders((pid) => !isRunning(pid));
  return fs.mkdtempSync(join(parentFolder(), `${PREFIX}${process.pid}-`));
}

/** Removes what this process has left: its threads that were ended had no time to. */
export function removeOwnSimulationFolders(): void {
  removeFolders((pid) => pid === process.pid);
}

function removeFolders(isMeant: (pid: number) => boolean): void {
  const parent = parentFolder();
  for (const name of fs.readdirSync(parent)) {
    const pid = NAME.exec(name)?.groups?.["pid"];
    if (pid === undefined || !isMeant(Number(pid))) continue;
    try {
      fs.rmSync(join(parent, name), { recursive: true, force: true });
    } catch {
      // It is another user's, or somebody else removes it just now.
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

function parentFolder(): string {
  return fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}
