import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readCommandLine } from "../../src/config/command-line.ts";
import { ConfigError, formatConfigError } from "../../src/config/config-error.ts";
import { helpText } from "../../src/config/help.ts";
import { parseNodeConfig } from "../../src/config/node-config.ts";
import { SETTINGS } from "../../src/config/settings.ts";

const VALID = {
  name: "n2",
  "data-dir": "/var/lib/quorate",
  "cluster-id": "demo",
  "initial-cluster": "n2=127.0.0.1:7002,n1=127.0.0.1:7001",
};

function faultsOf(parse: () => unknown): ConfigError {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  return assert.fail("no fault was found");
}

test("NodeConfig: fills in the documented defaults", () => {
  assert.deepEqual(parseNodeConfig(VALID, {}), {
    nodeId: "n2",
    dataDirectory: "/var/lib/quorate",
    listenAddress: "127.0.0.1:7002",
    advertiseAddress: "127.0.0.1:7002",
    clusterId: "demo",
    initialCluster: [
      { id: "n1", address: "127.0.0.1:7001" },
      { id: "n2", address: "127.0.0.1:7002" },
    ],
    bootstrap: false,
    join: false,
    tickIntervalMs: 10,
    heartbeatIntervalMs: 50,
    electionTimeoutMs: 300,
    leaseReads: false,
    snapshotLogBytes: 67_108_864,
    snapshotSendBytesPerSecond: 67_108_864,
    trailingEntries: 10_000,
    allowFaults: false,
    logLevel: "info",
    logFile: null,
  });
});

test("NodeConfig: reports every fault at once, each with a remedy", () => {
  const flags = {
    name: "-n1",
    listen: "7001",
    "heartbeat-ms": "55",
    "election-timeout-ms": "100",
    "initial-cluster": "n1=127.0.0.1:7001,n1=127.0.0.1:7002",
    "log-level": "loud",
    turbo: "yes",
  };
  const error = faultsOf(() => parseNodeConfig(flags, {}));
  assert.deepEqual(error.faults.map((fault) => fault.key).toSorted(), [
    "cluster-id",
    "data-dir",
    "election-timeout-ms",
    "heartbeat-ms",
    "initial-cluster",
    "listen",
    "log-level",
    "name",
    "turbo",
  ]);
  for (const fault of error.faults) assert.notEqual(fault.remedy, "", fault.key);
  const text = formatConfigError(error);
  assert.match(text, /^error: 9 faults in the configuration\n/u);
  assert.match(text, /n1 is named twice/u);
});

test("NodeConfig: an election timeout below three heartbeats is refused (Raft §5.6)", () => {
  const flags = { ...VALID, "heartbeat-ms": "50", "election-timeout-ms": "140" };
  const error = faultsOf(() => parseNodeConfig(flags, {}));
  assert.deepEqual(
    error.faults.map((fault) => fault.key),
    ["election-timeout-ms"],
  );
  assert.match(error.faults[0]?.remedy ?? "", /at least 150/u);
  parseNodeConfig({ ...flags, "election-timeout-ms": "150" }, {});
});

test("NodeConfig: intervals are whole numbers of ticks", () => {
  const error = faultsOf(() => parseNodeConfig({ ...VALID, "tick-ms": "20" }, {}));
  assert.match(error.faults[0]?.problem ?? "", /50 ms is not a whole number of ticks of 20 ms/u);
});

test("NodeConfig: the initial cluster names this node", () => {
  const error = faultsOf(() => parseNodeConfig({ ...VALID, name: "n9" }, {}));
  assert.match(error.faults[0]?.remedy ?? "", /n9=host:port.*n1, n2/u);
});

test("NodeConfig: a node is bootstrapped with the first members or joins later, not both", () => {
  const error = faultsOf(() => parseNodeConfig({ ...VALID, bootstrap: true, join: true }, {}));
  assert.deepEqual(
    error.faults.map((fault) => fault.key),
    ["join"],
  );
  assert.equal(parseNodeConfig({ ...VALID, join: true }, {}).join, true);
});

test("command line: flags win over the file, and both are checked together", () => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-config-"));
  try {
    const path = join(folder, "n1.json");
    writeFileSync(
      path,
      JSON.stringify({
        name: "n1",
        "data-dir": folder,
        "cluster-id": "demo",
        "initial-cluster": { n1: "127.0.0.1:7001" },
        "tick-ms": 5,
        "log-level": "debug",
      }),
    );
    const parsed = readCommandLine(["--config", path, "--log-level", "warn", "--bootstrap"]);
    assert.ok(parsed.kind === "run");
    assert.equal(parsed.config.tickIntervalMs, 5);
    assert.equal(parsed.config.logLevel, "warn");
    assert.equal(parsed.config.bootstrap, true);

    const faulty = faultsOf(() => readCommandLine(["--config", path, "--tick-ms", "x", "stray"]));
    assert.deepEqual(
      faulty.faults.map((fault) => fault.key),
      ["stray", "tick-ms"],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("command line: a file that cannot be read or is no object is a fault beside the others", () => {
  const error = faultsOf(() => readCommandLine(["--config", "/nonexistent/n1.json"]));
  assert.equal(error.faults[0]?.key, "config");
  assert.equal(error.faults.length, 5);
});

test("command line: a flag without its value is a fault, not a value", () => {
  const error = faultsOf(() => readCommandLine(["--name", "--data-dir", "/tmp/x"]));
  assert.ok(error.faults.some((fault) => fault.key === "name"));
});

test("help: names every setting and its examples", () => {
  assert.equal(readCommandLine(["--help", "--nonsense"]).kind, "help");
  for (const key of Object.keys(SETTINGS)) assert.ok(helpText().includes(`--${key}`), key);
  for (const line of helpText().split("\n")) assert.ok(line.length <= 100, line);
});
