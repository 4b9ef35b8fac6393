// The way in from a bare machine: the only script that must run on an old Node (20 and newer), so
// it is plain JavaScript without dependencies. It installs what is missing, builds what changed,
// and hands over to the pinned Node of node_modules.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MODULES = join(ROOT, "node_modules");
const BIN = join(MODULES, ".bin");
const NODE = join(BIN, "node");
const STATE = join(ROOT, ".quorate");
const LOCK = join(STATE, "bootstrap.lock");
const STAMP = join(MODULES, ".quorate-installed");
const NODE_MAJOR_MIN = 20;
const POLL_MS = 100;
const SOURCE = "--conditions=@quorate/source";
const TSC = join(MODULES, "typescript", "bin", "tsc");
const PROJECTS = ["packages/wire", "packages/node", "packages/cli"];

const HELP = `Usage: npm start | npm test | npm run build | verify | fix [-- arguments]
   or: npm run simulate | fuzz | chaos | mutants [-- arguments]
   or: node scripts/bootstrap.mjs <step> [arguments]

Installs what is missing (pnpm and Node come from the npm registry), builds what changed, then:

  start      starts a local cluster of three nodes; on a terminal, opens the dashboard.
             Arguments go to \`quorate up\`: npm start -- -n 5
  test       runs every test. npm test -- --help tells how to run some of them
  build      only installs and builds
  verify     checks format, lint, types, the core's walls, dead code and documents; writes nothing
  fix        formats, and fixes what lint can fix
  simulate   runs the simulator: npm run simulate -- --seed 42
  fuzz       feeds every decoder with damaged input: npm run fuzz -- --minutes 5
  chaos      does everything to a cluster of real processes: npm run chaos -- --minutes 5
  mutants    breaks the sources, one place at a time, and says what notices it
`;

/** An error that an operator can act on: printed as what / why / try. */
class StepError extends Error {
  constructor(what, why, remedy) {
    super(what);
    this.why = why;
    this.remedy = remedy;
  }
}

function progress(text) {
  process.stderr.write(`${text}\n`);
}

