import stringWidth from "string-width";

const PRINTABLE_ASCII = /^[ -~]*$/u;

/** Columns that `text` takes on a terminal. */
export function widthOf(text: string): number {
  return PRINTABLE_ASCII.test(text) ? text.length : stringWidth(text);
}

/** `text` without anything that could move a cursor or hide: it comes from a network. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

/** What a reader takes for single characters. */
export function graphemesOf(text: string): readonly string[] {
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}

/** `text` cut to at most `columns`, ending in an ellipsis where something was cut. */
export function truncate(text: string, columns: number): string {
  if (widthOf(text) <= columns) {
    return text;
  }
  if (columns <= 0) {
    return "";
  }
  let kept = "";
  let width = 0;
  for (const segment of graphemesOf(text)) {
    const next = width + widthOf(segment);
    if (next > columns - 1) {
      break;
    }
    kept += segment;
    width = next;
  }
  return `${kept}…`;
}

/** `text` in exactly `columns` columns. */
export function fit(text: string, columns: number, align: "left" | "right" = "left"): string {
  const kept = truncate(text, columns);
  const padding = " ".repeat(Math.max(0, columns - widthOf(kept)));
  return align === "left" ? kept + padding : padding + kept;
}

/** A number in at most `columns` columns: 1234567 as "1.2M" where it has to be. */
export function count(value: number, columns: number): string {
  const plain = String(value);
  if (plain.length <= columns) {
    return plain;
  }
  for (const [unit, size] of UNITS) {
    const scaled = value / size;
    if (scaled < 1000) {
      const precise = scaled.toFixed(1) + unit;
      return precise.length <= columns ? precise : Math.floor(scaled) + unit;
    }
  }
  return "big";
}

const UNITS: readonly (readonly [string, number])[] = [
  ["k", 1e3],
  ["M", 1e6],
  ["G", 1e9],
  ["T", 1e12],
  ["P", 1e15],
];

/** How long ago or for how long, coarse: "8s", "4m", "3h", "2d". */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 100) {
    return `${seconds}s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) {
    return `${minutes}m`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

/** A latency without its unit: "0.3", "8.4", "120". */
export function milliseconds(ms: number | null): string {
  if (ms === null) {
    return "-";
  }
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}

/** Memory or disk: "70M". */
export function bytes(size: number): string {
  const megabytes = size / (1024 * 1024);
  return megabytes < 1024 ? `${Math.round(megabytes)}M` : `${(megabytes / 1024).toFixed(1)}G`;
}

/** Local time of day: "12:04:31", or "12:04:31.250". */
export function timeOfDay(atMs: number, precision: "s" | "ms"): string {
  const date = new Date(atMs);
  const two = (part: number) => String(part).padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return precision === "s" ? time : `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
