import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { findFreeBasePort } from "../../src/local-cluster/ports.ts";
import { signalProcess, stateOfProcess } from "../../src/local-cluster/process-identity.ts";
import type { RunFile } from "../../src/local-cluster/run-file.ts";
import { readRunFile } from "../../src/local-cluster/run-file.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/quorate.js", import.meta.url));
const COMMAND_TIMEOUT_MS = 60_000;

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One node as `status -o json` tells of it. */
interface StatusMember {
  readonly id: string;
  readonly health: string;
  readonly role: string | null;
  readonly term: string | null;
  readonly commitIndex: string | null;
  readonly status: { readonly pid: number } | null;
}

export interface ClusterStatus {
  readonly health: string;
  readonly leader: string | null;
  readonly term: string | null;
  readonly up: number;
  readonly members: readonly StatusMember[];
}

/**
 * The built `quorate` with a state folder and ports of its own. Whatever it started is gone when
 * the test ends, however that ends: by pid and start time, as noted in the run files.
 */
export class LocalQuorate {
  readonly stateHome: string;
  readonly basePort: number;

  private constructor(stateHome: string, basePort: number) {
    this.stateHome = stateHome;
    this.basePort = basePort;
  }

  static async prepare(context: TestContext, nodeCount = 3): Promise<LocalQuorate> {
    const stateHome = mkdtempSync(join(tmpdir(), "quorate-system-"));
    const from = 21_000 + (process.pid % 100) * 100;
    const basePort = await findFreeBasePort("127.0.0.1", nodeCount, from);
    assert.ok(basePort !== null);
    const quorate = new LocalQuorate(stateHome, basePort);
    context.after(() => quorate.#end());
    return quorate;
  }

  /** Starts the command; the caller waits for its end. */
  spawn(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const { NO_COLOR: _color, CI: _ci, ...inherited } = process.env;
    return spawn(process.execPath, [PROGRAM, ...args], {
      env: { ...inherited, XDG_STATE_HOME: this.stateHome, ...environment },
      timeout: COMMAND_TIMEOUT_MS,
    });
  }

  /** Runs the command to its end. */
  async run(args: readonly string[], input: string | Uint8Array = ""): Promise<Ended> {
    const child = this.spawn(args);
    const { stdin, stdout, stderr } = child;
    assert.ok(stdin !== null && stdout !== null && stderr !== null);
    stdin.end(input);
    const [ended, out, errors] = await Promise.all([
      once(child, "close"),
      text(stdout),
      text(stderr),
    ]);
    return { code: ended[0] as number | null, stdout: out, stderr: errors };
  }

  /** Runs a command that must succeed; returns what it printed. */
  async succeed(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    assert.equal(code, 0, `quorate ${args.join(" ")} exited ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs a command that must exit with this code. */
  async fail(expectedCode: number, ...args: readonly string[]): Promise<Ended> {
    const ended = await this.run(args);
    const told = `quorate ${args.join(" ")}\n${ended.stdout}${ended.stderr}`;
    assert.equal(ended.code, expectedCode, told);
    return ended;
  }

  up(...more: readonly string[]): Promise<string> {
    return this.succeed("up", "--base-port", String(this.basePort), ...more);
  }

  async status(): Promise<ClusterStatus> {
    return JSON.parse(await this.succeed("status", "-o", "json")) as ClusterStatus;
  }

  nodeDirectory(id: string, cluster = "demo"): string {
    return join(this.stateHome, "quorate", cluster, "nodes", id);
  }

  runFile(id: string): RunFile {
    const run = readRunFile(this.nodeDirectory(id));
    assert.ok(run !== null);
    return run;
  }

  /** Every process that a run file of this state folder names, and that still is that process. */
  livingProcesses(): RunFile[] {
    const root = join(this.stateHome, "quorate");
    if (!existsSync(root)) return [];
    return readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith("run.json"))
      .map((path) => JSON.parse(readFileSync(join(root, path), "utf8")) as RunFile)
      .filter((run) => ["running", "paused"].includes(stateOfProcess(run)));
  }

  /** Ends a process whose run file the test has changed. */
  signalNoted(run: RunFile): void {
    signalProcess(run, "SIGKILL");
  }

  #end(): void {
    for (const run of this.livingProcesses()) signalProcess(run, "SIGKILL");
    rmSync(this.stateHome, { recursive: true, force: true, maxRetries: 5 });
  }
}
