/** The read-only gate: everything about the sources that a machine can judge without running them. */
import { execFile } from "node:child_process";
import { parseArgs } from "node:util";
import { checkCoreWall } from "./verify/core-wall.ts";
import { checkDocuments } from "./verify/documents.ts";
import { checkLeftovers } from "./verify/leftovers.ts";

const HELP = `Usage: npm run verify [-- step ...]
   or: npm run fix

Checks the sources and writes nothing (the compiler's output in dist/ aside). Steps:

  format     oxfmt, 100 columns
  lint       oxlint with type information: .oxlintrc.json
  types      tsc -b of every package, test and script
  core-wall  the consensus core can reach no clock, dice, timer, file or socket
  dead-code  knip: exports, files and dependencies that nothing uses
  documents  links and anchors lead somewhere; one title a document
  leftovers  notes to oneself and vague file names

fix formats, and fixes what lint can fix.
`;

const BIN = "node_modules/.bin";
const PACKAGES = ["packages/wire", "packages/node", "packages/cli"];
const PROJECTS = [...PACKAGES, ...PACKAGES.map((folder) => `${folder}/test`), "scripts"];

/** Resolves to the faults found: no text, no fault. */
type Check = () => Promise<string>;

const STEPS: Readonly<Record<string, Check>> = {
  format: () => faultsOf(`${BIN}/oxfmt`, ["--check"]),
  lint: () => faultsOf(`${BIN}/oxlint`, []),
  types: () => faultsOf(`${BIN}/tsc`, ["-b", ...PROJECTS]),
  "core-wall": checkCoreWall,
  "dead-code": () => faultsOf(`${BIN}/knip`, ["--no-progress"]),
  documents: checkDocuments,
  leftovers: checkLeftovers,
};

const FIXES: Readonly<Record<string, Check>> = {
  lint: () => faultsOf(`${BIN}/oxlint`, ["--fix"]),
  format: () => faultsOf(`${BIN}/oxfmt`, []),
};

function faultsOf(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const printed = `${stdout}${stderr}`.trim();
      if (error === null) resolve("");
      else resolve(printed === "" ? error.message : printed);
    });
  });
}

async function runSteps(names: readonly string[], steps: typeof STEPS): Promise<string[]> {
  const failed: string[] = [];
  for (const name of names) {
    const began = performance.now();
    const faults = (await steps[name]?.()) ?? `there is no step "${name}": see --help`;
    const time = `${((performance.now() - began) / 1000).toFixed(1)} s`.padStart(7);
    process.stdout.write(`${faults === "" ? "ok  " : "FAIL"} ${name.padEnd(10)} ${time}\n`);
    if (faults === "") continue;
    failed.push(name);
    process.stdout.write(`${faults.replace(/^/gmu, "     ")}\n`);
  }
  return failed;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fix: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const steps = values.fix ? FIXES : STEPS;
  const names = positionals.length === 0 ? Object.keys(steps) : positionals;
  const failed = await runSteps(names, steps);
  const [what, how] = values.fix ? ["fix", "mend these by hand"] : ["verify", "npm run fix"];
  if (failed.length === 0) process.stdout.write(`${what}: ${names.length} steps passed\n`);
  else process.stdout.write(`${what}: failed: ${failed.join(", ")}   try: ${how}\n`);
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
