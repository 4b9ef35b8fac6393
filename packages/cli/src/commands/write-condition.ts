import type { Command } from "commander";

import { wholeNumberArgument } from "../command-line.ts";
import { CommandError } from "../errors.ts";

/** Flags of a conditional write. */
export interface ConditionFlags {
  readonly ifRev?: number;
  readonly ifAbsent?: boolean;
}

/** The revision that the key must have; 0: there must be no such key. Null: whatever it has. */
export function ifRevisionOf({ ifRev, ifAbsent }: ConditionFlags): number | null {
  if (ifAbsent !== true) return ifRev ?? null;
  if (ifRev === undefined) return 0;
  throw new CommandError("usage", "--if-rev and --if-absent cannot both hold", {
    why: ["a key that does not exist has no revision"],
  });
}

/** Adds `--if-rev`. Exit code 7 where it does not hold. */
export function addIfRevision(command: Command): Command {
  return command.option(
    "--if-rev <n>",
    "only where this is the key's modRevision (get -o json); else exit code 7",
    wholeNumberArgument("--if-rev", 1, 999_999_999),
  );
}
