import { QuorateError } from "@quorate/wire";

import { InvariantError } from "../raft/index.ts";

/** Every way in which a data directory refuses or fails, as `StorageError.code`. */
export const STORAGE_ERROR_CODES = [
  "notBootstrapped",
  "alreadyBootstrapped",
  "notEmpty",
  "locked",
  "newerFormat",
  "otherFormat",
  "otherCluster",
  "otherNode",
  "damaged",
  "full",
  "io",
] as const;

/** See docs/data-directory.md for what each one means and what helps. */
export type StorageErrorCode = (typeof STORAGE_ERROR_CODES)[number];

/** What a {@link StorageError} says: "subject verb. remedy". */
export interface StorageErrorFacts {
  readonly code: StorageErrorCode;
  /** What it is about: a directory or a file, by its path. */
  readonly subject: string;
  /** What is wrong with it. */
  readonly verb: string;
  /** What the operator can do. */
  readonly remedy: string;
}

/** A data directory that cannot be used, or a write or sync that failed. Never retried. */
export class StorageError extends QuorateError {
  override readonly name = "StorageError";
  override readonly code: StorageErrorCode;
  readonly subject: string;
  readonly verb: string;
  readonly remedy: string;

  constructor(facts: StorageErrorFacts, options?: ErrorOptions) {
    super(`${facts.subject} ${facts.verb}. ${facts.remedy}`, options);
    this.code = facts.code;
    this.subject = facts.subject;
    this.verb = facts.verb;
    this.remedy = facts.remedy;
  }
}

/** What crosses from the storage thread: an error loses its class and fields on the way. */
export interface StorageErrorRecord extends StorageErrorFacts {
  readonly cause: string | null;
}

export function toErrorRecord(error: StorageError): StorageErrorRecord {
  const { code, subject, verb, remedy, cause } = error;
  return { code, subject, verb, remedy, cause: cause === undefined ? null : describeCause(cause) };
}

export function fromErrorRecord(record: StorageErrorRecord): StorageError {
  return new StorageError(record, record.cause === null ? {} : { cause: new Error(record.cause) });
}

function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = errorCode(cause);
  return code === null ? cause.message : `${code}: ${cause.message}`;
}

/** The `code` of a system or SQLite error; null when it has none. */
export function errorCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

/** Whether `error` says that another connection has the database. */
export function isLocked(error: unknown): boolean {
  return ["SQLITE_BUSY", "SQLITE_LOCKED"].includes(errorCode(error) ?? "");
}

/** Whether `error` says that the disk, or what may be used of it, is full. */
export function isNoRoom(error: unknown): boolean {
  return ["SQLITE_FULL", "ENOSPC", "EDQUOT"].includes(errorCode(error) ?? "");
}

/** Data that was durable and is not any more: it is refused, never cut (FAST'18, PAR). */
export function damaged(subject: string, what: string, cause?: unknown): StorageError {
  return new StorageError(
    {
      code: "damaged",
      subject,
      verb: `is damaged: ${what}`,
      remedy:
        "Nothing was changed. Check the disk, keep a copy of the directory, and put a new node " +
        "with a new name in this one's place: its peers hold what was committed",
    },
    cause === undefined ? {} : { cause },
  );
}

/**
 * What an error of SQLite or the file system means for the file at `path`.
 *
 * @throws InvariantError where `error` is one: a bug is no operating error.
 */
export function fromSystemError(path: string, doing: string, error: unknown): StorageError {
  if (error instanceof InvariantError) throw error;
  if (error instanceof StorageError) return error;
  const code = errorCode(error) ?? "";
  const options = { cause: error };
  // SQLITE_ERROR: a statement of ours does not fit the tables that it finds.
  const isUnreadable = code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB";
  if (isUnreadable || code === "SQLITE_ERROR") {
    return damaged(path, `SQLite cannot read it while ${doing} (${code})`, error);
  }
  if (isLocked(error)) {
    return new StorageError(
      {
        code: "locked",
        subject: path,
        verb: "is in use by another process",
        remedy: "Stop that process or close the program that has it open",
      },
      options,
    );
  }
  if (isNoRoom(error)) {
    return new StorageError(
      {
        code: "full",
        subject: path,
        verb: `has no room left while ${doing}`,
        remedy: "Free space for it, then start the node again",
      },
      options,
    );
  }
  return new StorageError(
    {
      code: "io",
      subject: path,
      verb: `failed while ${doing} (${describeCause(error)})`,
      remedy: "Check the disk and the rights on the directory, then start the node again",
    },
    options,
  );
}
