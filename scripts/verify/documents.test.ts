import assert from "node:assert/strict";
import { test } from "node:test";
import { anchorsOf, linksOf } from "./documents.ts";

test("documents: anchors are GitHub's: lower case, no punctuation, numbered repeats", () => {
  const text = "# Life of a write (§5.3)\n## `put`, `get`\n## Notes\n### Notes\n```\n# no\n```\n";
  const expected = ["life-of-a-write-53", "put-get", "notes", "notes-1"];
  assert.deepEqual([...anchorsOf(text)], expected);
});

test("documents: links are found with their line, code and fences left out", () => {
  const text = '[a](x.md#y)\n`[b](no.md)` ![c](<d.png> "title")\n~~~\n[e](no.md)\n~~~\n';
  assert.deepEqual(linksOf(text), [
    { line: 1, target: "x.md#y" },
    { line: 2, target: "d.png" },
  ]);
});
