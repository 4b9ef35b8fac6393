/** Commands, and what they must print. */
export interface ScenarioBlock {
  readonly kind: "block";
  /** One command each; the lines indented below one belong to it. */
  readonly commands: readonly (readonly string[])[];
  readonly expected: readonly string[];
}

/** Lines between blocks: comments and space. */
interface ScenarioText {
  readonly kind: "text";
  readonly lines: readonly string[];
}

/** A scenario as its file tells it. */
export interface Scenario {
  /** The first comment line: the hazard, and where it is from. */
  readonly title: string;
  readonly parts: readonly (ScenarioBlock | ScenarioText)[];
}

const SEPARATOR = "----";

/** Throws a SyntaxError that names the line. */
export function parseScenario(source: string): Scenario {
  const lines = source.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const [first] = lines;
  if (first === undefined || !first.startsWith("# ")) {
    throw new SyntaxError("line 1: a scenario begins with a comment that names its hazard");
  }
  const parts: (ScenarioBlock | ScenarioText)[] = [];
  let at = 0;
  while (at < lines.length) {
    const end = isText(lines[at]) ? endOfText(lines, at) : endOfBlock(lines, at);
    const taken = lines.slice(at, end);
    parts.push(isText(lines[at]) ? { kind: "text", lines: taken } : blockOf(taken, at));
    at = end;
  }
  return { title: first.slice(2).trim(), parts };
}

/** The file with what was printed in the place of what was expected. */
export function formatScenario(
  { parts }: Scenario,
  printed: ReadonlyMap<ScenarioBlock, readonly string[]>,
): string {
  const lines = parts.flatMap((part) => {
    if (part.kind === "text") return part.lines;
    return [...part.commands.flat(), SEPARATOR, ...(printed.get(part) ?? part.expected)];
  });
  return `${lines.join("\n")}\n`;
}

function isText(line: string | undefined): boolean {
  return line === undefined || line.trim() === "" || line.startsWith("#");
}

function endOfText(lines: readonly string[], start: number): number {
  let end = start;
  while (end < lines.length && isText(lines[end])) end += 1;
  return end;
}

function endOfBlock(lines: readonly string[], start: number): number {
  let end = start;
  while (end < lines.length && lines[end]?.trim() !== "") end += 1;
  return end;
}

function blockOf(lines: readonly string[], start: number): ScenarioBlock {
  const separator = lines.indexOf(SEPARATOR);
  if (separator < 0) throw new SyntaxError(`line ${start + 1}: commands without "${SEPARATOR}"`);
  const commands: string[][] = [];
  for (const [offset, line] of lines.slice(0, separator).entries()) {
    if (!line.startsWith(" ")) commands.push([line]);
    else if (commands.at(-1)?.push(line) === undefined) {
      throw new SyntaxError(`line ${start + offset + 1}: indented, but belongs to no command`);
    }
  }
  return { kind: "block", commands, expected: lines.slice(separator + 1) };
}
