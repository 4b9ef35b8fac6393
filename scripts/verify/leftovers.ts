import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { listSources } from "./sources.ts";

/** Split, so that this file does not find itself. */
const NOTE = new RegExp(
  `\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].join("|")})\\b`,
  "u",
);
const VAGUE = /^(utils?|helpers?|manager|service|common|misc)(\.|-|$)/u;
const TEXT = /\.(ts|mjs|js|json|jsonc|md|yaml|yml|sh)$/u;

/** Notes to oneself, and files whose name says nothing of their content. */
export async function checkLeftovers(): Promise<string> {
  const faults: string[] = [];
  for (const file of await listSources()) {
    const vague = file.split("/").find((part) => VAGUE.test(part));
    if (vague !== undefined)
      faults.push(`${file}: "${vague}" says nothing; name it for what it does`);
    if (!TEXT.test(basename(file)) || basename(file) === "pnpm-lock.yaml") continue;
    const lines = (await readFile(file, "utf8")).split("\n");
    for (const [offset, line] of lines.entries()) {
      const note = NOTE.exec(line)?.[1];
      if (note !== undefined) faults.push(`${file}:${offset + 1}: ${note} left over`);
    }
  }
  return faults.join("\n");
}
