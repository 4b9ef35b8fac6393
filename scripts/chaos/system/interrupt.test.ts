import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { processesOf } from "./processes-of.ts";

const CHAOS = fileURLToPath(new URL("../../chaos.ts", import.meta.url));
const HARNESS = fileURLToPath(new URL("harness.test.ts", import.meta.url));
const skip = process.platform === "linux" ? false : "looks into /proc";
const POLL_MS = 50;

const ENDS: readonly { title: string; end: (child: ChildProcess) => void }[] = [
  { title: "Ctrl-C", end: (child) => void child.kill("SIGINT") },
  {
    title: "the end of who started it",
    end: (child) => {
      child.disconnect();
    },
  },
];

for (const { title, end } of ENDS) {
  test(
    `chaos: after ${title} everything is healed and ended, the verdict so far is told, and the code is 130`,
    { skip },
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "quorate-interrupt-"));
      const args = [...process.execArgv, CHAOS, "--minutes", "10", "--nodes", "3"];
      const child = spawn(process.execPath, [...args, "--keep", folder], {
        stdio: ["ignore", "pipe", "pipe", "ipc"],
      });
      t.after(() => {
        child.kill("SIGKILL");
        rmSync(folder, { recursive: true, force: true });
      });
      let printed = "";
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
      });
      child.stderr?.resume();
      const ended = once(child, "exit");
      while (processesOf(folder).length < 3) await pause(POLL_MS);
      await pause(5000);
      end(child);
      const [code] = (await ended) as [number | null];
      assert.equal(code, 130);
      assert.match(printed, /operations {2}\d+ checked in 1 histories/u);
      assert.match(printed, /0 acknowledged writes lost/u);
      assert.deepEqual(processesOf(folder), []);
    },
  );
}

test(
  "chaos: a test of the rig that is interrupted takes its nodes along, without namespaces too",
  { skip },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-interrupt-"));
    const child = spawn(process.execPath, [...process.execArgv, HARNESS], {
      stdio: "ignore",
      env: { ...process.env, TMPDIR: folder },
    });
    t.after(() => {
      child.kill("SIGKILL");
      for (const pid of processesOf(folder)) process.kill(Number(pid), "SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });
    const ended = once(child, "exit");
    while (processesOf(folder).length < 3) await pause(POLL_MS);
    child.kill("SIGINT");
    await ended;
    for (const deadline = performance.now() + 5000; processesOf(folder).length > 0;) {
      assert.ok(performance.now() < deadline, `these run on: ${processesOf(folder).join(" ")}`);
      await pause(POLL_MS);
    }
  },
);
