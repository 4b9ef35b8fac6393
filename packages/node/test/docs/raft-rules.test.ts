import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const DOCUMENT_URL = new URL("../../../../docs/raft-rules.md", import.meta.url);
const DOCUMENT = readFileSync(DOCUMENT_URL, "utf8");

/** A rule or a row: everything from its number to the next one's. */
interface Item {
  readonly name: string;
  readonly text: string;
}

const ITEM = /^(?:(?<rule>\d+)\. |- \*\*(?<row>S\d+[a-f]?)\*\* )/gmu;

function itemsOf(document: string): Item[] {
  const starts = [...document.matchAll(ITEM)];
  return starts.map((start, at) => {
    const text = document.slice(start.index, starts[at + 1]?.index);
    const [own = ""] = text.split(/^## /mu);
    return { name: start.groups?.["rule"] ?? start.groups?.["row"] ?? "", text: own };
  });
}

/** The rows S1 to S33; S8 and S23 have parts. */
function expectedRows(): string[] {
  const parts: Readonly<Record<number, readonly string[]>> = {
    8: ["a", "b", "c", "d", "e", "f"],
    23: ["a", "b", "c", "d", "e"],
  };
  return Array.from({ length: 33 }, (_, offset) => offset + 1).flatMap((number) =>
    (parts[number] ?? [""]).map((part) => `S${number}${part}`),
  );
}

const sources: Map<string, string | null> = new Map();

/** The text of a file that the document names, or null where there is none. */
function sourceAt(target: string): string | null {
  const url = new URL(target, DOCUMENT_URL);
  const known = sources.get(target);
  if (known !== undefined) return known;
  const text = existsSync(url) ? readFileSync(url, "utf8") : null;
  sources.set(target, text);
  return text;
}

function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/gu, "\\$&");
}

/** Whether `source` declares `name`: at its top level, or as a method. */
function declares(source: string, name: string): boolean {
  const topLevel = `^(?:export )?(?:async )?(?:function|class|const|interface|type) ${escaped(name)}\\b`;
  const member = `^  (?:async |static |get )*#?${escaped(name)}\\(`;
  return new RegExp(`${topLevel}|${member}`, "mu").test(source);
}

/** Whether `source` defines a test, or a claim of a suite, that is called `title`. */
function hasTest(source: string, title: string): boolean {
  const call = String.raw`\b(?:test|it|describe|claim)\(\s*["'\x60]`;
  return new RegExp(`${call}${escaped(title)}["'\\x60]`, "u").test(source);
}

function faultsOf({ name, text }: Item): string[] {
  const faults: string[] = [];
  const plain = text.replaceAll(/\n\s+/gu, " ");
  for (const { groups } of plain.matchAll(/\[`(?<symbol>[^`]+)`\]\((?<target>[^)]+)\)/gu)) {
    const { symbol = "", target = "" } = groups ?? {};
    const source = sourceAt(target);
    if (source === null) faults.push(`${name}: there is no ${target}`);
    else if (!declares(source, symbol)) faults.push(`${name}: ${target} has no ${symbol}`);
  }
  const tests = [...plain.matchAll(/- Test: \[[^\]]+\]\((?<target>[^)]+)\) `(?<title>[^`]+)`/gu)];
  for (const { groups } of tests) {
    const { target = "", title = "" } = groups ?? {};
    const source = sourceAt(target);
    if (source === null) faults.push(`${name}: there is no ${target}`);
    else if (!hasTest(source, title)) faults.push(`${name}: ${target} has no test "${title}"`);
  }
  if (tests.length !== plain.split("- Test: ").length - 1) faults.push(`${name}: an unread test`);
  const isExcused = /- (?:Not yet|Does not apply|Without a test): /u.test(plain);
  if (tests.length === 0 && !isExcused) faults.push(`${name}: neither a test nor a reason`);
  const isRule = /^\d/u.test(name);
  if (isRule && !/- (?:Kept by|Not yet:|Does not apply:) /u.test(plain)) {
    faults.push(`${name}: nothing that keeps it`);
  }
  return faults;
}

test("docs/raft-rules.md: has the rules 1 to 62 and the rows S1 to S33, each once, in order", () => {
  const names = itemsOf(DOCUMENT).map(({ name }) => name);
  const rules = Array.from({ length: 62 }, (_, offset) => String(offset + 1));
  assert.deepEqual(names, [...rules, ...expectedRows()]);
});

test("docs/raft-rules.md: every file, symbol and test that it names exists, none is without", () => {
  const [preface = ""] = DOCUMENT.split(/^## /mu);
  const items = [{ name: "preface", text: preface }, ...itemsOf(DOCUMENT)];
  assert.deepEqual(items.flatMap(faultsOf), []);
});

test("docs/raft-rules.md: what is not there is noticed", () => {
  const item = (line: string): Item => ({ name: "1", text: `1. Rule.\n   - Kept by us.\n${line}` });
  const target = "../packages/node/test/docs/raft-rules.test.ts";
  const tested = `   - Test: [x](${target})\n     \`docs/raft-rules.md: what is not there is noticed\`\n`;
  assert.deepEqual(faultsOf(item(tested)), []);
  assert.equal(faultsOf(item(tested.replace("noticed", "seen"))).length, 1);
  assert.equal(faultsOf(item(tested.replace("rules.test", "rules.toast"))).length, 1);
  assert.equal(faultsOf(item("")).length, 1);
  assert.deepEqual(faultsOf(item(`${tested}   - See [\`hasTest\`](${target}).`)), []);
  assert.equal(faultsOf(item(`${tested}   - See [\`hasTests\`](${target}).`)).length, 1);
});
