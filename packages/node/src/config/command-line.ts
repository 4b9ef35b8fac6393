import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ConfigFault } from "./config-error.ts";
import { ConfigError } from "./config-error.ts";
import type { NodeConfig, RawSettings } from "./node-config.ts";
import { parseNodeConfig } from "./node-config.ts";
import { SETTINGS } from "./settings.ts";

/** What the daemon was asked to do. */
export type CommandLine =
  | { readonly kind: "help" | "version" }
  | { readonly kind: "run"; readonly config: NodeConfig };

const OPTIONS = {
  config: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  ...Object.fromEntries(
    Object.entries(SETTINGS).map(([key, { placeholder }]) => [
      key,
      { type: placeholder === null ? ("boolean" as const) : ("string" as const) },
    ]),
  ),
} as const;

/**
 * Reads the daemon's arguments and the configuration file that they name.
 *
 * @throws ConfigError with every fault of both.
 */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: OPTIONS,
    // What is unknown or has no value becomes a fault of its own: all are told at once.
    strict: false,
    allowPositionals: true,
  });
  const { config: path, help, version, ...flags } = values as RawSettings;
  if (help === true) return { kind: "help" };
  if (version === true) return { kind: "version" };
  const faults: ConfigFault[] = positionals.map((argument) => ({
    key: argument,
    problem: "is not a flag",
    remedy: "flags begin with --; see quorated --help",
  }));
  const file = path === undefined ? {} : readConfigFile(path, faults);
  return { kind: "run", config: parseWith(faults, () => parseNodeConfig(flags, file)) };
}

function parseWith(faults: readonly ConfigFault[], parse: () => NodeConfig): NodeConfig {
  let config: NodeConfig;
  try {
    config = parse();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError([...faults, ...error.faults]);
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

function readConfigFile(path: unknown, faults: ConfigFault[]): RawSettings {
  if (typeof path !== "string") {
    faults.push({ key: "config", problem: "has no value", remedy: "--config FILE" });
    return {};
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const problem = `${path} cannot be read: ${error instanceof Error ? error.message : "unknown"}`;
    faults.push({ key: "config", problem, remedy: "the path of a file with one JSON object" });
    return {};
  }
  if (!isRecord(content)) {
    faults.push({
      key: "config",
      problem: `${path} does not hold an object`,
      remedy: 'one JSON object, as in {"name": "n1"}',
    });
    return {};
  }
  return content;
}

function isRecord(content: unknown): content is Record<string, unknown> {
  return typeof content === "object" && content !== null && !Array.isArray(content);
}
