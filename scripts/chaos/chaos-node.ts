import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endWithThisProcess } from "./own-processes.ts";
import type { WallClock } from "./wall-clock.ts";

const QUORATED = fileURLToPath(new URL("../../packages/node/bin/quorated.js", import.meta.url));

/** Levels of the log, as words: what is wrong, and what ends the process. */
const GRAVE_LEVELS = ["warn", "error", "fatal"];

/** How a node's process ended: its exit code, or the signal that ended it. */
export type NodeEnd = number | NodeJS.Signals;

export interface ChaosNodeOptions {
  readonly id: string;
  readonly address: string;
  /** Everything of the node lies in here: its data, its log. */
  readonly directory: string;
  /** Its disk: the data directory and what else takes room. The same, or a mount in it. */
  readonly disk: string;
  readonly commandPrefix: readonly string[];
  /** Without those that the node itself decides on: name, data directory. */
  readonly flags: readonly string[];
  readonly clock: WallClock | null;
  /** Its process is gone, and nobody has said that it would be. */
  readonly onUnexpectedEnd: (node: ChaosNode, end: NodeEnd) => void;
}

interface LaunchOptions {
  readonly extraFlags?: readonly string[];
  readonly mayEnd?: boolean;
}

/** One real `quorated`, started and ended as often as need be. */
export class ChaosNode {
  readonly id: string;
  readonly address: string;
  readonly directory: string;
  readonly disk: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly clock: WallClock | null;
  /** Its disk is a small one of its own. */
  readonly hasSmallDisk: boolean;
  readonly #options: ChaosNodeOptions;
  #process: ChildProcess | null = null;
  #isPaused = false;
  #isEndExpected = false;
  #lastEnd: NodeEnd | null = null;

  constructor(options: ChaosNodeOptions) {
    this.#options = options;
    this.id = options.id;
    this.address = options.address;
    this.directory = options.directory;
    this.disk = options.disk;
    this.clock = options.clock;
    this.hasSmallDisk = options.disk !== options.directory;
    this.dataDirectory = join(options.disk, "data");
    this.logFile = join(options.directory, "node.log");
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  /** How its last process ended; null: none has. */
  get lastEnd(): NodeEnd | null {
    return this.#lastEnd;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** @throws Error when it does not run. */
  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error(`${this.id} does not run`);
    return this.#process.pid;
  }

  /**
   * Starts it, in a session of its own: a Ctrl-C does not reach it. It ends with this process at
   * the latest. Returns at once.
   *
   * @param mayEnd it may end by itself, until {@link ChaosNode.expectNoEnd}.
   */
  launch({ extraFlags = [], mayEnd = false }: LaunchOptions = {}): void {
    if (this.#process !== null) throw new Error(`${this.id} runs already`);
    const log = openSync(this.logFile, "a");
    const [program = "", ...args] = [
      ...this.#options.commandPrefix,
      process.execPath,
      QUORATED,
      `--name=${this.id}`,
      `--data-dir=${this.dataDirectory}`,
      ...this.#options.flags,
      ...extraFlags,
    ];
    const child = spawn(program, args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, NODE_CHANNEL_FD: undefined, ...this.clock?.environment() },
    });
    closeSync(log);
    endWithThisProcess(child);
    this.#process = child;
    this.#isPaused = false;
    this.#isEndExpected = mayEnd;
    const onEnd = (end: NodeEnd): void => {
      this.#process = null;
      this.#lastEnd = end;
      this.#isPaused = false;
      if (!this.#isEndExpected) this.#options.onUnexpectedEnd(this, end);
    };
    child.once("exit", (code, signal) => {
      onEnd(code ?? signal ?? "SIGKILL");
    });
    child.once("error", () => {
      onEnd(1);
    });
  }

  /** SIGSTOP. */
  pause(): void {
    process.kill(this.pid, "SIGSTOP");
    this.#isPaused = true;
  }

  /** SIGCONT, where it is paused. */
  resume(): void {
    if (!this.#isPaused) return;
    process.kill(this.pid, "SIGCONT");
    this.#isPaused = false;
  }

  /** Ends it and waits until it is gone. */
  async end(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<NodeEnd | null> {
    const child = this.#process;
    if (child === null) return null;
    const ended = this.awaitEnd();
    child.kill(signal);
    if (this.#isPaused && signal !== "SIGKILL") this.resume();
    return await ended;
  }

  /** Says that its end is meant to come, and waits for it; null: it does not in that time. */
  async awaitEnd(timeoutMs?: number): Promise<NodeEnd | null> {
    const child = this.#process;
    if (child === null) return this.#lastEnd;
    this.allowEnd();
    const options = timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) };
    try {
      await once(child, "exit", options);
    } catch {
      return null;
    }
    return this.#lastEnd;
  }

  /** From here on it may end by itself, until {@link ChaosNode.expectNoEnd}. */
  allowEnd(): void {
    this.#isEndExpected = true;
  }

  /** From here on its end is unexpected again. */
  expectNoEnd(): void {
    this.#isEndExpected = false;
  }

  /** How long its log is now: where what it says next will begin. */
  logLength(): number {
    return this.#log().length;
  }

  /** The lines that it logged since its log had this length. */
  loggedSince(length: number): Record<string, unknown>[] {
    return this.#log()
      .slice(length)
      .split("\n")
      .flatMap((line) => {
        try {
          const parsed: unknown = JSON.parse(line);
          return typeof parsed === "object" && parsed !== null ? [{ ...parsed }] : [];
        } catch {
          // Not all that a dying process prints is a line of the log.
          return [];
        }
      });
  }

  /** What it complained about since its log had this length: a warning, or why it ended. */
  complaintSince(length: number, about: RegExp): string | null {
    const line = this.loggedSince(length).find(
      (one) => GRAVE_LEVELS.includes(String(one["level"])) && about.test(JSON.stringify(one)),
    );
    return line === undefined ? null : String(line["msg"]);
  }

  #log(): string {
    try {
      return readFileSync(this.logFile, "latin1");
    } catch {
      return "";
    }
  }
}
