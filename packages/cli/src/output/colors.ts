import { styleText } from "node:util";

/** What a stretch of text tells; always said by a word or a sign too, never by colour alone. */
export type Tone = "good" | "warning" | "bad" | "dim" | "strong";

/** Colours a text, or leaves it as it is. */
export type Painter = (tone: Tone, text: string) => string;

const FORMATS = {
  good: "green",
  warning: "yellow",
  bad: "red",
  dim: "dim",
  strong: "bold",
} as const;

/** Leaves every text as it is. */
export const plainPainter: Painter = (_tone, text) => text;

const colorPainter: Painter = (tone, text) =>
  text === "" ? "" : styleText(FORMATS[tone], text, { validateStream: false });

/**
 * Colours only for a terminal that can show them, and only where nobody asked for none:
 * `--no-color`, a non-empty NO_COLOR, TERM=dumb.
 */
export function painterFor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
  colorFlag: boolean,
): Painter {
  const unwanted = !colorFlag || (environment["NO_COLOR"] ?? "") !== "";
  const unable = stream.isTTY !== true || environment["TERM"] === "dumb";
  return unwanted || unable ? plainPainter : colorPainter;
}
