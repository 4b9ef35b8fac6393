import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../bin/quorated.js", import.meta.url));

/** How a daemon ended. */
export interface DaemonEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of a daemon's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A real `quorated`, killed at the end of the test that started it if it still runs. */
export class Daemon {
  readonly log: LogLine[] = [];
  errorText = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<DaemonEnd>;

  constructor(t: TestContext, args: readonly string[]) {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#ended = once(child, "close").then(() => {
      return { code: child.exitCode, signal: child.signalCode };
    });
    assert.ok(child.stdout !== null && child.stderr !== null);
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.log.push(JSON.parse(line) as LogLine);
      child.emit("logged");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.errorText += text;
    });
    t.after(async () => {
      this.kill("SIGKILL");
      await this.#ended;
    });
  }

  get pid(): number {
    assert.ok(this.#child.pid !== undefined);
    return this.#child.pid;
  }

  /** Fulfilled once the process is gone and its output has been read. */
  get ended(): Promise<DaemonEnd> {
    return this.#ended;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits for a line of the log. */
  async logged(isIt: (line: LogLine) => boolean, timeoutMs = 15_000): Promise<LogLine> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const line = this.log.find(isIt);
      if (line !== undefined) return line;
      assert.equal(this.#child.exitCode, null, `the daemon ended: ${this.errorText}`);
      await once(this.#child, "logged", { signal: deadline });
    }
  }

  async ready(): Promise<LogLine> {
    return await this.logged(({ msg }) => msg === "ready");
  }
}

/** The flags of a daemon of a cluster with these `members` (`n1=host:port,…`). */
export function daemonFlags(name: string, folder: string, members: string): string[] {
  const flags = [
    ["--name", name],
    ["--data-dir", `${folder}/${name}`],
    ["--cluster-id", "system"],
    ["--initial-cluster", members],
  ];
  return flags.flat();
}
