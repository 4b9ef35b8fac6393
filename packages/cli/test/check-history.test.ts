import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { runCommandLine } from "../src/command-line.ts";
import { addAllCommands } from "../src/commands/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Checks what comes in on standard input, or what is in a file. */
async function checkHistory(
  context: TestContext,
  args: readonly string[],
  input = "",
): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  const code = await runCommandLine(
    ["check-history", ...args],
    {
      stdin: Readable.from([input]),
      stdout: { write: (chunk) => (stdout += String(chunk)) },
      stderr: { write: (chunk) => (stderr += String(chunk)) },
      environment: { XDG_STATE_HOME: temporaryFolder(context) },
      interrupts: { claim: () => new AbortController().signal, leaveToCommand: () => undefined },
    },
    addAllCommands,
  );
  return { code, stdout, stderr };
}

function line(
  client: string,
  times: readonly [number, number],
  op: object,
  result: object,
): string {
  const [call, end] = times;
  return `${JSON.stringify({ client, call, return: end, op, outcome: "ok", result })}\n`;
}

const PUT = line("c1", [0, 5], { kind: "put", key: "k", value: "1" }, {});
const GOOD = PUT + line("c2", [6, 9], { kind: "get", key: "k" }, { value: "1" });
const STALE = PUT + line("c2", [6, 9], { kind: "get", key: "k" }, { value: null });

test("check-history: a linearizable history ends with 0, from a file or standard input", async (context) => {
  const path = join(temporaryFolder(context), "run.ndjson");
  writeFileSync(path, `{"history":1,"note":"a test"}\n${GOOD}`);
  for (const ended of [
    await checkHistory(context, [path]),
    await checkHistory(context, ["-"], GOOD),
  ]) {
    assert.deepEqual([ended.code, ended.stderr], [0, ""]);
    assert.match(ended.stdout, /^linearizable: 2 operations on 1 key \(2 completed\)/u);
  }
});

test("check-history: a violation ends with 8 and shows the operations", async (context) => {
  const { code, stdout } = await checkHistory(context, ["-"], STALE);
  assert.equal(code, 8);
  assert.match(stdout, /^not linearizable: key k/u);
  assert.match(stdout, /put k = 1 → ok .*├/u);
  assert.match(stdout, /✗ .*get k → nothing .*├/u);
});

test("check-history: as JSON, with the operations as they were recorded", async (context) => {
  const { code, stdout } = await checkHistory(context, ["-", "-o", "json"], STALE);
  const document = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(code, 8);
  assert.deepEqual(
    [document["kind"], document["verdict"], document["problem"], document["keys"]],
    ["HistoryVerdict", "violation", "notLinearizable", ["k"]],
  );
  const lines = STALE.trim().split("\n");
  assert.deepEqual(
    document["window"],
    lines.map((text) => JSON.parse(text) as unknown),
  );
});

test("check-history: what is decided neither way ends with 1", async (context) => {
  const op = { kind: "put", key: "k", value: "1" };
  const unknown = `${JSON.stringify({ client: "c1", call: 0, op, outcome: "info" })}\n`;
  const { code, stdout } = await checkHistory(context, ["-"], unknown);
  assert.equal(code, 1);
  assert.match(stdout, /^void: /u);
});

test("check-history: without the positions a history is judged by its answers alone", async (context) => {
  const positioned = GOOD.trim().split("\n");
  const lying = positioned.map((text, at) => `${text.slice(0, -1)},"index":${9 - at}}`).join("\n");
  assert.equal((await checkHistory(context, ["-"], lying)).code, 8);
  assert.equal((await checkHistory(context, ["-", "--ignore-positions"], lying)).code, 0);
});

test("check-history: a line that is no operation is told by its number, exit 1", async (context) => {
  const { code, stderr } = await checkHistory(context, ["-"], `${GOOD}{"client":3}\n`);
  assert.equal(code, 1);
  assert.match(stderr, /stdin is no history/u);
  assert.match(stderr, /line 3: client: must be text/u);
});

test("check-history: a file that is not there ends with 3", async (context) => {
  const { code, stderr } = await checkHistory(context, ["/nonexistent/run.ndjson"]);
  assert.equal(code, 3);
  assert.match(stderr, /there is no file/u);
});
