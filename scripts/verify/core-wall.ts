import { execFile } from "node:child_process";
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";

const CORE = "packages/node/src/raft";

/** What the core may not reach, each as one file, and which of the two walls must stop it. */
const FORBIDDEN: Readonly<Record<string, { wall: "lint" | "types"; code: string }>> = {
  files: { wall: "lint", code: 'export { readFile } from "node:fs/promises";' },
  "files-unlinted": {
    wall: "types",
    code: 'import { readFile } from "node:fs/promises";\nreadFile;',
  },
  clock: { wall: "lint", code: "export const now: number = Date.now();" },
  dice: { wall: "lint", code: "export const die: number = Math.random();" },
  promises: { wall: "lint", code: "export const later: unknown = Promise.resolve();" },
  "storage-port": { wall: "lint", code: 'export type { Storage } from "../ports/storage.ts";' },
  "wire-values": { wall: "lint", code: 'export { isIdentifier } from "@quorate/wire";' },
  sockets: { wall: "lint", code: 'export { Connection } from "@quorate/wire/net";' },
  packages: { wall: "lint", code: 'export { pack } from "msgpackr";' },
  timers: { wall: "types", code: "setTimeout(() => undefined, 1);" },
  microtasks: { wall: "types", code: "queueMicrotask(() => undefined);" },
  console: { wall: "types", code: 'console.log("");' },
  process: { wall: "types", code: "export const env: unknown = process.env;" },
  "high-resolution-clock": { wall: "types", code: "export const now: number = performance.now();" },
  buffers: { wall: "types", code: "export const bytes: unknown = Buffer.alloc(1);" },
};

/** A file that both walls must let through: otherwise they would prove nothing. */
const ALLOWED = "export const majority: number = Math.floor(3 / 2) + 1;\n";

/**
 * Proves the walls around the core by running at them: files that reach for something forbidden,
 * under a copy of the core's own lint and compiler settings, must each be stopped.
 */
export async function checkCoreWall(): Promise<string> {
  // Inside the work tree, so that Node's types could be found if the settings let them in.
  const scratch = join(".quorate", `core-wall-${process.pid}`);
  const folder = join(scratch, CORE);
  try {
    await mkdir(folder, { recursive: true });
    await cp(".oxlintrc.json", join(scratch, ".oxlintrc.json"));
    await writeFile(join(folder, "tsconfig.json"), wallSettings(folder));
    await writeFile(join(folder, "allowed.ts"), ALLOWED);
    for (const [name, { code }] of Object.entries(FORBIDDEN)) {
      await writeFile(join(folder, `${name}.ts`), `${code}\nexport {};\n`);
    }
    const printed = { lint: await lint(scratch), types: await compile(folder) };
    return faultsIn(printed).join("\n");
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The core's own settings, without output and without other projects. */
function wallSettings(folder: string): string {
  return JSON.stringify({
    extends: relative(folder, join(CORE, "tsconfig.json")),
    compilerOptions: { composite: false, noEmit: true, rootDir: "." },
    include: ["."],
    references: [],
  });
}

function faultsIn(printed: Readonly<Record<"lint" | "types", string>>): string[] {
  const faults: string[] = [];
  for (const [name, { wall, code }] of Object.entries(FORBIDDEN)) {
    const stopped = printed[wall].includes(`/${name}.ts`);
    if (!stopped) faults.push(`${wall} lets this into the core: ${code}`);
  }
  for (const wall of ["lint", "types"] as const) {
    if (printed[wall].includes("/allowed.ts"))
      faults.push(`${wall} stops harmless code: ${ALLOWED}`);
  }
  return faults;
}

/** The files are named one by one: a folder that git ignores would be passed over. */
function lint(scratch: string): Promise<string> {
  const files = ["allowed", ...Object.keys(FORBIDDEN)].map((name) => `${CORE}/${name}.ts`);
  const args = ["--no-ignore", "-c", ".oxlintrc.json", "--format=unix", ...files];
  return output(resolve("node_modules/.bin/oxlint"), args, scratch);
}

function compile(folder: string): Promise<string> {
  return output(resolve("node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], ".");
}

/** What a checker prints; that it finds faults is what is asked of it. */
async function output(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { cwd });
    return stdout;
  } catch (error) {
    if (error instanceof Error && "stdout" in error) return String(error.stdout);
    throw error;
  }
}
