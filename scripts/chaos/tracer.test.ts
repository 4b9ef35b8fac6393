import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Tracer } from "./tracer.ts";

test("chaos: a tracer that does not attach in time is ended, and the failure is told", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-tracer-"));
  const path = process.env["PATH"] ?? "";
  t.after(() => {
    process.env["PATH"] = path;
    rmSync(folder, { recursive: true, force: true });
  });
  const pidFile = join(folder, "pid");
  const neverAttaches = `#!/bin/sh\necho $$ > ${pidFile}\nexec sleep 30\n`;
  writeFileSync(join(folder, "strace"), neverAttaches, { mode: 0o755 });
  process.env["PATH"] = `${folder}${delimiter}${path}`;
  const attached = Tracer.attach(process.pid, "fdatasync:delay_enter=1", join(folder, "log"), 1000);
  await assert.rejects(attached, /strace could not attach/u);
  const pid = Number(readFileSync(pidFile, "utf8"));
  for (const deadline = performance.now() + 5000; isAlive(pid);) {
    assert.ok(performance.now() < deadline, `process ${pid} runs on`);
    await pause(10);
  }
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
