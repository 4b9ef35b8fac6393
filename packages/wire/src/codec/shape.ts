import type { Check } from "./checks.ts";
import { badField } from "./checks.ts";

/** One check for each field of `T`: a field that is added to `T` without one does not compile. */
export type Shape<T> = { readonly [K in keyof T]-?: Check<T[K]> };

/**
 * A map that has every field of `shape`, as an object of exactly these fields: whatever else the
 * map holds comes from a newer version and is left out.
 */
export function asShape<T>(value: unknown, field: string, shape: Shape<T>): T {
  const map = asMap(value, field);
  const result: Partial<T> = {};
  for (const name of namesOf(shape)) {
    result[name] = shape[name](map[name], `${field}.${name}`);
  }
  return result as T; // every name of the shape was filled in
}

/** As {@link asShape}, for a map that has some of the fields. */
export function asPartOfShape<T>(value: unknown, field: string, shape: Shape<T>): Partial<T> {
  const map = asMap(value, field);
  const result: Partial<T> = {};
  for (const name of namesOf(shape)) {
    if (Object.hasOwn(map, name)) result[name] = shape[name](map[name], `${field}.${name}`);
  }
  return result;
}

/** A MessagePack map with text keys, decoded but unchecked. */
export function asMap(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw badField(field, "a map");
  if (Array.isArray(value) || value instanceof Uint8Array) throw badField(field, "a map");
  return value as Readonly<Record<string, unknown>>;
}

function namesOf<T>(shape: Shape<T>): (keyof T & string)[] {
  return Object.keys(shape) as (keyof T & string)[];
}
