import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Environment variables, as far as a caller wants this code to see them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the local clusters of this user live: one folder each (XDG base directories). */
export function stateRootOf(environment: Environment): string {
  const stateHome = environment["XDG_STATE_HOME"] ?? "";
  const home = environment["HOME"] ?? homedir();
  return join(stateHome === "" ? join(home, ".local", "state") : stateHome, "quorate");
}

/** Names of the clusters that have a folder with a `cluster.json`, sorted. */
export function listClusterNames(stateRoot: string): string[] {
  if (!existsSync(stateRoot)) return [];
  return readdirSync(stateRoot)
    .filter((name) => existsSync(join(stateRoot, name, "cluster.json")))
    .toSorted();
}

/** Replaces a file in one step: a reader sees the old text or the new one, never a part. */
export function replaceFile(path: string, text: string): void {
  const written = `${path}.${process.pid}.tmp`;
  writeFileSync(written, text, { mode: 0o600 });
  renameSync(written, path);
}

/** Makes a folder that only its owner can read. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Deletes a folder if nothing is in it. */
export function removeIfEmpty(path: string): void {
  if (existsSync(path) && readdirSync(path).length === 0) rmSync(path, { recursive: true });
}
