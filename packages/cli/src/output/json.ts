import { isUtf8 } from "node:buffer";

/** Version of every JSON document that the command prints: a change of meaning makes a new one. */
const API_VERSION = "quorate/v1";

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** Bytes in JSON: text where they are UTF-8, otherwise `{"base64": …}`. */
export function jsonBytes(bytes: Uint8Array): JsonValue {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? buffer.toString("utf8") : { base64: buffer.toString("base64") };
}

/** Terms, indexes and revisions: strings, because they outgrow what JSON readers keep exact. */
export function jsonCount(count: number | null): string | null {
  return count === null ? null : String(count);
}

/** One document with its version and kind in front. */
export function jsonDocument(kind: string, fields: Readonly<Record<string, JsonValue>>): string {
  return `${JSON.stringify({ apiVersion: API_VERSION, kind, ...fields }, null, 2)}\n`;
}
