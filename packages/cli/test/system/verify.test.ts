import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import type { Operation } from "@quorate/wire/history";

import { checkFile } from "../../src/verify/history-check.ts";
import { LocalQuorate } from "./local-quorate.ts";

interface VerifyResult {
  readonly passed: boolean;
  readonly problems: readonly { readonly code: string; readonly text: string }[];
  readonly verdict: { readonly kind: string; readonly tier: string | null };
  readonly operations: { readonly ok: number; readonly unknown: number };
  readonly acknowledgedWrites: number;
  readonly history: string | null;
  readonly seed: number;
  readonly faults: readonly {
    readonly kind: string;
    readonly happened: boolean;
    readonly proof: string | null;
  }[];
}

interface Member {
  readonly process: string;
  readonly status: { readonly keyCount: string; readonly faults: readonly unknown[] };
}

/** Nothing of a run is left: all nodes run, no line is cut, no key is there. */
async function assertAsBefore(quorate: LocalQuorate): Promise<void> {
  await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
  const { members } = JSON.parse(await quorate.succeed("status", "-o", "json")) as {
    readonly members: readonly Member[];
  };
  for (const { process, status } of members) {
    assert.equal(process, "running");
    assert.deepEqual(status.faults, []);
    assert.equal(status.keyCount, "0");
  }
}

/** The history with one read that was answered with what the key had held before. */
function withStaleRead(lines: readonly string[]): string {
  const operations = lines.map((line) => JSON.parse(line) as Operation);
  const first = new Map<
    unknown,
    Extract<Operation, { op: { kind: "get" }; outcome: "ok" }>["result"]
  >();
  const tampered = operations.map((operation, at) => {
    if (at < operations.length / 2 || operation.op?.kind !== "get") {
      if (
        operation.op?.kind === "get" &&
        operation.outcome === "ok" &&
        "value" in operation.result
      ) {
        if (!first.has(operation.op.key)) first.set(operation.op.key, operation.result);
      }
      return operation;
    }
    const old = first.get(operation.op.key);
    if (operation.outcome !== "ok" || old === undefined || !("value" in operation.result))
      return operation;
    if (JSON.stringify(old) === JSON.stringify(operation.result)) return operation;
    first.clear();
    return { ...operation, result: old };
  });
  return tampered.map((operation) => `${JSON.stringify(operation)}\n`).join("");
}

test("verify: kill, pause and partition happen, nothing goes wrong, and all is as before", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const history = join(quorate.stateHome, "history.ndjson");
  const words =
    "verify --duration 16s --faults kill,pause,partition --clients 8 --seed 3 --rate 400";
  const args = [...words.split(" "), "--history", history, "-o", "json"];
  const result = JSON.parse(await quorate.succeed(...args)) as VerifyResult;
  assert.equal(result.passed, true);
  assert.equal(result.verdict.kind, "linearizable");
  for (const kind of ["kill", "pause", "partition"]) {
    const happened = result.faults.filter((fault) => fault.kind === kind && fault.happened);
    assert.ok(happened.length > 0, kind);
    assert.ok(happened.every(({ proof }) => proof !== null && proof !== ""));
  }
  assert.ok(result.acknowledgedWrites > 100, String(result.acknowledgedWrites));
  await assertAsBefore(quorate);
  assert.equal(existsSync(join(quorate.stateHome, "quorate", "demo", "verify")), false);

  const lines = readFileSync(history, "utf8").trimEnd().split("\n");
  assert.ok(lines.length > 500);
  const tampered = join(quorate.stateHome, "tampered.ndjson");
  writeFileSync(tampered, withStaleRead(lines));
  const { kind } = await checkFile(tampered);
  assert.equal(kind, "violation");
});

test("verify: a fault that never took effect fails the run, and history and logs are kept", async (context) => {
  const quorate = await LocalQuorate.prepare(context, 1);
  await quorate.up("-n", "1");
  const words = "verify --duration 150ms --faults kill --clients 2 --min-rate 0 -o json".split(" ");
  const { stdout } = await quorate.fail(8, ...words);
  const result = JSON.parse(stdout) as VerifyResult;
  assert.deepEqual(
    result.problems.map(({ code }) => code),
    ["faultMissing"],
  );
  assert.ok(result.history !== null && existsSync(result.history));
  assert.deepEqual(readdirSync(join(result.history, "..")).toSorted(), [
    "history.ndjson",
    "n1.log",
  ]);
  const refused = await quorate.fail(1, "verify", "--faults", "partition", "--duration", "1s");
  assert.match(refused.stderr, /partition is not possible here/u);
});

test("verify: faults that are out of reach are refused by name; nothing was done", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const endpoints = [0, 1, 2].map((at) => `127.0.0.1:${quorate.basePort + at}`).join(",");
  const args = ["--endpoints", endpoints, "verify", "--clients", "4"];
  const refused = await quorate.fail(1, ...args, "--faults", "kill,partition");
  assert.match(refused.stderr, /error: kill is not possible here/u);
  assert.match(refused.stderr, /try: {2}quorate verify --faults partition/u);
  const words = ["--duration", "4s", "--faults", "partition", "-o", "json"];
  const result = JSON.parse(await quorate.succeed(...args, ...words)) as VerifyResult;
  assert.ok(result.faults.some(({ happened }) => happened));
  await assertAsBefore(quorate);
});

test("verify: Ctrl-C heals and starts again what the run has cut, paused and killed", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const child = quorate.spawn("verify --duration 50s --faults kill,pause --clients 4".split(" "));
  const { stderr } = child;
  assert.ok(stderr !== null);
  for await (const line of createInterface({ input: stderr })) {
    if (!/ s {2}(?:killed|paused) /u.test(line)) continue;
    child.kill("SIGINT");
    break;
  }
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 130);
  await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
});
