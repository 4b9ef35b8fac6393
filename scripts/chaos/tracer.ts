import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const ATTACH_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** strace on a running process, making some of its system calls slow or fail. */
export class Tracer {
  readonly #child: ChildProcess;
  readonly #logFile: string;
  #said = "";

  private constructor(child: ChildProcess, logFile: string) {
    this.#child = child;
    this.#logFile = logFile;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
  }

  /**
   * Attaches to all threads of a process.
   *
   * @param inject as strace's `-e inject=` has it: `fdatasync:error=EIO:when=3`.
   * @param logFile where the injections are noted, until {@link Tracer.detach}.
   */
  static async attach(
    pid: number,
    inject: string,
    logFile: string,
    timeoutMs: number = ATTACH_TIMEOUT_MS,
  ): Promise<Tracer> {
    const calls = inject.split(":")[0] ?? "";
    const filters = ["-e", `trace=${calls}`, "-e", `inject=${inject}`];
    const args = ["-f", ...filters, "-o", logFile, "-p", String(pid)];
    const child = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
    const tracer = new Tracer(child, logFile);
    const deadline = performance.now() + timeoutMs;
    while (!tracer.#said.includes("attached")) {
      if (child.exitCode !== null || performance.now() > deadline) {
        // It may only be slow, and would go on for as long as the process does.
        child.kill("SIGKILL");
        rmSync(logFile, { force: true });
        throw new Error(`strace could not attach to ${pid}: ${tracer.#said}`);
      }
      await pause(POLL_MS);
    }
    return tracer;
  }

  /** How many calls were interfered with so far. */
  get injections(): number {
    try {
      return readFileSync(this.#logFile, "latin1").match(/\((?:INJECTED|DELAYED)\)/gu)?.length ?? 0;
    } catch {
      return 0;
    }
  }

  /** Lets go of the process, if it is still there; gives how many calls were interfered with. */
  async detach(): Promise<number> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGINT");
      await ended;
    }
    const { injections } = this;
    rmSync(this.#logFile, { force: true });
    return injections;
  }
}
