import type { Term } from "@quorate/wire";

/** How many colours the terminal has; `none` also means no bold and no dim. */
export type ColourDepth = "none" | "16" | "256";

/** What a piece of text is about. No tone carries a meaning that its glyph or word does not. */
export type Tone = "plain" | "bold" | "dim" | "good" | "warning" | "bad" | "leader";

/** Turns text into text with terminal colours. Painted text must not be painted again. */
export interface Paint {
  tone(tone: Tone, text: string): string;
  /** `solid`: on the term's colour, for committed entries; `open`: in it. */
  term(term: Term, text: string, fill: "solid" | "open"): string;
}

const TONE_CODES: Readonly<Record<Exclude<Tone, "plain">, string>> = {
  bold: "1",
  dim: "2",
  good: "32",
  warning: "33",
  bad: "31",
  leader: "1;32",
};

/** Terms cycle through six colours that the colour-blind can tell apart (Okabe and Ito). */
const TERM_COLOURS_256 = [166, 74, 214, 175, 227, 36] as const;
const TERM_COLOURS_16 = [1, 6, 3, 5, 7, 2] as const;

/** The paint of a terminal with `depth`. */
export function createPaint(depth: ColourDepth): Paint {
  if (depth === "none") {
    return { tone: (_tone, text) => text, term: (_term, text) => text };
  }
  return {
    tone: (tone, text) => (tone === "plain" ? text : wrap(TONE_CODES[tone], text)),
    term: (term, text, fill) => wrap(termCode(term, fill, depth), text),
  };
}

function wrap(code: string, text: string): string {
  return text === "" ? "" : `\u001B[${code}m${text}\u001B[0m`;
}

function termCode(term: Term, fill: "solid" | "open", depth: "16" | "256"): string {
  const at = term % TERM_COLOURS_256.length;
  if (depth === "256") {
    const colour = TERM_COLOURS_256[at] ?? TERM_COLOURS_256[0];
    return fill === "solid" ? `30;48;5;${colour}` : `38;5;${colour}`;
  }
  const colour = TERM_COLOURS_16[at] ?? TERM_COLOURS_16[0];
  return fill === "solid" ? `30;4${colour}` : `3${colour}`;
}

/** The colours that an environment promises: `NO_COLOR`, `COLORTERM` and `TERM` decide. */
export function colourDepthOf(env: Readonly<Record<string, string | undefined>>): ColourDepth {
  const term = env["TERM"] ?? "";
  if ((env["NO_COLOR"] ?? "") !== "" || term === "dumb") {
    return "none";
  }
  return term.includes("256") || (env["COLORTERM"] ?? "") !== "" ? "256" : "16";
}
