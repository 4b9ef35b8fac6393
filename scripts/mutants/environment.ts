import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Mutant } from "./mutant.ts";

/** Tells `preload.ts` what to break. */
export const MUTANT_VARIABLE = "QUORATE_MUTANT";
/** The file in which `preload.ts` says that it did. */
export const PROOF_VARIABLE = "QUORATE_MUTANT_PROOF";

export const ROOT: string = join(import.meta.dirname, "../..");

const PRELOAD = pathToFileURL(join(import.meta.dirname, "preload.ts")).href;

/** Of the environments that are open: what ends this process early leaves none behind. */
const FOLDERS = new Set<string>();
process.on("exit", () => {
  for (const folder of FOLDERS) rmSync(folder, { recursive: true, force: true });
});

/** What the processes of a try said about the break. */
export interface Proof {
  /** Whether any of them loaded the broken file. */
  readonly isApplied: boolean;
  /** Why the break cannot be made, or null. */
  readonly unfit: string | null;
  /** Processor time of those that ended by themselves. */
  readonly cpuMs: number;
}

/**
 * An environment in which every process, and every thread of one, runs from the sources with
 * `mutant` in them (null: with nothing broken), and what comes of it.
 */
export class TryEnvironment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly #folder: string;

  private constructor(mutant: Mutant | null, folder: string) {
    this.#folder = folder;
    const change = mutant === null ? {} : changeVariables(mutant, join(folder, "proof"));
    const { NODE_TEST_CONTEXT: _context, ...inherited } = process.env;
    this.variables = {
      ...inherited,
      NODE_OPTIONS: `--conditions=@quorate/source --import=${PRELOAD}`,
      ...change,
    };
  }

  static async open(mutant: Mutant | null): Promise<TryEnvironment> {
    const folder = await mkdtemp(join(tmpdir(), "quorate-mutant-"));
    FOLDERS.add(folder);
    return new TryEnvironment(mutant, folder);
  }

  async proof(): Promise<Proof> {
    const text = await readFile(join(this.#folder, "proof"), "utf8").catch(() => "");
    const lines = text.split("\n");
    const after = (word: string): string[] =>
      lines
        .filter((line) => line.startsWith(`${word} `))
        .map((line) => line.slice(word.length + 1));
    const cpuUs = after("cpu").reduce((sum, number) => sum + Number(number), 0);
    return {
      isApplied: lines.includes("applied"),
      unfit: after("unfit")[0] ?? null,
      cpuMs: cpuUs / 1000,
    };
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    FOLDERS.delete(this.#folder);
  }
}

function changeVariables(mutant: Mutant, proof: string): Record<string, string> {
  const url = pathToFileURL(join(ROOT, mutant.file)).href;
  const { find, replace } = mutant;
  return {
    [MUTANT_VARIABLE]: JSON.stringify({ url, find, replace }),
    [PROOF_VARIABLE]: proof,
  };
}
