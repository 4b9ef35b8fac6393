import { Command, CommanderError, Help, Option } from "commander";

import type { CommandContext, GlobalOptions, Surroundings } from "./context.ts";
import { parseDuration } from "./durations.ts";
import { CommandError, printError } from "./errors.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { checkClusterName } from "./local-cluster/cluster-file.ts";
import { stateRootOf } from "./local-cluster/state-directory.ts";
import type { OutputFormat } from "./output/printer.ts";
import { OUTPUT_FORMATS, Printer } from "./output/printer.ts";
import { parseEndpoints } from "./target.ts";
import { softwareVersion } from "./version.ts";

/** What commands are hung on. */
export interface CommandLine {
  readonly program: Command;
  readonly surroundings: Surroundings;
  /**
   * Wraps the body of a command: builds its context, and takes what it resolves with for the exit
   * code (nothing: 0).
   */
  readonly act: (body: (context: CommandContext) => Promise<number | void> | void) => Promise<void>;
}

interface RawGlobalOptions {
  readonly endpoints?: readonly string[];
  readonly name?: string;
  readonly timeout: number;
  readonly output: OutputFormat;
  readonly color: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** Reads a duration for commander. */
export function durationArgument(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== null) return durationMs;
  throw new CommandError("usage", `"${text}" is not a duration`, {
    why: ["a duration is a number and a unit, at most 24h"],
    try: ["500ms", "5s", "1m"],
  });
}

/** Reads a whole number for commander. */
export function wholeNumberArgument(name: string, min: number, max: number) {
  return (text: string): number => {
    const value = /^\d{1,9}$/u.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new CommandError(
      "usage",
      `${name}: "${text}" is not a whole number from ${min} to ${max}`,
    );
  };
}

function outputArgument(text: string): OutputFormat {
  const format = OUTPUT_FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  throw new CommandError("usage", `"${text}" is not an output format`, {
    try: OUTPUT_FORMATS.map((known) => `-o ${known}`),
  });
}

function addGlobalOptions(program: Command): void {
  const endpoints = (text: string): string[] => parseEndpoints(text, "--endpoints");
  program
    .optionsGroup("Global options:")
    .addOption(
      new Option("--endpoints <host:port,…>", "nodes to talk to (env QUORATE_ENDPOINTS)").argParser(
        endpoints,
      ),
    )
    .addOption(
      new Option("--name <cluster>", "local cluster")
        .env("QUORATE_CLUSTER")
        .argParser(checkClusterName),
    )
    .addOption(
      new Option("--timeout <duration>", "longest wait for an answer: 500ms, 5s, 1m")
        .env("QUORATE_TIMEOUT")
        .default(5_000, "5s")
        .argParser(durationArgument),
    )
    .addOption(
      new Option("-o, --output <format>", OUTPUT_FORMATS.join(", "))
        .env("QUORATE_OUTPUT")
        .default("simple")
        .argParser(outputArgument),
    )
    .option("--no-color", "no colours (env NO_COLOR)")
    .option("-q, --quiet", "only results and errors", false)
    .option("-v, --verbose", "on stderr: which endpoints were chosen, and why", false)
    .helpOption("-h, --help", "show the help of a command");
}

function globalOptionsOf(program: Command): GlobalOptions {
  const raw = program.opts<RawGlobalOptions>();
  return {
    endpoints: raw.endpoints ?? null,
    clusterName: raw.name ?? null,
    clusterNameFlagged: program.getOptionValueSource("name") === "cli",
    timeoutMs: raw.timeout,
    output: raw.output,
    color: raw.color,
    quiet: raw.quiet,
    verbose: raw.verbose,
  };
}

function printerFor(surroundings: Surroundings, options: GlobalOptions): Printer {
  const { stdout, stderr, environment } = surroundings;
  const { color, quiet, verbose } = options;
  return new Printer({
    stdout,
    stderr,
    environment,
    color,
    quiet,
    verbose,
    format: options.output,
  });
}

