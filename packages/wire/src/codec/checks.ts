import { DecodeError } from "../errors.ts";
import { isIdentifier } from "../ids.ts";

/** Longest text that a person reads (a message, a remedy, an event), in UTF-16 code units. */
export const TEXT_MAX_UNITS = 512;

/** Longest `host:port`, in UTF-16 code units: a DNS name of 253, a colon, five digits. */
const ADDRESS_MAX_UNITS = 259;

/** Longest client name, software version or name of a fact, in UTF-16 code units. */
const NAME_MAX_UNITS = 64;

/** Turns a decoded value into a checked one or throws {@link DecodeError} naming `field`. */
export type Check<T> = (value: unknown, field: string) => T;

/** The error for a `field` whose value is not `expected`. */
export function badField(field: string, expected: string): DecodeError {
  return new DecodeError("badField", `${field} is not ${expected}`, { field });
}

/** An integer from 0 to 2^53 - 1, in any of MessagePack's number formats. */
export function asInteger(value: unknown, field: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw badField(field, "an integer from 0 to 2^53 - 1");
  }
  return value + 0; // -0 becomes 0
}

/** An integer as {@link asInteger} takes it, or null. */
export function asIntegerOrNull(value: unknown, field: string): number | null {
  return value === null ? null : asInteger(value, field);
}

/** A finite number that is not negative: a duration or a rate. */
export function asMeasure(value: unknown, field: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw badField(field, "a finite number of at least 0");
  }
  return value + 0;
}

/** A number from 0 to 1. */
export function asFraction(value: unknown, field: string): number {
  const fraction = asMeasure(value, field);
  if (fraction > 1) throw badField(field, "a number from 0 to 1");
  return fraction;
}

/** True or false. */
export function asBoolean(value: unknown, field: string): boolean {
  if (typeof value !== "boolean") throw badField(field, "true or false");
  return value;
}

/** Bytes: a view of the decoded body, not a copy. */
export function asBytes(value: unknown, field: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw badField(field, "binary");
  return value;
}

/** A node id, cluster id, incarnation or boot id. */
export function asIdentifier(value: unknown, field: string): string {
  if (typeof value !== "string" || !isIdentifier(value)) throw badField(field, "an identifier");
  return value;
}

/** An identifier as {@link asIdentifier} takes it, or null. */
export function asIdentifierOrNull(value: unknown, field: string): string | null {
  return value === null ? null : asIdentifier(value, field);
}

/** Text of at most `unitsMax` UTF-16 code units; may be empty. */
export function asText(value: unknown, field: string, unitsMax: number): string {
  if (typeof value !== "string" || value.length > unitsMax) {
    throw badField(field, `text of at most ${unitsMax} UTF-16 code units`);
  }
  return value;
}

/** A `host:port`. Only its length is checked: whoever dials it parses it. */
export function asAddress(value: unknown, field: string): string {
  return asText(value, field, ADDRESS_MAX_UNITS);
}

/** A name of a client, a version or a fact: 1 to 64 UTF-16 code units. */
export function asName(value: unknown, field: string): string {
  const name = asText(value, field, NAME_MAX_UNITS);
  if (name === "") throw badField(field, "a name");
  return name;
}

/** One of a closed list of words. */
export function asWord<T extends string>(value: unknown, field: string, words: readonly T[]): T {
  const word = words.find((candidate) => candidate === value);
  if (word === undefined) throw badField(field, `one of ${words.join(", ")}`);
  return word;
}

/** An array whose every element passes `check`. */
export function asArray<T>(value: unknown, field: string, check: Check<T>): T[] {
  if (!Array.isArray(value)) throw badField(field, "an array");
  return value.map((element) => check(element, field));
}

/** `check`, or null. */
export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, field) => (value === null ? null : check(value, field));
}

/** Cuts text that a person reads to what the other side accepts. */
export function cutText(text: string): string {
  return text.length <= TEXT_MAX_UNITS ? text : text.slice(0, TEXT_MAX_UNITS);
}
