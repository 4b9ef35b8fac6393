import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { keepRunDirectory, makeRunDirectory, sweepLeftovers } from "./run-directory.ts";

test(
  "run directory: what a run that was killed has left is removed, its nodes too, and nothing else",
  { skip: process.platform === "linux" ? false : "looks into /proc" },
  async (t) => {
    const parent = mkdtempSync(join(tmpdir(), "quorate-leftovers-"));
    const running = makeRunDirectory(parent);
    const kept = makeRunDirectory(parent);
    keepRunDirectory(kept);
    const left = makeRunDirectory(parent);
    writeFileSync(join(left, "owner.json"), JSON.stringify({ pid: process.pid, startTime: "1" }));
    const command = ["-e", "setTimeout(() => {}, 60_000)", "--", `--data-dir=${left}/n1/data`];
    const node = spawn(process.execPath, command, { stdio: "ignore" });
    t.after(() => {
      node.kill("SIGKILL");
      rmSync(parent, { recursive: true, force: true });
    });
    await once(node, "spawn");
    const ended = once(node, "exit");
    const swept = sweepLeftovers(parent);
    assert.deepEqual(swept, [`process ${node.pid} of ${left}`, left]);
    const [, signal] = (await ended) as [null, string];
    assert.equal(signal, "SIGKILL");
    assert.ok(!existsSync(left));
    assert.ok(existsSync(running) && existsSync(kept));
  },
);