/** What commander says of a wrong command line, in this program's own form. */
function usageError(
  error: CommanderError,
  program: Command,
  args: readonly string[],
): CommandError {
  const [first = "", ...rest] = error.message.replace(/^error: /u, "").split("\n");
  const suggestions = rest
    .flatMap(
      (line) => /Did you mean (?:one of )?(?<names>.+)\?/u.exec(line)?.groups?.["names"] ?? [],
    )
    .flatMap((names) => names.split(", "));
  const command = args.find((argument) => program.commands.some((c) => c.name() === argument));
  const helpCommand = command === undefined ? "quorate --help" : `quorate ${command} --help`;
  return new CommandError("usage", first, {
    try: [...suggestions.map((name) => describeSuggestion(name, command)), helpCommand],
    cause: error,
  });
}

function describeSuggestion(name: string, command: string | undefined): string {
  if (!name.startsWith("-")) return `quorate ${name}`;
  return command === undefined ? `quorate ${name}` : `quorate ${command} ${name}`;
}

function toCommandError(error: unknown, program: Command, args: readonly string[]): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof CommanderError) return usageError(error, program, args);
  const what = error instanceof Error ? error.message : String(error);
  return new CommandError("failed", what, { cause: error });
}

/** A command's own options, then the global ones under the same heading as in the overview. */
function helpFormat(): Partial<Help> {
  const help = new Help();
  return {
    showGlobalOptions: true,
    // Commander puts it under the global heading a second time, alone.
    visibleOptions: (command) =>
      help
        .visibleOptions(command)
        .filter((option) => command.parent === null || option.long !== "--help"),
    optionDescription: (option) => help.optionDescription(option).replace(" (default: false)", ""),
    styleTitle: (title) => (title === "Global Options:" ? "Global options:" : title),
  };
}

/** Runs a command line. Resolves with the exit code after everything was written. */
export async function runCommandLine(
  args: readonly string[],
  surroundings: Surroundings,
  addCommands: (line: CommandLine) => void,
): Promise<number> {
  let exitCode = exitCodeOf("done");
  const program = new Command("quorate");
  const line: CommandLine = {
    program,
    surroundings,
    act: async (body) => {
      const options = globalOptionsOf(program);
      const printer = printerFor(surroundings, options);
      const stateRoot = stateRootOf(surroundings.environment);
      exitCode = (await body({ ...surroundings, options, printer, stateRoot })) ?? exitCode;
    },
  };
  program
    .version(softwareVersion(), "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      // Errors are printed below, once, in the form that was asked for.
      writeErr: () => undefined,
      outputError: () => undefined,
    })
    .helpCommand(false)
    .configureHelp(helpFormat());
  addGlobalOptions(program);
  addCommands(line);
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (isHelpOrVersion(error)) return exitCodeOf("done");
    if (isWithoutCommand(error)) {
      program.outputHelp();
      return exitCodeOf("done");
    }
    return reportFailure(error, { program, args, surroundings });
  }
}

function isHelpOrVersion(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

/** The overview is what a newcomer needs who types only `quorate`: no failure. */
function isWithoutCommand(error: unknown): boolean {
  return error instanceof CommanderError && error.code === "commander.help";
}

interface Failed {
  readonly program: Command;
  readonly args: readonly string[];
  readonly surroundings: Surroundings;
}

function reportFailure(error: unknown, failed: Failed): number {
  const known = toCommandError(error, failed.program, failed.args);
  const printer = printerFor(failed.surroundings, globalOptionsOf(failed.program));
  const exitCode = exitCodeOf(known.code);
  printError(printer, known, exitCode);
  const isSurprise = known.code === "failed" && known.cause !== undefined;
  if (isSurprise && known.cause instanceof Error) printer.trace(known.cause.stack ?? "");
  return exitCode;
}
