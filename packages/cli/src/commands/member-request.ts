import type { MembersChange } from "@quorate/wire";
import type { ChangeMembersOptions, ChangeMembersResult } from "@quorate/wire/client";

import type { CommandContext, Target } from "../context.ts";
import type { JsonValue } from "../output/json.ts";
import { jsonCount } from "../output/json.ts";
import { requestFrom } from "./keys.ts";

/** What a change of members may be asked with; see the flags of `quorate member`. */
export interface ChangeFlags {
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly ifConfig?: number;
}

export const PLAIN_CHANGE: ChangeFlags = { dryRun: false, force: false };

function optionsOf(flags: ChangeFlags): ChangeMembersOptions {
  const { dryRun, force, ifConfig } = flags;
  return { dryRun, force, expectedConfigurationIndex: ifConfig ?? null };
}

/** Asks the leader for a change of members; resolves when it is committed, or was tried out. */
export function requestChange(
  context: CommandContext,
  target: Target,
  change: MembersChange,
  flags: ChangeFlags,
): Promise<ChangeMembersResult> {
  return requestFrom(context, target, { isWrite: true }, (client) =>
    client.changeMembers(change, optionsOf(flags)),
  );
}

/** Prints what was done, or what would be, step by step. */
export function printChange(
  context: CommandContext,
  change: MembersChange,
  flags: ChangeFlags,
  result: ChangeMembersResult,
): void {
  const { printer } = context;
  const sign = flags.dryRun ? printer.paint("dim", "would") : printer.paint("good", "✓");
  for (const step of result.steps) printer.line(`${sign} ${step}`);
  if (flags.dryRun) printer.line("Nothing was changed (--dry-run).");
  printer.document("MemberChangeResult", changeFields(change, flags, result));
}

function changeFields(
  change: MembersChange,
  flags: ChangeFlags,
  result: ChangeMembersResult,
): Record<string, JsonValue> {
  return {
    change: { ...change },
    dryRun: flags.dryRun,
    configurationIndex: jsonCount(result.configurationIndex),
    steps: result.steps,
  };
}
