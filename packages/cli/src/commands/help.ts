import type { CommandLine } from "../command-line.ts";
import { CommandError } from "../errors.ts";
import { describeExitCodes, EXIT_CODES } from "../exit-codes.ts";
import { softwareVersion } from "../version.ts";

const OVERVIEW_EXAMPLES = `
Examples:
  quorate up                    three nodes on this machine
  quorate put hello world
  quorate kill leader --wait    and see another one take over
  quorate get hello
  quorate dash                  watch it live
  quorate down

More: quorate help exit-codes
`;

/** Adds the examples under the overview, and `help [command]`, `help exit-codes`, `version`. */
export function addHelpCommands({ program, act }: CommandLine): void {
  program.addHelpText("after", OVERVIEW_EXAMPLES);
  program
    .command("help")
    .summary("help on a command, or on exit-codes")
    .argument("[topic]", "name of a command, or exit-codes")
    .action((topic: string | undefined) =>
      act((context) => {
        if (topic === undefined) return program.outputHelp();
        if (topic === "exit-codes") {
          if (context.printer.format !== "json") context.printer.bytes(describeExitCodes());
          const rows = Object.entries(EXIT_CODES).map(([name, row]) => ({ name, ...row }));
          return context.printer.document("ExitCodes", { exitCodes: rows });
        }
        const command = program.commands.find((known) => known.name() === topic);
        if (command !== undefined) return command.outputHelp();
        throw new CommandError("usage", `there is no help on "${topic}"`, {
          try: ["quorate help", "quorate help exit-codes"],
        });
      }),
    );
  program
    .command("version")
    .summary("versions of the command and its runtime")
    .action(() =>
      act(({ printer }) => {
        printer.line(`quorate ${softwareVersion()} (Node.js ${process.version})`);
        printer.document("Version", { quorate: softwareVersion(), node: process.version });
      }),
    );
}
