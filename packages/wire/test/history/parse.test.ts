import assert from "node:assert/strict";
import { test } from "node:test";

import {
  bytesOfHistory,
  historyBytes,
  HistoryError,
  HistoryWriter,
  parseHistory,
} from "@quorate/wire/history";
import type { HistoryHeader, Operation } from "@quorate/wire/history";

const OPERATIONS: readonly Operation[] = [
  {
    client: "c1",
    call: 1.5,
    return: 2,
    op: { kind: "get", key: "k" },
    outcome: "ok",
    result: { value: null, revision: 0 },
    index: 7,
  },
  {
    client: "c2",
    call: 1,
    return: 9,
    op: { kind: "put", key: { b64: "/w==" }, value: "v", ifRevision: 3, expect: null },
    outcome: "ok",
    result: { applied: false },
  },
  { client: "c3", call: 2, op: { kind: "delete", key: "k", ifRevision: 0 }, outcome: "info" },
  {
    client: "c3",
    call: 2,
    return: 5,
    op: { kind: "cas", key: "k", expect: null, value: "w" },
    outcome: "fail",
  },
  {
    client: "c4",
    call: 3,
    return: 4,
    op: {
      kind: "txn",
      compares: [
        { key: "k", value: null },
        { key: "l", revision: 4 },
      ],
      success: [
        { kind: "put", key: "k", value: "x" },
        { kind: "get", key: "l" },
      ],
      failure: [{ kind: "delete", key: "k" }],
    },
    outcome: "ok",
    result: { succeeded: true, results: [{ created: true }, { value: "y" }], revision: 9 },
  },
  {
    client: "c5",
    call: 3,
    return: 4,
    op: { kind: "range", from: "", to: null, limit: 2 },
    outcome: "ok",
    result: { entries: [{ key: "a", value: "b", revision: 1 }] },
  },
  {
    client: "c6",
    call: 3,
    return: 4,
    op: { kind: "watch", from: "a", to: "b", fromRevision: 2 },
    outcome: "ok",
    result: {
      events: [
        { kind: "put", key: "a", revision: 2, value: "1" },
        { kind: "delete", key: "a", revision: 3 },
      ],
      throughRevision: 8,
    },
  },
];

const HEADER: HistoryHeader = {
  history: 1,
  note: "by hand",
  initial: [{ key: "z", value: "1", revision: 1 }],
};

function written(operations: readonly Operation[], header?: HistoryHeader): string[] {
  let text = "";
  const writer = new HistoryWriter((chunk) => (text += chunk), header);
  for (const operation of operations) writer.append(operation);
  assert.equal(writer.operations, operations.length);
  return text.split("\n");
}

test("history: every kind of operation comes back as it was written", async () => {
  const history = await parseHistory(written(OPERATIONS, HEADER));
  assert.deepEqual(history, { header: HEADER, operations: OPERATIONS });
});

test("history: a file without a header is read, and empty lines are passed over", async () => {
  const lines = ["", ...OPERATIONS.map((operation) => JSON.stringify(operation)), "  "];
  const history = await parseHistory(lines);
  assert.deepEqual(history, { header: { history: 1 }, operations: OPERATIONS });
});

test("history: bytes are text where they are UTF-8, and come back exactly where not", () => {
  assert.equal(historyBytes(Buffer.from("größe")), "größe");
  const bytes = Uint8Array.of(0xff, 0, 0x80);
  assert.deepEqual(historyBytes(bytes), { b64: "/wCA" });
  assert.deepEqual([...bytesOfHistory(historyBytes(bytes))], [...bytes]);
  assert.deepEqual([...bytesOfHistory("é")], [0xc3, 0xa9]);
});

const GET = '"client":"c","call":1,"return":2,"op":{"kind":"get","key":"k"}';

const BAD_LINES: readonly (readonly [line: string, code: string, field: string | null])[] = [
  ["{", "notJson", null],
  ["[]", "notJson", null],
  ["7", "notJson", null],
  ['{"history":2}', "badHeader", "history"],
  ['{"history":1,"initial":[{"key":"a"}]}', "badField", "initial[0].value"],
  [`{${GET},"outcome":"ok"}`, "badField", "result"],
  [`{${GET},"outcome":"maybe"}`, "badField", "outcome"],
  [`{${GET},"outcome":"ok","result":{}}`, "badField", "result.value"],
  [`{${GET},"outcome":"ok","result":{"value":"\\ud800"}}`, "badField", "result.value"],
  [`{${GET},"outcome":"ok","result":{"value":{"b64":"?"}}}`, "badField", "result.value"],
  [`{${GET},"outcome":"ok","result":{"value":"v"},"index":-1}`, "badField", "index"],
  [`{${GET},"outcome":"ok","result":{"value":"v"},"indexx":1}`, "badField", "indexx"],
  [`{${GET.replace('"return":2', '"return":0')},"outcome":"fail"}`, "badTime", "return"],
  [`{${GET.replace('"return":2', '"return":"2"')},"outcome":"fail"}`, "badField", "return"],
  [`{${GET.replace('"get"', '"peek"')},"outcome":"info"}`, "badField", "op.kind"],
  [
    `{${GET.replace('"key":"k"', '"key":"k","ifRevison":3')},"outcome":"info"}`,
    "badField",
    "op.ifRevison",
  ],
];

for (const [line, code, field] of BAD_LINES) {
  test(`history: refuses ${line} as ${code}`, async () => {
    const lines = line.startsWith('{"history"') ? [line] : ["", line];
    await assert.rejects(parseHistory(lines), (error) => {
      assert.ok(error instanceof HistoryError);
      assert.deepEqual([error.code, error.field, error.line], [code, field, lines.length]);
      assert.match(error.message, new RegExp(`^line ${lines.length}: `, "u"));
      return true;
    });
  });
}

test("history: a transaction has an answer for each step of the branch that was taken", async () => {
  const operation = OPERATIONS[4];
  assert.ok(operation?.op.kind === "txn" && operation.outcome === "ok");
  const bad = { ...operation, result: { succeeded: false, results: [{}, {}] } };
  await assert.rejects(parseHistory([JSON.stringify(bad)]), /2 answers for 1 steps/u);
});

test("parseHistory: minus zero is zero, as it is written again", async () => {
  const line =
    '{"client":"c","call":-0,"return":-0,"op":{"kind":"get","key":"k"},"outcome":"fail"}';
  const { operations } = await parseHistory([line]);
  assert.ok(Object.is(operations[0]?.call, 0));
});
