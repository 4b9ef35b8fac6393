import { spawn } from "node:child_process";
import { once } from "node:events";

/** How a short program ended, and all that it printed. */
interface CommandResult {
  /** Null: it was ended by a signal, or cannot be run at all. */
  readonly code: number | null;
  readonly output: string;
}

interface CommandOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 20_000;

/** Runs a program to its end. Never rejects: a program that is not there is a result as well. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    env: { ...process.env, ...options.environment },
  });
  let output = "";
  const append = (text: string): void => {
    output += text;
  };
  child.stdout.setEncoding("utf8").on("data", append);
  child.stderr.setEncoding("utf8").on("data", append);
  // A program that ends without reading its input is no error of ours.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  try {
    await once(child, "close");
  } catch (error) {
    return { code: null, output: error instanceof Error ? error.message : "cannot be run" };
  }
  return { code: child.exitCode, output: output.trim() };
}

/** Runs a program that has to succeed. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, output } = await runCommand(program, args, options);
  if (code === 0) return output;
  throw new Error(`${program} ${args.join(" ")} ended with ${code ?? "a signal"}: ${output}`);
}
