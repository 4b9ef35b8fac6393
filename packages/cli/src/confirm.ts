import { createInterface } from "node:readline/promises";

import type { CommandContext } from "./context.ts";
import { CommandError } from "./errors.ts";

/**
 * Asks before something is deleted. `-y` answers yes; without a terminal nobody can be asked.
 *
 * @throws CommandError `usage` without a terminal and `-y`, `failed` for any answer but yes.
 */
export async function confirm(
  context: CommandContext,
  question: string,
  isAnswered: boolean,
): Promise<void> {
  if (isAnswered) return;
  if (context.stdin.isTTY !== true) {
    throw new CommandError("usage", `${question} Nobody can be asked here: add -y`, {
      why: ["stdin is not a terminal"],
    });
  }
  const prompt = createInterface({ input: context.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${question} [y/N] `);
    if (/^y(?:es)?$/iu.test(answer.trim())) return;
  } finally {
    prompt.close();
  }
  throw new CommandError("failed", "not confirmed: nothing was changed");
}
