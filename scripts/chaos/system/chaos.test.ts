import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const CHAOS = fileURLToPath(new URL("../../chaos.ts", import.meta.url));
const isLong = process.env["QUORATE_LONG_TESTS"] === "1";
const MINUTES = isLong ? "10" : "3";
const NODES = "5";

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Ends with the test's process, and everything of the run with it. */
function chaos(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = [...process.execArgv, CHAOS, ...args];
    execFile(process.execPath, command, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, stdout, stderr });
    });
  });
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
