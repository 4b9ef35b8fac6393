/**
 * Runs every scenario of this folder: see README.md. With `--update`, or through `npm test --
 * --update scenarios`, what was printed becomes what is expected.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { ScenarioRun } from "./scenario-commands.ts";
import type { Scenario, ScenarioBlock } from "./scenario-file.ts";
import { formatScenario, parseScenario } from "./scenario-file.ts";

const FOLDER = import.meta.dirname;
const UPDATES = process.argv.includes("--update") || process.env["QUORATE_UPDATE_EXPECTED"] === "1";

/** What each block prints; an invariant that breaks is printed as the block's last line. */
function play({ parts }: Scenario): Map<ScenarioBlock, readonly string[]> {
  const printed = new Map<ScenarioBlock, readonly string[]>();
  const run = new ScenarioRun();
  for (const part of parts) {
    if (part.kind === "block") printed.set(part, run.run(part.commands));
  }
  return printed;
}

const names = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));

for (const name of names.sort()) {
  const file = path.join(FOLDER, name);
  const source = readFileSync(file, "utf8");
  const scenario = parseScenario(source);
  test(scenario.title, () => {
    const actual = formatScenario(scenario, play(scenario));
    if (UPDATES) writeFileSync(file, actual);
    else assert.equal(actual, source, `${name} prints something else; see its README.md`);
  });
}
