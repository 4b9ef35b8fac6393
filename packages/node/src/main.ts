import { ListenError } from "@quorate/wire/net";
import type { Logger } from "pino";
import { readCommandLine } from "./config/command-line.ts";
import type { CommandLine } from "./config/command-line.ts";
import { ConfigError, formatConfigError } from "./config/config-error.ts";
import { helpText } from "./config/help.ts";
import type { NodeConfig } from "./config/node-config.ts";
import { createLogger } from "./server/log.ts";
import { endOnDiskFailure, endOnUnhandled, EXIT, stopOnSignals } from "./server/process-end.ts";
import { startServer } from "./server/server.ts";
import { SOFTWARE_VERSION } from "./server/version.ts";
import { StorageError } from "./storage/index.ts";

const asked = readArguments(process.argv.slice(2));
if (asked?.kind === "help") process.stdout.write(helpText());
if (asked?.kind === "version") process.stdout.write(`${SOFTWARE_VERSION}\n`);
if (asked?.kind === "run") await run(asked.config);

function readArguments(args: readonly string[]): CommandLine | null {
  try {
    return readCommandLine(args);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(formatConfigError(error));
    process.exitCode = EXIT.configuration;
    return null;
  }
}

async function run(config: NodeConfig): Promise<void> {
  const log = openLog(config);
  if (log === null) return;
  endOnUnhandled(log);
  log.info({ config }, "starting");
  try {
    const server = await startServer(config, {
      log,
      onFailure: (error) => {
        endOnDiskFailure(log, error);
      },
    });
    stopOnSignals(server, log);
    const { listenAddress: address, bootId } = server;
    const ready = { pid: process.pid, address, bootId, clusterId: config.clusterId };
    log.info(ready, "ready");
    if (config.logFile !== null) createLogger({ ...config, logFile: null }).info(ready, "ready");
  } catch (error) {
    if (!(error instanceof StorageError || error instanceof ListenError)) throw error;
    const exitCode = exitCodeOf(error);
    log.fatal({ code: error.code, exitCode }, error.message);
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = exitCode;
  }
}

function openLog(config: NodeConfig): Logger | null {
  try {
    return createLogger(config);
  } catch (error) {
    const why = error instanceof Error ? error.message : "unknown";
    process.stderr.write(`error: the log cannot be opened: ${why}\n`);
    process.exitCode = EXIT.io;
    return null;
  }
}

function exitCodeOf(error: StorageError | ListenError): number {
  const failed = ["damaged", "full", "io"].includes(error.code);
  return failed ? EXIT.io : EXIT.conflict;
}
