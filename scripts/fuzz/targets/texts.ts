import { HistoryError, parseHistory } from "@quorate/wire/history";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { runCommandLine } from "../../../packages/cli/src/command-line.ts";
import { addAllCommands } from "../../../packages/cli/src/commands/index.ts";
import { CommandError } from "../../../packages/cli/src/errors.ts";
import { readClusterFile } from "../../../packages/cli/src/local-cluster/cluster-file.ts";
import { readRunFile } from "../../../packages/cli/src/local-cluster/run-file.ts";
import { readCommandLine } from "../../../packages/node/src/config/command-line.ts";
import { ConfigError } from "../../../packages/node/src/config/config-error.ts";
import type { Target } from "../target.ts";
import { hold } from "../target.ts";
import { ARGUMENT_MUTATIONS, ARGUMENT_SEPARATOR, JSON_MUTATIONS } from "../text-mutations.ts";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

const LIMIT_MS = 500;

function textTarget(
  name: string,
  seeds: readonly string[],
  check: (text: string, input: Uint8Array) => string | Promise<string>,
): Target {
  return {
    name,
    seeds: seeds.map((seed) => ENCODER.encode(seed)),
    mutations: JSON_MUTATIONS,
    limitMs: LIMIT_MS,
    check: (input) => check(DECODER.decode(input), input),
  };
}

/** What is kept of a message: how it begins. */
function gist(message: string): string {
  return message.replaceAll(/"[^"]*"|\d+/gu, "#").slice(0, 60);
}

const NODE_CONFIG = {
  name: "n1",
  "data-dir": "data",
  "cluster-id": "demo",
  "initial-cluster": "n1=127.0.0.1:7001,n2=127.0.0.1:7002,n3=127.0.0.1:7003",
  "tick-ms": 10,
  "heartbeat-ms": 50,
  "election-timeout-ms": 300,
  "lease-reads": true,
  "log-level": "info",
};

/** The daemon's configuration file, and its arguments. */
export function daemonTargets(): Target[] {
  const folder = mkdtempSync(join(tmpdir(), "quorate-fuzz-"));
  const path = join(folder, "node.json");
  const file = textTarget(
    "node-config",
    [JSON.stringify(NODE_CONFIG), JSON.stringify({ ...NODE_CONFIG, listen: "[::1]:1" })],
    (_, input) => {
      writeFileSync(path, input);
      return checkDaemon(["--config", path]);
    },
  );
  const args = Object.entries(NODE_CONFIG).flatMap(([key, value]) =>
    value === true ? [`--${key}`] : [`--${key}`, String(value)],
  );
  const line: Target = {
    name: "quorated-arguments",
    seeds: [args, ["--help"], ["--version"]].map((each) =>
      ENCODER.encode(each.join(ARGUMENT_SEPARATOR)),
    ),
    mutations: ARGUMENT_MUTATIONS,
    limitMs: LIMIT_MS,
    check: (input) => checkDaemon(DECODER.decode(input).split(ARGUMENT_SEPARATOR)),
  };
  const close = (): Promise<void> => {
    rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  };
  return [{ ...file, close }, line];
}

function checkDaemon(args: readonly string[]): string {
  try {
    const line = readCommandLine(args);
    if (line.kind !== "run") return `ok ${line.kind}`;
    const { electionTimeoutMs, heartbeatIntervalMs, tickIntervalMs } = line.config;
    const times = [electionTimeoutMs, heartbeatIntervalMs, tickIntervalMs];
    hold(
      times.every((ms) => Number.isSafeInteger(ms) && ms > 0),
      () => `times of ${times.join(", ")} ms`,
    );
    return "ok run";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    hold(error.faults.length > 0, () => "refused without a fault");
    const problems = new Set(error.faults.map(({ problem }) => gist(problem)));
    return `refused ${[...problems].slice(0, 3).join("; ")}`;
  }
}

const CLUSTER_FILE = {
  formatVersion: 2,
  clusterId: "c1",
  createdAt: "2026-01-01T00:00:00.000Z",
  directory: "/nowhere",
  bootstrapped: true,
  removedIds: ["n4"],
  nodes: [
    { id: "n1", host: "127.0.0.1", port: 7001, joining: false },
    { id: "n2", host: "127.0.0.1", port: 7002 },
  ],
};

const RUN_FILE = {
  pid: 17,
  startTime: "12345",
  bootId: null,
  address: "127.0.0.1:7001",
  softwareVersion: "0.1.0",
  startedAt: "2026-01-01T00:00:00.000Z",
  lastExit: { at: "2026-01-01T00:00:01.000Z", reason: "SIGKILL by quorate kill" },
};

