import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

/** Whether this machine has a terminal emulator for tests. */
export const HAS_TMUX: boolean = spawnSync("tmux", ["-V"]).status === 0;

const LOOK_EVERY_MS = 20;

/** What tmux tells of its pane besides the text. */
export interface PaneState {
  readonly isAlternate: boolean;
  readonly isCursorShown: boolean;
}

/** A real terminal of its own tmux server, with one command in it. It ends with the test. */
export class Tmux {
  readonly #socket: string;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#socket = join(directory, "tmux");
  }

  /** Runs `command` in a terminal of that size; what it exits with is printed below it. */
  static start(
    context: TestContext,
    command: readonly string[],
    options: {
      readonly columns: number;
      readonly rows: number;
      readonly environment: Readonly<Record<string, string>>;
    },
  ): Tmux {
    const tmux = new Tmux(mkdtempSync(join(tmpdir(), "quorate-tmux-")));
    context.after(() => tmux.#end());
    const { CI: _ci, NO_COLOR: _colour, TMUX: _tmux, ...inherited } = process.env;
    const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    const pidFile = `'${join(tmux.#directory, "pid")}'`;
    const inner = `echo $$ > ${pidFile}; exec "$@"`;
    const script = `sh -c '${inner.replaceAll("'", `'\\''`)}' sh ${words}; echo "exit code $?"; exec cat`;
    const size = ["-x", String(options.columns), "-y", String(options.rows)];
    execFileSync(
      "tmux",
      ["-S", tmux.#socket, "-f", "/dev/null", "new-session", "-d", ...size, script],
      {
        env: { ...inherited, ...options.environment, LC_ALL: "C.UTF-8" },
      },
    );
    return tmux;
  }

  /** The process of the command. */
  get pid(): number {
    return Number(readFileSync(join(this.#directory, "pid"), "utf8"));
  }

  text(): string {
    return this.#run("capture-pane", "-p");
  }

  pane(): PaneState {
    const flags = this.#run("display-message", "-p", "#{alternate_on} #{cursor_flag}").trim();
    const [alternate, cursor] = flags.split(" ");
    return { isAlternate: alternate === "1", isCursorShown: cursor === "1" };
  }

  /** Presses keys by tmux's names: "x", "Enter", "C-c". */
  press(...keys: readonly string[]): void {
    this.#run("send-keys", ...keys);
  }

  type(text: string): void {
    this.#run("send-keys", "-l", text);
  }

  resize(columns: number, rows: number): void {
    this.#run("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Resolves with the milliseconds until the screen shows `pattern`; rejects after `withinMs`. */
  async shows(pattern: RegExp, withinMs = 10_000): Promise<number> {
    const startedAt = performance.now();
    for (;;) {
      const text = this.text();
      const tookMs = performance.now() - startedAt;
      if (pattern.test(text)) {
        return tookMs;
      }
      if (tookMs > withinMs) {
        throw new Error(`the terminal did not show ${pattern} within ${withinMs} ms:\n${text}`);
      }
      // Another process draws: its screen can only be looked at.
      await pause(LOOK_EVERY_MS);
    }
  }

  #run(...args: readonly string[]): string {
    return execFileSync("tmux", ["-S", this.#socket, ...args], { encoding: "utf8" });
  }

  #end(): void {
    spawnSync("tmux", ["-S", this.#socket, "kill-server"]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
