import assert from "node:assert/strict";
import { test } from "node:test";

import { CommandError, errorLines, printError } from "../../src/errors.ts";
import { painterFor, plainPainter } from "../../src/output/colors.ts";
import { jsonBytes, jsonCount, jsonDocument } from "../../src/output/json.ts";
import type { OutputFormat } from "../../src/output/printer.ts";
import { Printer } from "../../src/output/printer.ts";
import { formatLogLine } from "../../src/output/log-line.ts";

class TextCollector {
  readonly isTTY: boolean;
  text = "";

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(chunk: string | Uint8Array): void {
    this.text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
  }
}

function printerOn(isTTY: boolean, format: OutputFormat, quiet = false) {
  const stdout = new TextCollector(isTTY);
  const stderr = new TextCollector(isTTY);
  const environment = { NO_COLOR: "1" };
  const fixed = { environment, color: true, verbose: false, format, quiet };
  return { printer: new Printer({ stdout, stderr, ...fixed }), stdout, stderr };
}

const TABLE = {
  columns: [{ heading: "NODE" }, { heading: "TERM", align: "right" }, { heading: "NOTE" }],
  rows: [
    ["n1", "7", ""],
    ["node-2", "1024", "paused"],
  ],
} as const;

test("simple on a terminal: columns two spaces apart under headings, numbers to the right", () => {
  const { printer, stdout } = printerOn(true, "simple");
  printer.table(TABLE);
  assert.equal(stdout.text, "NODE    TERM  NOTE\nn1         7\nnode-2  1024  paused\n");
});

test("simple in a pipe: tabs, no headings, empty cells kept", () => {
  const { printer, stdout } = printerOn(false, "simple");
  printer.table(TABLE);
  assert.equal(stdout.text, "n1\t7\t\nnode-2\t1024\tpaused\n");
});

test("simple in a pipe: a table that is meant for people keeps its headings", () => {
  const { printer, stdout } = printerOn(false, "simple");
  printer.table(TABLE, "readable");
  assert.equal(stdout.text.split("\n")[0], "NODE    TERM  NOTE");
});

test("table: boxes of ASCII signs", () => {
  const { printer, stdout } = printerOn(false, "table");
  printer.table(TABLE);
  assert.equal(
    stdout.text,
    [
      "+--------+------+--------+",
      "| NODE   | TERM | NOTE   |",
      "+--------+------+--------+",
      "| n1     |    7 |        |",
      "| node-2 | 1024 | paused |",
      "+--------+------+--------+",
      "",
    ].join("\n"),
  );
});

test("json: one document instead of lines and tables", () => {
  const { printer, stdout } = printerOn(false, "json");
  printer.line("OK");
  printer.table(TABLE);
  printer.document("PutResult", { revision: jsonCount(2 ** 53 - 1), created: true });
  assert.deepEqual(JSON.parse(stdout.text), {
    apiVersion: "quorate/v1",
    kind: "PutResult",
    revision: "9007199254740991",
    created: true,
  });
});

test("json: version and kind stand first", () => {
  assert.match(
    jsonDocument("X", { a: 1 }),
    /^\{\n {2}"apiVersion": "quorate\/v1",\n {2}"kind": "X"/u,
  );
});

test("json: bytes are text where they are UTF-8, otherwise base64", () => {
  assert.equal(jsonBytes(Buffer.from("grüße")), "grüße");
  assert.deepEqual(jsonBytes(Uint8Array.of(0xff, 0x00, 0x80)), { base64: "/wCA" });
  const view = new Uint8Array(Buffer.from("..abc..").buffer, 0, 0);
  assert.equal(jsonBytes(view), "");
});

test("quiet: sentences are left out, tables and documents are not", () => {
  const { printer, stdout, stderr } = printerOn(false, "simple", true);
  printer.line("Killed n2.");
  printer.note("waiting");
  printer.table(TABLE);
  assert.equal(stdout.text.split("\n").length, 3);
  assert.equal(stderr.text, "");
});

test("colours: only for a capable terminal, and not where anybody asked for none", () => {
  const tty = { isTTY: true };
  assert.notEqual(painterFor(tty, { TERM: "xterm" }, true)("bad", "x"), "x");
  assert.equal(painterFor({ isTTY: false }, { TERM: "xterm" }, true)("bad", "x"), "x");
  assert.equal(painterFor({}, { TERM: "xterm" }, true)("bad", "x"), "x");
  assert.equal(painterFor(tty, { TERM: "dumb" }, true)("bad", "x"), "x");
  assert.equal(painterFor(tty, { TERM: "xterm", NO_COLOR: "1" }, true)("bad", "x"), "x");
  assert.notEqual(painterFor(tty, { TERM: "xterm", NO_COLOR: "" }, true)("bad", "x"), "x");
  assert.equal(painterFor(tty, { TERM: "xterm" }, false)("bad", "x"), "x");
});

const ERROR = new CommandError("notApplied", "no leader: 2 of 5 nodes answer", {
  why: ["n3 and n5 are down", "n4 is paused", "third", "a fourth is too many"],
  try: ["quorate start n3 n5", "quorate resume n4"],
});

test("errors: what, why and try, at most three facts", () => {
  assert.deepEqual(errorLines(ERROR, plainPainter), [
    "error: no leader: 2 of 5 nodes answer",
    "  why:  n3 and n5 are down",
    "        n4 is paused",
    "        third",
    "  try:  quorate start n3 n5   ·   quorate resume n4",
  ]);
});

test("errors: the same fields in JSON, on stderr", () => {
  const { printer, stdout, stderr } = printerOn(false, "json");
  printError(printer, ERROR, 5);
  assert.equal(stdout.text, "");
  assert.deepEqual(JSON.parse(stderr.text), {
    apiVersion: "quorate/v1",
    kind: "Error",
    code: "notApplied",
    exitCode: 5,
    what: "no leader: 2 of 5 nodes answer",
    why: ["n3 and n5 are down", "n4 is paused", "third"],
    try: ["quorate start n3 n5", "quorate resume n4"],
  });
});

test("logs: a record becomes time, level, message and fields; anything else stays as it is", () => {
  const record = {
    level: 40,
    time: 1_763_000_000_123,
    pid: 7,
    msg: "slow disk",
    term: 3,
    why: "a b",
  };
  assert.equal(
    formatLogLine(JSON.stringify(record)),
    '02:13:20.123 warn  slow disk term=3 why="a b"',
  );
  assert.equal(formatLogLine("    at main.ts:3:7"), "    at main.ts:3:7");
  assert.equal(formatLogLine("42"), "42");
});
