import { readdirSync, readFileSync } from "node:fs";

/** Daemons whose data lies in the folder, seen from outside of all namespaces. */
export function processesOf(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`--data-dir=${folder}`);
      } catch {
        return false;
      }
    });
}
