import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FAULTS } from "../fault-kinds.ts";
import type { Fault } from "../faults/fault.ts";
import { checkFile } from "@quorate/cli/verify";
import { readOptions } from "../options.ts";
import { formatReport } from "../report.ts";
import { makeRunDirectory } from "../run-directory.ts";
import { runChaos } from "../run.ts";
import { judge } from "../verdict.ts";

/** Says that it does what its kind does, and does nothing. */
const INERT: readonly Fault[] = FAULTS.filter(({ kind }) => kind === "kill").map((fault) => ({
  ...fault,
  run: () => Promise.resolve({ kind: "idle", why: "it is inert" }),
}));

test("chaos: a run whose faults never take effect, and a history that was tampered with, are rejected", async (t) => {
  const directory = makeRunDirectory();
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const options = readOptions(["--minutes", "0.15", "--nodes", "3", "--faults", "kill"]);
  assert.ok(options !== null);
  const evidence = await runChaos({
    options,
    faults: INERT,
    directory,
    whyNotIsolated: "a test",
    stopping: new AbortController().signal,
    onProgress: () => undefined,
  });
  const problems = judge(evidence);
  assert.deepEqual(problems, ["vacuous: kill never took effect", "vacuous: no fault took effect"]);
  assert.match(formatReport(evidence), /FAILED$/u);

  const [segment] = evidence.segments;
  assert.ok(segment !== undefined);
  assert.equal(segment.verdict.kind, "linearizable");
  const tampered = join(directory, "tampered.ndjson");
  writeFileSync(tampered, withStaleRead(readFileSync(segment.path, "utf8")));
  const verdict = await checkFile(tampered);
  assert.equal(verdict.kind, "violation");
  const segments = [{ ...segment, path: tampered, verdict }];
  assert.match(judge({ ...evidence, segments }).join("\n"), /violation history in minute 1/u);
});

interface Line {
  readonly client?: string;
  readonly return?: number;
  readonly op?: { readonly kind: string; readonly key: string; readonly value?: string };
  readonly outcome?: string;
  readonly result?: { readonly value?: string | null; readonly revision?: number };
}

/** The last read of all that found something is made to have found what was there first. */
function withStaleRead(history: string): string {
  const lines = history.split("\n");
  const parsed = lines.map((line) => (line === "" ? {} : (JSON.parse(line) as Line)));
  const lastRead = parsed.findLastIndex(({ op, result }, at) => {
    if (op?.kind !== "get" || typeof result?.value !== "string") return false;
    return firstWriteOf(parsed.slice(0, at), op.key, result.value) !== undefined;
  });
  const read = parsed[lastRead];
  assert.ok(read?.op !== undefined && typeof read.result?.value === "string");
  const stale = firstWriteOf(parsed, read.op.key, read.result.value);
  assert.ok(stale?.op?.value !== undefined);
  const { revision = 0 } = stale.result ?? {};
  lines[lastRead] = JSON.stringify({ ...read, result: { value: stale.op.value, revision } });
  return lines.join("\n");
}

/** The first acknowledged put of another value to the key. */
function firstWriteOf(lines: readonly Line[], key: string, value: string): Line | undefined {
  return lines.find(
    ({ op, outcome, result }) =>
      op?.kind === "put" &&
      op.key === key &&
      op.value !== value &&
      outcome === "ok" &&
      result?.revision !== undefined,
  );
}
