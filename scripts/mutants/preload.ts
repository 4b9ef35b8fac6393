// Loaded before everything else into every process and thread that a broken source is tried in.
// It changes the text of one file while that is loaded; nothing on the disk changes.
import { appendFileSync, existsSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { MUTANT_VARIABLE, PROOF_VARIABLE } from "./environment.ts";

interface Change {
  readonly url: string;
  readonly find: string;
  readonly replace: string;
}

/** What is built runs from its source instead: the break is in the source. */
const BUILT = /\/packages\/(?<name>wire|node|cli)\/dist\/(?<path>[^?]+)\.js$/u;

function note(line: string): void {
  const proof = process.env[PROOF_VARIABLE];
  if (proof !== undefined) appendFileSync(proof, `${line}\n`);
}

function sourceOf(url: string): string | null {
  const match = BUILT.exec(url);
  if (match === null) return null;
  const source = url.replace(BUILT, "/packages/$<name>/src/$<path>.ts");
  return existsSync(fileURLToPath(source)) ? source : null;
}

function changed(text: string, { find, replace, url }: Change): string {
  const count = text.split(find).length - 1;
  if (count !== 1) {
    note(`unfit the text to be broken occurs ${count} times`);
    throw new Error(`the text to be broken occurs ${count} times in ${url}: ${find}`);
  }
  const broken = text.replace(find, () => replace);
  try {
    stripTypeScriptTypes(broken);
  } catch (error) {
    note(`unfit the broken text is no TypeScript: ${String(error)}`);
    throw error;
  }
  note("applied");
  return broken;
}

function apply(change: Change): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context);
      const source = sourceOf(resolved.url);
      return source === null ? resolved : { ...resolved, url: source, format: "module-typescript" };
    },
    load: (url, context, next) => {
      const loaded = next(url, context);
      if (url !== change.url) return loaded;
      const { source } = loaded;
      const text = typeof source === "string" ? source : Buffer.from(source as Buffer).toString();
      return { ...loaded, source: changed(text, change) };
    },
  });
  if (!isMainThread) return;
  process.on("exit", () => {
    const { user, system } = process.cpuUsage();
    note(`cpu ${user + system}`);
  });
}

const given = process.env[MUTANT_VARIABLE];
if (given !== undefined) apply(JSON.parse(given) as Change);
