/** What the reader of one setting says: its value, or what is wrong and what to write instead. */
export type Parsed<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "fault"; readonly problem: string; readonly remedy: string };

/** A value as a fault quotes it: short, and on one line. */
export function show(raw: unknown): string {
  const text = raw === undefined ? "nothing" : JSON.stringify(raw);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
