import type { WireMessage } from "../wire-message.ts";

/** A message as the MessagePack array that stands in its frame: type code first. */
export type Fields = readonly unknown[];

/** How one message becomes fields and back. */
export interface Codec<M extends WireMessage> {
  /** A new array; the caller may change it. Large bytes are copied once, the last of them best. */
  toFields(message: M): unknown[];
  /**
   * Checks every field that it reads and ignores those after them.
   * @throws DecodeError naming the first field that is missing or wrong.
   */
  fromFields(fields: Fields): M;
}

/**
 * `fields` without those at its end that have their default, given for the last fields in order:
 * fields that were added later are not sent for nothing, and readers fill in the same.
 */
export function withoutDefaults(fields: unknown[], defaults: readonly unknown[]): unknown[] {
  for (const expected of defaults.toReversed()) {
    if (fields.at(-1) !== expected) break;
    fields.pop();
  }
  return fields;
}

/** The field at `at`, or `absent` where the sender left it out. */
export function fieldOr(fields: Fields, at: number, absent: unknown): unknown {
  return at < fields.length ? fields[at] : absent;
}
