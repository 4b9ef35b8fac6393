import type { LocalCluster } from "./local-cluster/local-cluster.ts";
import type { Environment } from "./local-cluster/state-directory.ts";
import type { OutputFormat, Printer, TextSink } from "./output/printer.ts";

/** Flags that every command takes, checked. */
export interface GlobalOptions {
  /** From `--endpoints`; null: not given. */
  readonly endpoints: readonly string[] | null;
  /** From `--name` or QUORATE_CLUSTER; null: not given. */
  readonly clusterName: string | null;
  /** Whether the name was given by `--name`, which goes before QUORATE_ENDPOINTS. */
  readonly clusterNameFlagged: boolean;
  readonly timeoutMs: number;
  readonly output: OutputFormat;
  readonly color: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** Ctrl-C and SIGTERM. Unclaimed they end the process at once. */
export interface Interrupts {
  /** For a command that cleans up: the signal aborts at the first one, a second one ends all. */
  claim(): AbortSignal;
  /** For a command that handles signals by itself. */
  leaveToCommand(): void;
}

/** The process around a command, so that tests can put another one there. */
export interface Surroundings {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly environment: Environment;
  readonly interrupts: Interrupts;
}

/** What a command works with. */
export interface CommandContext extends Surroundings {
  readonly options: GlobalOptions;
  readonly printer: Printer;
  readonly stateRoot: string;
}

/** The nodes that a command talks to, and which rule chose them. */
export interface Target {
  readonly endpoints: readonly string[];
  /** For error messages: `from --endpoints`, `the local cluster "demo"`, … */
  readonly rule: string;
  /** Null: not chosen through a local cluster. */
  readonly cluster: LocalCluster | null;
}
