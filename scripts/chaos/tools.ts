import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isInside } from "./isolation.ts";
import { runCommand } from "./run-command.ts";

/** What this machine lets the rig do. Of each tool: why not, or null: it works, and was tried. */
export interface Tools {
  /** Attaching to a running process and failing its system calls. */
  readonly strace: string | null;
  /** Small file systems of our own. */
  readonly tmpfs: string | null;
  readonly faketime: string | null;
  /** What makes a process's wall clock ours; empty where {@link faketime} does not work. */
  readonly faketimePreload: string;
}

/** Tries every tool, in `directory`. */
export async function probeTools(directory: string): Promise<Tools> {
  const [strace, tmpfs, clock] = await Promise.all([
    probeStrace(),
    probeTmpfs(directory),
    probeFaketime(),
  ]);
  return { strace, tmpfs, ...clock };
}

const ATTACH_MS = 2000;

async function probeStrace(): Promise<string | null> {
  const version = await runCommand("strace", ["-V"]);
  if (version.code !== 0) return "strace is not installed";
  const sleeper = spawn("sleep", ["10"], { stdio: "ignore" });
  const inject = "inject=fdatasync:delay_enter=1";
  const args = ["-f", "-e", "trace=fdatasync", "-e", inject, "-p", String(sleeper.pid)];
  const tracer = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  tracer.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = once(tracer, "close");
  const deadline = performance.now() + ATTACH_MS;
  while (!output.includes("attached") && tracer.exitCode === null && performance.now() < deadline) {
    await pause(20);
  }
  tracer.kill("SIGINT");
  sleeper.kill("SIGKILL");
  await ended;
  return output.includes("attached") ? null : `strace cannot attach: ${output.trim()}`;
}

async function probeTmpfs(directory: string): Promise<string | null> {
  if (!isInside()) return "no mount namespace of its own";
  const place = join(directory, "tmpfs-probe");
  mkdirSync(place);
  const mounted = await runCommand("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place]);
  if (mounted.code === 0) await runCommand("umount", [place]);
  rmSync(place, { recursive: true });
  return mounted.code === 0 ? null : `no tmpfs: ${mounted.output}`;
}

const PROBE_OFFSET_MS = 100_000_000;

/** Asks the `faketime` command how it does it, then does it to this very Node. */
async function probeFaketime(): Promise<Pick<Tools, "faketime" | "faketimePreload">> {
  const asked = await runCommand("faketime", ["-f", "+0", "printenv", "LD_PRELOAD"]);
  if (asked.code !== 0) return { faketime: "faketime is not installed", faketimePreload: "" };
  const faketimePreload = asked.output.split("\n").at(-1) ?? "";
  const { output } = await runCommand(process.execPath, ["-p", "Date.now()"], {
    environment: { LD_PRELOAD: faketimePreload, FAKETIME: `+${PROBE_OFFSET_MS / 1000}` },
  });
  const offset = Number(output) - Date.now();
  const works = Math.abs(offset - PROBE_OFFSET_MS) < PROBE_OFFSET_MS / 10;
  return works
    ? { faketime: null, faketimePreload }
    : { faketime: `faketime does not move this Node's clock: ${output}`, faketimePreload: "" };
}
