/** What the reader of one setting says: its value, or what is wrong and what to write instead. */
export type Parsed<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "fault"; readonly problem: string; readonly remedy: string };

/** A value as a fault quotes it: short, and on one line. */
export function show(raw: unknown): string {
  const text = raw === undefined ? "nothing" : JSON.stringify(raw);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Whether `text` is `host:port` with a port from 0 to 65535; an IPv6 host is in brackets. */
export function isAddress(text: string): boolean {
  const match = /^(?:\[[0-9A-Fa-f:.%]+\]|[^\s:[\]]+):(?<port>\d{1,5})$/u.exec(text);
  const port = match?.groups?.["port"];
  return port !== undefined && Number(port) <= 65_535;
}
