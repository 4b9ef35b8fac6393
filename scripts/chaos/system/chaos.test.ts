import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const CHAOS = fileURLToPath(new URL("../../chaos.ts", import.meta.url));
const isLong = process.env["QUORATE_LONG_TESTS"] === "1";
const MINUTES = isLong ? "10" : "3";
const NODES = "5";

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const POLL_MS = 500;

/**
 * Stops, and everything of the run with it, when this process is gone: its channel tells. It stops
 * too when who runs the tests is gone, for then nobody hears the verdict.
 */
async function chaos(...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [...process.execArgv, CHAOS, ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  assert.ok(child.stdout !== null && child.stderr !== null);
  const { ppid } = process;
  const watch = setInterval(() => {
    if (process.ppid !== ppid && child.connected) child.disconnect();
  }, POLL_MS);
  const ended = once(child, "exit") as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ]);
  clearInterval(watch);
  return { code, stdout, stderr };
}

interface Report {
  readonly problems: string[];
  readonly seed: number;
  readonly network: string;
  readonly checkedOperations: number;
  readonly faultsFired: number;
  readonly longestGapMs: number;
  readonly faults: { readonly kind: string; readonly shape: string; readonly fired: number }[];
}

test(`chaos: ${MINUTES} minutes of all faults that this machine allows, and no history is wrong`, async (t) => {
  const { code, stdout, stderr } = await chaos("--minutes", MINUTES, "--nodes", NODES, "--json");
  assert.ok(stdout.startsWith("{"), `no report; exit code ${code}: ${stderr}`);
  const report = JSON.parse(stdout) as Report;
  const { seed, checkedOperations, faultsFired, longestGapMs, network } = report;
  assert.deepEqual(report.problems, [], `seed ${seed}: ${stderr}`);
  assert.equal(code, 0);
  t.diagnostic(
    `seed ${seed}: ${faultsFired} faults by ${network}; ${checkedOperations} operations checked; ` +
      `the longest gap between acknowledged writes: ${longestGapMs} ms`,
  );
  for (const { kind, shape, fired } of report.faults) t.diagnostic(`${kind} ${shape}: ${fired}`);
});
