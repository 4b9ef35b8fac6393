import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { ROOT } from "./environment.ts";
import type { TestRef } from "./mutant.ts";

const DOCUMENT = "docs/raft-rules.md";

/** What the document says of one rule. */
export interface Rule {
  readonly number: number;
  readonly text: string;
  readonly tests: readonly TestRef[];
  /** Why it needs no test, or null. */
  readonly doesNotApply: boolean;
}

/** The rules of docs/raft-rules.md, by number. */
export function readRules(): ReadonlyMap<number, Rule> {
  const document = readFileSync(join(ROOT, DOCUMENT), "utf8");
  const [rulesOnly = ""] = document.split("\n## What the introductions describe");
  const starts = [...rulesOnly.matchAll(/^(?<number>\d+)\. /gmu)];
  return new Map(
    starts.map((start, at) => {
      const own = rulesOnly.slice(start.index, starts[at + 1]?.index).split(/^## /mu)[0] ?? "";
      const plain = own.replaceAll(/\n\s+/gu, " ");
      const number = Number(start.groups?.["number"]);
      const doesNotApply = plain.includes("- Does not apply:");
      return [number, { number, text: plain, tests: testsIn(plain), doesNotApply }] as const;
    }),
  );
}

function testsIn(plain: string): TestRef[] {
  const tests = plain.matchAll(/- Test: \[[^\]]+\]\((?<target>[^)]+)\) `(?<title>[^`]+)`/gu);
  return [...tests].map(({ groups }) => ({
    file: relative(ROOT, resolve(ROOT, "docs", groups?.["target"] ?? "")),
    name: groups?.["title"] ?? "",
  }));
}

/** Matches a title as it stands in the source: `${…}` stands for anything. */
export function titlePattern(title: string): string {
  const parts = title.split(/\$\{(?:[^{}]|\{[^}]*\})*\}/u);
  return `^${parts.map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}/]/gu, "\\$&")).join(".*")}$`;
}
