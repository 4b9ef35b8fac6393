import { addAllCommands } from "./commands/index.ts";
import { runCommandLine } from "./command-line.ts";
import { installInterrupts } from "./interrupts.ts";

process.stdout.on("error", endQuietlyOnClosedPipe);
process.stderr.on("error", endQuietlyOnClosedPipe);

/** `quorate … | head` closes the pipe early: that is no failure of this command. */
function endQuietlyOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit();
}

process.exitCode = await runCommandLine(
  process.argv.slice(2),
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    interrupts: installInterrupts(),
  },
  addAllCommands,
);

// All work is done: only connections to nodes that are paused may still wait for an orderly end.
// Everything that was printed leaves first.
process.stdout.write("", () => process.stderr.write("", () => process.exit()));
