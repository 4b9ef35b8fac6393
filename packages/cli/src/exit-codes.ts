/** Name of a row of {@link EXIT_CODES}. */
export type ExitReason =
  | "done"
  | "failed"
  | "usage"
  | "notFound"
  | "unreachable"
  | "notApplied"
  | "outcomeUnknown"
  | "conditionFalse"
  | "checkFailed"
  | "localConflict"
  | "interrupted"
  | "terminated";

interface ExitCode {
  readonly code: number;
  /** What a script may conclude from it. */
  readonly meaning: string;
}

/**
 * Every way in which the command can end: used by the code, by `quorate help exit-codes` and by
 * the tests. 5 and 6 are kept apart because only after 5 may a write be repeated blindly.
 */
export const EXIT_CODES: Readonly<Record<ExitReason, ExitCode>> = {
  done: { code: 0, meaning: "done" },
  failed: { code: 1, meaning: "the command was refused or failed" },
  usage: { code: 2, meaning: "unknown command or flag, or a bad value" },
  notFound: { code: 3, meaning: "not found: no such key, node or local cluster" },
  unreachable: { code: 4, meaning: "no node could be reached" },
  notApplied: {
    code: 5,
    meaning: "nodes are there, but none accepted the request in time: nothing was applied",
  },
  outcomeUnknown: {
    code: 6,
    meaning: "the request was sent and no answer came: it may or may not be applied",
  },
  conditionFalse: { code: 7, meaning: "the condition of a conditional write was false" },
  checkFailed: { code: 8, meaning: "a check failed, or what was waited for did not come in time" },
  localConflict: {
    code: 9,
    meaning: "conflict on this machine: a taken port, another shape of cluster, a held lock",
  },
  interrupted: { code: 130, meaning: "interrupted (SIGINT)" },
  terminated: { code: 143, meaning: "terminated (SIGTERM)" },
};

/** The number that the process ends with. */
export function exitCodeOf(reason: ExitReason): number {
  return EXIT_CODES[reason].code;
}

/** The table as `quorate help exit-codes` prints it. */
export function describeExitCodes(): string {
  const rows = Object.values(EXIT_CODES).map(
    ({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`,
  );
  return `Exit codes\n${rows.join("\n")}\n`;
}