function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/** The environment of every step: the pinned Node comes first, wherever a step asks for `node`. */
function environment() {
  return { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` };
}

/** Runs a program with this terminal as its own; resolves to its exit code. */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, env: environment(), stdio: "inherit" });
    const forward = (signal) => child.kill(signal);
    process.on("SIGTERM", forward);
    // A Ctrl-C reaches the whole foreground group: the child decides, this process only waits.
    const wait = () => {};
    process.on("SIGINT", wait);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.off("SIGTERM", forward);
      process.off("SIGINT", wait);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}

/** Runs a program quietly; resolves to its exit code and everything that it printed. */
function capture(program, args) {
  return new Promise((resolve, reject) => {
    const options = { cwd: ROOT, env: environment(), stdio: ["ignore", "pipe", "pipe"] };
    const child = spawn(program, args, options);
    const chunks = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, text: Buffer.concat(chunks).toString().trim() }));
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Removes the lock of a run that was killed; a lock taken anew meanwhile is put back. */
async function breakLock(holder) {
  const aside = `${LOCK}.${process.pid}`;
  try {
    await rename(LOCK, aside);
    if ((await readFile(aside, "utf8")) === holder) await rm(aside);
    else await rename(aside, LOCK);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
}

/** Does `action` while no other run installs or builds in this work tree. */
async function exclusively(action) {
  await mkdir(STATE, { recursive: true });
  for (let told = false; ;) {
    try {
      await writeFile(LOCK, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = await readFile(LOCK, "utf8").catch(() => null);
    // An empty lock is being written at this moment.
    if (holder !== null && holder !== "" && !isAlive(Number(holder))) await breakLock(holder);
    else {
      if (!told) progress("Waiting for another run to finish installing and building…");
      told = true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  try {
    return await action();
  } finally {
    await rm(LOCK, { force: true });
  }
}

/** Changes with everything that an installation depends on. */
async function fingerprint() {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  const manifests = ["", ...PROJECTS].map((folder) => join(folder, "package.json"));
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", ...manifests]) {
    hash.update(file).update(await readFile(join(ROOT, file)));
  }
  return hash.digest("hex");
}

async function isInstalled(wanted) {
  const stamp = await readFile(STAMP, "utf8").catch(() => null);
  const needed = [NODE, TSC, ...PROJECTS.map((p) => join(ROOT, p, "node_modules"))];
  return stamp === wanted && needed.every((path) => existsSync(path));
}

async function install() {
  const wanted = await fingerprint();
  if (await isInstalled(wanted)) return;
  const began = performance.now();
  progress("Installing dependencies (about ten seconds the first time)…");
  const { packageManager } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const command = ["-y", packageManager, "install", "--frozen-lockfile"];
  const { code, text } = await capture("npx", command).catch((error) => {
    throw new StepError("npx does not start", error.message, "install npm, then try again");
  });
  if (code !== 0) {
    const tail = text.split("\n").slice(-12).join("\n        ");
    const again = `npx ${command.join(" ")}`;
    throw new StepError("the dependencies were not installed", tail, `${again}   (shows it all)`);
  }
  await writeFile(STAMP, wanted);
  progress(`Installed in ${seconds(began)}.`);
}

/** Brings dist/ up to date; the compiler itself knows what changed. */
async function build() {
  const began = performance.now();
  const isFirst = !existsSync(join(ROOT, "packages/cli/dist"));
  if (isFirst) progress("Building…");
  const { code, text } = await capture(NODE, [TSC, "-b", ...PROJECTS]);
  if (code !== 0) {
    throw new StepError("the build failed", text, "npm run build after mending the above");
  }
  if (isFirst) progress(`Built in ${seconds(began)}.`);
}

/** Starts a cluster, or finds it running; on a terminal the dashboard follows. */
async function start(args) {
  const quorate = join(ROOT, "packages/cli/bin/quorate.js");
  const code = await run(NODE, [quorate, "up", ...args]);
  const onTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  if (code !== 0 || !onTerminal || process.env.CI !== undefined) return code;
  const name = args.flatMap((arg, at) =>
    arg === "--name" ? ["--name", args[at + 1]] : arg.startsWith("--name=") ? [arg] : [],
  );
  return run(NODE, [quorate, "dash", ...name]);
}

const STEPS = {
  start,
  build: () => 0,
  test: (args) => run(NODE, ["scripts/test.ts", ...args]),
  verify: (args) => run(NODE, ["scripts/verify.ts", ...args]),
  fix: (args) => run(NODE, ["scripts/verify.ts", "--fix", ...args]),
  simulate: (args) => run(NODE, [SOURCE, "scripts/simulate.ts", ...args]),
  fuzz: (args) => run(NODE, [SOURCE, "scripts/fuzz.ts", ...args]),
  chaos: (args) => run(NODE, [SOURCE, "scripts/chaos.ts", ...args]),
  mutants: (args) => run(NODE, [SOURCE, "scripts/mutants.ts", ...args]),
};

async function main([step, ...args]) {
  if (step === undefined || step === "--help" || step === "-h" || step === "help") {
    process.stdout.write(HELP);
    return step === undefined ? 2 : 0;
  }
  if (!Object.hasOwn(STEPS, step)) {
    const known = Object.keys(STEPS).join(", ");
    throw new StepError(`there is no step "${step}"`, `the steps are ${known}`, "npm start");
  }
  const major = Number.parseInt(process.versions.node, 10);
  if (major < NODE_MAJOR_MIN) {
    const why = `this is Node ${process.versions.node}; the way in needs ${NODE_MAJOR_MIN} or newer`;
    throw new StepError("this Node is too old", why, "https://nodejs.org/en/download");
  }
  await exclusively(async () => {
    await install();
    // verify and fix must work on sources that do not compile: they report that themselves.
    if (step !== "verify" && step !== "fix") await build();
  });
  return STEPS[step](args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  progress(`error: ${error.message}\n  why:  ${error.why}\n  try:  ${error.remedy}`);
  process.exitCode = 1;
}
