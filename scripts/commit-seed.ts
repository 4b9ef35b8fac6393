import { execFileSync } from "node:child_process";

/**
 * What tests draw from that are to try something new each time: another for every commit, and the
 * same for all runs of one, so that a commit is green or red for good. Outside a clone: the time.
 */
export function commitSeed(): string {
  try {
    const hash = execFileSync("git", ["rev-parse", "HEAD"], {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return String(Number.parseInt(hash.slice(0, 8), 16));
  } catch {
    return String(Date.now());
  }
}
