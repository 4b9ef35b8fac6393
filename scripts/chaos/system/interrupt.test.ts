import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const CHAOS = fileURLToPath(new URL("../../chaos.ts", import.meta.url));

/** Processes whose command line names the folder, seen from outside of all namespaces. */
function processesOf(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`--data-dir=${folder}`);
      } catch {
        return false;
      }
    });
}

test(
  "chaos: after Ctrl-C everything is healed and ended, the verdict so far is told, and the code is 130",
  { skip: process.platform === "linux" ? false : "looks into /proc" },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-interrupt-"));
    const args = [...process.execArgv, CHAOS, "--minutes", "10", "--nodes", "3", "--keep", folder];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    child.stderr.resume();
    const ended = once(child, "exit");
    while (processesOf(folder).length < 3) await pause(50);
    await pause(5000);
    child.kill("SIGINT");
    const [code] = (await ended) as [number | null];
    assert.equal(code, 130);
    assert.match(printed, /operations {2}\d+ checked in 1 histories/u);
    assert.match(printed, /0 acknowledged writes lost/u);
    assert.deepEqual(processesOf(folder), []);
  },
);