/** What the command keeps of its local clusters. */
export function clusterFileTargets(): Target[] {
  const root = mkdtempSync(join(tmpdir(), "quorate-fuzz-"));
  mkdirSync(join(root, "demo"));
  const file = textTarget(
    "cluster-file",
    [JSON.stringify(CLUSTER_FILE), JSON.stringify({ ...CLUSTER_FILE, formatVersion: 1 })],
    (_, input) => {
      writeFileSync(join(root, "demo", "cluster.json"), input);
      return commandErrors(() => readClusterFile(root, "demo")?.nodes.length);
    },
  );
  const run = textTarget("run-file", [JSON.stringify(RUN_FILE)], (_, input) => {
    writeFileSync(join(root, "run.json"), input);
    return commandErrors(() => readRunFile(root)?.lastExit === null);
  });
  const close = (): Promise<void> => {
    rmSync(root, { recursive: true, force: true });
    return Promise.resolve();
  };
  return [{ ...file, close }, run];
}

function commandErrors(read: () => unknown): string {
  try {
    return `ok ${String(read())}`;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return `refused ${gist(error.message.replace(/^\S+ /u, ""))}`;
  }
}

const COMMAND_LINES = [
  ["up", "-n", "3", "--name", "demo"],
  ["put", "key", "value", "--if-revision", "3", "--endpoints", "127.0.0.1:1"],
  ["get", "key", "--stale", "-o", "json"],
  ["status", "--timeout", "2s", "-v"],
  ["partition", "n1", "--ttl", "5s"],
  ["add-node", "--learner"],
  ["member", "list", "--no-color"],
  ["kill", "leader", "-q"],
  ["logs", "n1", "-f"],
  ["help", "put"],
  ["--help"],
] as const;

/** The arguments of the command: what is understood is not run. */
export function commandLineTarget(): Target {
  return {
    name: "quorate-arguments",
    seeds: [["--help"], ["help"], ["--version"], ["ps"], ["status", "--timeout", "2s"]].map(
      (args) => ENCODER.encode(args.join(ARGUMENT_SEPARATOR)),
    ),
    mutations: [
      ...ARGUMENT_MUTATIONS,
      (_, dice) => ENCODER.encode(dice.pick(COMMAND_LINES).join(ARGUMENT_SEPARATOR)),
    ],
    limitMs: LIMIT_MS,
    check: async (input) => {
      const args = DECODER.decode(input).split(ARGUMENT_SEPARATOR);
      let [stdout, stderr] = ["", ""];
      const code = await runCommandLine(
        args,
        {
          stdin: Readable.from([]),
          stdout: { write: (chunk) => (stdout += String(chunk)) },
          stderr: { write: (chunk) => (stderr += String(chunk)) },
          environment: { XDG_STATE_HOME: "/nowhere" },
          interrupts: {
            claim: () => new AbortController().signal,
            leaveToCommand: () => undefined,
          },
        },
        (line) => {
          addAllCommands({ ...line, act: () => Promise.resolve() });
        },
      );
      if (code === 0) return `ok ${stdout.length > 0}`;
      hold(code === 2, () => `exit code ${code}: ${stderr.slice(0, 300)}`);
      hold(/error:|"code":/u.test(stderr), () => `no word of why: ${stderr.slice(0, 300)}`);
      return `refused ${gist(stderr)}`;
    },
  };
}

const HISTORIES = [
  { history: 1, note: "made by hand" },
  {
    client: "c1",
    call: 1,
    return: 5,
    op: { kind: "put", key: "k", value: "v1" },
    outcome: "ok",
    result: { revision: 1 },
    index: 3,
  },
  {
    client: "c2",
    call: 2.5,
    return: 6,
    op: { kind: "get", key: "k" },
    outcome: "ok",
    result: { value: { b64: "AP8=" }, revision: 1 },
  },
  { client: "c3", call: 7, op: { kind: "delete", key: "k", ifRevision: 2 }, outcome: "info" },
  {
    client: "c4",
    call: 8,
    return: 9,
    op: { kind: "cas", key: "k", expect: null, value: "w" },
    outcome: "fail",
  },
] as const;

/** Recorded histories of clients. */
export function historyTarget(): Target {
  const whole = HISTORIES.map((line) => JSON.stringify(line));
  return textTarget(
    "history",
    [whole.join("\n"), whole.slice(1, 3).join("\n"), ""],
    async (text) => {
      try {
        const history = await parseHistory(text.split("\n"));
        const lines = [history.header, ...history.operations].map((line) => JSON.stringify(line));
        const again = await parseHistory(lines);
        hold(isDeepStrictEqual(again, history), () => "the history is another after a trip");
        const kinds = history.operations.map(({ op, outcome }) => `${op.kind} ${outcome}`);
        return `ok ${[...new Set(kinds)].toSorted().join(", ")}`;
      } catch (error) {
        if (!(error instanceof HistoryError)) throw error;
        return `refused ${error.code} ${error.field?.replaceAll(/\d+/gu, "#") ?? ""}`;
      }
    },
  );
}
