import { readFileSync } from "node:fs";

import { CommandError } from "../errors.ts";

/** Reads fields of a JSON object and says in one sentence what is wrong with them. */
export class JsonFields {
  readonly #path: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(path: string, fields: unknown) {
    if (typeof fields !== "object" || fields === null) throw damaged(path, "not an object");
    this.#path = path;
    this.#fields = fields as Readonly<Record<string, unknown>>;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  string(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== "string") throw damaged(this.#path, `${name} is not a text`);
    return value;
  }

  stringOrNull(name: string): string | null {
    return this.#fields[name] === null ? null : this.string(name);
  }

  integer(name: string): number {
    const value = this.#fields[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      throw damaged(this.#path, `${name} is not a whole number`);
    }
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#fields[name];
    if (typeof value !== "boolean") throw damaged(this.#path, `${name} is not true or false`);
    return value;
  }

  strings(name: string): string[] {
    const value = this.#fields[name];
    const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
    if (!isList) throw damaged(this.#path, `${name} is not a list of texts`);
    return value as string[];
  }

  objects(name: string): JsonFields[] {
    const value = this.#fields[name];
    if (!Array.isArray(value)) throw damaged(this.#path, `${name} is not a list`);
    return value.map((item: unknown) => new JsonFields(this.#path, item));
  }

  objectOrNull(name: string): JsonFields | null {
    const value = this.#fields[name];
    return value === null ? null : new JsonFields(this.#path, value);
  }
}

function damaged(path: string, fault: string): CommandError {
  return new CommandError("failed", `${path} is damaged: ${fault}`, {
    why: ["it was changed by hand, or written by another version"],
    try: ["quorate ps -a", "quorate down --purge -y"],
  });
}

/** The fields of a JSON file; null where there is no such file. */
export function readJsonFields(path: string): JsonFields | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return new JsonFields(path, JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged(path, "not JSON");
    throw error;
  }
}
