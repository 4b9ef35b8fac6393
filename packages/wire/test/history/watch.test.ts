import assert from "node:assert/strict";
import { test } from "node:test";

import { checkHistory, formatVerdict } from "@quorate/wire/history";
import type { Operation, Verdict, WatchEvent } from "@quorate/wire/history";

/** Five changes, one after the other, and what each was told: revisions 1 to 5. */
const CHANGES: readonly Operation[] = [
  write(1, { kind: "put", key: "a", value: "1" }, {}),
  write(2, { kind: "put", key: "b", value: "2" }, {}),
  write(3, { kind: "put", key: "a", value: "3" }, {}),
  write(4, { kind: "delete", key: "b" }, { deleted: true }),
  write(5, { kind: "put", key: "c", value: "5" }, {}),
];

function write(revision: number, op: object, told: object): Operation {
  const call = revision * 10;
  const result = { ...told, revision };
  return { client: "w", call, return: call + 5, op, outcome: "ok", result } as Operation;
}

function put(revision: number, key: string, value: string): WatchEvent {
  return { kind: "put", key, value, revision };
}

const DELETED: WatchEvent = { kind: "delete", key: "b", revision: 4 };
const ALL = [put(1, "a", "1"), put(2, "b", "2"), put(3, "a", "3"), DELETED, put(5, "c", "5")];

interface Stream {
  readonly events: readonly WatchEvent[];
  readonly from?: string;
  readonly to?: string | null;
  readonly fromRevision?: number;
  readonly throughRevision?: number;
  readonly end?: number;
}

function watch(stream: Stream, client = "s"): Operation {
  const { events, from = "", to = null, fromRevision = 1, throughRevision, end = 100 } = stream;
  return {
    client,
    call: 0,
    return: end,
    op: { kind: "watch", from, to, fromRevision },
    outcome: "ok",
    result: throughRevision === undefined ? { events } : { events, throughRevision },
  };
}

function check(...streams: readonly Operation[]): Verdict {
  return checkHistory({ header: { history: 1 }, operations: [...CHANGES, ...streams] });
}

function problemOf(verdict: Verdict): string {
  return verdict.kind === "violation" ? verdict.problem : verdict.kind;
}

test("watch: streams that tell every change of their range once and in order pass", () => {
  const verdict = check(
    watch({ events: ALL }, "whole"),
    watch({ events: ALL.slice(0, 2) }, "begun"),
    watch({ events: ALL.slice(2), fromRevision: 3 }, "resumed"),
    watch({ events: [put(2, "b", "2"), DELETED], from: "b", to: "c" }, "one key"),
    watch({ events: [], from: "x", throughRevision: 5 }, "silent"),
    watch({ events: [], throughRevision: 0 }, "early"),
  );
  assert.equal(verdict.kind, "linearizable", formatVerdict(verdict));
  assert.deepEqual(verdict.decidedBy, { witness: 3, watch: 6 });
});

const FAULTS: readonly (readonly [name: string, stream: Stream, problem: string])[] = [
  ["leaves out a change", { events: [...ALL.slice(0, 2), ...ALL.slice(3)] }, "watchGap"],
  ["resumes behind a change", { events: ALL.slice(3), fromRevision: 3 }, "watchGap"],
  ["ends before a change", { events: ALL.slice(0, 4), throughRevision: 5 }, "watchGap"],
  ["tells nothing of its range", { events: [], from: "c", throughRevision: 5 }, "watchGap"],
  ["tells a change twice", { events: [ALL[0], ...ALL] as WatchEvent[] }, "watchDuplicate"],
  ["goes back", { events: [ALL[1], ALL[0]] as WatchEvent[] }, "watchOrder"],
  ["begins too early", { events: ALL, fromRevision: 2 }, "watchOrder"],
  ["tells of a key outside", { events: ALL, to: "c" }, "watchPhantom"],
  ["tells of a value that nobody wrote", { events: [...ALL, put(6, "a", "9")] }, "watchPhantom"],
  ["tells of a value in another's place", { events: [put(1, "a", "3")] }, "watchPhantom"],
  ["tells of a change before it was asked for", { events: ALL, end: 20 }, "watchPhantom"],
];

for (const [name, stream, problem] of FAULTS) {
  test(`watch: a stream that ${name} is a violation: ${problem}`, () => {
    const verdict = check(watch(stream));
    assert.equal(problemOf(verdict), problem, formatVerdict(verdict));
    assert.ok(verdict.kind === "violation" && verdict.tier === "watch");
    assert.ok(verdict.window.some(({ op }) => op.kind === "watch"));
  });
}

test("watch: two streams that tell different changes of one revision contradict each other", () => {
  const unknown: Operation[] = ["7", "8"].map((value) => {
    const op = { kind: "put", key: "d", value } as const;
    return { client: `u${value}`, call: 60, op, outcome: "info" };
  });
  const one = watch({ events: [...ALL, put(6, "d", "7")] }, "one");
  const other = watch({ events: [...ALL, put(6, "d", "8")] }, "other");
  assert.equal(problemOf(check(...unknown, one)), "linearizable");
  assert.equal(problemOf(check(...unknown, one, other)), "watchPhantom");
});

test("watch: a key is the same key in base64 and as text, and no other key's value", () => {
  const bytes = { b64: "YQ==" };
  const told = watch({ events: [put(1, "a", "1")], throughRevision: 1 });
  const operations = [
    write(1, { kind: "put", key: bytes, value: "1" }, {}),
    { ...write(1, { kind: "get", key: "a" }, { value: "1" }), call: 20, return: 25 },
    told,
  ];
  const verdict = checkHistory({ header: { history: 1 }, operations });
  assert.equal(verdict.kind, "linearizable", formatVerdict(verdict));
  const op = { kind: "delete", key: "a=1" } as const;
  const other: Operation = { client: "u", call: 10, op, outcome: "info" };
  const confused = checkHistory({ header: { history: 1 }, operations: [other, told] });
  assert.equal(problemOf(confused), "watchPhantom");
});

test("watch: what one stream tells of an indeterminate write, another must not leave out", () => {
  const op = { kind: "put", key: "d", value: "7" } as const;
  const unknown: Operation = { client: "u", call: 60, op, outcome: "info" };
  const one = watch({ events: [...ALL, put(6, "d", "7")] }, "one");
  const other = watch({ events: ALL, throughRevision: 6 }, "other");
  assert.equal(problemOf(check(unknown, one, other)), "watchGap");
});
