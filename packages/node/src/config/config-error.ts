/** One thing that is wrong with a node's configuration. */
export interface ConfigFault {
  /** The setting (`data-dir`), or the file or argument, that is at fault. */
  readonly key: string;
  readonly problem: string;
  /** What to write instead. */
  readonly remedy: string;
}

/** Every fault of a configuration, so that they are repaired in one go. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "config";
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map((fault) => `${fault.key}: ${fault.problem}`).join("; "));
    this.faults = faults;
  }
}

/** The faults for a person at a terminal: what is wrong and what to write, a pair of lines each. */
export function formatConfigError(error: ConfigError): string {
  const count = error.faults.length;
  const head = `error: ${count} ${count === 1 ? "fault" : "faults"} in the configuration`;
  const lines = error.faults.map(
    (fault) => `  ${fault.key}: ${fault.problem}\n    try: ${fault.remedy}`,
  );
  return [head, ...lines, ""].join("\n");
}
