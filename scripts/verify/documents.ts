import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { listSources } from "./sources.ts";

/** A link or image of Markdown: its target, without a title. */
const LINK = /\]\(\s*<?([^)\s>]+)>?[^)]*\)/gu;
const HEADING = /^(#{1,6})\s+(.+?)\s*#*$/u;
const EXTERNAL = /^[a-z][a-z0-9+.-]*:/iu;

/** Links and anchors of every Markdown file lead somewhere; each has exactly one title. */
export async function checkDocuments(): Promise<string> {
  const sources = await listSources();
  const faults: string[] = [];
  for (const file of sources.filter((name) => name.endsWith(".md") && !name.startsWith("."))) {
    const text = await readFile(file, "utf8");
    const titles = headingsOf(text).filter(({ depth }) => depth === 1).length;
    if (titles !== 1) faults.push(`${file}: ${titles} titles (lines with one #), not 1`);
    for (const { line, target } of linksOf(text)) {
      const fault = await faultOfLink(file, target);
      if (fault !== null) faults.push(`${file}:${line}: ${fault}`);
    }
  }
  return faults.join("\n");
}

async function faultOfLink(file: string, target: string): Promise<string | null> {
  if (EXTERNAL.test(target)) return null;
  const [path = "", anchor = ""] = decodeURIComponent(target).split("#");
  const wanted = path === "" ? file : normalize(join(dirname(file), path));
  if (!existsSync(wanted)) return `${target}: there is no ${wanted}`;
  if (anchor === "" || !wanted.endsWith(".md")) return null;
  const anchors = anchorsOf(await readFile(wanted, "utf8"));
  return anchors.has(anchor) ? null : `${target}: ${wanted} has no heading for #${anchor}`;
}

/** The lines outside fenced code, numbered from 1. */
function* proseOf(text: string): Generator<{ line: number; content: string }> {
  let fence: string | null = null;
  for (const [offset, content] of text.split("\n").entries()) {
    const mark = /^\s*(```+|~~~+)/u.exec(content)?.[1] ?? null;
    if (fence === null && mark === null) yield { line: offset + 1, content };
    if (fence === null) fence = mark;
    else if (mark !== null && mark.startsWith(fence)) fence = null;
  }
}

/** The links of a Markdown text, outside code. */
export function linksOf(text: string): { line: number; target: string }[] {
  return [...proseOf(text)].flatMap(({ line, content }) =>
    [...content.replace(/`[^`]*`/gu, "").matchAll(LINK)].map(([, target = ""]) => ({
      line,
      target,
    })),
  );
}

function headingsOf(text: string): { depth: number; title: string }[] {
  return [...proseOf(text)].flatMap(({ content }) => {
    const [, marks, title] = HEADING.exec(content) ?? [];
    return marks === undefined || title === undefined ? [] : [{ depth: marks.length, title }];
  });
}

/** The anchors that GitHub gives to the headings of a Markdown text. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const { title } of headingsOf(text)) {
    const shown = title.replace(/\[([^\]]*)\]\([^)]*\)/gu, "$1");
    const kept = shown.toLowerCase().replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, "");
    const anchor = kept.replace(/\s/gu, "-");
    let count = 0;
    while (anchors.has(count === 0 ? anchor : `${anchor}-${count}`)) count += 1;
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`);
  }
  return anchors;
}
