import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

/** Every file of the work tree that git does not ignore, tracked or not yet. */
export async function listSources(): Promise<string[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = await promisify(execFile)("git", args, { maxBuffer: 16 * 1024 * 1024 });
  return [...new Set(stdout.split("\0"))].filter((file) => file !== "" && existsSync(file)).sort();
}
