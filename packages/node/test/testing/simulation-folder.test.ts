import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  makeSimulationFolder,
  removeOwnSimulationFolders,
} from "../../src/testing/simulation-folder.ts";

const SOURCE = pathToFileURL(
  join(import.meta.dirname, "../../src/testing/simulation-folder.ts"),
).href;

test("simulation folders: what a killed process left goes when another one is made", () => {
  const script = `
    import { makeSimulationFolder } from ${JSON.stringify(SOURCE)};
    process.stdout.write(makeSimulationFolder(), () => process.kill(process.pid, "SIGKILL"));`;
  const args = ["--input-type=module", "--eval", script];
  const { stdout: left, signal } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(signal, "SIGKILL");
  assert.ok(existsSync(left), left);
  const [first, second] = [makeSimulationFolder(), makeSimulationFolder()];
  assert.ok(!existsSync(left), left);
  assert.ok(existsSync(first), "its process runs");
  writeFileSync(join(second, "database"), "");
  removeOwnSimulationFolders();
  assert.ok(!existsSync(first) && !existsSync(second));
});
